import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DiagnosticError, error } from '../../src/base/diagnostic.ts';
import { cel, compile, diagnosticsOf, engine, fault, Job, mapOf, scopeOf } from './support.ts';

test('ints and doubles mix in arithmetic, comparison and equality, at any depth', () => {
  for (const source of [
    '1 == 1.0',
    '[1] == [1.0]',
    `{'a': [1]} == {'a': [1.0]}`,
    '1 in [1.0]',
    '1.0 in {1: 2}',
    '2 > 1.5',
    '!(1 != 1.0)',
    'n == d',
    'm == {1: d}',
    `'a' != 1`,
    'null != 0',
    '[1, 2] != [1]',
  ])
    assert.is(cel(source, { n: 1n, d: 1, m: new Map([[1n, 1n]]) }), true, source);
  assert.is(cel('a + 1', { a: 1.5 }), 2.5);
  assert.is(cel('7 / 2'), 3n);
  assert.is(cel('7 / 2.0'), 3.5);
  assert.is(cel('2 * 3 - 1'), 5n);
  assert.is(cel('a > 1 ? 1 : 2.5', { a: 0n }), 2.5);
  assert.is(cel(`a > 1 ? 'x' : 2`, { a: 2n }), 'x');
  assert.equal(cel(`[1, 'a', 2.0, null] + [[]]`), [1n, 'a', 2, null, []]);
});

test('one expression serves scopes of different types', () => {
  const sum = compile('a + b');
  assert.is(sum.evaluate(scopeOf({ a: 1n, b: 2n })), 3n);
  assert.is(sum.evaluate(scopeOf({ a: 'x', b: 'y' })), 'xy');
  assert.is(sum.evaluate(scopeOf({ a: 0.5, b: 2n })), 2.5);
  assert.equal(sum.evaluate(scopeOf({ a: [1n], b: ['y'] })), [1n, 'y']);
});

test('a name with fields gives what the library gives, and its errors', () => {
  const job = new Job({ dir: 'runs/a', config: mapOf({ x: null, deep: mapOf({ n: 1n }) }) });
  assert.is(cel('job.dir', { job }), 'runs/a');
  assert.is(job.gets, 1);
  assert.is(cel('job.config.x', { job }), null);
  assert.is(cel('job.config.deep.n', { job }), 1n);
  assert.is(cel('x', { x: null }), null);
  assert.is(cel('job.config.deep.n + 1', { job }), 2n);
  for (const source of ['nothing', 'job.nothing', 'job.config.x.y', 'job.dir.length', 'list.x'])
    assert.throws(
      () => cel(source, { job, list: [1n] }),
      (thrown: unknown) => thrown instanceof DiagnosticError,
      source,
    );
});

test('a name that a macro binds hides one of the scope, null included', () => {
  assert.equal(cel('[null, 1].map(x, x)', { x: 'outer' }), [null, 1n]);
  assert.equal(cel('[1].map(y, x)', { x: 'outer' }), ['outer']);
});

test('ints have 64 bits; larger ones pass through as data', () => {
  const big = 12345678901234567890n;
  assert.is(cel('big', { big }), big);
  assert.is(cel('big == big', { big }), true);
  assert.is(cel('-9223372036854775808'), -9223372036854775808n);
  for (const source of ['big + 1', 'big - big', '-big', 'big * 1.0', '9223372036854775807 + 1', '-m / -1 * m'])
    assert.match(
      fault(() => cel(source, { big, m: 9223372036854775807n })),
      /^expr\/arithmetic .*does not fit into 64 bits/,
    );
  assert.match(
    fault(() => cel('9223372036854775808')),
    /^expr\/syntax/,
  );
  assert.is(
    fault(() => cel('1 + 1 / n', { n: 0n })),
    'expr/arithmetic [1 / n] division of 1 by zero',
  );
});

test('maps keep the order and the type of their keys', () => {
  assert.equal(
    [...(cel(`{'b': 1, '10': 2, '2': 3, 'constructor': 4}`) as Map<string, bigint>)],
    [
      ['b', 1n],
      ['10', 2n],
      ['2', 3n],
      ['constructor', 4n],
    ],
  );
  assert.is(cel(`{1: 'x'}[1.0]`), 'x');
  assert.match(
    fault(() => cel(`{'a': 1, 'a': 2}`)),
    /^expr\/type \['a'\] the map has the key 'a' twice/,
  );
});

test('optional access and has() work on maps and jobs', () => {
  const target = mapOf({ name: 't', model: mapOf({ depth: 2n }), nothing: null });
  const job = new Job({ target, dir: 'd' });
  assert.is(cel('target.?model.?depth.orValue(1)', { target }), 2n);
  assert.is(cel('target.?model.depth.orValue(1)', { target }), 2n);
  assert.is(cel('target.?nope.depth.orValue(1)', { target }), 1n);
  assert.is(cel(`target[?'nope'].orValue('d')`, { target }), 'd');
  assert.is(cel('target.?nothing.orValue(1)', { target }), null);
  assert.is(cel('job.?nope.orValue(1) + job.target.?model.?depth.orValue(1)', { job }), 3n);
  assert.is(cel('target.?name', { target }), 't');
  assert.match(
    fault(() => cel('target.?nope', { target })),
    /^expr\/no-field/,
  );
  assert.is(cel('has(target.model) && !has(target.nope) && has(target.model.depth)', { target }), true);
  assert.is(cel('has(job.dir) && !has(job.nope) && has(job.target.name)', { job }), true);
});

test('jobs give their fields when asked, and no sooner', () => {
  const jobs = ['hmc', 'vi', 'hmc'].map(
    (name, i) => new Job({ i: BigInt(i), sampler: mapOf({ name }), outputs: mapOf({ x: `o${i}` }) }),
  );
  const scope = { jobs, name: 'hmc', first: jobs[0] };
  assert.equal(cel('jobs.filter(r, r.sampler.name == name).map(r, r.outputs.x)', scope), ['o0', 'o2']);
  assert.equal(jobs.map((job) => job.gets), [2, 1, 2]); // prettier-ignore
  assert.is(cel('first == jobs[0] && first != jobs[1] && first in jobs && !(first in [jobs[1]])', scope), true);
  assert.is(cel('jobs.all(j, j.i >= 0) && jobs.exists_one(j, j.i == 1)', scope), true);
  assert.is(cel(`type(first) == type(jobs[1]) && type(first) != type(1)`, scope), true);
  assert.is(cel('first', scope), jobs[0]);
  assert.is(cel('jobs', scope), jobs);
  assert.is(cel(`'dir' in first`, scope), false);
});

test('records of one identity are equal', () => {
  const key = {};
  class View extends Job {
    override identity(): unknown {
      return key;
    }
  }
  assert.is(cel('a == b', { a: new View({}), b: new View({}) }), true);
});

test('free names and paths leave out what macros bind', () => {
  const names = (source: string): string => [...compile(source).names].sort().join(' ');
  const paths = (source: string): string => [...compile(source).paths].sort().join(' ');
  assert.is(names('jobs.filter(r, r.s == name).map(r, r.x)'), 'jobs name');
  assert.is(names('x.map(y, y + z) + y'), 'x y z');
  assert.is(names('cel.bind(t, a + 1, t * b)'), 'a b');
  assert.is(names('[1].map(x, x > a, [2].all(y, x + y > b))'), 'a b');
  assert.is(names('type(x) == int && type(map) in [list, double]'), 'map x');
  assert.is(names('has(target.x) ? optional.of(1).orValue(q) : size(list)'), 'list q target');
  assert.is(paths('target.config.model.depth + job.config_file'), 'job.config_file target.config.model.depth');
  assert.is(paths(`job['config_file'] + x.outputs[i].y + x.name.trim()`), 'i job.config_file x.name x.outputs');
  assert.is(paths('has(a.b.c) && a.?d.e.orValue(f)'), 'a.b.c a.d.e f');
  assert.is(paths('jobs.map(job, job.config_file)'), 'jobs');
});

test('a name of the scope wins over a type of CEL', () => {
  assert.is(cel('map + type.x', { map: 1n, type: mapOf({ x: 2n }) }), 3n);
  assert.is(cel('type(map) == map', { map: mapOf({}) }), true);
});

test('what is not there is named with the nearest that is', () => {
  const scope = {
    target: mapOf({ model: mapOf({ depth: 1n, 'my-key': 2n }), list: [1n] }),
    job: new Job({ dir: 'd', hash: 'h' }),
  };
  assert.is(
    fault(() => cel('1 + targt.model', scope)),
    `expr/unknown-name [targt] there is no name 'targt' here (did you mean 'target'?)`,
  );
  assert.is(
    fault(() => cel('target.modle', scope)),
    `expr/no-field [modle] there is no 'target.modle' (did you mean 'model'?)`,
  );
  assert.is(
    fault(() => cel('target.model.xyz', scope)),
    `expr/no-field [xyz] there is no 'target.model.xyz' ('target.model' has: depth, my-key)`,
  );
  assert.is(
    fault(() => cel('target.model.my_key', scope)),
    `expr/no-field [my_key] there is no 'target.model.my_key' (did you mean target.model['my-key']?)`,
  );
  assert.is(
    fault(() => cel('job.hsah', scope)),
    `expr/no-field [hsah] there is no 'job.hsah' (did you mean 'hash'?)`,
  );
  assert.is(
    fault(() => cel('target.list[1]', scope)),
    `expr/no-field [target.list[1]] 'target.list' has 1 item and none at index 1`,
  );
  assert.match(
    fault(() => cel('target.list.x', scope)),
    /^expr\/type .*is a list, .*target\.list\.map\(x, x\.x\)/,
  );
  assert.match(
    fault(() => cel('has(target.nope.x)', scope)),
    /^expr\/no-field \[nope\]/,
  );
  assert.match(
    fault(() => cel('job.dir.x', scope)),
    /^expr\/type .*'job\.dir' is a string/,
  );
  assert.is(
    fault(() => compile('siez(x)')),
    `expr/unknown-function [siez] there is no function 'siez' (did you mean 'size'?)`,
  );
  assert.is(
    fault(() => compile('size(1, 2)')),
    'expr/unknown-function [size(1, 2)] size() takes 1 argument, not 2',
  );
  assert.match(
    fault(() => compile('x.raw()')),
    /write raw\(x\)/,
  );
  assert.match(
    fault(() => compile('contains(x)')),
    /write x\.contains\(\)/,
  );
  assert.is(diagnosticsOf(() => compile('nope(1) + nape(2)')).length, 2);
});

test('errors are one sentence at their place', () => {
  assert.is(
    fault(() => cel(`a + 1`, { a: 'x' })),
    `expr/type [a + 1] '+' does not take a string and an int, as in 'a + 1' (turn the other value into text with text(x))`,
  );
  assert.match(
    fault(() => cel('size(a)', { a: 1n })),
    /^expr\/type \[size\(a\)\] size\(\) does not take \(int\)$/,
  );
  assert.match(
    fault(() => cel('a ? 1 : 2', { a: 'x' })),
    /^expr\/type \[a\] .*must be bool, got 'string'$/,
  );
  assert.match(
    fault(() => cel(`'x'.substring(7)`)),
    /^expr\/function/,
  );
  assert.match(
    fault(() => cel('range(0, 1, 0) + [1]')),
    /^expr\/function \[range\(0, 1, 0\)\]/,
  );
  for (const source of [
    '1 +',
    '1 + + 2',
    '(1',
    'a b',
    `'abc`,
    'if',
    'a..b',
    `'\\q'`,
    '{1: }',
    '',
    'has(x)',
    '0x',
    '@',
  ]) {
    const text = fault(() => compile(source));
    assert.match(text, /^expr\/syntax/, source);
    assert.not.match(text, /\n|\^|[A-Z]{4}/, source);
  }
});

test('errors are placed in the file, and within the expression', () => {
  const file = { name: 'lhb.yaml', text: 'run: ${{ a + targt.x }} b' };
  const at = { file, start: 8, end: 20 };
  const compiled = engine.compile(' a + targt.x', at);
  assert.ok(compiled.ok);
  if (!compiled.ok) return;
  assert.is(compiled.value.source, 'a + targt.x');
  assert.is(file.text.slice(compiled.value.at.start, compiled.value.at.end), 'a + targt.x');
  assert.match(
    fault(() => compiled.value.evaluate(scopeOf({ a: 1n }))),
    /\[targt\]/,
  );
  const elsewhere = engine.compile('a +', { file, start: 0, end: 3 });
  assert.ok(!elsewhere.ok);
  if (!elsewhere.ok) assert.equal([elsewhere.error[0]?.at?.start, elsewhere.error[0]?.at?.end], [0, 3]);
});

test('errors of a lazy field pass through, and get a place where they have none', () => {
  class Early extends Job {
    override get(): unknown {
      throw new DiagnosticError([error('expr/no-field', 'job.dir is not known yet')]);
    }
  }
  assert.is(
    fault(() => cel('1 in [job.dir]', { job: new Early({ dir: 'd' }) })),
    'expr/no-field [job.dir] job.dir is not known yet',
  );
});

test('an expression may be evaluated while it is evaluated', () => {
  const expression = compile('items.map(x, x.v + 1)');
  class Deep extends Job {
    override get(): unknown {
      const inner = expression.evaluate(scopeOf({ items: [mapOf({ v: 10n })] })) as bigint[];
      return inner[0];
    }
  }
  assert.equal(expression.evaluate(scopeOf({ items: [new Deep({}), new Deep({})] })), [12n, 12n]);
});

test('results hold no class of the library', () => {
  assert.equal(cel('[1u, uint(2) + 1]'), [1n, 3n]);
  assert.equal(cel('[optional.of(3)]'), [3n]);
  assert.is(cel(`timestamp('2024-01-01T00:00:00Z')`), '2024-01-01T00:00:00.000Z');
  assert.is(cel(`duration('90m')`), '5400s');
  assert.is(cel(`b'abc'`), 'abc');
  assert.is(cel('type(1)'), 'int');
  assert.equal(cel(`b'{"a": {"b": 1}}'.json()`), mapOf({ a: mapOf({ b: 1n }) }));
  assert.match(
    fault(() => cel(`b'{a'.json()`)),
    /^expr\/function/,
  );
  assert.is(cel(`timestamp('2024-01-01T00:00:00Z') + duration('1h') > timestamp('2024-01-01T00:30:00Z')`), true);
});

test('deeply nested text is an error and no crash', () => {
  assert.match(
    fault(() => compile('('.repeat(5000) + '1' + ')'.repeat(5000))),
    /^expr\/syntax/,
  );
  assert.match(
    fault(() => compile('1' + '+1'.repeat(50_000))),
    /^expr\/syntax/,
  );
  assert.is((cel(`[${'1,'.repeat(20_000)}]`) as unknown[]).length, 20_000);
});

test.run();
