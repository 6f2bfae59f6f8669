import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { lintScalars } from '../../src/workflow/lint-scalars.ts';
import { readYaml } from '../../src/workflow/read.ts';
import { brief, source, valueOf } from './support.ts';

const lint = (text: string): string[] => lintScalars(valueOf(readYaml(source(text)))).map(brief);

const READ_OTHERWISE: readonly (readonly [string, string, string])[] = [
  ['yes', 'the text', 'true'],
  ['Off', 'the text', 'false'],
  ['1_000', 'the text', 'the int 1000'],
  ['012', 'the int 12', 'the int 10'],
  ['0o17', 'the int 15', 'the text'],
  ['0b11', 'the text', 'the int 3'],
  ['12:30', 'the text', 'the int 750'],
  ['2020-01-01', 'the text', 'a date'],
  ['1e-6', 'a float', 'the text'],
  ['1e5', 'a float', 'the text'],
  ['1.5e3', 'a float', 'the text'],
  ['190:20:30.15', 'the text', 'a float'],
];

for (const [text, now, old] of READ_OTHERWISE) {
  test(`warns of ${text}`, () => {
    const [found, ...others] = lint(`a: ${text}`);
    assert.is(others.length, 0);
    const expected = `1:4 yaml/1.1: '${text}' is ${now} here (YAML 1.2), and ${old} to readers of YAML 1.1 such as PyYAML`;
    assert.is(found?.split(' | ')[0], expected);
  });
}

test('says nothing of what both read alike, nor of quoted text', () => {
  const text = '[1, -3, 0, 1.0, 1.0e-06, .5, 0x1f, true, null, ~, word, a b, \'yes\', "012", .inf, 1.2.3, v1, 1-2, 08]';
  assert.equal(lint(text), [
    "1:98 yaml/1.1: '08' is the int 8 here (YAML 1.2), and the text to readers of YAML 1.1 such as PyYAML | write 8 for the number, or quote the text",
  ]);
});

test('warns of keys, in the order of the file, and of an anchored value once', () => {
  assert.equal(
    lint('on: &a no\nx: *a\ny: [*a, off]\n').map((line) => line.slice(0, 3)),
    ['1:1', '1:8', '3:9'],
  );
});

test('the hint says how to write what was meant', () => {
  assert.match(lint('a: no')[0] ?? '', /\| write 'no' in quotes for the text, or false$/);
  assert.match(lint('a: 1_000')[0] ?? '', /\| write 1000 for a number, or quote the text$/);
  assert.match(lint('a: 1e-6')[0] ?? '', /\| write it with a point and a signed exponent: 1\.0e-06$/);
  assert.match(lint('a: 1e5')[0] ?? '', /exponent: 100000\.0$/);
});

test.run();
