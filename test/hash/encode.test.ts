import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Value } from '../../src/base/value.ts';
import { canonical, canonicalTyped } from '../../src/hash/encode.ts';

const map = (...entries: [string | bigint, Value][]): Value => new Map(entries);

test('numbers count by value where types do not count', () => {
  assert.is(canonical(1n), canonical(1.0));
  assert.is(canonical(0), canonical(-0));
  assert.is(canonical(2 ** 53), canonical(2n ** 53n));
  assert.is(canonical(1e22), canonical(10n ** 22n));
  assert.is.not(canonical(12345678901234567890n), canonical(12345678901234567891n));
  assert.is.not(canonical(0.1), canonical(0.1 + 0.2 - 0.2));
});

test('ints and floats differ where types count', () => {
  assert.is.not(canonicalTyped(1n), canonicalTyped(1));
  assert.is.not(canonicalTyped(0), canonicalTyped(-0));
  assert.is(canonicalTyped(map(['a', 1n])), canonicalTyped(map(['a', 1n])));
});

test('the order of keys does not count, at any depth', () => {
  const a = map(['x', map(['é', 1n], ['z', 2n])], ['b', [1n]]);
  const b = map(['b', [1n]], ['x', map(['z', 2n], ['é', 1n])]);
  assert.is(canonical(a), canonical(b));
  assert.is(canonical(map([1n, 0n], [12n, 0n])), canonical(map([12n, 0n], [1n, 0n])));
});

test('no two different values have one text', () => {
  const values: Value[] = [
    null,
    true,
    false,
    'null',
    'true',
    '',
    ' ',
    '1',
    1n,
    1.5,
    '1.5',
    Number.NaN,
    'nan',
    Infinity,
    'inf',
    -Infinity,
    [],
    [null],
    [[]],
    [1n, 2n],
    ['1,2'],
    [[1n], 2n],
    map(),
    map(['a', null]),
    map(['a', map()]),
    map(['a', [null]]),
    map(['1', 0n]),
    map([1n, 0n]),
    map(['1', 0n], [1n, 0n]),
    '\ud800',
    '\ud801',
    '\\ud800',
    '\ufffd',
    '{"a":1}',
    map(['a', 1n]),
    '@"x"',
    map([1n, 0n], [12n, 0n]),
    map(['a":1,"b', 2n]),
    map(['a', 1n], ['b', 2n]),
  ];
  for (const encode of [canonical, canonicalTyped]) {
    // As UTF-8, for that is what is hashed.
    const texts = values.map((value) => Buffer.from(encode(value)).toString('hex'));
    assert.is(new Set(texts).size, values.length);
  }
});

test('objects go through the leaf, with a text that no value has', () => {
  class Job {}
  const leaf = (value: unknown): string | undefined => (value instanceof Job ? 'abc' : undefined);
  const text = canonical([new Job()], leaf);
  assert.is.not(text, canonical(['abc']));
  assert.is.not(text, canonical(['@abc']));
  assert.throws(() => canonical([new Job()]), /Job/);
  assert.throws(() => canonical(undefined), /undefined/);
});

test('a shared map that was encoded before gives the same text again, under each leaf and type', () => {
  const shared = map(['name', 'a name that is long enough to be remembered by the encoder'], ['n', 1]);
  const first = canonical([shared, shared]);
  assert.is(canonical([shared, shared]), first);
  assert.is.not(canonicalTyped([shared, shared]), first);
  assert.is(
    canonical([shared, shared], () => 'x'),
    first,
  );
});

test.run();
