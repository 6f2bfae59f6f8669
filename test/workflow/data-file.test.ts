import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { join } from 'node:path';
import type { Result } from '../../src/base/result.ts';
import type { Value } from '../../src/base/value.ts';
import { loadDataFile } from '../../src/workflow/data-file.ts';
import { errorsOf, inFolder, valueOf } from './support.ts';

const read = (name: string, text: string): Result<Value> =>
  inFolder({ [name]: text }, (folder) => loadDataFile(join(folder, name), name));

test('JSON keeps ints of any size, floats, order, and what Python writes for not-a-number', () => {
  const value = valueOf(
    read('x.json', '{"b": 1, "a": 1.0, "n": 12345678901234567890, "e": 1e5, "l": [NaN, -Infinity, null, true]}'),
  );
  assert.equal(
    value,
    new Map<string, unknown>([
      ['b', 1n],
      ['a', 1],
      ['n', 12345678901234567890n],
      ['e', 100000],
      ['l', [NaN, -Infinity, null, true]],
    ]),
  );
});

test('JSON: a key may be called __proto__, escapes are read', () => {
  const value = valueOf(read('x.json', '{"__proto__": {"a": "\\u00e9\\n\\ud83d\\ude00"}}'));
  assert.equal(value, new Map([['__proto__', new Map([['a', 'é\n😀']])]]));
});

const BAD_JSON: readonly (readonly [string, string])[] = [
  ['{"a": 1,}', "1:9 data/syntax: not valid JSON in line 1: expected a key in double quotes, and found '}'"],
  ['{"a" 1}', "1:6 data/syntax: not valid JSON in line 1: expected ':', and found '1'"],
  ['[1\n 2]', "2:2 data/syntax: not valid JSON in line 2: expected ',' or ']', and found '2'"],
  ['{"a": 1', "1:8 data/syntax: not valid JSON in line 1: expected ',' or '}', and found the end"],
  ['', '1:1 data/syntax: not valid JSON in line 1: expected a value, and found the end'],
  ['[01]', "1:3 data/syntax: not valid JSON in line 1: expected ',' or ']', and found '1'"],
  ['{} x', "1:4 data/syntax: not valid JSON in line 1: expected the end of the file, and found 'x'"],
  [
    '["a\nb"]',
    `1:2 data/syntax: not valid JSON in line 1: expected a string on one line, with none but the escapes of JSON, and found '"'`,
  ],
  ['{"a": 1, "a": 2}', "1:10 yaml/duplicate-key: the key 'a' is given twice in one map"],
];
for (const [text, expected] of BAD_JSON) {
  test(`JSON: tells what is wrong in ${JSON.stringify(text)}`, () =>
    assert.equal(errorsOf(read('x.json', text)), [expected]));
}

test('JSON: a text of many megabytes in one string, and nesting without end', () => {
  const text = 'x"\\'.repeat(1_000_000);
  assert.is(valueOf(read('x.json', JSON.stringify(text))), text);
  assert.match(errorsOf(read('x.json', '['.repeat(100_000)))[0] ?? '', /at most 500 levels/);
});

test('JSON lines are a list; a bad line is told with its place, and does not read on into the next', () => {
  assert.equal(valueOf(read('x.jsonl', '{"a": 1}\n\n[2]\n')), [new Map([['a', 1n]]), [2n]]);
  assert.equal(
    errorsOf(read('x.jsonl', '[1,\n2]\n{"a" 1}\n')).map((line) => line.slice(0, 3)),
    ['1:4', '2:2', '3:6'],
  );
});

test('YAML is read as YAML 1.2', () => {
  assert.equal(
    valueOf(read('x.yml', 'a: yes\nb: 012')),
    new Map<string, unknown>([
      ['a', 'yes'],
      ['b', 12n],
    ]),
  );
});

test('CSV: rows are maps by the header; cells are ints, floats, bools or text', () => {
  assert.equal(valueOf(read('x.csv', 'id,n,lr,ok,name,e\na,5,1e-3,true,yes,\n"007",-1,2.0,false,"x,y",null\n')), [
    new Map<string, unknown>([
      ['id', 'a'],
      ['n', 5n],
      ['lr', 0.001],
      ['ok', true],
      ['name', 'yes'],
      ['e', ''],
    ]),
    new Map<string, unknown>([
      ['id', '007'],
      ['n', -1n],
      ['lr', 2],
      ['ok', false],
      ['name', 'x,y'],
      ['e', 'null'],
    ]),
  ]);
});

test('TSV: tabs separate, quotes inside a cell are themselves; CRLF and a byte order mark are fine', () => {
  assert.equal(valueOf(read('x.tsv', '\ufeffa\tb\r\n5\'3"\tx, y\r\n')), [
    new Map([
      ['a', '5\'3"'],
      ['b', 'x, y'],
    ]),
  ]);
});

test('CSV: without rows a list of none, without anything too', () => {
  assert.equal(valueOf(read('x.csv', 'a,b\n')), []);
  assert.equal(valueOf(read('x.csv', '')), []);
});

test('CSV: ragged rows are errors with their lines, all of them', () => {
  assert.equal(errorsOf(read('x.csv', 'a,b\n1,2\n3\n4,5,6\n')), [
    '3:1 data/syntax: line 3 has 1 cell, and the header has 2 | put a cell with a separator in it in double quotes',
    '4:1 data/syntax: line 4 has 3 cells, and the header has 2 | put a cell with a separator in it in double quotes',
  ]);
});

test('CSV: a quote that is not closed and a column given twice are errors', () => {
  assert.match(
    errorsOf(read('x.csv', 'a,b\n"1,2\n'))[0] ?? '',
    /data\/syntax: line \d: a cell that begins with " is not closed/,
  );
  assert.match(
    errorsOf(read('x.csv', 'a,b,a\n1,2,3\n'))[0] ?? '',
    /1:1 data\/syntax: the header has the column 'a' twice/,
  );
});

test('other files are refused by name', () => {
  assert.match(errorsOf(read('x.txt', 'a'))[0] ?? '', /data\/format: 'x.txt' is no kind of data file that is read/);
});

test.run();
