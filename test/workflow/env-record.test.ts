import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DiagnosticError } from '../../src/base/diagnostic.ts';
import { EnvRecord } from '../../src/workflow/env-record.ts';
import { brief, engine, source, valueOf } from './support.ts';

test('gives what is set, and keeps what was asked for', () => {
  const env = new EnvRecord({ HOME: '/h', EMPTY: '' });
  assert.is(env.get('HOME'), '/h');
  assert.is(env.get('EMPTY'), '');
  assert.is(env.has('NOPE'), false);
  assert.is(env.has('constructor'), false);
  assert.equal(env.asked(), [
    ['EMPTY', ''],
    ['HOME', '/h'],
    ['NOPE', undefined],
    ['constructor', undefined],
  ]);
});

test('a variable that is not set is an error with the nearest, at its place', () => {
  const env = new EnvRecord({ SCRATCH: '/s' });
  const text = 'x + env.SCRTACH';
  const expression = valueOf(engine.compile(text, { file: source(text), start: 0, end: text.length }));
  try {
    expression.evaluate(
      new Map<string, unknown>([
        ['env', env],
        ['x', 'a'],
      ]),
    );
    assert.unreachable();
  } catch (problem) {
    assert.instance(problem, DiagnosticError);
    const [first] = (problem as DiagnosticError).diagnostics.map(brief);
    assert.match(
      first ?? '',
      /^1:\d+ workflow\/unknown-env: the environment variable 'SCRTACH' is not set \| did you mean 'SCRATCH'\?$/,
    );
  }
});

test('without a near one the hint says how to ask', () => {
  try {
    new EnvRecord({}).get('DATA');
    assert.unreachable();
  } catch (problem) {
    assert.is(
      (problem as DiagnosticError).diagnostics[0]?.hint,
      "set it, or ask first: has(env.DATA) ? env.DATA : 'default'",
    );
  }
});

test.run();
