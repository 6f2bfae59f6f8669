// Every folder of fixtures/errors is one mistake, or several, and the whole text that the program says to it.
//
//   lhb.yaml, …    the workflow and its files
//   command.txt    the arguments, as in a shell (default: `build`); a first line `exit N` says the exit code (default: 2)
//   expected.txt   what is on stderr (with `--json`: on stdout), to the letter; WORK stands for the folder it ran in
//
// The folder must be afterwards as it was: no outputs, no .lhb. UPDATE_EXPECTED=1 writes expected.txt anew instead of
// comparing, so that a change of wording is read as a diff:
//
//   npx tsc && UPDATE_EXPECTED=1 npx uvu dist/test/behaviour 'errors\.test\.js$' && git diff fixtures/errors
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CODES } from '../../src/base/codes.ts';
import { PROJECT } from '../support/project.ts';
import { Rig, rigTest, type Ended } from '../support/rig.ts';

const FIXTURES = join(PROJECT, 'fixtures', 'errors');
const OWN_FILES: ReadonlySet<string> = new Set(['command.txt', 'expected.txt']);
const UPDATE = process.env['UPDATE_EXPECTED'] === '1';
/** The machine has few cores, and the program starts as quickly as Node does. */
const AT_ONCE = 2;

type Command = { readonly args: readonly string[]; readonly code: number };
type Said = { readonly ended: Ended; readonly text: string; readonly changed: boolean; readonly seconds: number };

const names = readdirSync(FIXTURES).sort();

for (const name of names) {
  test(`error: ${name}`, async () => {
    const command = readCommand(name);
    const { ended, text, changed, seconds } = await resultOf(name);
    assert.is(ended.code, command.code, `exit code; it said:\n${text}`);
    const json = command.args.includes('--json');
    assert.is(json ? ended.stderr : ended.stdout, '', json ? 'stderr' : 'stdout');
    assert.not.match(ended.stdout + ended.stderr, /^\s+at .*(file:|node:).*:\d+/m);
    assert.not(changed, 'files were written');
    assert.ok(seconds < 20, `${seconds} s`);
    const file = join(FIXTURES, name, 'expected.txt');
    if (UPDATE) writeFileSync(file, text);
    else assert.fixture(text, existsSync(file) ? readFileSync(file, 'utf8') : '');
  });
}

/** Codes that no workflow, config or command line can cause by itself, each with what it takes. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'cache/failed': 'a command on a cache that cannot be written, or has no such key',
  'file/too-large': 'a file of megabytes, below',
  'file/unreadable': 'a file without permission',
  'gc/no-result': 'a job that was not built; collect.test.ts',
  'gc/unknown-tree': 'work trees that share a store; collect.test.ts',
  'gc/unreadable-root': 'a work tree that is gone; collect.test.ts',
  'graph/id-collision': 'two job hashes with 48 equal bits',
  'job/running': 'a job of a build that was killed; adopt.test.ts',
  'restore/evicted': 'a blob that went missing',
  'restore/refused': 'a record that leads out; hostile.test.ts',
  'restore/no-result': 'a job that was not built; exit 1',
  'schedule/too-many-cpus': 'a build that goes on, with a warning',
  'store/format-lost': 'a damaged store; damage.test.ts',
  'store/index-damaged': 'a damaged store; damage.test.ts',
  'store/index-lost': 'a damaged store; damage.test.ts',
  'store/index-moved': 'a network file system; damage.test.ts',
  'store/locked': 'another build; exit 3',
  'store/log-lost': 'a damaged store; damage.test.ts',
  'file/name': 'a name that git cannot hold everywhere; freshness.test.ts',
  'store/network': 'a network file system',
  'store/newer-record': 'a store of two lhbs; damage.test.ts',
  'store/write-failed': 'a full disk',
  'touch/not-possible': 'outputs that are not on disk; exit 1',
};

test('every code that a file or a command line can cause has a fixture', () => {
  const told = new Set<string>();
  for (const name of names) {
    const file = join(FIXTURES, name, 'expected.txt');
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    for (const [, code = ''] of text.matchAll(/^(?:error|warning)\[(.+?)\]/gm)) told.add(code);
    for (const [, code = ''] of text.matchAll(/"code":"(.+?)"/g)) told.add(code);
  }
  const untold = Object.keys(CODES).filter((code) => !told.has(code));
  assert.equal(untold.sort(), Object.keys(ELSEWHERE).sort());
});

/** About 100 MB, which are a comment. */
const padding = (): string => `# ${'far too much for a workflow '.repeat(4)}\n`.repeat(900_000);

rigTest(
  'a workflow of 100 MB is refused without reading it',
  async (rig) => {
    rig.workflow('rules: { a: { run: echo } }');
    rig.append('lhb.yaml', padding());
    const before = rig.tree('.');
    const { stderr } = await rig.exits(2, 'build');
    assert.match(
      stderr,
      /^error\[file\/too-large\]: 'lhb\.yaml' has \d+ MiB, and the most that is read here is 8 MiB\n/,
    );
    assert.equal(rig.tree('.'), before);
  },
  { timeoutS: 30 },
);

rigTest(
  'a config of 100 MB is refused at the place that names it',
  async (rig) => {
    rig.workflow('config: big.yaml\nrules: { a: { run: echo } }');
    rig.write('big.yaml', padding());
    const { stderr } = await rig.exits(2, 'build');
    assert.match(stderr, /^error\[file\/too-large\]: 'big\.yaml' has .*\n --> lhb\.yaml:2:9\n/);
    assert.not(rig.exists('.lhb'));
  },
  { timeoutS: 30 },
);

function readCommand(name: string): Command {
  const file = join(FIXTURES, name, 'command.txt');
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : [];
  const exit = /^exit (\d+)$/.exec(lines[0] ?? '');
  const line = lines[exit ? 1 : 0] ?? 'build';
  return { args: shellWords(line), code: Number(exit?.[1] ?? 2) };
}

/** The words of a command line; quotes as a shell has them, nothing else. */
const shellWords = (line: string): string[] =>
  Array.from(line.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g), ([word]) =>
    word.replaceAll(/'([^']*)'|"([^"]*)"/g, (_, single?: string, double?: string) => single ?? double ?? ''),
  );

const results = new Map<string, Promise<Said>>();

/** What a fixture's command said. The first call starts them all, `AT_ONCE` at a time. */
function resultOf(name: string): Promise<Said> {
  if (results.size === 0) {
    const lanes: Promise<unknown>[] = Array.from({ length: AT_ONCE }, () => Promise.resolve());
    names.forEach((each, i) => {
      const result = (lanes[i % AT_ONCE] ?? Promise.resolve()).then(() => runFixture(each));
      results.set(each, result);
      // A failure is told by the test that awaits it.
      lanes[i % AT_ONCE] = result.catch(() => {});
    });
  }
  return results.get(name) ?? Promise.reject(new Error(name));
}

async function runFixture(name: string): Promise<Said> {
  const rig = new Rig();
  try {
    const from = join(FIXTURES, name);
    cpSync(from, rig.dir, {
      recursive: true,
      filter: (file) => !OWN_FILES.has(basename(file)),
    });
    const before = [rig.tree('.'), rig.tree('.', rig.home)];
    const { args } = readCommand(name);
    const began = performance.now();
    const ended = await rig.start({}, ...args).done;
    const seconds = (performance.now() - began) / 1000;
    const after = [rig.tree('.'), rig.tree('.', rig.home)];
    const text = (args.includes('--json') ? ended.stdout : ended.stderr).replaceAll(rig.dir, 'WORK');
    return { ended, text, changed: JSON.stringify(before) !== JSON.stringify(after), seconds };
  } finally {
    await rig.close(true);
  }
}

test.run();
