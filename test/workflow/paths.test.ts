import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ValueMap } from '../../src/base/value.ts';
import { getPath, obstacle, removePaths, setPath, splitPath } from '../../src/workflow/paths.ts';
import { yaml } from './support.ts';

const config = (): ValueMap =>
  yaml('a: {b: {c: 1}, d: 2}\nlist: [{x: 1}, {x: 2}]\n3: three\nn: null\ns: text') as ValueMap;

test('getPath follows keys, ints among them, and indexes', () => {
  assert.is(getPath(config(), splitPath('a.b.c')), 1n);
  assert.is(getPath(config(), splitPath('list.1.x')), 2n);
  assert.is(getPath(config(), splitPath('3')), 'three');
  assert.is(getPath(config(), splitPath('n')), null);
  for (const path of ['a.x', 'a.b.c.d', 'list.2', 'list.x', 's.0'])
    assert.is(getPath(config(), splitPath(path)), undefined, path);
  assert.equal(getPath(config(), splitPath('')), config());
});

test('setPath makes what is missing and shares what it does not touch', () => {
  const before = config();
  const after = setPath(before, ['a', 'new', 'x'], 5n) as ValueMap;
  assert.is(getPath(after, ['a', 'new', 'x']), 5n);
  assert.is(getPath(after, ['a', 'b']), getPath(before, ['a', 'b']));
  assert.is(after.get('list'), before.get('list'));
  assert.equal(before, config(), 'the old value is as it was');
});

test('setPath changes items of lists, and keeps int keys', () => {
  assert.is(getPath(setPath(config(), ['list', '0', 'x'], 9n), ['list', '0', 'x']), 9n);
  const after = setPath(config(), ['3'], 'drei') as ValueMap;
  assert.is(after.get(3n), 'drei');
  assert.is(after.size, config().size);
});

test('obstacle names what stands in the way', () => {
  assert.equal(obstacle(config(), ['a', 'd', 'x']), ['a', 'd']);
  assert.equal(obstacle(config(), ['list', '7']), ['list']);
  for (const path of [
    ['a', 'q', 'r'],
    ['n', 'x'],
    ['list', '0', 'y'],
    ['a', 'd'],
  ])
    assert.is(obstacle(config(), path), undefined);
});

test('removePaths leaves the rest, shared; the same object where nothing goes', () => {
  const before = config();
  const after = removePaths(before, ['a.b', 's', 'list.0.x', 'not.there']) as ValueMap;
  assert.equal(after, yaml('a: {d: 2}\nlist: [{}, {x: 2}]\n3: three\nn: null'));
  assert.is(getPath(after, ['list', '1']), getPath(before, ['list', '1']));
  assert.is(removePaths(before, ['not.there', 'a.b.c.d']), before);
  assert.equal(before, config());
});

test('removePaths gives one object for one config and list of paths', () => {
  const [before, paths] = [config(), ['a']];
  assert.is(removePaths(before, paths), removePaths(before, paths));
  assert.equal(removePaths(before, ['s']), new Map([...config()].filter(([key]) => key !== 's')));
});

test.run();
