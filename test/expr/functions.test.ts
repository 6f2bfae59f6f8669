import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FUNCTION_NAMES } from '../../src/expr/functions.ts';
import { Raw } from '../../src/expr/types.ts';
import { cel, fault, Job, mapOf } from './support.ts';

const cases = (table: readonly (readonly [string, unknown])[]): void => {
  for (const [source, expected] of table) assert.equal(cel(source), expected, source);
};

test('range counts in ints, or exactly in decimals', () => {
  cases([
    ['range(0, 4)', [0n, 1n, 2n, 3n]],
    ['range(3)', [0n, 1n, 2n]],
    ['range(5, 0, -2)', [5n, 3n, 1n]],
    ['range(3, 3)', []],
    ['range(5, 0)', []],
    ['range(0, 0.5, 0.1)', [0, 0.1, 0.2, 0.3, 0.4]],
    ['range(1, 1.3, 0.1)', [1, 1.1, 1.2]],
    ['range(0.5, 3)', [0.5, 1.5, 2.5]],
    ['range(1e-6, 3e-6, 1e-6)', [1e-6, 2e-6]],
  ]);
  assert.match(
    fault(() => cel('range(0, 3, 0)')),
    /^expr\/function .*step of 0/,
  );
  assert.match(
    fault(() => cel(`range('a', 3)`)),
    /^expr\/type/,
  );
  assert.match(
    fault(() => cel('range(0, 1.0/0)')),
    /^expr\/type .*Infinity/,
  );
  assert.match(
    fault(() => cel('range(0, 100000000)')),
    /^expr\/function/,
  );
});

test('lists', () => {
  cases([
    ['[[1, 2], [3, [4]], 5].flatten()', [1n, 2n, 3n, [4n], 5n]],
    ['flatten([[1, [2, [3]]]], 2)', [1n, 2n, [3n]]],
    [`zip([1, 2], ['a', 'b'])`, [[1n, 'a'], [2n, 'b']]], // prettier-ignore
    ['[1].zip([2], [3])', [[1n, 2n, 3n]]],
    [`unique([1, 1.0, '1', [1], [1.0], {'a': 1, 'b': 2}, {'b': 2, 'a': 1.0}]).size()`, 4n],
    ['sort([3, 1.5, 2])', [1.5, 2n, 3n]],
    [`['b', 'B', 'a'].sort()`, ['B', 'a', 'b']],
    ['sort([[2, 1], [1, 3], [1]])', [[1n], [1n, 3n], [2n, 1n]]],
    ['min(3, 1.5, 2)', 1.5],
    ['[3, 4.5].max()', 4.5],
    ['max(1, 2)', 2n],
    [`min('b', 'a')`, 'a'],
    ['sum([1, 2]) + [0.5].sum() + sum([])', 3.5],
    [`[1, 'a', 2.0, true].join('-')`, '1-a-2.0-true'],
    [`['a', 'b'].join()`, 'ab'],
    [`'a,b'.split(',')`, ['a', 'b']],
  ]);
  assert.equal(
    (cel(`entries({'b': 1, 'a': 2})`) as Map<string, unknown>[]).map((m) => [...m.values()]),
    [['b', 1n], ['a', 2n]], // prettier-ignore
  );
  assert.match(
    fault(() => cel('zip([1], [1, 2])')),
    /^expr\/function .*of 1 and 2 items/,
  );
  assert.match(
    fault(() => cel(`sort([1, 'a'])`)),
    /^expr\/type/,
  );
  assert.match(
    fault(() => cel('max([])')),
    /^expr\/function/,
  );
  assert.match(
    fault(() => cel(`flatten('a')`)),
    /^expr\/type .*takes a list, not a string/,
  );
});

test('numbers', () => {
  cases([
    ['pow(2, 10)', 1024n],
    ['pow(2, -1)', 0.5],
    ['pow(10, -3)', 0.001],
    ['pow(10.0, -5)', 1e-5],
    ['pow(2.0, 0.5)', Math.SQRT2],
    ['fixed(3.14159, 2)', '3.14'],
    ['fixed(2, 3)', '2.000'],
    ['(0.5).fixed(0)', '1'],
    [`int('42') + int(3.9) + int(-3)`, 42n],
    [`double('1e3')`, 1000],
    ['string(1.0) + string(1) + string(true)', '1.01true'],
  ]);
  assert.match(
    fault(() => cel('pow(2, 64)')),
    /^expr\/arithmetic/,
  );
  assert.match(
    fault(() => cel('pow(3, 100000000)')),
    /^expr\/function/,
  );
  assert.match(
    fault(() => cel(`int('')`)),
    /^expr\/function/,
  );
  assert.match(
    fault(() => cel('int(1e300)')),
    /^expr\/arithmetic/,
  );
});

test('format knows the verbs of printf', () => {
  cases([
    [`'%03d_%.3f_%s'.format([7, 0.5, 'x'])`, '007_0.500_x'],
    [`'%5s|%-5s|%05d|%+d'.format(['r', 'l', -12, 3])`, '    r|l    |-0012|+3'],
    [`'%x %X %o %b %%'.format([255, 255, 8, 5])`, 'ff FF 10 101 %'],
    [`'%e %.2e %g %g'.format([12345.678, 0.00001, 0.00001, 100000.0])`, '1.234568e+04 1.00e-05 1e-05 100000'],
    [`'%s %s %s'.format([1.0, [1, 'a', null], {'k': 1}])`, '1.0 [1, a, null] {k: 1}'],
    [`'%d'.format([2.0])`, '2'],
    [`format('%d of %d', 1, 2)`, '1 of 2'],
    [`'%06.2f'.format([3.14159])`, '003.14'],
  ]);
  for (const source of [
    `'%d'.format(['a'])`,
    `'%d'.format([1.5])`,
    `'%q'.format([1])`,
    `'%d %d'.format([1])`,
    `'x'.format([1])`,
    `'%'.format([])`,
  ])
    assert.match(
      fault(() => cel(source)),
      /^expr\/(function|type)/,
      source,
    );
});

test('text, JSON and paths', () => {
  cases([
    ['text(1.0) + text(2) + text(1e-6) + text(false)', '1.021e-06false'],
    ['text([1, [2.0, true]])', '1 2.0 true'],
    [`json({'b': 1, 'a': [1.0, null, 'é"']})`, '{"b":1,"a":[1.0,null,"é\\""]}'],
    [`replace('aXbX', 'X', '-') + 'a.b'.replace('.', '')`, 'a-b-ab'],
    [
      `basename('a/b.tar.gz') + ' ' + 'a/b.tar.gz'.stem() + ' ' + dirname('a/b') + ' ' + dirname('a')`,
      'b.tar.gz b.tar a .',
    ],
    [`stem('.bashrc') + basename('a/b/')`, '.bashrcb'],
    [`' aB '.trim().upperAscii() + 'C'.lowerAscii()`, 'ABc'],
    [`raw('a b')`, new Raw('a b')],
    [`raw(['-a', 1])`, new Raw('-a 1')],
    [`glob('*.x')`, ['*.x:1', '*.x:2']],
    [`load('p').path`, 'p'],
    [`listfile(['a', [1, 2.0]])`, 'a|1|2.0'],
    [`file_mb('abc') + file_mb(['a', 'b'])`, 5],
  ]);
  const job = new Job({ id: 'x_1', dir: 'd', hash: 'h', config: mapOf({ n: 1n }), outputs: mapOf({}) });
  assert.is(cel('json([job])', { job }), '[{"id":"x_1","dir":"d","config":{"n":1},"outputs":{}}]');
  assert.match(
    fault(() => cel('text(null)')),
    /^expr\/not-text/,
  );
  assert.match(
    fault(() => cel(`text({'a': 1})`)),
    /^expr\/not-text/,
  );
  assert.match(
    fault(() => cel('basename(1)')),
    /^expr\/type/,
  );
  assert.match(
    fault(() => cel(`listfile(['a\\nb'])`)),
    /^expr\/type/,
  );
});

test('only finds jobs by value', () => {
  const jobs = [1n, 1, 2n].map((i, at) => new Job({ i, s: mapOf({ n: i }), at: BigInt(at), rule: 'sim' }));
  assert.equal(cel(`jobs.only({'i': 1.0}).map(j, j.at)`, { jobs }), [0n, 1n]);
  assert.equal(cel(`jobs.only({'s': {'n': 2}, 'i': 2}).map(j, j.at)`, { jobs }), [2n]);
  assert.equal(cel(`jobs.only({'i': '1'})`, { jobs }), []);
  assert.equal(cel(`jobs.only({}).size()`, { jobs }), 3n);
  assert.is(
    fault(() => cel(`jobs.only({'ii': 1})`, { jobs })),
    `expr/function [jobs.only({'ii': 1})] only() asks for 'ii', which a job of rule sim does not have (did you mean 'i'?)`,
  );
  assert.match(
    fault(() => cel('jobs.only(1)', { jobs })),
    /^expr\/type/,
  );
});

test('only asks each job once for its values, however many ask', () => {
  const jobs = Array.from({ length: 500 }, (_, i) => new Job({ i: BigInt(i) }));
  const other = Array.from({ length: 500 }, (_, i) => new Job({ k: BigInt(i) }));
  const found = cel(`other.map(o, jobs.only({'i': o.k})[0])`, { jobs, other });
  assert.equal(found, jobs);
  assert.is(Math.max(...jobs.map((job) => job.gets)), 1);
});

test('every function of the specification is described', () => {
  const names =
    'range flatten zip entries unique replace sort min max pow fixed format text json basename dirname stem raw glob load listfile only file_mb sum';
  for (const name of names.split(' ')) assert.ok(FUNCTION_NAMES.get(name)?.includes(`${name}(`), name);
});

test.run();
