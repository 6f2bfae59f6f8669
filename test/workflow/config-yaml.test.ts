import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { spawnSync } from 'node:child_process';
import { isMap, type Key, type Value } from '../../src/base/value.ts';
import { configText } from '../../src/workflow/config-yaml.ts';
import { yaml } from './support.ts';

// prettier-ignore
const TEXTS: readonly string[] = [
  'yes', 'no', 'on', 'off', 'y', 'n', 'Y', 'null', '~', '', 'true', 'False', 'None', 'nan', 'NaN', 'inf', '.inf',
  '.nan', '1_000', '012', '0o17', '0x1f', '0b11', '12:30:45', '1:2', '2020-01-01', '2001-12-14t21:59:43.10-05:00',
  '=', '<<',
  '.5', '1.', '+1', '-', '-1', '1e5', '1e-6', '1.5e3', '.', '0.', '_1', '1__0', 'e1', '1e', '190:20:30.15', ' a',
  'a ', 'a  b', 'a: b', 'a:', ':', '::', 'a #b', '#', '---', '...', '- a', '?', '? a', '!x', '&a', '*a', '%a', '@a',
  '`a', '|', '>', '{a', '[a', '}', ']', ',', "it's", '"q"', '\\', 'a\\nb', 'a:b', 'http://x.y/z?a=b&c', '${x}',
  '${{ y }}', 'a\nb', '\n', 'a\n', '\ta', 'a\tb', 'a\r\nb', '\0', '\u001b[31m', '\u007f', '\u0085', '\u00a0',
  '\u2028', '\u2029',
  '\ufeff', '\u200b', '\ue000', '\ufffe', 'é', 'e\u0301', '中文: x', '😀', '👩\u200d👧', '\u{10ffff}',
  'x'.repeat(1200), 'a"b'.repeat(700),
];

// prettier-ignore
const SCALARS: readonly Value[] = [
  null, true, false, 0n, -7n, 12345678901234567890n, 10n ** 40n, 1, -0, 0.1, 1e-6, 1e-7, 1.5e-10, 1e15, 1e16, 1e21,
  1e300, 5e-324, 123456789012345680000, NaN, Infinity, -Infinity,
];

/** Values of every kind, by a fixed sequence of pseudo-random numbers. */
function samples(count: number): Value[] {
  let state = 7;
  const next = (limit: number): number => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * limit);
  };
  const pick = <T>(items: readonly T[]): T => items[next(items.length)] as T;
  const characters = Array.from(' \t\n:#-?!&*%@|>{}[],"\'\\0123456789abcxyz._+=~<eE\u0085\u2028é😀');
  const text = (): string =>
    next(2) === 0 ? pick(TEXTS) : Array.from({ length: next(8) }, () => pick(characters)).join('');
  const value = (depth: number): Value => {
    const kind = depth > 0 ? next(5) : 3;
    if (kind === 0) return Array.from({ length: next(4) }, () => value(depth - 1));
    if (kind > 2) return next(2) === 0 ? text() : pick(SCALARS);
    const map = new Map<Key, Value>();
    for (let i = next(4); i > 0; i--) map.set(next(5) === 0 ? BigInt(next(50)) : text(), value(depth - 1));
    return map;
  };
  return Array.from({ length: count }, () => value(4));
}

const ALL: readonly Value[] = [
  ...SCALARS,
  ...TEXTS,
  ...TEXTS.map((text) => new Map([[text, [text]]])),
  ...samples(1500),
  new Map<Key, Value>([
    ['empty', new Map()],
    ['list', []],
    [3n, [[], [[1n]], new Map([['a', [new Map([['b', null]])]]])]],
  ]),
];

test('what it writes reads back as the same value by YAML 1.2', () => {
  for (const value of ALL) assert.equal(yaml(configText(value)), value, configText(value));
});

/** A value with its types spelt out, for a comparison outside of this program. */
function typed(value: Value): unknown {
  if (value === null) return ['null'];
  if (Array.isArray(value)) return ['list', (value as Value[]).map(typed)];
  if (isMap(value)) return ['map', [...value].map(([k, v]) => [typed(k), typed(v)])];
  if (typeof value === 'bigint') return ['int', String(value)];
  if (typeof value === 'number')
    return ['float', Object.is(value, -0) ? '-0' : String(value).replace('Infinity', 'inf')];
  if (typeof value === 'string') return ['str', Array.from(value, (c) => c.codePointAt(0))];
  return ['bool', value];
}

const PYTHON = `
import sys, json, math, yaml
def typed(v):
    if v is None: return ['null']
    if isinstance(v, bool): return ['bool', v]
    if isinstance(v, int): return ['int', str(v)]
    if isinstance(v, float): return ['float', v]
    if isinstance(v, str): return ['str', [ord(c) for c in v]]
    if isinstance(v, list): return ['list', [typed(x) for x in v]]
    if isinstance(v, dict): return ['map', [[typed(k), typed(x)] for k, x in v.items()]]
    return ['other', repr(v)]
def same(a, b):
    if a[0] != b[0]: return False
    if a[0] == 'float':
        x, y = a[1], float(b[1])
        return (math.isnan(x) and math.isnan(y)) or (x == y and math.copysign(1, x) == math.copysign(1, y))
    if a[0] == 'list': return len(a[1]) == len(b[1]) and all(map(same, a[1], b[1]))
    if a[0] == 'map': return len(a[1]) == len(b[1]) and all(same(x[0], y[0]) and same(x[1], y[1]) for x, y in zip(a[1], b[1]))
    return a == b
for line in sys.stdin:
    text, value = json.loads(line)
    try:
        read = typed(yaml.safe_load(text))
    except Exception as problem:
        read = ['error', str(problem)]
    if not same(read, value): print(json.dumps([text, read]))
`;

const hasPyYaml = spawnSync('python3', ['-c', 'import yaml']).status === 0;

const NAME = 'PyYAML reads the same value';
if (hasPyYaml) {
  test(NAME, () => {
    const input = ALL.map((value) => JSON.stringify([configText(value), typed(value)])).join('\n');
    const { stdout, stderr, status } = spawnSync('python3', ['-c', PYTHON], { input, encoding: 'utf8' });
    assert.is(status, 0, stderr);
    assert.is(stdout, '');
  });
} else {
  console.log(`skipped, since there is no python3 with yaml: ${NAME}`);
  test.skip(NAME);
}

test('words stand plain, and what either version could take for something else is quoted', () => {
  const map = new Map<Key, Value>([
    ['model', 'mlp'],
    ['path', 'conf/data.npz'],
    ['on', 'yes'],
    ['012', '012'],
    [12n, 12n],
    ['rate', 1e-6],
    ['one', 1],
    ['text', 'a: b'],
    ['lines', 'a\nb'],
  ]);
  assert.is(
    configText(map),
    [
      'model: mlp',
      'path: conf/data.npz',
      "'on': 'yes'",
      "'012': '012'",
      '12: 12',
      'rate: 1.0e-06',
      'one: 1.0',
      "text: 'a: b'",
      'lines: "a\\nb"',
      '',
    ].join('\n'),
  );
});

test('lists and maps are written as blocks', () => {
  const value = yaml('a: [1, [2, {x: 3, z: []}], {}]\nb: {c: {d: null}}');
  assert.is(configText(value), 'a:\n  - 1\n  - - 2\n    - x: 3\n      z: []\n  - {}\nb:\n  c:\n    d: null\n');
});

test.run();
