import { execFileSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { renderArgv, renderScript, Verbatim } from '../../src/expr/command.ts';
import { Raw } from '../../src/expr/types.ts';
import { fault, Job, mapOf, scopeOf, template } from './support.ts';

const render = (script: string, values: Record<string, unknown> = {}): string => {
  const scope = scopeOf(values);
  return renderScript(template(script), (expression) => expression.evaluate(scope));
};

const SHELLS = ['sh', 'bash'];
/** A function p that shows its arguments, each ended by a NUL. */
const SHOW = `p() { for a in "$@"; do printf '%s\\0' "$a"; done; printf ';\\0'; }\n`;

/** The arguments of each call of p in a script, as the shell sees them. */
function shown(shell: string, script: string): string[][] {
  const calls: string[][] = [[]];
  const output = execFileSync(shell, ['-s'], {
    input: SHOW + script,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], NAME: 'value' },
  });
  for (const word of output.split('\0').slice(0, -1)) {
    if (word === ';') calls.push([]);
    else calls.at(-1)?.push(word);
  }
  return calls.slice(0, -1);
}

const NASTY = [
  '',
  'plain',
  `it's`,
  `'`,
  `''`,
  '"',
  '\\',
  '\\\\',
  'a\\',
  '$HOME',
  '$(echo no)',
  '`echo no`',
  '${x}',
  'a b',
  ' lead and trail ',
  'line\nbreak',
  'tab\there',
  '-n',
  '--',
  '*',
  '?',
  '[a]',
  '~',
  '#no comment',
  '!history',
  'a;b|c&d>e<f(g)',
  '{a,b}',
  'é ü 漢字 🎉',
  '=x',
  '%s\\n',
  `a'b"c\`d$e\\f`,
  '}',
];

/** Each place with the text around the value; the word must come out as `before + value + after`. */
const PLACES: readonly (readonly [name: string, script: string, before: string, after: string])[] = [
  ['bare', 'p ${{ v }}', '', ''],
  ['in a word', 'p a-${{ v }}-b', 'a-', '-b'],
  ['double', 'p "a ${{ v }} b"', 'a ', ' b'],
  ['single', `p 'a \${{ v }} b'`, 'a ', ' b'],
  ['after quotes', `p "it's"'"'\${{ v }}`, `it's"`, ''],
  ['after escapes', `p it\\'s\\"\${{ v }}`, `it's"`, ''],
  ['after a comment', `# it's "\np \${{ v }}`, '', ''],
  ['after no comment', `p a#'\${{ v }}'`, 'a#', ''],
  ['substitution', 'p "$(printf "%s." ${{ v }})"', '', '.'],
  ['quotes in a substitution', `p "$(printf '%s.' "\${{ v }}")"`, '', '.'],
  ['nested substitutions', 'p "$(printf "%s" "$(printf "%s." "${{ v }}")")"', '', '.'],
  ['case in a substitution', 'p "$(case x in x) printf "%s." ${{ v }};; esac)${{ e }}"', '', '.'],
  ['backquotes', 'p "a`printf %s. ${{ v }}`"', 'a', '.'],
  ['single in backquotes', `x=\`printf %s. '\${{ v }}'\`; p "$x"`, '', '.'],
  ['default', 'p "${nope:-${{ v }}}"', '', ''],
  ['bare default', 'p "x"${nope:-${{ v }}}', 'x', ''],
  ['after a default', `p "\${nope:-it''s}"\${{ v }}`, `it''s`, ''],
  ['after a heredoc', `cat >/dev/null <<EOF\nit's "\nEOF\np \${{ v }}`, '', ''],
  ['after a quoted heredoc', `cat >/dev/null <<-'E O'\n\tit's \`\n\tE O\np \${{ v }}`, '', ''],
  ['after arithmetic', 'p $((1 << 2))${{ v }}', '4', ''],
  ['after a backslash', 'p \\${{ v }}', '\\', ''],
  ['after a backslash in quotes', 'p "\\${{ v }}"', '\\', ''],
  ['after $#', 'p $#${{ v }}', '0', ''],
];

test('a value comes out of every place of a script as it went in, in sh and in bash', () => {
  for (const [name, script, before, after] of PLACES) {
    const rendered = NASTY.map((v) => render(script, { v, e: '' })).join('\n');
    const expected = NASTY.map((v) => [before + v + after]);
    for (const shell of SHELLS) assert.equal(shown(shell, rendered), expected, `${name} in ${shell}`);
  }
});

test("a value comes out of bash's own quotes", () => {
  const rendered = NASTY.map((v) => render(`p $'it\\'s \${{ v }}'`, { v })).join('\n');
  assert.equal(shown('bash', rendered), NASTY.map((v) => [`it's ${v}`])); // prettier-ignore
});

test('a value in a comment or a heredoc starts nothing', () => {
  for (const shell of SHELLS) {
    for (const v of NASTY) {
      assert.equal(shown(shell, render('# ${{ v }}\np ok', { v })), [['ok']], v);
      const heredoc = render(`x=$(cat <<'EOF'\n[\${{ v }}]\nEOF\n)\np "$x" \${{ v }}`, { v });
      if (!/['"`)(]/.test(v) || shell === 'bash') assert.equal(shown(shell, heredoc), [[`[${v}]`, v]], v);
    }
  }
  assert.is(
    render('cat <<EOF\n${{ v }} ${{ l }}\nEOF', { v: `it's $x`, l: [1n, 'a b'] }),
    `cat <<EOF\nit's $x 1 a b\nEOF`,
  );
  assert.match(
    fault(() => render('cat <<EOF\n${{ v }}\nEOF', { v: 'a\nEOF\nrm' })),
    /^command\/heredoc-end/,
  );
});

test('a dollar sign before a name is a variable, before other text it is itself', () => {
  for (const shell of SHELLS) {
    assert.equal(shown(shell, render('p $${{ v }} "$${{ v }}"', { v: 'NAME' })), [['value', 'value']]);
    for (const v of ['(echo no)', '{NAME}', `'a'`, 'a b', ''])
      assert.equal(shown(shell, render('p $${{ v }} "$${{ v }}"', { v })), [[`$${v}`, `$${v}`]], v);
  }
});

test('scalars have one text, safe ones no quotes', () => {
  assert.is(
    render('x ${{ i }} ${{ f }} ${{ t }} ${{ p }} ${{ e }}', {
      i: 3n,
      f: 1e-6,
      t: true,
      p: 'a/b-c_d.e:1,2=+@%',
      e: '',
    }),
    `x 3 1e-06 true a/b-c_d.e:1,2=+@% ''`,
  );
});

test('a list is several words', () => {
  const values = { l: ['a', 'b c', ['d', [1n, 2.5]]], none: [] };
  assert.is(render('x ${{ l }} y', values), `x a 'b c' d 1 2.5 y`);
  assert.is(render('x ${{ none }} y', values), 'x  y');
  assert.is(render('--x=${{ l }}', values), `--x=a 'b c' d 1 2.5`);
  assert.is(render('"$(echo ${{ l }})"', values), `"$(echo a 'b c' d 1 2.5)"`);
  for (const script of ['"${{ l }}"', `'a \${{ l }}'`, '"a ${{ none }}"', '"${x:-${{ l }}}"'])
    assert.match(
      fault(() => render(script, values)),
      /^command\/list-in-quotes \[(l|none)\]/,
      script,
    );
});

test('maps, null, jobs and NUL are no words', () => {
  for (const v of [null, mapOf({}), new Job({}), [1n, null]])
    assert.match(
      fault(() => render('x ${{ v }}', { v })),
      /^command\/not-a-word \[v\]/,
    );
  assert.match(
    fault(() => render('x ${{ v }}', { v: 'a\0b' })),
    /^command\/nul/,
  );
  assert.match(
    fault(() => renderArgv([template('${{ v }}')], () => 'a\0b')),
    /^command\/nul/,
  );
});

test('raw and verbatim texts are put in as they are', () => {
  assert.is(render('x ${{ raw(v) }} "${{ raw(v) }}"', { v: '-a | "b"' }), 'x -a | "b" "-a | "b""');
  assert.is(
    renderScript(template(`a \${{ x }} "\${{ x }}" '\${{ x }}'`), () => new Verbatim('${{ x }}')),
    `a \${{ x }} "\${{ x }}" '\${{ x }}'`,
  );
  assert.is(render('x ${{ l }}', { l: [new Raw('a b'), 'c d'] }), `x a b 'c d'`);
  assert.is(render('${{ raw(v) }}', { v: 'ls -l | cat' }), 'ls -l | cat');
});

test('argv has a word an item, and one for each item of a list', () => {
  const scope = scopeOf({ n: 3n, l: ['a b', [1n, 2.5]], none: [], s: '' });
  const items = ['python', '--n=${{ n }}', '${{ l }}', '${{ none }}', '${{ s }}', '--l=${{ l }}', 'a  b'].map(template);
  const argv = renderArgv(items, (expression) => expression.evaluate(scope));
  assert.equal(argv, ['python', '--n=3', 'a b', '1', '2.5', '', '--l=a b 1 2.5', 'a  b']);
  assert.equal(
    renderArgv([template('x=${{ y }}'), template('${{ y }}')], () => new Verbatim('${{ y }}')),
    ['x=${{ y }}', '${{ y }}'],
  );
  assert.match(
    fault(() => renderArgv([template('${{ v }}')], () => null)),
    /^command\/not-a-word/,
  );
});

test.run();
