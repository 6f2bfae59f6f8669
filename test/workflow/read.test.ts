import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { writeFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { fieldOf, type Node } from '../../src/workflow/node.ts';
import { readYaml, readYamlFile } from '../../src/workflow/read.ts';
import { errorsOf, inFolder, pointedAt, source, valueOf, yaml } from './support.ts';

const errors = (text: string): string[] => errorsOf(readYaml(source(text)));

const SCALARS: readonly (readonly [string, unknown])[] = [
  ['1', 1n],
  ['-0', 0n],
  ['+12', 12n],
  ['012', 12n],
  ['0o17', 15n],
  ['0x1f', 31n],
  ['12345678901234567890', 12345678901234567890n],
  ['1.0', 1],
  ['1.', 1],
  ['.5', 0.5],
  ['1e-6', 1e-6],
  ['1e5', 100000],
  ['.inf', Infinity],
  ['-.INF', -Infinity],
  ['true', true],
  ['False', false],
  ['null', null],
  ['~', null],
  ['', null],
  ['yes', 'yes'],
  ['on', 'on'],
  ['y', 'y'],
  ['1_000', '1_000'],
  ['12:30:45', '12:30:45'],
  ['2020-01-01', '2020-01-01'],
  ['0b11', '0b11'],
  ["'012'", '012'],
  ['"a\\u0041"', 'aA'],
  ['!!str 12', '12'],
  ['!!float 3', 3],
  ['!!int "3"', 3n],
];

for (const [text, value] of SCALARS) {
  test(`reads ${text === '' ? 'nothing' : text} as YAML 1.2 core does`, () => assert.is(yaml(text), value));
}

test('reads .nan', () => assert.ok(Number.isNaN(yaml('.nan'))));

test('keeps floats and ints apart, and the order of keys', () => {
  assert.equal(
    yaml('b: 1.0\na: 1\n10: x'),
    new Map<unknown, unknown>([
      ['b', 1],
      ['a', 1n],
      [10n, 'x'],
    ]),
  );
});

test('a byte order mark and CRLF change nothing', () => {
  inFolder({ 'f.yaml': '\ufeffa: 1\r\nb: |\r\n  x\r\n  y\r\n' }, (folder) => {
    const { node } = valueOf(readYamlFile(join(folder, 'f.yaml')));
    const b = fieldOf(node, 'b');
    assert.is(b?.kind === 'scalar' && b.value, 'x\ny\n');
  });
});

test('ranges cover keys and values', () => {
  const text = 'a:\n  b: [1, "two"]  # note\n  c:\n    - x\n';
  const root = valueOf(readYaml(source(text)));
  const shown = (node: Node | undefined): string => (node ? text.slice(node.at.start, node.at.end) : '');
  const a = fieldOf(root, 'a');
  assert.is(shown(fieldOf(a, 'b')), '[1, "two"]');
  assert.is(shown(fieldOf(a, 'c')), '- x');
  assert.is(a?.kind === 'map' && text.slice(a.entries[1]?.keyAt.start, a.entries[1]?.keyAt.end), 'c');
});

test('merge keys: own keys win, earlier maps of a list win, wherever << stands', () => {
  const value = yaml('x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  b: 3\n  <<: [*y, *x]\n') as Map<string, unknown>;
  assert.equal(
    value.get('z'),
    new Map([
      ['b', 3n],
      ['c', 2n],
      ['a', 1n],
    ]),
  );
});

test('a quoted << is a key like any other', () => assert.equal(yaml("'<<': 1"), new Map([['<<', 1n]])));

test('thousands of uses of an anchor are honest use, and share one value', () => {
  const text = `x: &x {p: {q: 1}}\n${Array.from({ length: 5000 }, (_, i) => `k${i}: *x\n`).join('')}`;
  const value = yaml(text) as Map<string, unknown>;
  assert.is(value.size, 5001);
  assert.is(value.get('k17'), value.get('x'));
});

test('an alias bomb is an error at once', () => {
  const level = (i: number): string =>
    `l${i}: &l${i} [${Array(10)
      .fill(`*l${i - 1}`)
      .join(', ')}]\n`;
  const text = `l0: &l0 [x]\n${Array.from({ length: 30 }, (_, i) => level(i + 1)).join('')}`;
  const [first, ...others] = errors(text);
  assert.match(
    first ?? '',
    /^8:\d+ yaml\/alias-bomb: aliases of aliases make this file more than 10 million values large/,
  );
  assert.is(others.length, 0);
});

test('nesting without end is an error, as flow, as block, and by aliases', () => {
  for (const text of [
    '['.repeat(20_000),
    '- '.repeat(5000),
    Array.from({ length: 1200 }, (_, i) => `${' '.repeat(i)}a:\n`).join(''),
  ]) {
    assert.match(errors(text)[0] ?? '', /yaml\/too-deep: lists and maps are nested too deeply/);
  }
  const chain = `a0: &a0 x\n${Array.from({ length: 2000 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}]\n`).join('')}`;
  assert.match(errors(chain)[0] ?? '', /yaml\/too-deep/);
});

test('a file over the cap is refused before it is read', () => {
  inFolder({}, (folder) => {
    const file = join(folder, 'big.yaml');
    writeFileSync(file, 'a: 1\n');
    truncateSync(file, 3 * 1024 ** 3); // more than node reads at once: to read it would be another error
    const [message] = errorsOf(readYamlFile(file, { shown: 'big.yaml' }));
    assert.match(message ?? '', /^file\/too-large: 'big.yaml' has 3072 MiB, and the most that is read here is 8 MiB/);
  });
});

test('files that cannot be read are sentences', () => {
  inFolder(
    {
      'config.yaml': '',
      'latin.yaml': Buffer.from([0x61, 0x3a, 0xe9]),
      'wide.yaml': Buffer.from([0xff, 0xfe, 0x61, 0]),
    },
    (folder) => {
      const read = (name: string): string[] => errorsOf(readYamlFile(join(folder, name), { shown: name }));
      assert.equal(read('confg.yaml'), ["file/not-found: there is no file 'confg.yaml' | did you mean 'config.yaml'?"]);
      assert.equal(read('latin.yaml'), [
        "1:3 file/encoding: 'latin.yaml' is not UTF-8 text: this byte is no character | save it as UTF-8",
      ]);
      assert.equal(read('wide.yaml'), ["file/encoding: 'wide.yaml' is UTF-16 text, expected UTF-8 | save it as UTF-8"]);
      assert.equal(read('.'), ["file/not-a-file: '.' is a folder, expected a file"]);
      assert.equal(read('config.yaml/x.yaml'), ["file/not-found: there is no file 'config.yaml/x.yaml'"]);
    },
  );
});

const BAD: readonly (readonly [name: string, text: string, expected: readonly string[]])[] = [
  ['a key given twice', 'a: 1\nb: 2\na: 3', ["3:1 yaml/duplicate-key: the key 'a' is given twice in one map"]],
  ['a key that is a list', '? [a]\n: 1', ['1:3 yaml/key: a list cannot be a key, expected text or a whole number']],
  [
    'a key that is a float',
    'x: {1.5: a}',
    ["1:5 yaml/key: '1.5' cannot be a key, expected text or a whole number | put it in quotes: '1.5'"],
  ],
  [
    'a key that is a bool',
    'true: 1',
    ["1:1 yaml/key: 'true' cannot be a key, expected text or a whole number | put it in quotes: 'true'"],
  ],
  ['an unknown tag', 'a: !foo 1', ["1:4 yaml/tag: unknown tag '!foo' | text that begins with '!' is put in quotes"]],
  ['a tag of YAML 1.1', 'a: !!set {b}', ["1:4 yaml/tag: unknown tag '!!set'"]],
  ['a tag that does not fit', 'a: !!int x', ["1:4 yaml/tag: the tag '!!int' does not fit this value"]],
  [
    'an alias without anchor',
    'a: &base 1\nb: *bese',
    ["2:4 yaml/alias: there is no anchor '&bese' before this alias | did you mean '*base'?"],
  ],
  ['an alias inside its anchor', 'a: &x [*x]', ["1:8 yaml/alias: the alias '*x' stands inside its own anchor '&x'"]],
  [
    'a merge of no map',
    '<<: 3',
    ["1:1 yaml/merge: '<<' merges maps, and this is a whole number | write '<<: *name' or '<<: [*one, *two]'"],
  ],
  [
    'another version of YAML',
    '%YAML 1.1\n---\na: yes',
    ["1:1 yaml/version: '%YAML 1.1' asks for another YAML, expected YAML 1.2 | remove the line"],
  ],
  [
    'two documents',
    'a: 1\n---\nb: 2',
    [
      '2:1 yaml/documents: a second document begins here, expected one document in a file | remove the line, or put what follows into a file of its own',
    ],
  ],
  [
    'a tab',
    'a:\n\tb: 1',
    ['2:1 yaml/syntax: a tab stands where the line is indented, expected spaces | YAML is indented with spaces only'],
  ],
  [
    'a list that is not closed',
    'a: [1, 2\nb: 3',
    ["1:4 yaml/syntax: this list is not closed, expected ']' | its lines must be indented, the last too"],
  ],
  [
    'a map that is not closed',
    'a: {b: 1',
    ["1:4 yaml/syntax: this map is not closed, expected '}' | its lines must be indented, the last too"],
  ],
  ['a quote that is not closed', 'a: "x\nb: 1', ['1:4 yaml/syntax: this text is not closed, expected "']],
  [
    'a colon in a value',
    'run: echo a: b',
    [
      "1:6 yaml/syntax: a second 'key:' stands on one line, expected one value | put text that holds ': ' in quotes, or the inner map on a line of its own",
    ],
  ],
  [
    'a line too deep',
    'a: 1\n  b: 2',
    [
      '2:3 yaml/syntax: this line is indented deeper than the key above, whose value stands there already | indent it as the keys beside it',
    ],
  ],
  [
    'a line not deep enough',
    'a:\n    b: 1\n   c: 2',
    ['3:4 yaml/syntax: this line is indented otherwise than the keys beside it | keys of one map begin in one column'],
  ],
  [
    'a colon that is missing',
    'a: 1\nfoo\nb: 2',
    ["2:1 yaml/syntax: expected ':' after the key | a key stands on one line and ends with a colon"],
  ],
  [
    'a dash that is missing',
    '- a\nb: c',
    [
      "2:1 yaml/syntax: this line continues nothing that stands above | a missing '- ' or ':', or the wrong indentation?",
    ],
  ],
  [
    'a list behind a key',
    'a: - b',
    ["1:4 yaml/syntax: a list cannot begin behind 'key:' on the same line, expected it on the next line"],
  ],
  [
    'an unknown escape',
    'a: "C:\\data"',
    ["1:7 yaml/syntax: unknown escape '\\d' in double quotes | write \\\\ for a backslash, or use single quotes: '…'"],
  ],
  [
    'a reserved character',
    'a: @x',
    [
      "1:4 yaml/syntax: text cannot begin with '@', which has a meaning of its own in YAML | put the text in quotes: '@x'",
    ],
  ],
  ['a bracket too many', 'a: ]', ["1:4 yaml/syntax: ']' closes nothing here | put text that holds brackets in quotes"]],
  [
    'text behind a quote',
    "a: 'b' c",
    ["1:8 yaml/syntax: 'c' stands behind the end of a value | a quote in the text? put the whole text in quotes"],
  ],
];

for (const [name, text, expected] of BAD) {
  test(`tells ${name} with its place`, () => assert.equal(errors(text), expected));
}

test('errors of one file are told together, duplicates with the first place', () => {
  const result = readYaml(source('a: 1\na: 2\nb: !x 1\nc: *d\n'));
  assert.is(errorsOf(result).length, 3);
  assert.is(result.ok ? '' : pointedAt(result.error[0] as never), 'a');
  const related = result.ok ? undefined : result.error[0]?.related;
  assert.is(related?.[0]?.at.start, 0);
});

test('several errors of syntax are told together', () => {
  assert.equal(
    errors('a: @x\nb: "\\q"\nc: 1\n').map((line) => line.slice(0, 3)),
    ['1:4', '2:5'],
  );
});

test('an expression without quotes inside braces is told as what it is', () => {
  for (const text of ['for: { t: ${{ config.x }} }\n', 'for: [${{ a }}, 1]\n']) {
    assert.match(errors(text).join(), 'must stand in quotes', text);
  }
});

test.run();
