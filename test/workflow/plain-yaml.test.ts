import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ok, type Result } from '../../src/base/result.ts';
import type { Value } from '../../src/base/value.ts';
import { nodeToValue } from '../../src/workflow/node.ts';
import { readPlainYaml } from '../../src/workflow/plain-yaml.ts';
import { readYaml } from '../../src/workflow/read.ts';

/** What the library makes of a text. */
function byLibrary(text: string): Result<Value> {
  const read = readYaml({ name: 'x.yaml', text });
  return read.ok ? ok(nodeToValue(read.value)) : read;
}

const PLAIN = [
  'a: 1\nb: 2.5\nc: text\n',
  'a:\n  b:\n    c: -1\n  d: [1, two, 3.0]\ne: null\n',
  'list:\n- 1\n- 2\nafter: yes\n',
  'list:\n  - {name: t0, width: 0}\n  - {name: t1, width: 1}\n',
  '- a: 1\n  b: {c: [], d: {}}\n-\n  e: 2\n- - 1\n  - 2\n-   f: 3\n    g: 4\n-\n',
  '# a comment\n\na: \'single quoted\'\nb: "double quoted: {x}"\nc:\n',
  'a: { b: 1 , c: [ [1, 2], { d: e } ] }\n',
  'x: 1e-6\ny: .5\nz: 0x1f\nw: 0o17\nv: 012\nu: +3\nt: -0\ns: -0.0\nr: .inf\nq: -.inf\np: 12345678901234567890\n',
  'a: 1\nb: .\nc: ../x/y.npz\nd: a.b-c_d\ne: True\nf: NULL\ng: 1.\nh: 1_000\n',
  'a:\n  - b\n  -  - c\n',
];

test('plain YAML is what the library reads in it', () => {
  for (const text of PLAIN) {
    const plain = readPlainYaml(text);
    assert.ok(plain !== undefined, `left to the library: ${text}`);
    assert.equal(byLibrary(text), ok(plain), text);
  }
});

test('what is not plain, or wrong, is left to the library', () => {
  const others = [
    'a: 1\na: 2\n', // twice
    'a: {b: 1, b: 2}\n',
    'a: b\n  c\n', // a text of two lines
    'a: 1\n b: 2\n',
    'a: |\n  text\n',
    'a: &x 1\nb: *x\n',
    'a: !!str 1\n',
    'a: "\\n"\n',
    "a: 'it''s'\n",
    'a: b c\n',
    'a: b # comment\n',
    'a: [1,\n  2]\n',
    'a: [1, 2,]\n',
    'a: {b, c: 1}\n',
    'a: {b:1}\n',
    'a: [b: 1]\n',
    'true: 1\n',
    '1: a\n',
    '"a": 1\n',
    '<<: {a: 1}\n',
    '? a\n',
    '---\na: 1\n',
    'a: 1\n...\n',
    '%YAML 1.1\n',
    'text\n',
    '[1, 2]\n',
    '',
    '\ta: 1\n',
    'a: é\n',
    'a: -\n',
    'a: - 1\n',
    'a: 12:30\n',
    'a: x]\n',
    'a:b\n',
    '- a\nb: 1\n',
    'a: 1\n- b\n',
    'a: b: c\n',
    `${'- '.repeat(200)}a\n`,
  ];
  for (const text of others) assert.is(readPlainYaml(text), undefined, text);
});

test('texts put together at random are read as the library reads them, or left to it', () => {
  let seed = 7;
  const pick = <T>(items: readonly T[]): T => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return items[Math.floor((seed / 2147483648) * items.length)] as T;
  };
  const pieces = [
    'a',
    'b',
    ':',
    ': ',
    ' ',
    '  ',
    '\n',
    '\n',
    '\n  ',
    '- ',
    '-',
    '{',
    '}',
    '[',
    ']',
    ', ',
    ',',
    "'",
    '"',
    '1',
  ];
  const more = [
    '.5',
    '-1',
    'null',
    'true',
    'x: 1\n',
    '- y\n',
    '\n    ',
    '.',
    '+',
    '/',
    '#',
    '~',
    '=',
    '---',
    'key: {c: d}',
  ];
  let read = 0;
  for (let i = 0; i < 60_000; i++) {
    let text = pick(['', 'a: ', '- ', 'a:\n  ']);
    for (let n = pick([1, 2, 4, 6, 9]); n > 0; n--) text += pick(pick([true, true, false]) ? pieces : more);
    const plain = readPlainYaml(text);
    if (plain === undefined) continue;
    read++;
    assert.equal(byLibrary(text), ok(plain), JSON.stringify(text));
  }
  assert.ok(read > 1000, `only ${read} were plain`);
});

test.run();
