import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parsePointer, withoutFields } from '../../src/store/ignore-fields.ts';

const without = (text: string, ...pointers: string[]): string | undefined =>
  withoutFields(Buffer.from(text), pointers)?.toString();

test('pointers are those of RFC 6901', () => {
  assert.equal(parsePointer('/a~1b/m~0n/0/'), ['a/b', 'm~n', '0', '']);
  assert.equal(parsePointer(''), []);
  assert.is(parsePointer('created_at'), undefined);
  assert.is(parsePointer('/a~2'), undefined);
});

test('members go, wherever they stood', () => {
  for (const text of ['{"t":1,"a":2,"b":3}', '{"a":2,"t":[{"t":1}],"b":3}', '{ "a" : 2,\n "b":3 , "t" : "}" }']) {
    assert.is(without(text, '/t'), '{"a":2,"b":3}');
  }
  assert.is(without('{"t":1}', '/t'), '{}');
  assert.is(without('{"t":1,"u":2}', '/t', '/u'), '{}');
  assert.is(without('{"t":1,"a":{"t":2}}', '/t'), '{"a":{"t":2}}');
});

test('nested members and elements of lists', () => {
  assert.is(without('{"a":[{"t":1,"x":2},{"t":3}],"t":4}', '/a/0/t'), '{"a":[{"x":2},{"t":3}],"t":4}');
  assert.is(without('[1,2,3]', '/1'), '[1,3]');
  assert.is(without('{"a/b":1,"m~n":2,"":3,"c":4}', '/a~1b', '/m~0n', '/'), '{"c":4}');
  assert.is(without('{"a":1}', '/none', '/a/b/c'), '{"a":1}');
  assert.is(without('[1]', ''), '');
});

test('what stays keeps every digit, escape and byte', () => {
  const rest = '{"n":123456789012345678901234567890.10e+5,"s":"\\u00e9é\\/\u2028","é":-0,"x":NaN,"y":-Infinity}';
  assert.is(without(rest, '/t'), rest);
  const bytes = Buffer.from([0x22, 0xff, 0xfe, 0x22]);
  assert.equal(withoutFields(bytes, ['/t']), bytes);
});

test('keys match by what they mean, and all of several equal ones go', () => {
  assert.is(without('{"\\u0074":1,"t":2,"é":3,"a":4}', '/t', '/é'), '{"a":4}');
});

test('what is no JSON is told', () => {
  for (const text of [
    '',
    ' ',
    '{',
    '{"a":1,}',
    '[1,]',
    '[,1]',
    '{"a" 1}',
    '{a:1}',
    "{'a':1}",
    '01',
    '1.',
    '+1',
    'nul',
    'truex',
    '"\n"',
    '"\\x"',
    '{} {}',
    '[1 2]',
    'PNG',
    '{"a":1}}',
  ]) {
    assert.is(without(text, '/t'), undefined, text);
  }
  assert.is(without('['.repeat(100_000), '/t'), undefined);
  assert.is(without('\ufeff{"a":1}', '/t'), '{"a":1}');
});

test('a string of many megabytes is read', () => {
  const long = `"${'x'.repeat(30_000_000)}\\n"`;
  assert.is(without(`{"t":${long},"a":${long}}`, '/t'), `{"a":${long}}`);
});

test.run();
