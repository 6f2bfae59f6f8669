import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { error, warning, type SourceFile, type SourceRange } from '../../src/base/diagnostic.ts';
import { diagnosticJson, printDiagnostics } from '../../src/report/diagnostic.ts';

const file = (text: string, name = '/w/lhb.yaml'): SourceFile => ({ name, text });

/** The range of a piece of a file's text. */
function at(source: SourceFile, piece: string): SourceRange {
  const start = source.text.indexOf(piece);
  return { file: source, start, end: start + piece.length };
}

const print = (...diagnostics: Parameters<typeof printDiagnostics>[0]): string =>
  printDiagnostics(diagnostics, { color: false, cwd: '/w' });

test('shows place, line, caret and hint', () => {
  const source = file('rules:\n  train:\n    ouputs: { m: m.json }\n');
  const hint = "did you mean 'outputs'?";
  const diagnostic = error('workflow/unknown-field', "rule 'train' has no field 'ouputs'", {
    at: at(source, 'ouputs'),
    hint,
  });
  assert.is(
    print(diagnostic),
    [
      "error[workflow/unknown-field]: rule 'train' has no field 'ouputs'",
      ' --> lhb.yaml:3:5',
      '  |',
      '3 |     ouputs: { m: m.json }',
      '  |     ^^^^^^',
      "  = hint: did you mean 'outputs'?",
      '',
    ].join('\n'),
  );
});

test('shows related places with their notes; the gutter fits the longest number', () => {
  const source = file(`a: 1\n${'\n'.repeat(9)}b: 2\n`);
  const related = [{ message: 'first given here', at: at(source, 'a') }];
  assert.is(
    print(error('yaml/duplicate-key', 'twice', { at: at(source, 'b'), related })),
    [
      'error[yaml/duplicate-key]: twice',
      '  --> lhb.yaml:11:1',
      '   |',
      '11 | b: 2',
      '   | ^',
      '  --> lhb.yaml:1:1: first given here',
      '   |',
      ' 1 | a: 1',
      '   | -',
      '',
    ].join('\n'),
  );
});

test('sorts by file and place, those without a place first, and counts', () => {
  const [a, b] = [file('one two', '/w/a.yaml'), file('x', '/w/b.yaml')];
  const text = print(
    error('yaml/syntax', 'm4', { at: at(b, 'x') }),
    error('yaml/syntax', 'm3', { at: at(a, 'two') }),
    warning('yaml/1.1', 'm2', { at: at(a, 'one') }),
    error('cli/usage', 'm1', { hint: 'h' }),
  );
  assert.equal(text.match(/\bm\d/g), ['m1', 'm2', 'm3', 'm4']);
  assert.ok(text.startsWith('error[cli/usage]: m1\n  hint: h\n\nwarning[yaml/1.1]: m2\n'));
  assert.ok(text.endsWith('\n\n3 errors, 1 warning\n'));
});

test('nothing is printed for nothing, and one alone is not counted', () => {
  assert.is(print(), '');
  assert.not.match(print(error('cli/usage', 'm')), /1 error/);
});

test('tabs and wide characters keep the caret in its place', () => {
  const source = file('\ta: 中文 @x\n');
  assert.is(
    print(error('yaml/syntax', 'm', { at: at(source, '@x') }))
      .split('\n')
      .slice(1, 5)
      .join('\n'),
    [' --> lhb.yaml:1:8', '  |', '1 |     a: 中文 @x', '  |             ^^'].join('\n'),
  );
});

test('control characters are escaped, in the line and in messages', () => {
  const source = file('a: \u001b[31mred\u0007 @\n');
  const text = print(error('yaml/syntax', 'bad \u001b[2J text', { at: at(source, '@'), hint: 'x\u202ey' }));
  // oxlint-disable-next-line no-control-regex
  assert.not.match(text, /[\u0000-\u0009\u000b-\u001f\u007f\u202e]/);
  assert.ok(text.includes('bad \\x1b[2J text'));
  assert.ok(text.includes('1 | a: \\x1b[31mred\\x07 @\n'));
  assert.ok(text.includes(`  | ${' '.repeat('a: \\x1b[31mred\\x07 '.length)}^\n`));
  assert.ok(text.includes('x\\u{202e}y'));
});

test('a long line is cut around the place', () => {
  const source = file(`${'a'.repeat(500)}@@@${'b'.repeat(500)}\n`);
  const [, place, , line = '', caret = ''] = print(error('yaml/syntax', 'm', { at: at(source, '@@@') })).split('\n');
  assert.is(place, ' --> lhb.yaml:1:501');
  assert.ok(line.length < 130);
  assert.match(line, /^1 \| …a+@@@b+…$/);
  assert.is(caret.indexOf('^^^'), line.indexOf('@@@'));
});

test('a range over several lines is marked to the end of the first; an empty one has one caret', () => {
  const source = file('a: [1,\n  2]\nb:\n');
  const range = { file: source, start: 3, end: 11 };
  assert.match(print(error('yaml/syntax', 'm', { at: range })), /1 \| a: \[1,\n {2}\| {4}\^\^\^\n/);
  const empty = { file: source, start: 14, end: 14 };
  assert.match(print(error('yaml/syntax', 'm', { at: empty })), /3 \| b:\n {2}\| {3}\^\n/);
});

test('a place at the end of the text, and CRLF', () => {
  const source = file('a: 1\r\nb: [');
  assert.match(
    print(error('yaml/syntax', 'm', { at: { file: source, start: 10, end: 10 } })),
    /lhb.yaml:2:5\n.*\n2 \| b: \[\n {2}\| {5}\^\n/,
  );
  assert.not.match(print(error('yaml/syntax', 'm', { at: at(source, 'a') })), /\r/);
});

test('files below the current folder are shown from there, names that are no paths as they are', () => {
  const shown = (name: string): string =>
    /--> (.*):1:1/.exec(print(error('yaml/syntax', 'm', { at: at(file('x', name), 'x') })))?.[1] ?? '';
  assert.is(shown('/w/conf/a.yaml'), 'conf/a.yaml');
  assert.is(shown('/e/a.yaml'), '/e/a.yaml');
  assert.is(shown('--config'), '--config');
});

test('colour marks the severity and changes no text', () => {
  const diagnostic = error('yaml/syntax', 'm', { at: at(file('x'), 'x'), hint: 'h' });
  const coloured = printDiagnostics([diagnostic], { color: true, cwd: '/w' });
  assert.ok(coloured.includes('\u001b[31m'));
  // oxlint-disable-next-line no-control-regex
  assert.is(coloured.replaceAll(/\u001b\[\d+m/g, ''), print(diagnostic));
});

test('JSON gives the first error, and all', () => {
  const source = file('a: 1\nbé: 2\n');
  const errors = [
    error('yaml/syntax', 'second', { at: at(source, ': 2') }),
    error('yaml/syntax', 'first', { at: at(source, 'a'), hint: 'h' }),
  ];
  const first = { code: 'yaml/syntax', message: 'first', at: { file: 'lhb.yaml', line: 1, column: 1 }, hint: 'h' };
  const second = { code: 'yaml/syntax', message: 'second', at: { file: 'lhb.yaml', line: 2, column: 3 } };
  assert.equal(diagnosticJson(errors, '/w'), { error: first, errors: [first, second] });
  assert.equal(diagnosticJson([warning('yaml/1.1', 'w')], '/w').warnings, [{ code: 'yaml/1.1', message: 'w' }]);
});

test.run();
