import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compileText, evaluate, evaluateText, isStatic, namesOf, pathsOf } from '../../src/expr/template.ts';
import type { Template } from '../../src/expr/types.ts';
import { engine, fault, Job, mapOf, rangeOf, scopeOf, template } from './support.ts';

const scope = scopeOf({
  n: 3n,
  f: 1,
  s: 'a b',
  list: [1n, 'x', [2.5]],
  none: null,
  map: mapOf({ k: 1n }),
  t: true,
  job: new Job({}),
});

test('a text that is one expression keeps its type', () => {
  assert.is(evaluate(template('${{ n }}'), scope), 3n);
  assert.is(evaluate(template(' ${{ f }}\n'), scope), 1);
  assert.equal(evaluate(template('${{ list }}'), scope), [1n, 'x', [2.5]]);
  assert.equal(evaluate(template(`\${{ {'a': {'b': n}} }}`), scope), mapOf({ a: mapOf({ b: 3n }) }));
  assert.equal(evaluate(template(`\${{ {'a': {'b': n}}}}`), scope), mapOf({ a: mapOf({ b: 3n }) }));
});

test('other texts are put together', () => {
  assert.is(evaluate(template('x${{ n }}_${{ f }}y'), scope), 'x3_1.0y');
  assert.is(evaluateText(template('${{ n }}${{ t }}'), scope), '3true');
  assert.is(evaluateText(template('--x=${{ list }}'), scope), '--x=1 x 2.5');
  assert.is(evaluateText(template('${{ list }}'), scope), '1 x 2.5');
  assert.is(evaluateText(template('${{ f }}'), scope), '1.0');
  assert.equal(template('a ${VAR} $x }} b').kind, 'constant');
});

test('strings inside an expression may hold braces and openings', () => {
  assert.is(evaluate(template(`a\${{ '}}' + "\${{" }}b`), scope), 'a}}${{b');
  assert.is(evaluate(template(`\${{ 'it\\'s }}' }}`), scope), `it's }}`);
  assert.is(evaluate(template(`\${{ """a "}}" """ }}`), scope), 'a "}}" ');
});

test('what is not text is an error at its expression', () => {
  for (const text of ['a${{ none }}', 'a${{ map }}', 'a${{ job }}', '${{ none }}'])
    assert.match(
      fault(() => evaluateText(template(text), scope)),
      /^expr\/not-text \[(none|map|job)\]/,
    );
});

test('errors of all expressions of a text come together, each at its place', () => {
  const text = 'a ${{ 1 + }} b ${{ nope(1) }} c ${{ d';
  const result = compileText(text, rangeOf(text), engine);
  assert.ok(!result.ok);
  if (result.ok) return;
  assert.equal(
    result.error.map((e) => `${e.code} ${text.slice(e.at?.start, e.at?.end)} ${e.at?.start}`),
    ['expr/syntax  9', 'expr/unknown-function nope 19', 'expr/unclosed ${{ 32'],
  );
  assert.match(
    fault(() => template(`x \${{ 'abc }} y`)),
    /^expr\/syntax \['abc\] unterminated string/,
  );
  assert.match(
    fault(() => template('x ${{ {1 }} y')),
    /^expr\/syntax/,
  );
  assert.is(fault(() => template('x ${{ a ${{ b }}')).split(' ')[0], 'expr/unclosed');
  assert.match(
    fault(() => template('x ${{ }} y')),
    /^expr\/syntax .*empty/,
  );
});

test('places follow a text that YAML wrote otherwise', () => {
  const file = { name: 'f', text: `run: "a\\nb \${{ targt }}"` };
  const text = 'a\nb ${{ targt }}';
  const locate = (offset: number): number => 6 + (offset > 1 ? offset + 1 : offset);
  const result = compileText(text, { file, start: 5, end: file.text.length }, engine, locate);
  assert.ok(result.ok);
  if (result.ok)
    assert.match(
      fault(() => evaluate(result.value, scopeOf({}))),
      /^expr\/unknown-name \[targt\]/,
    );
});

test('lists and maps are evaluated deep', () => {
  const at = rangeOf('');
  const deep: Template = {
    kind: 'list',
    at,
    items: [
      template('${{ n }}'),
      { kind: 'map', at, entries: [{ key: 'k', keyAt: at, value: template('v${{ n }}') }] },
    ],
  };
  assert.equal(evaluate(deep, scope), [3n, mapOf({ k: 'v3' })]);
  assert.equal([...namesOf(deep)], ['n']);
  assert.equal([...pathsOf(template('${{ a.b }} ${{ c.d.e }}'))], ['a.b', 'c.d.e']);
  assert.is(isStatic(deep), false);
  assert.is(isStatic(template('plain')), true);
});

test.run();
