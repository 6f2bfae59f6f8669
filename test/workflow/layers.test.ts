import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DiagnosticError } from '../../src/base/diagnostic.ts';
import { err, ok, type Result } from '../../src/base/result.ts';
import { error } from '../../src/base/diagnostic.ts';
import type { Value, ValueMap } from '../../src/base/value.ts';
import { RecordObject } from '../../src/expr/types.ts';
import { composeConfig, mergeMaps } from '../../src/workflow/layers.ts';
import { brief, pointedAt, ruleOf, yaml } from './support.ts';

class FakeJob extends RecordObject {
  override has(): boolean {
    return false;
  }
  override get(): unknown {
    return undefined;
  }
  override names(): readonly string[] {
    return [];
  }
}

/** Composes the `config:` of a rule, given as its lines, from files in memory. */
function compose(
  lines: string,
  files: Readonly<Record<string, Value>> = {},
  names: Readonly<Record<string, unknown>> = {},
): ValueMap {
  const axes = Object.keys(names).map((name) => `      ${name}: [1]\n`);
  const rule = ruleOf(`  r:\n    run: x\n${axes.length > 0 ? `    for:\n${axes.join('')}` : ''}    config:\n${lines}`);
  const read = (path: string): Result<Value> =>
    files[path] === undefined ? err([error('file/not-found', `there is no file '${path}'`)]) : ok(files[path]);
  return composeConfig(rule.config ?? [], new Map(Object.entries(names)), read);
}

function thrown(make: () => unknown): DiagnosticError {
  try {
    make();
  } catch (problem) {
    if (problem instanceof DiagnosticError) return problem;
    throw problem;
  }
  throw new Error('nothing was thrown');
}

const messages = (make: () => unknown): string[] => thrown(make).diagnostics.map((d) => brief(d).replace(/^\S+ /, ''));

test('layers merge maps deeply; lists and scalars are replaced; later wins', () => {
  const files = { 'a.yaml': yaml('m: {depth: 2, sizes: [1, 2]}\nseed: 1'), 'b.yaml': yaml('depth: 3\nsizes: [9]') };
  const config = compose(
    '      - file: a.yaml\n      - { file: b.yaml, at: m }\n      - set: { seed: 2, x: {} }\n',
    files,
  );
  assert.equal(config, yaml('m: {depth: 3, sizes: [9]}\nseed: 2\nx: {}'));
});

test('`at` puts a layer deep down, and may hold any value', () => {
  const files = { 'l.json': [1n, 2n] };
  assert.equal(
    compose('      - { file: l.json, at: a.b }\n      - { set: 3, at: c }\n', files),
    yaml('a: {b: [1, 2]}\nc: 3'),
  );
});

test('a bare text is a file; a null or empty layer is nothing; `config: []` is an empty config', () => {
  assert.equal(
    compose('      - a.yaml\n      - set:\n      - e.yaml\n', { 'a.yaml': yaml('x: 1'), 'e.yaml': null }),
    yaml('x: 1'),
  );
  assert.equal(compose('      []\n'), new Map());
});

test('a map that is no layer is set as it stands', () => {
  assert.equal(compose('      lr: ${{ s }}\n      data: { n: 3 }\n', {}, { s: 0.5 }), yaml('lr: 0.5\ndata: {n: 3}'));
});

test('expressions choose files and values, and keep types', () => {
  const files = { 'conf/small.yaml': yaml('depth: 1') };
  const layers =
    '      - { file: "conf/${{ t.m }}.yaml", at: m }\n      - set: { n: "${{ t.n }}", s: "n=${{ t.n }}" }\n';
  assert.equal(compose(layers, files, { t: yaml('m: small\nn: 4') }), yaml('m: {depth: 1}\nn: 4\ns: n=4'));
});

test('a job inside a layer stays that job', () => {
  const job = new FakeJob();
  const config = compose('      - set: { target: "${{ t }}" }\n', {}, { t: job });
  assert.is(config.get('target'), job);
});

test('what presets have in common is one object in all jobs', () => {
  const files = { 'a.yaml': yaml('m: {x: {deep: 1}, y: 2}\nbig: {k: 1}'), 'b.yaml': yaml('m: {y: 3}') };
  const layers = '      - a.yaml\n      - b.yaml\n      - set: { seed: "${{ s }}" }\n';
  const one = compose(layers, files, { s: 1n });
  const two = compose(layers, files, { s: 2n });
  assert.is(one.get('big'), two.get('big'));
  assert.is(one.get('m'), two.get('m'), 'merged of two files');
  assert.is(one.get('big'), (files['a.yaml'] as ValueMap).get('big'));
  assert.is.not(one, two);
});

test('merging changes neither side', () => {
  const base = yaml('a: {b: 1}') as ValueMap;
  const over = yaml('a: {c: 2}') as ValueMap;
  assert.equal(mergeMaps(base, over), yaml('a: {b: 1, c: 2}'));
  assert.equal([base, over], [yaml('a: {b: 1}'), yaml('a: {c: 2}')]);
});

const BASE = {
  'base.yaml': yaml('sampler: {name: hmc, chains: 4, hmc: {step: 0.1}}\nmodel: {depth: 2, opt: null, extra: {}}'),
};

test('extend: false sets what earlier layers have, also a null by a map', () => {
  const layers =
    '      - base.yaml\n      - { set: { sampler: { chains: 8 }, model: { opt: { lr: 1 } } }, extend: false }\n';
  const config = compose(layers, BASE);
  assert.equal((config.get('sampler') as ValueMap).get('chains'), 8n);
});

test('extend: false: an override that nothing reads is an error with the path that was meant', () => {
  const layers =
    '      - base.yaml\n      - { set: { sampler: { hmc: { chains: 8 } }, model: { dept: 3, extra: { q: 1 } } }, extend: false }\n';
  const problem = thrown(() => compose(layers, BASE));
  assert.equal(problem.diagnostics.map(brief), [
    "7:36 config/unread-override: the override sets 'sampler.hmc.chains', which no earlier layer has, so nothing reads it | did you mean 'sampler.chains'?",
    "7:60 config/unread-override: the override sets 'model.dept', which no earlier layer has, so nothing reads it | did you mean 'model.depth'?",
    "7:78 config/unread-override: the override sets 'model.extra.q', which no earlier layer has, so nothing reads it | leave out `extend: false` to add new paths",
  ]);
  assert.equal(problem.diagnostics.map(pointedAt), ['chains', 'dept', 'q']);
});

test('extend: false: overrides that an expression gives point at the expression', () => {
  const layers = '      - base.yaml\n      - { set: "${{ t.overrides }}", extend: false, at: sampler }\n';
  const problem = thrown(() => compose(layers, BASE, { t: yaml('overrides: {chians: 3}') }));
  assert.match(problem.message, /sets 'sampler.chians'/);
  assert.is(problem.diagnostics[0]?.hint, "did you mean 'sampler.chains'?");
  assert.is(problem.diagnostics.map(pointedAt)[0], '"${{ t.overrides }}"');
});

test('layers of the wrong kind are errors', () => {
  assert.equal(
    messages(() => compose('      - set: [1]\n')),
    [
      'config/layer: `set` must give a map, and this gives a list | a layer with `at: a.b` may be anything, and is put there',
    ],
  );
  assert.equal(
    messages(() => compose('      - l.json\n', { 'l.json': [1n] })),
    [
      'config/layer: a config file must hold a map, and this gives a list | a layer with `at: a.b` may be anything, and is put there',
    ],
  );
  assert.equal(
    messages(() => compose('      - "${{ t }}"\n', {}, { t: 3n })),
    ['config/layer: the path of a config file must be text, and is 3'],
  );
  assert.match(brief(thrown(() => compose('      - nope.yaml\n')).diagnostics[0] as never), /^6:9 file\/not-found/);
});

test.run();
