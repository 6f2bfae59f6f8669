// What happens to a store and a work tree: bytes flipped, files cut short, gone, or replaced. Of each: it is noticed, the
// outputs after the next build are those of before, only what had to ran, and `verify` finds nothing left.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { seal } from '../../src/store/sealed-line.ts';
import { blobOf } from '../support/blobs.ts';
import { cleanEnv } from '../support/env.ts';
import { PROGRAM } from '../support/project.ts';
import { ran, Rig, rigTest, type Ended } from '../support/rig.ts';

type Case = {
  readonly name: string;
  readonly damage: (rig: Rig) => void;
  /** How outputs and blobs share bytes; by default by hard link. */
  readonly link?: 'copy';
  /** What the next build says on stderr; undefined: it need not say anything. */
  readonly says?: RegExp;
  /** The exit code of the next build; default 0. */
  readonly code?: number;
  /** The jobs that it runs; default none. */
  readonly runs?: readonly string[];
  /** What the user does where lhb cannot go on; then it is built again, and `runs` is what that runs. */
  readonly after?: (rig: Rig) => void;
  /** What `verify` says after the build. */
  readonly verify?: RegExp;
};

const ALL = ['a0', 'a1', 'b'];

/** Two jobs with a file and a tree, and one that gathers them. */
function workflow(rig: Rig, link: string): void {
  rig.workflow(`
    link: ${link}
    rules:
      a:
        for: { n: "\${{ range(0, 2) }}" }
        dir: a\${{ n }}
        outputs: { o: o.txt, t: tree/ }
        run: |
          ${ran('a${{ n }}')}
          echo "text of \${{ n }}" > \${{ outputs.o }}
          mkdir \${{ outputs.t }}/in
          echo "leaf \${{ n }}" > \${{ outputs.t }}/in/leaf
          printf '#!/bin/sh\\necho \${{ n }}\\n' > \${{ outputs.t }}/prog
          chmod +x \${{ outputs.t }}/prog
      b:
        dir: b
        inputs: { o: "\${{ a.map(a, a.outputs.o) }}" }
        outputs: { o: o.txt }
        run: ${ran('b')}; cat \${{ inputs.o }} > \${{ outputs.o }}
  `);
}

const templates = new Map<string, Promise<Rig>>();

/** A work tree that was built, made once. */
function template(link: string): Promise<Rig> {
  const made = templates.get(link) ?? make();
  templates.set(link, made);
  return made;

  async function make(): Promise<Rig> {
    const rig = new Rig();
    workflow(rig, link);
    await rig.ok('build', '-q');
    process.once('exit', () => rmSync(rig.base, { recursive: true, force: true }));
    return rig;
  }
}

/** Makes the rig's work tree a copy of the template, hard links and times as they are there. */
async function built(rig: Rig, link: 'copy' | 'hardlink' = 'hardlink'): Promise<Rig> {
  const from = await template(link);
  rmSync(rig.dir, { recursive: true });
  execFileSync('cp', ['-a', from.dir, rig.dir]);
  rig.ranSince();
  return from;
}

const outputs = (rig: Rig): object => ['a0', 'a1', 'b'].map((folder) => rig.tree(folder));

// Damages.

/** Writes to a file whatever its mode is, in place. */
function overwrite(path: string, at: number, bytes: string | Buffer): void {
  chmodSync(path, 0o644);
  const fd = openSync(path, 'r+');
  writeSync(fd, Buffer.from(bytes), 0, undefined, at);
  closeSync(fd);
}

const index = (rig: Rig, name = 'data.mdb'): string => rig.path(`.lhb/index/${name}`);
const blob = (rig: Rig, text: string): string => rig.path(blobOf(rig, text));
const log = (rig: Rig): string => {
  const [name = ''] = readdirSync(rig.path('.lhb/traces'));
  return rig.path(`.lhb/traces/${name}`);
};

function replace(path: string, by: (path: string) => void): void {
  rmSync(path, { recursive: true, force: true });
  by(path);
}

const folder = (path: string): void => {
  mkdirSync(path);
  writeFileSync(join(path, 'stray'), 'stray');
};

/** A preload that moves the clock of one build. */
function clock(rig: Rig, hours: number): Record<string, string> {
  const file = join(rig.base, 'clock.mjs');
  writeFileSync(file, `const now = Date.now; Date.now = () => now() + ${hours} * 3600e3;\n`);
  return { NODE_OPTIONS: `--import=${file}` };
}

const RESTORED = /restored [12]\b/;
const INDEX = /index-damaged.*was damaged.*made again from the trace logs: 3 results/;

/** In each page that has it: which of them counts, LMDB alone knows. */
function flipResult(file: string): void {
  const bytes = readFileSync(file);
  for (let at = bytes.indexOf('text of 0'); at >= 0; at = bytes.indexOf('text of 0', at + 1)) overwrite(file, at, 'X');
}

const CASES: readonly Case[] = [
  // Blobs. With hard links an output has the damage too; with copies it has the good bytes.
  { name: 'a byte of a blob is flipped', damage: (rig) => overwrite(blob(rig, 'text of 0\n'), 0, 'X'), runs: ['a0'] },
  {
    name: 'a byte of a blob is flipped, the output is whole',
    link: 'copy',
    damage: (rig) => overwrite(blob(rig, 'text of 0\n'), 0, 'X'),
    verify: /1 repaired/,
  },
  {
    name: 'a blob is cut short',
    damage: (rig) => {
      chmodSync(blob(rig, 'leaf 1\n'), 0o644);
      truncateSync(blob(rig, 'leaf 1\n'), 3);
    },
    runs: ['a1'],
  },
  {
    name: 'a blob is cut short, the output is whole',
    link: 'copy',
    damage: (rig) => truncateSync(blob(rig, 'leaf 1\n'), 3),
    verify: /written again from an output/,
  },
  {
    name: 'a blob is empty',
    link: 'copy',
    damage: (rig) => truncateSync(blob(rig, 'leaf 1\n'), 0),
    verify: /1 repaired/,
  },
  {
    name: 'a blob is gone',
    damage: (rig) => unlinkSync(blob(rig, 'text of 0\n')),
    verify: /was missing; written again from an output/,
  },
  {
    name: 'a blob is gone, and its output',
    damage: (rig) => {
      unlinkSync(blob(rig, 'text of 0\n'));
      rig.remove('a0/o.txt');
    },
    runs: ['a0'],
  },
  {
    name: 'a blob is a folder',
    link: 'copy',
    damage: (rig) => replace(blob(rig, 'text of 0\n'), folder),
    verify: /1 repaired/,
  },
  {
    name: 'a blob is a folder, its output is gone',
    damage: (rig) => {
      replace(blob(rig, 'text of 0\n'), folder);
      rig.remove('a0/o.txt');
    },
    runs: ['a0'],
  },
  {
    name: 'a blob is a link to the same bytes',
    link: 'copy',
    damage: (rig) => {
      const path = blob(rig, 'text of 0\n');
      renameSync(path, rig.path('moved'));
      symlinkSync(rig.path('moved'), path);
    },
    verify: /1 repaired/,
  },
  {
    name: 'a blob is a link to the same bytes, its output is gone',
    damage: (rig) => {
      const path = blob(rig, 'text of 0\n');
      renameSync(path, rig.path('moved'));
      symlinkSync(rig.path('moved'), path);
      rig.remove('a0/o.txt');
    },
    runs: ['a0'],
  },
  {
    name: 'a file among the blobs is none',
    damage: (rig) => rig.write('.lhb/blobs/ab/notes.txt', 'x'),
    verify: /notes\.txt.*is no blob/,
  },
  {
    name: 'a blob has a name of other bytes',
    damage: (rig) => rig.write(`.lhb/blobs/ab/${'0'.repeat(62)}`, 'x'),
    verify: /no result has it/,
  },
  { name: 'the folder of blobs is gone', damage: (rig) => rig.remove('.lhb/blobs'), verify: /repaired/ },
  {
    name: 'the folder of blobs is a file, and outputs are gone',
    damage: (rig) => {
      replace(rig.path('.lhb/blobs'), (p) => writeFileSync(p, 'x'));
      rig.remove('a0', 'a1');
    },
    runs: ['a0', 'a1'],
    verify: /repaired/,
  },

  // Outputs.
  {
    name: 'an output is edited in place, its blob with it',
    damage: (rig) => overwrite(rig.path('b/o.txt'), 0, 'T'),
    runs: ['b'],
  },
  {
    name: 'an output is edited in place',
    link: 'copy',
    damage: (rig) => overwrite(rig.path('b/o.txt'), 0, 'T'),
    says: RESTORED,
  },
  {
    name: 'an output is edited, its times set back',
    link: 'copy',
    damage: (rig) => {
      const { atime, mtime } = statSync(rig.path('b/o.txt'));
      overwrite(rig.path('b/o.txt'), 0, 'T');
      utimesSync(rig.path('b/o.txt'), atime, mtime);
    },
    says: RESTORED,
  },
  {
    name: 'an output is cut short',
    link: 'copy',
    damage: (rig) => truncateSync(rig.path('a1/o.txt'), 2),
    says: RESTORED,
  },
  { name: 'an output is gone', damage: (rig) => rig.remove('a1/o.txt'), says: RESTORED },
  { name: 'an output is a folder', damage: (rig) => replace(rig.path('a1/o.txt'), folder), says: RESTORED },
  {
    name: 'an output is a link to its blob',
    damage: (rig) => {
      const path = blob(rig, 'text of 1\n');
      replace(rig.path('a1/o.txt'), (p) => symlinkSync(path, p));
    },
    says: RESTORED,
  },
  {
    name: 'an output is a link to the same bytes elsewhere',
    damage: (rig) => {
      writeFileSync(join(rig.base, 'same'), 'text of 1\n');
      replace(rig.path('a1/o.txt'), (p) => symlinkSync(join(rig.base, 'same'), p));
    },
    says: RESTORED,
  },
  {
    name: 'an output is a link that leads nowhere',
    damage: (rig) => replace(rig.path('a1/o.txt'), (p) => symlinkSync('nowhere', p)),
    says: RESTORED,
  },
  {
    name: 'an output is a link to itself',
    damage: (rig) => replace(rig.path('a1/o.txt'), (p) => symlinkSync('o.txt', p)),
    says: RESTORED,
  },
  {
    name: 'an output is no program any more',
    link: 'copy',
    damage: (rig) => chmodSync(rig.path('a0/tree/prog'), 0o644),
    says: RESTORED,
  },
  {
    name: 'an output is a program now',
    link: 'copy',
    damage: (rig) => chmodSync(rig.path('a0/o.txt'), 0o755),
    says: RESTORED,
  },
  {
    name: 'outputs are touched',
    damage: (rig) => {
      for (const path of ['a0/o.txt', 'a0/tree/in/leaf', 'b/o.txt']) utimesSync(rig.path(path), 1e9, 1e9 + 0.5);
    },
  },
  {
    name: 'outputs come from the future',
    damage: (rig) => {
      for (const path of ['a0/o.txt', 'b/o.txt']) utimesSync(rig.path(path), 4e9, 4e9 + 0.5);
    },
  },
  { name: 'a tree has a file more', damage: (rig) => rig.write('a0/tree/in/more', 'x'), says: RESTORED },
  { name: 'a tree has a file less', damage: (rig) => rig.remove('a0/tree/in/leaf'), says: RESTORED },
  {
    name: 'a tree is a file',
    damage: (rig) => replace(rig.path('a0/tree'), (p) => writeFileSync(p, 'x')),
    says: RESTORED,
  },
  {
    name: "a job's folder is a file of the user's",
    damage: (rig) => replace(rig.path('a0'), (p) => writeFileSync(p, 'x')),
    says: /a0, which must be a folder, is none: move it away/,
    code: 1,
    after: (rig) => rig.remove('a0'),
  },

  // The index and the trace log.
  { name: 'the index is gone', damage: (rig) => rig.remove('.lhb/index'), says: /index-lost.*3 results/ },
  { name: 'data.mdb is gone', damage: (rig) => unlinkSync(index(rig)), says: /index-lost.*3 results/ },
  { name: 'data.mdb is empty', damage: (rig) => truncateSync(index(rig), 0), says: /index-lost.*3 results/ },
  { name: 'data.mdb is garbage', damage: (rig) => writeFileSync(index(rig), 'garbage '.repeat(5000)), says: INDEX },
  { name: 'data.mdb is a folder', damage: (rig) => replace(index(rig), folder), says: INDEX },
  {
    name: 'the index is a file',
    damage: (rig) => replace(rig.path('.lhb/index'), (p) => writeFileSync(p, 'x')),
    says: INDEX,
  },
  { name: 'lock.mdb is a folder', damage: (rig) => replace(index(rig, 'lock.mdb'), folder), says: INDEX },
  { name: 'lock.mdb is garbage', damage: (rig) => writeFileSync(index(rig, 'lock.mdb'), 'garbage '.repeat(2000)) },
  { name: 'lock.mdb is gone', damage: (rig) => unlinkSync(index(rig, 'lock.mdb')) },
  {
    name: 'the pages in the midst of data.mdb are garbage',
    damage: (rig) => overwrite(index(rig), 8192, Buffer.alloc(statSync(index(rig)).size - 8192, 0x5a)),
    says: INDEX,
  },
  {
    name: 'a byte of a result in data.mdb is flipped',
    damage: (rig) => flipResult(index(rig)),
    says: /index-damaged.*check sum of a result/,
  },
  {
    name: 'a byte of a result is flipped, and the times say nothing',
    damage: (rig) => {
      const { atimeMs, mtimeMs } = statSync(index(rig));
      flipResult(index(rig));
      execFileSync('touch', ['-d', `@${(mtimeMs / 1000).toFixed(9)}`, index(rig)]);
      writeFileSync(index(rig, 'closed'), `${statSync(index(rig)).size} ${statSync(index(rig)).mtimeMs}\n`);
      assert.ok(atimeMs > 0);
    },
  },
  { name: 'the index was not closed', damage: (rig) => unlinkSync(index(rig, 'closed')) },
  {
    name: 'the trace log is gone',
    damage: (rig) => rig.remove('.lhb/traces'),
    says: /log-lost.*written anew: 3 results/,
  },
  {
    name: 'the trace log is a folder',
    damage: (rig) => replace(log(rig), folder),
    says: /log-lost.*written anew: 3 results/,
  },
  {
    name: 'the folder of logs is a file',
    damage: (rig) => replace(rig.path('.lhb/traces'), (p) => writeFileSync(p, 'x')),
    says: /log-lost.*3 results/,
  },
  {
    name: 'the trace log is cut short',
    damage: (rig) => truncateSync(log(rig), 100),
    says: /log-lost.*cut short.*3 results/,
  },
  {
    name: 'a line of the trace log is damaged',
    damage: (rig) => overwrite(log(rig), 200, 'XX'),
    verify: /1 of the results was not in it/,
  },
  {
    name: 'the trace log ends in half a line',
    damage: (rig) => appendFileSync(log(rig), '1234abcd {"format":1,"acti'),
  },
  { name: 'index and trace log are gone', damage: (rig) => rig.remove('.lhb/index', '.lhb/traces'), runs: ALL },
  {
    name: 'index and log are damaged',
    damage: (rig) => {
      truncateSync(index(rig), 5000);
      writeFileSync(log(rig), 'garbage');
    },
    says: /index-damaged.*0 results/,
    runs: ALL,
  },

  // Small files.
  { name: 'the format file is gone', damage: (rig) => rig.remove('.lhb/format'), says: /format-lost.*was lost/ },
  { name: 'the format file is empty', damage: (rig) => truncateSync(rig.path('.lhb/format'), 0), says: /format-lost/ },
  {
    name: 'the format file is garbage',
    damage: (rig) => rig.write('.lhb/format', '\0\0\0garbage'),
    says: /format-lost/,
  },
  {
    name: 'the format file is a folder',
    damage: (rig) => replace(rig.path('.lhb/format'), folder),
    says: /format-lost/,
  },
  {
    name: 'the store is of a newer format',
    damage: (rig) => rig.write('.lhb/format', 'lhb store 99\n'),
    says: /format-too-new.*format 99/,
    code: 4,
    after: (rig) => rig.write('.lhb/format', 'lhb store 2\n'),
  },
  { name: 'the id of the work tree is garbage', damage: (rig) => rig.write('.lhb/tree.json', '{"id": "../../x') },
  {
    name: 'the id of the work tree leads out',
    damage: (rig) => rig.write('.lhb/tree.json', '{"format": 1, "id": "../../x"}'),
  },
  {
    name: "a job's own folder is a file, its output is gone for good",
    damage: (rig) => {
      rig.remove('b/o.txt', '.lhb/blobs');
      const [id = ''] = readdirSync(rig.path('.lhb/jobs')).filter((name) => name.startsWith('b_'));
      replace(rig.path(`.lhb/jobs/${id}`), (p) => writeFileSync(p, 'x'));
    },
    runs: ['b'],
    verify: /repaired/,
  },
  {
    name: 'the folder of temporary files is a file',
    damage: (rig) => {
      replace(rig.path('.lhb/tmp'), (p) => writeFileSync(p, 'x'));
      rig.remove('b/o.txt');
    },
    says: RESTORED,
  },
  {
    name: 'the store is a file',
    damage: (rig) => {
      renameSync(rig.path('.lhb'), rig.path('kept'));
      rig.write('.lhb', 'x');
    },
    says: /\.lhb/,
    code: 4,
    after: (rig) => {
      rig.remove('.lhb');
      renameSync(rig.path('kept'), rig.path('.lhb'));
    },
  },
];

function runsAre(rig: Rig, ended: Ended, expected: readonly string[] = []): void {
  assert.equal(rig.ranSince(), [...expected], `which jobs ran\n${ended.stderr}`);
}

for (const each of CASES) {
  rigTest(`damage: ${each.name}`, async (rig) => {
    const from = await built(rig, each.link);
    each.damage(rig);
    const ended = await rig.lhb('build');
    assert.is(ended.code, each.code ?? 0, ended.stderr);
    if (each.says) assert.match(ended.stderr, each.says);
    if (each.after) {
      assert.equal(rig.ranSince(), []);
      each.after(rig);
      await rig.ok('build');
    }
    runsAre(rig, ended, each.runs);
    assert.equal(outputs(rig), outputs(from));
    const verified = await rig.ok('verify', '--repair');
    if (each.verify) assert.match(verified.stdout + verified.stderr, each.verify);
    if (!/all is well/.test(verified.stderr)) assert.match((await rig.ok('verify')).stderr, 'all is well');
    // Nothing that was said is said again.
    const again = await rig.ok('build');
    assert.match(again.stderr, /^nothing to do: 3 jobs fresh\n$/);
    assert.equal(outputs(rig), outputs(from));
  });
}

rigTest('a result of a newer lhb counts as never run, is kept, and that is said once', async (rig) => {
  await built(rig);
  // As a newer lhb would have left it, in a log of another work tree, with no index.
  const lines = readFileSync(log(rig), 'utf8').split('\n');
  const at = lines.findIndex((line) => line.includes('"rule":"b"'));
  const newer = seal((lines[at] ?? '').slice(9).replace('"format":1', '"format":99'));
  lines[at] = newer;
  writeFileSync(log(rig), lines.join('\n'));
  rig.remove('.lhb/index');
  const ended = await rig.runs([], 'summary');
  assert.is(ended.stderr.split('newer-record').length, 2, ended.stderr);
  assert.match(ended.stdout, /\tb\tNEW\t/);
  assert.match((await rig.ok('verify')).stderr, 'all is well');
  assert.ok(readFileSync(index(rig)).includes('"format":99'), 'the index has it still');
  await rig.runs(['b']);
  assert.ok(readFileSync(log(rig), 'utf8').includes(newer), 'the log has it still');
});

for (const hours of [-24, -1, 1, 24]) {
  rigTest(`the clock jumps by ${hours} h for one build`, async (rig) => {
    const from = await built(rig);
    rig.remove('b/o.txt', '.lhb/blobs');
    const env = clock(rig, hours);
    const ended = await rig.lhbWith({ env }, 'build');
    assert.is(ended.code, 0, ended.stderr);
    assert.equal(rig.ranSince(), ['b']);
    await rig.runs([]);
    chmodSync(rig.path('b/o.txt'), 0o644);
    writeFileSync(rig.path('b/o.txt'), 'text of 0\ntext of X\n');
    assert.is((await rig.job('b')).status, 'STALE');
    await rig.runs(['b']);
    assert.equal(outputs(rig), outputs(from));
  });
}

/** Runs the program under a limit of the shell's, or as another user. */
function runAs(rig: Rig, options: { readonly limit?: number; readonly uid?: number }, ...args: string[]): Ended {
  const { limit, uid } = options;
  const words = [process.execPath, PROGRAM, ...args];
  const before = limit === undefined ? '' : `ulimit -n ${limit}; `;
  const ended = spawnSync('sh', ['-c', `${before}exec "$@"`, 'sh', ...words], {
    cwd: rig.dir,
    env: cleanEnv({ HOME: rig.home }),
    encoding: 'utf8',
    ...(uid !== undefined && { uid, gid: uid }),
  });
  return { code: ended.status ?? 255, stdout: ended.stdout, stderr: ended.stderr };
}

rigTest('with too few open files a build finishes, or says what to raise', async (rig) => {
  workflow(rig, 'auto');
  for (const limit of [36, 40, 48]) {
    const ended = runAs(rig, { limit }, 'build', '-j', '8');
    if (ended.code !== 0) assert.match(ended.stderr, /too many files are open.*ulimit -n/);
    assert.not.match(ended.stderr, 'this is a bug');
  }
  await rig.ok('build');
  assert.match((await rig.ok('verify')).stderr, 'all is well');
});

const NOBODY = 65534;

rigTest("a store or a work tree that is another user's says so, and nothing is changed", async (rig) => {
  if (process.getuid?.() !== 0) return console.log('skipped: only root can run lhb as another user');
  await built(rig);
  for (const folder of [rig.base, rig.home]) chmodSync(folder, 0o755);
  if (runAs(rig, { uid: NOBODY }, 'version').code !== 0) return console.log('skipped: nobody cannot read the program');
  const before = rig.tree('.lhb');
  const build = runAs(rig, { uid: NOBODY }, 'build', '-F');
  assert.ok(build.code === 4 || build.code === 2, build.stderr);
  assert.match(build.stderr, /permission/);
  const summary = runAs(rig, { uid: NOBODY }, 'summary');
  assert.is(summary.code, 0, summary.stderr);
  chmodSync(rig.path('.lhb'), 0o700);
  const unreadable = runAs(rig, { uid: NOBODY }, 'summary');
  assert.is(unreadable.code, 4);
  assert.match(unreadable.stderr, /the store .*permission|cannot be read/i);
  for (const { stderr } of [build, summary, unreadable]) assert.not.match(stderr, 'this is a bug');
  assert.equal(rig.tree('.lhb'), before);
  await rig.runs([]);
});

rigTest(
  'an output written to in place, its size and time kept, took its blob along: the plan is to run',
  async (rig) => {
    await built(rig);
    const { atime, mtime } = statSync(rig.path('a0/o.txt'));
    overwrite(rig.path('a0/o.txt'), 0, 'T');
    utimesSync(rig.path('a0/o.txt'), atime, mtime);
    const plan = await rig.ok('build', '-n');
    assert.match(plan.stdout, /^run\ta\t.*edited: a0\/o.txt; evicted: a0\/o.txt$/m);
    const ended = await rig.runs(['a0']);
    assert.match(ended.stderr, 'a0/o.txt was edited since it was made, and is made again');
    chmodSync(rig.path('a0/o.txt'), 0o755);
    assert.match((await rig.ok('build', '-n')).stdout, /^restore\ta\t/m);
    await rig.runs([]);
  },
);

/** Runs the program as one whom permissions bind: where the tests run as root as nobody, to whom the work tree is given. */
function bound(rig: Rig): ((...args: string[]) => Ended) | undefined {
  if (process.getuid?.() !== 0) return (...args) => runAs(rig, {}, ...args);
  execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, rig.base]);
  const run = (...args: string[]): Ended => runAs(rig, { uid: NOBODY }, ...args);
  if (run('version').code === 0) return run;
  console.log('skipped: nobody cannot read the program');
  return undefined;
}

/** Two jobs, each of a source of its own. */
function twoOfSources(rig: Rig): void {
  for (const name of ['a', 'b']) rig.write(`${name}.in`, `of ${name}\n`);
  const rule = (name: string): string =>
    `{ inputs: { i: ${name}.in }, dir: ${name}, outputs: { o: o.txt }, run: "cat \${{ inputs.i }} > \${{ outputs.o }}" }`;
  rig.workflow(`rules:\n  a: ${rule('a')}\n  b: ${rule('b')}`);
}

const QUESTIONS = [['build', '-n'], ['summary'], ['why', 'a'], ['show', 'a']];

rigTest('sources that may not be read are told all at once, with their rules', async (rig) => {
  twoOfSources(rig);
  rig.write('folder/below/x', 'x');
  rig.append(
    'lhb.yaml',
    '  c: { inputs: { f: folder/ }, code: [a.in], dir: c, outputs: { o: o.txt }, run: "touch c/o.txt" }\n',
  );
  const lhb = bound(rig);
  if (lhb === undefined) return;
  assert.is(lhb('build').code, 0);
  for (const path of ['a.in', 'b.in', 'folder/below']) chmodSync(rig.path(path), 0o000);
  for (const args of [['build', '-k'], ['build', '-n'], ['summary']]) {
    const ended = lhb(...args);
    assert.is(ended.code, 2, ended.stderr);
    for (const said of ["rule 'a': input 'i': a.in", "rule 'b': input 'i': b.in", "rule 'c': code: a.in"])
      assert.match(ended.stderr, `error[file/unreadable]: ${said} cannot be read (EACCES)`);
    assert.match(ended.stderr, "rule 'c': input 'f': folder/below cannot be read (EACCES)");
    assert.match(ended.stderr, 'chmod u+r');
  }
  assert.is(lhb('forcerun', 'b').code, 2);
  for (const path of ['a.in', 'b.in', 'folder/below']) chmodSync(rig.path(path), 0o755);
  assert.match(lhb('build').stderr, /^nothing to do/);
});

rigTest('a glob that meets a folder which may not be read is an error, not a shorter list', async (rig) => {
  for (const name of ['x', 'deep/y']) rig.write(`data/${name}`, name);
  const lhb = bound(rig);
  if (lhb === undefined) return;
  const fields = 'dir: a, outputs: { o: o.txt }, run: "touch a/o.txt"';
  const whose = {
    [`rules: { a: { inputs: { i: "data/**" }, ${fields} } }`]: "rule 'a': input 'i': ",
    [`rules: { a: { code: ["data/**"], ${fields} } }`]: "rule 'a': code: ",
    [`rules: { a: { for: { n: "\${{ glob('data/**') }}" }, dir: a, outputs: { o: "\${{ basename(n) }}" }, run: "touch \${{ outputs.o }}" } }`]:
      "glob('data/**'): ",
    [`include: ["data/**/*.yaml"]\nrules: { a: { ${fields} } }`]: '`include`: ',
  };
  for (const [text, said] of Object.entries(whose)) {
    chmodSync(rig.path('data/deep'), 0o755);
    rig.workflow(text);
    if (!text.startsWith('include')) assert.is(lhb('build').code, 0);
    chmodSync(rig.path('data/deep'), 0o000);
    const ended = lhb('build');
    assert.is(ended.code, 2, ended.stderr);
    assert.match(ended.stderr, `${said}data/deep cannot be read (EACCES)`);
  }
  chmodSync(rig.path('data/deep'), 0o755);
});

rigTest('an output that may not be read was edited; a blob that may not, damaged', async (rig) => {
  twoOfSources(rig);
  const lhb = bound(rig);
  if (lhb === undefined) return;
  assert.is(lhb('build').code, 0);
  const shut = (): void => chmodSync(rig.path('b/o.txt'), 0o000);
  shut();
  for (const args of QUESTIONS) assert.is(lhb(...args).code, 0);
  assert.match(lhb('build', '-n').stdout, /restore\tb\t.*edited: b\/o.txt/);
  assert.is(lhb('verify').code, 4);
  assert.match(lhb('restore', 'b').stderr, /^restored 1 job/);
  assert.match(lhb('verify').stderr, 'all is well');
  shut();
  assert.match(lhb('forcerun', 'b').stderr, 'built 1');
  assert.match(lhb('verify').stderr, 'all is well');
  shut();
  const ended = lhb('build');
  assert.match(ended.stderr, 'b/o.txt was edited since it was made, and is restored');
  assert.match(ended.stderr, 'restored 1');
  assert.is(rig.read('b/o.txt'), 'of b\n');
});

rigTest('a blob that may not be read, where another output of its bytes is gone, is put right', async (rig) => {
  twoOfSources(rig);
  rig.write('a.in', 'of b\n');
  const lhb = bound(rig);
  if (lhb === undefined) return;
  assert.is(lhb('build').code, 0);
  await delay(1200); // what was written just now is in no snapshot
  assert.is(lhb('build').code, 0);
  unlinkSync(rig.path('a/o.txt'));
  chmodSync(rig.path('b/o.txt'), 0o000);
  assert.match(lhb('build').stderr, 'restored 2');
  unlinkSync(rig.path('a/o.txt'));
  chmodSync(rig.path('b/o.txt'), 0o644);
  writeFileSync(rig.path('b/o.txt'), 'of x\n');
  chmodSync(rig.path('b/o.txt'), 0o000);
  assert.match(lhb('build').stderr, 'built 2');
  assert.is(rig.read('a/o.txt') + rig.read('b/o.txt'), 'of b\nof b\n');
});

rigTest("a job's folder that may not be looked into stops that job alone, and says so", async (rig) => {
  twoOfSources(rig);
  const lhb = bound(rig);
  if (lhb === undefined) return;
  assert.is(lhb('build').code, 0);
  chmodSync(rig.path('b'), 0o000);
  for (const args of QUESTIONS) assert.is(lhb(...args).code, 0);
  assert.match(lhb('verify').stderr, 'all is well');
  const restored = lhb('restore', 'b');
  assert.is(restored.code, 1);
  assert.match(restored.stderr, /its outputs cannot be put in place in b\n.*permissions/);
  chmodSync(rig.path('a/o.txt'), 0o644);
  writeFileSync(rig.path('a/o.txt'), 'edited\n');
  const ended = lhb('build', '-k');
  assert.is(ended.code, 1, ended.stderr);
  assert.match(ended.stderr, /could not be started: .*permission denied.*b\/o.txt/);
  assert.is(rig.read('a/o.txt'), 'of a\n');
  chmodSync(rig.path('b'), 0o755);
  assert.match(lhb('build').stderr, /^nothing to do/);
});

rigTest('a source that a job makes unreadable fails the jobs that read it', async (rig) => {
  rig.write('x.in', 'x\n');
  rig.workflow(`
    rules:
      a: { outputs: { o: o.txt }, run: "chmod 000 x.in; touch \${{ outputs.o }}" }
      b: { inputs: { i: "\${{ a.outputs.o }}", x: x.in }, outputs: { o: o.txt }, run: "cat x.in > \${{ outputs.o }}" }
      c: { outputs: { o: o.txt }, run: "touch \${{ outputs.o }}" }
  `);
  const lhb = bound(rig);
  if (lhb === undefined) return;
  const ended = lhb('build', '-k');
  assert.is(ended.code, 1, ended.stderr);
  assert.match(ended.stderr, "could not be started: rule 'b': input 'x': x.in cannot be read (EACCES)");
  assert.match(ended.stderr, 'built 2, failed 1');
  chmodSync(rig.path('x.in'), 0o644);
  assert.match(lhb('build', '-k').stderr, 'built 1');
});

test.run();
