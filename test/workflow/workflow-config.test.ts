import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Value } from '../../src/base/value.ts';
import type { ConfigAssignment } from '../../src/workflow/workflow-config.ts';
import { errorsOf, load, pointedAt, source, valueOf, yaml } from './support.ts';

const RULES = 'rules: {a: {run: x}}';
const set = (name: string, value: string): ConfigAssignment => ({ name, value });

const config = (
  text: string,
  files: Readonly<Record<string, string>> = {},
  sets: readonly ConfigAssignment[] = [],
  over: readonly string[] = [],
): Value =>
  valueOf(load({ 'lhb.yaml': `lhb: 1\n${text}${RULES}`, ...files }, { configSets: sets, files: over })).config;

test('a file, a map, or a list of both merged in order', () => {
  const files = { 'a.yaml': 'x: {p: 1, q: [1, 2]}\ny: 1\n', 'b.json': '{"x": {"q": [3]}, "z": 1.0}' };
  assert.equal(config('', files), new Map());
  assert.equal(config('config: a.yaml\n', files), yaml('x: {p: 1, q: [1, 2]}\ny: 1'));
  assert.equal(config('config: {a: 1}\n', files), yaml('a: 1'));
  assert.equal(config('config: [a.yaml, {y: 2}, b.json]\n', files), yaml('x: {p: 1, q: [3]}\ny: 2\nz: 1.0'));
});

test('inline maps see env and the config so far', () => {
  const text =
    'config:\n  - { n: 2, name: "${{ env.HOME }}" }\n  - { m: "${{ config.n * 2 }}", file: "${{ config.name }}/x" }\n';
  assert.equal(config(text), yaml('n: 2\nname: /home/ann\nm: 4\nfile: /home/ann/x'));
});

test('a file may be named by an expression', () => {
  assert.equal(config('config: "c${{ env.SCALE }}.yaml"\n', { 'c3.yaml': 'a: 1' }), yaml('a: 1'));
});

test('--configfile goes on top, then --config, each in order', () => {
  const files = { 'a.yaml': 'x: {p: 1, q: 1}\n', 'o.yaml': 'x: {p: 2}\n', 'o2.yaml': 'x: {p: 3}\n' };
  assert.equal(config('config: a.yaml\n', files, [], ['o.yaml', 'o2.yaml']), yaml('x: {p: 3, q: 1}'));
  const sets = [set('x.q', '5'), set('x.q', '6'), set('x.new.deep', 'yes')];
  assert.equal(config('config: a.yaml\n', files, sets, ['o.yaml']), yaml('x: {p: 2, q: 6, new: {deep: yes}}'));
});

test('--config takes YAML values of any kind; maps merge, lists are replaced, items of lists can be set', () => {
  const text = 'config: {m: {a: 1, b: 2}, l: [{x: 1}, {x: 2}], n: null}\n';
  const sets = [set('m', '{b: 3}'), set('l.1.x', '1.0'), set('s', 'a b'), set('n.k', '[1, "2"]'), set('e', '')];
  assert.equal(
    config(text, {}, sets),
    yaml('m: {a: 1, b: 3}\nl: [{x: 1}, {x: 1.0}]\nn: {k: [1, "2"]}\ns: a b\ne: null'),
  );
});

test('--config: what is wrong is told at its place', () => {
  const line = source('lhb build --config m.a.c=1 .x=1 l=[1', 'command line');
  const at = (word: string): ConfigAssignment['at'] => {
    const start = line.text.indexOf(word);
    return { file: line, start, end: start + word.length };
  };
  const sets = [
    { name: 'm.a.c', value: '1', at: at('m.a.c=1') },
    { name: '.x', value: '1', at: at('.x=1') },
    { name: 'l', value: '[1', at: at('l=[1') },
  ] as ConfigAssignment[];
  const result = load(`lhb: 1\nconfig: {m: {a: 1}}\n${RULES}`, { configSets: sets });
  assert.equal(errorsOf(result), [
    "1:20 config/option: --config: 'm.a.c' cannot be set, since 'm.a' in the config is no map",
    "1:28 config/option: --config: '.x' is no dotted path | write --config a.b=1",
    "1:35 yaml/syntax: --config l: this list is not closed, expected ']'",
  ]);
  assert.is(result.ok ? '' : result.error.map(pointedAt)[2], '[');
});

test('config files that are wrong are told, all of them', () => {
  const files = {
    'lhb.yaml': `lhb: 1\nconfig: [l.yaml, nope.yaml, bad.yaml]\n${RULES}`,
    'l.yaml': '- 1',
    'bad.yaml': 'a: 1\na: 2',
  };
  assert.equal(errorsOf(load(files)), [
    "2:10 config/not-a-map: the config file 'l.yaml' must hold a map, found a list",
    "2:18 file/not-found: there is no file 'nope.yaml'",
    "2:1 yaml/duplicate-key: the key 'a' is given twice in one map",
  ]);
});

test('expressions of the config that are wrong are told', () => {
  assert.equal(errorsOf(load(`lhb: 1\nconfig: { a: "\${{ env.HOEM }}" }\n${RULES}`)), [
    "2:19 workflow/unknown-env: the environment variable 'HOEM' is not set | did you mean 'HOME'?",
  ]);
  assert.equal(errorsOf(load(`lhb: 1\nconfig: { a: "\${{ output }}", b: "\${{ confg.x }}" }\n${RULES}`)), [
    '2:19 workflow/not-yet-known: the workflow: `output` is not known yet in `config` | expressions in `config` may use env, and the config so far',
    "2:39 workflow/unknown-name: the workflow: there is no `confg`, which `config` uses | did you mean 'config'?",
  ]);
});

test.run();
