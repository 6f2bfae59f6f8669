// The snapshot of the last build makes a build fast, never different: everything that it rests on is noticed when it changes.
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { makeDetails, readDetails } from '../../src/plan/details.ts';
import { LOOK, readSnapshot, STATE, TOLD, writeSnapshot, type Snapshot } from '../../src/plan/snapshot.ts';
import { ran, type Rig, rigTest, type StartOptions } from '../support/rig.ts';

const SNAPSHOT = '.lhb/snapshot';
const DETAILS = '.lhb/details';

const WORKFLOW = `
  config: [config.yaml]
  link: copy
  include: rules/*.yaml
  rules:
    make:
      for: { n: "\${{ config.ns }}" }
      inputs: { leaf: "data/\${{ n }}.txt" }
      outputs: { out: out.txt }
      run: |
        ${ran('make ${{ n }}')}
        cat \${{ inputs.leaf }} > \${{ outputs.out }}
    use:
      for: { m: "\${{ make }}", k: "\${{ config.ks }}" }
      code: ["src/**/*.sh"]
      outputs: { o: o.txt, tree: tree/ }
      run: |
        ${ran('use ${{ m.n }} ${{ k }}')}
        cat \${{ m.outputs.out }} > \${{ outputs.o }}
        mkdir \${{ outputs.tree }}/sub
        echo \${{ k }} > \${{ outputs.tree }}/sub/k.txt
        ln -s sub/k.txt \${{ outputs.tree }}/link
`;

/** A selector of one job. */
const ONE = "where:m.n=='a' && k==1";

const ALL = ['make a', 'make b', 'use a 1', 'use a 2', 'use b 1', 'use b 2'];
const USES = ALL.filter((name) => name.startsWith('use'));

function writeAll(rig: Rig): void {
  rig.workflow(WORKFLOW);
  rig.write('config.yaml', 'ns: [a, b]\nks: [1, 2]\n');
  rig.write('data/a.txt', 'leaf a\n');
  rig.write('data/b.txt', 'leaf b\n');
  rig.write('src/lib/tool.sh', 'true\n');
  rig.write('rules/none.yaml', 'rules: {}\n');
}

const inode = (rig: Rig): number => statSync(rig.path(SNAPSHOT)).ino;

/** Was this build told from the snapshot alone? One that looks further writes it anew. */
async function isTold(rig: Rig, options: StartOptions = {}, ...args: string[]): Promise<boolean> {
  const before = inode(rig);
  const ended = await rig.lhbWith(options, 'build', ...args);
  assert.is(ended.code, 0, ended.stderr);
  assert.equal(rig.ranSince(), []);
  return inode(rig) === before;
}

/** Builds until nothing is racy any more, and the snapshot tells all. */
async function settle(rig: Rig, options: StartOptions = {}): Promise<void> {
  rig.ranSince();
  await delay(1050);
  for (let round = 0; round < 8; round++) {
    if (await isTold(rig, options)) return;
    await delay(400);
  }
  assert.unreachable('builds do not come to rest');
}

async function built(rig: Rig): Promise<void> {
  writeAll(rig);
  await rig.runs(ALL);
  await settle(rig);
}

const outputOf = async (rig: Rig, selector: string): Promise<string> => {
  const { outputs } = await rig.job(selector);
  const path = outputs[0]?.path;
  assert.ok(path, `${selector} has an output`);
  return path ?? '';
};

function snapshotOf(rig: Rig): Snapshot {
  const snapshot = readSnapshot(rig.path(SNAPSHOT));
  if (snapshot === undefined) throw new Error('there is no snapshot');
  return snapshot;
}

/** Changes what a snapshot holds, and keeps its checksum right. */
function forge(rig: Rig, change: (snapshot: Snapshot) => Snapshot): void {
  writeSnapshot(rig.path(SNAPSHOT), change(snapshotOf(rig)));
}

rigTest('what is told from a snapshot is what is told without one', async (rig) => {
  await built(rig);
  const plain = (text: string): string => text.replaceAll(/"(time|duration_s)":[\d.e-]+/g, '"$1":0');
  for (const args of [['build'], ['build', '-v'], ['build', '-q'], ['build', '--json']]) {
    assert.ok(await isTold(rig, {}, ...args.slice(1)));
    const told = await rig.ok(...args);
    const asked = await rig.lhbWith({ env: { LHB_NO_SNAPSHOT: '1' } }, ...args);
    assert.equal(
      { code: told.code, stdout: plain(told.stdout), stderr: told.stderr },
      { code: asked.code, stdout: plain(asked.stdout), stderr: asked.stderr },
    );
  }
});

rigTest('queries and dry runs say what they say without a snapshot, whatever has changed since', async (rig) => {
  await built(rig);
  const out = await outputOf(rig, "where:n=='a'");
  const changes: [string, () => void][] = [
    ['nothing', () => {}],
    ['an input', () => rig.write('data/a.txt', 'other a\n')],
    ['an output', () => rig.remove(out)],
    ['another output', () => rig.write(out, 'edited\n')],
    ['code', () => rig.write('src/lib/more.sh', 'true\n')],
    ['a config', () => rig.edit('config.yaml', 'ks: [1, 2]', 'ks: [2, 3]')],
    ['the workflow', () => rig.edit('lhb.yaml', 'cat ${{ inputs.leaf }}', 'cat  ${{ inputs.leaf }}')],
  ];
  const commands = [
    'summary',
    'summary --detailed',
    'summary --detailed --json',
    'build -n',
    'build -n -v',
    'plan --json',
  ];
  for (const [what, change] of changes) {
    change();
    for (const command of commands) {
      const args = command.split(' ');
      const told = await rig.ok(...args);
      const asked = await rig.lhbWith({ env: { LHB_NO_SNAPSHOT: '1' } }, ...args);
      assert.equal([told.stdout, told.stderr], [asked.stdout, asked.stderr], `${what}: ${command}`);
    }
    assert.is(rig.ranSince().length, 0);
  }
});

rigTest('a detailed summary is told by the results of fresh jobs, or without them, and always alike', async (rig) => {
  writeAll(rig);
  rig.workflow(`${WORKFLOW}
    all:
      inputs: { files: "\${{ use.map(u, u.outputs.o) }}", leaf: data/a.txt }
      outputs: { "o": "o (order)" }
      dir: here
      log: logs/all.log
      resources: { mem_mb: 10, cpus: 1 }
      env: { X: "\${{ output }}" }
      run: |
        ${ran('all')}
        test ! -e fail # \${{ resources.mem_mb }} \${{ job.log }} \t
        cat \${{ inputs.files }} > "\${{ outputs.o }}"
    name: { inputs: { a: "\${{ all }}" } }
    last:
      for: { x: ["\${{ all }}"] }
      outputs: [a.txt]
      temp: true
      run: [cp, "\${{ x.outputs.o }}", "\${{ outputs[0] }}"]
`);
  await rig.runs([...ALL, 'all']);
  const alike = async (why: string): Promise<string> => {
    await settle(rig);
    const told = await rig.ok('summary', '--detailed');
    const asked = await rig.lhbWith({ env: { LHB_NO_SNAPSHOT: '1' } }, 'summary', '--detailed');
    assert.equal([told.stdout, told.stderr], [asked.stdout, asked.stderr], why);
    return told.stdout;
  };
  const told = await alike('results tell all');
  assert.equal(snapshotOf(rig).told, new Uint8Array(ALL.length + 2).fill(TOLD.byDetails));
  // Only the snapshot says so.
  forge(rig, (snapshot) => ({ ...snapshot, results: snapshot.results.map(() => 7) }));
  assert.is((await rig.ok('summary', '--detailed')).stdout.match(/\t7\.0 s\t7 B\t/g)?.length, ALL.length + 2);
  rig.remove(SNAPSHOT);
  // An attempt that failed stays on record when the result is brought back.
  rig.write('fail', '');
  assert.is((await rig.lhb('forcerun', 'all', '--retries', '1')).code, 1);
  rig.remove('fail');
  await rig.ok('build');
  rig.ranSince();
  assert.is.not(await alike('a failed attempt'), told);
  assert.is(snapshotOf(rig).told.filter((one) => one === TOLD.byResult).length, 1);
  assert.not(snapshotOf(rig).told.includes(TOLD.byWorkflow));
  // What a changed workflow tells otherwise though the keys stay: the log, and inputs that do not count.
  rig.edit('lhb.yaml', 'log: logs/all.log', 'log: logs/other.log');
  assert.match(await alike('another log'), /\tlogs\/other\.log\t/);
  assert.is(snapshotOf(rig).told.filter((one) => one === TOLD.byWorkflow).length, 1);
  rig.edit('lhb.yaml', 'log: logs/other.log', 'log: logs/all.log');
  rig.edit('lhb.yaml', 'leaf: data/a.txt', 'leaf: data/a.txt, more: { path: data/b.txt, keyed: false }');
  assert.match(await alike('an input without a part in the key'), /data\/b\.txt\t/);
  assert.is(snapshotOf(rig).told.filter((one) => one === TOLD.byWorkflow).length, 1);
});

rigTest('details beside the snapshot tell a detailed summary where they are the ones it speaks of', async (rig) => {
  await built(rig);
  const detailed = async (env: Record<string, string> = {}): Promise<string> =>
    (await rig.lhbWith({ env }, 'summary', '--detailed')).stdout;
  const asked = await detailed({ LHB_NO_SNAPSHOT: '1' });
  const whole = readFileSync(rig.path(DETAILS));
  const { details } = snapshotOf(rig);
  const rows = readDetails(rig.path(DETAILS), details)?.all() ?? [];
  assert.is(rows.length, ALL.length);
  // Only they say so, and with another id none of it counts.
  const forged = makeDetails(rows.map((row) => row.replace(/^[^\0]*/, 'forged')));
  writeFileSync(rig.path(DETAILS), forged.bytes);
  assert.is(await detailed(), asked);
  forge(rig, (snapshot) => ({ ...snapshot, details: forged.id }));
  assert.is((await detailed()).match(/\tforged\t/g)?.length, ALL.length);
  forge(rig, (snapshot) => ({ ...snapshot, details }));
  for (const damage of [whole.subarray(0, 30), whole.subarray(0, -1), Buffer.from(whole).fill('x', 90, 91)]) {
    writeFileSync(rig.path(DETAILS), damage);
    assert.is(await detailed(), asked);
  }
  rig.remove(DETAILS);
  assert.is(await detailed(), asked);
  // A build of a part leaves them as they are: of jobs with another result they count no more.
  writeFileSync(rig.path(DETAILS), whole);
  rig.write('data/a.txt', 'other a\n');
  await rig.runs(['make a', 'use a 1', 'use a 2']);
  await settle(rig);
  assert.equal(readFileSync(rig.path(DETAILS)), whole);
  const byWhat = (by: number): number => snapshotOf(rig).told.filter((one) => one === by).length;
  assert.equal([byWhat(TOLD.byResult), byWhat(TOLD.byDetails)], [3, 3]);
  const now = await detailed();
  assert.is.not(now, asked);
  assert.is(now, await detailed({ LHB_NO_SNAPSHOT: '1' }));
  // Restored: the same but for its origin.
  rig.remove(await outputOf(rig, ONE));
  await rig.runs([]);
  await settle(rig);
  assert.is(await detailed(), await detailed({ LHB_NO_SNAPSHOT: '1' }));
  assert.match(await detailed(), /\trestored\n/);
});

rigTest(
  'outputs with the same bytes are known by the first build on, though each link changed the times of the others',
  async (rig) => {
    rig.workflow(`
    rules: { r: { for: { n: [1, 2, 3] }, outputs: { o: o.txt }, run: 'echo same > \${{ outputs.o }}' } }
  `);
    await rig.ok('build', '-j', '1');
    const snapshot = readSnapshot(rig.path(SNAPSHOT));
    const outputs = [...(snapshot?.looks ?? [])].filter((_look, i) => snapshot?.paths.at(i).endsWith('o.txt'));
    assert.equal(outputs, [LOOK.stat, LOOK.stat, LOOK.stat]);
    assert.is(statSync(rig.path(snapshot?.paths.at(0) ?? '')).nlink, 4);
  },
);

rigTest('LHB_NO_SNAPSHOT neither reads nor writes one', async (rig) => {
  writeAll(rig);
  const off = { env: { LHB_NO_SNAPSHOT: '1' } };
  assert.is((await rig.lhbWith(off, 'build')).code, 0);
  assert.not(rig.exists(SNAPSHOT));
});

rigTest('the workflow, its includes and configs are noticed', async (rig) => {
  await built(rig);
  rig.edit('lhb.yaml', 'cat ${{ inputs.leaf }}', 'cat  ${{ inputs.leaf }}');
  await rig.runs(['make a', 'make b']);
  await settle(rig);
  rig.edit('config.yaml', 'ks: [1, 2]', 'ks: [1, 2, 3]');
  await rig.runs(['use a 3', 'use b 3']);
  await settle(rig);
  // A file that the glob in `include` did not find before.
  rig.write(
    'rules/more.yaml',
    `rules:\n  more:\n    outputs: { o: m.txt }\n    run: ${ran('more')}; touch \${{ outputs.o }}\n`,
  );
  await rig.runs(['more']);
  await settle(rig);
  rig.edit('rules/more.yaml', 'm.txt', 'n.txt');
  await rig.runs(['more']);
});

rigTest('a config with the size, the mtime and the inode of before is noticed', async (rig) => {
  await built(rig);
  const file = rig.path('config.yaml');
  const { atime, mtime } = statSync(file);
  writeFileSync(file, 'ns: [b, a]\nks: [1, 3]\n');
  utimesSync(file, atime, mtime);
  await rig.runs(['use a 3', 'use b 3']);
});

rigTest('a config that is written in the tick in which it was read is noticed', async (rig) => {
  writeAll(rig);
  await rig.runs(ALL);
  for (const k of [3, 4, 5]) {
    // As fast as it goes, and with all but the change time of before.
    const file = rig.path('config.yaml');
    const { atime, mtime } = statSync(file);
    writeFileSync(file, `ns: [a, b]\nks: [1, ${k}]\n`);
    utimesSync(file, atime, mtime);
    await rig.runs([`use a ${k}`, `use b ${k}`]);
  }
});

rigTest('options and the workflow that is named are noticed', async (rig) => {
  await built(rig);
  await rig.runs(['use a 7', 'use b 7'], 'build', '--config', 'ks=[7]');
  await settle(rig, {});
  rig.write('more.yaml', 'ks: [8]\n');
  await rig.runs(['use a 8', 'use b 8'], 'build', '--configfile', 'more.yaml');
  rig.write('other.yaml', `${rig.read('lhb.yaml')}default: make\n`.replace('ns }}', 'ns }}  '));
  await rig.runs([], 'build', '-f', 'other.yaml');
  await rig.runs([]);
});

rigTest('another version of lhb, and another format of snapshots, are noticed', async (rig) => {
  await built(rig);
  for (const name of ['lhb', 'node', 'program', 'tree', 'mark', 'format', 'workflow', 'caches']) {
    forge(rig, (snapshot) => {
      const { evidence } = snapshot;
      assert.ok(name in evidence.words, name);
      return { ...snapshot, evidence: { ...evidence, words: { ...evidence.words, [name]: 'other' } } };
    });
    assert.not(await isTold(rig), name);
    assert.ok(await isTold(rig), name);
  }
  const bytes = readFileSync(rig.path(SNAPSHOT));
  bytes.write('lhb snapshot 9', 'latin1');
  writeFileSync(rig.path(SNAPSHOT), bytes);
  assert.not(await isTold(rig));
});

rigTest('what globs list is noticed', async (rig) => {
  rig.workflow(`
    rules:
      count:
        inputs: { all: "data/*.txt" }
        outputs: { n: n.txt }
        run: ${ran('count')}; cat \${{ inputs.all }} > \${{ outputs.n }}
      each:
        for: { f: "\${{ glob('axis/**/*.csv') }}" }
        outputs: { o: o.txt }
        run: ${ran('each ${{ basename(f) }}')}; echo \${{ f }} > \${{ outputs.o }}
  `);
  rig.write('data/a.txt', 'a');
  rig.write('axis/one/x.csv', 'x');
  await rig.runs(['count', 'each x.csv']);
  await settle(rig);
  rig.write('data/b.txt', 'b');
  await rig.runs(['count']);
  await settle(rig);
  rig.remove('data/a.txt');
  await rig.runs(['count']);
  await settle(rig);
  rig.write('axis/two/y.csv', 'y');
  await rig.runs(['each y.csv']);
  await settle(rig);
  // Of a link in a globbed folder, what it leads to decides whether it counts.
  symlinkSync('../../nothing.csv', rig.path('axis/two/z.csv'));
  await rig.runs([]);
  await settle(rig);
  rig.write('nothing.csv', 'now something');
  await rig.runs(['each z.csv']);
});

rigTest(
  'sources in any order, of two names, and outside are told by the snapshot, and each is noticed',
  async (rig) => {
    const outside = ['x', 'y'].map((name) => join(rig.base, `${name}.txt`));
    for (const path of outside) writeFileSync(path, 'same\n');
    for (const name of ['a', 'b', 'c']) rig.write(`${name}.txt`, `${name}\n`);
    const write = (inputs: string): void =>
      rig.workflow(`
      rules:
        r: { code: [a.txt], inputs: { ${inputs} }, outputs: { z: z.txt, o: o.txt }, run: '${ran('r')}; echo > \${{ outputs.o }}; echo > \${{ outputs.z }}' }
    `);
    write(`z: c.txt, l: [b.txt, a.txt], far: [${outside.join(', ')}], again: c.txt`);
    await rig.runs(['r']);
    await settle(rig);
    write(`again: c.txt, far: [${outside.join(', ')}], l: [b.txt, a.txt]`);
    await rig.runs([]);
    await settle(rig);
    for (const path of [...outside, 'a.txt', 'b.txt', 'c.txt'].map((name) => resolve(rig.dir, name))) {
      writeFileSync(path, `${path}\n`);
      await rig.runs(['r']);
      await settle(rig);
    }
  },
);

rigTest('files that were looked for and were not there are noticed', async (rig) => {
  rig.workflow(`
    rules:
      take:
        inputs: { x: "data/[ab].txt" }
        outputs: { o: o.txt }
        run: ${ran('take')}; cat \${{ inputs.x }} > \${{ outputs.o }}
  `);
  rig.write('data/a.txt', 'a');
  await rig.runs(['take']);
  await settle(rig);
  // Now the pattern is the name of a file.
  rig.write('data/[ab].txt', 'brackets');
  await rig.runs(['take']);
  await settle(rig);
  // The user's own config: that there is one now, what is in it, that it is gone.
  const config = join(rig.home, '.config/lhb/config.yaml');
  mkdirSync(join(rig.home, '.config/lhb'), { recursive: true });
  writeFileSync(config, '# nothing yet\n');
  assert.not(await isTold(rig));
  assert.ok(await isTold(rig));
  writeFileSync(config, '# nothing now\n');
  assert.not(await isTold(rig));
  unlinkSync(config);
  assert.not(await isTold(rig));
  // A nearer workflow.
  const below = rig.path('below');
  mkdirSync(below);
  assert.ok(await isTold(rig, { cwd: below }));
  writeFileSync(
    join(below, 'lhb.yaml'),
    'lhb: 1\nrules: { here: { outputs: { o: o.txt }, run: "touch ${{ outputs.o }}" } }\n',
  );
  const nearer = await rig.lhbWith({ cwd: below }, 'build');
  assert.match(nearer.stderr, 'built 1 ');
});

rigTest('load() and the environment in expressions are noticed', async (rig) => {
  rig.workflow(`
    rules:
      say:
        for: { x: "\${{ load('axis.json') }}" }
        outputs: { o: o.txt }
        run: |
          ${ran("say ${{ x }} ${{ has(env.WORD) ? env.WORD : 'nothing' }}")}
          echo > \${{ outputs.o }}
  `);
  rig.write('axis.json', '[1, 2]');
  await rig.runs(['say 1 nothing', 'say 2 nothing']);
  await settle(rig);
  const word = { env: { WORD: 'hello' } };
  assert.is((await rig.lhbWith(word, 'build')).code, 0);
  assert.equal(rig.ranSince(), ['say 1 hello', 'say 2 hello']);
  await settle(rig, word);
  assert.ok(await isTold(rig, { env: { WORD: 'hello', OTHER: 'is not asked for' } }));
  rig.write('axis.json', '[1, 3]');
  assert.is((await rig.lhbWith(word, 'build')).code, 0);
  assert.equal(rig.ranSince(), ['say 3 hello']);
});

rigTest('sources, code and folders of inputs are noticed, and only what they concern runs', async (rig) => {
  await built(rig);
  rig.write('data/a.txt', 'other a\n');
  await rig.runs(['make a', 'use a 1', 'use a 2']);
  await settle(rig);
  // The same bytes again: looked at, and left alone.
  rig.write('data/a.txt', 'other a\n');
  await rig.runs([]);
  await settle(rig);
  rig.append('src/lib/tool.sh', '# more\n');
  await rig.runs(USES);
  await settle(rig);
  rig.write('src/lib/second.sh', 'true\n');
  await rig.runs(USES);
  await settle(rig);
  rig.remove('data/b.txt');
  const gone = await rig.exits(2, 'build');
  assert.match(gone.stderr, 'data/b.txt');
  rig.write('data/b.txt', 'leaf b\n');
  await rig.runs([]);
});

rigTest('a folder as input, a path outside the folder and inputs that are not keyed are noticed', async (rig) => {
  rig.workflow(`
    rules:
      fold:
        inputs: { all: raw/, out: ../outside.txt, db: { path: big.db, keyed: false } }
        outputs: { o: o.txt }
        run: ${ran('fold')}; ls -R raw > \${{ outputs.o }}
  `);
  rig.write('raw/deep/x', 'x');
  rig.write('../outside.txt', 'far');
  rig.write('big.db', 'unkeyed');
  await rig.runs(['fold']);
  await settle(rig);
  rig.write('raw/deep/y', 'y');
  await rig.runs(['fold']);
  await settle(rig);
  mkdirSync(rig.path('raw/empty'));
  await rig.runs(['fold']);
  await settle(rig);
  rig.write('raw/deep/x', 'z');
  await rig.runs(['fold']);
  await settle(rig);
  rig.write('../outside.txt', 'farther');
  await rig.runs(['fold']);
  await settle(rig);
  rig.write('big.db', 'its bytes do not count');
  assert.ok(await isTold(rig));
  rig.remove('big.db');
  assert.match((await rig.exits(2, 'build')).stderr, 'big.db');
});

rigTest('outputs that were deleted, edited, replaced or made executable come back', async (rig) => {
  await built(rig);
  const before = rig.tree('runs');
  const path = await outputOf(rig, ONE);
  const tree = join(path, '../tree');
  const file = rig.path(path);
  const times = statSync(file);
  const changes: (() => void)[] = [
    () => unlinkSync(file),
    () => rig.append(path, 'more\n'),
    // The same size, and the mtime put back.
    () => (rig.write(path, rig.read(path).replace('leaf', 'LEAF')), utimesSync(file, times.atime, times.mtime)),
    () => (writeFileSync(`${file}.new`, 'another file\n'), renameSync(`${file}.new`, file)),
    () => chmodSync(file, 0o755),
    () => (unlinkSync(file), symlinkSync(rig.path('data/b.txt'), file)),
    () => rig.remove(tree),
    () => rig.write(join(tree, 'sub/extra.txt'), 'not the job'),
    () => mkdirSync(rig.path(join(tree, 'sub/extra'))),
    () => unlinkSync(rig.path(join(tree, 'sub/k.txt'))),
    () => (unlinkSync(rig.path(join(tree, 'link'))), symlinkSync('sub', rig.path(join(tree, 'link')))),
    () => rig.remove('runs/use'),
  ];
  for (const [i, change] of changes.entries()) {
    change();
    assert.not.equal(rig.tree('runs'), before, `change ${i} changes something`);
    await rig.runs([]);
    assert.equal(rig.tree('runs'), before, `after change ${i}`);
    await settle(rig);
  }
});

rigTest('a snapshot that is cut short, damaged or of another tree is none', async (rig) => {
  await built(rig);
  const path = rig.path(SNAPSHOT);
  const whole = readFileSync(path);
  for (const length of [0, 10, 30, whole.length - 1]) {
    writeFileSync(path, whole);
    truncateSync(path, length);
    assert.not(await isTold(rig), `${length} bytes`);
  }
  for (const at of [20, 200, whole.length >> 1, whole.length - 3]) {
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] ?? 0) ^ 4;
    writeFileSync(path, bytes);
    assert.not(await isTold(rig), `a bit of byte ${at}`);
  }
  rmSync(path);
  await rig.runs([]);
  await settle(rig);
  // Another work tree with the same workflow, whose leaf is another.
  const other = join(rig.base, 'other');
  cpSync(rig.dir, other, { recursive: true, verbatimSymlinks: true });
  writeFileSync(join(other, 'data/a.txt'), 'leaf of the other\n');
  assert.is((await rig.lhbWith({ cwd: other }, 'build')).code, 0);
  copyFileSync(join(other, SNAPSHOT), path);
  assert.not(await isTold(rig));
});

rigTest('a work tree that was moved, an index that is gone, and one of before are noticed', async (rig) => {
  await built(rig);
  rig.move('moved');
  assert.not(await isTold(rig));
  await settle(rig);
  cpSync(rig.path('.lhb/index'), rig.path('index-before'), { recursive: true });
  rig.write('data/a.txt', 'other a\n');
  await rig.runs(['make a', 'use a 1', 'use a 2']);
  await settle(rig);
  // As it was before the last build: that build's results are not in it, but in the trace log.
  rig.remove('.lhb/index');
  renameSync(rig.path('index-before'), rig.path('.lhb/index'));
  assert.not(await isTold(rig));
  await rig.runs([]);
  await settle(rig);
  rig.remove('.lhb/index');
  assert.is((await rig.lhb('build')).code, 0);
  assert.ok(existsSync(rig.path('.lhb/index/data.mdb')));
});

rigTest('what other commands did between is noticed', async (rig) => {
  await built(rig);
  const path = await outputOf(rig, ONE);
  const before = rig.read(path);
  rig.write(path, 'accepted by hand\n');
  await rig.ok('touch', path);
  await settle(rig);
  assert.is(rig.read(path), 'accepted by hand\n');
  await rig.runs(['use a 1', 'use a 2', 'use b 1', 'use b 2'], 'forcerun', 'use');
  assert.not(await isTold(rig));
  assert.is(rig.read(path), before);
  await settle(rig);
  rig.remove('runs');
  await rig.ok('restore', 'use');
  await rig.runs([]);
  await settle(rig);
  // A build of some jobs leaves no snapshot that speaks of all.
  rig.write('data/a.txt', 'other a\n');
  await rig.runs(['make a'], 'build', 'make');
  await rig.runs(['use a 1', 'use a 2']);
  await settle(rig);
  for (const args of [['build', '-n'], ['summary'], ['why', 'use']]) await rig.lhb(...args);
  assert.ok(await isTold(rig));
});

rigTest('a build that someone else runs is met, also where nothing is to be done', async (rig) => {
  await built(rig);
  rig.workflow(
    WORKFLOW.replace(
      'rules:\n',
      'rules:\n    slow: { outputs: { s: s.txt }, run: "touch begun; while [ ! -e go ]; do sleep 0.05; done; touch ${{ outputs.s }}" }\n',
    ),
  );
  const running = rig.start({}, 'build');
  await rig.until('the job begins', () => rig.exists('begun'));
  assert.match((await rig.exits(3, 'build')).stderr, 'another build runs');
  rig.write('go', '');
  assert.is((await running.done).code, 0);
});

rigTest('jobs that failed are tried again, and what they hold up is built then', async (rig) => {
  writeAll(rig);
  rig.edit('lhb.yaml', 'cat ${{ inputs.leaf }}', 'test ! -e "bad-${{ n }}"; cat ${{ inputs.leaf }}');
  rig.write('bad-b', '');
  await rig.exits(1, 'build', '-k');
  assert.equal(rig.ranSince(), ['make a', 'make b', 'use a 1', 'use a 2']);
  await rig.exits(1, 'build', '-k');
  assert.equal(rig.ranSince(), ['make b']);
  rig.remove('bad-b');
  await rig.runs(['make b', 'use b 1', 'use b 2']);
  await settle(rig);
});

rigTest('temp outputs that were dropped are not missed, and one that is put there is looked at', async (rig) => {
  rig.workflow(`
    rules:
      big:
        outputs: { raw: { path: raw.bin, temp: true }, keep: keep.txt }
        dir: big
        run: ${ran('big')}; echo raw > \${{ outputs.raw }}; echo keep > \${{ outputs.keep }}
      small:
        inputs: { raw: "\${{ big.outputs.raw }}" }
        outputs: { s: s.txt }
        run: ${ran('small')}; cat \${{ inputs.raw }} > \${{ outputs.s }}
  `);
  await rig.runs(['big', 'small']);
  assert.not(rig.exists('big/raw.bin'));
  await settle(rig);
  rig.write('big/raw.bin', 'not raw\n');
  await rig.runs([]);
  // Put right, and dropped again.
  assert.not(rig.exists('big/raw.bin'));
});

rigTest('inputs that change while a build runs are seen by the next one', async (rig) => {
  writeAll(rig);
  rig.edit(
    'lhb.yaml',
    'cat ${{ inputs.leaf }}',
    'if [ ! -e late ]; then touch late; sleep 0.2; echo late > data/${{ n == "a" ? "b" : "a" }}.txt; fi; cat ${{ inputs.leaf }}',
  );
  await rig.lhb('build', '-j', '1', '-k');
  rig.ranSince();
  await rig.ok('build', '-j', '1');
  await settle(rig);
  for (const name of ['a', 'b']) {
    const path = await outputOf(rig, `where:n == '${name}'`);
    assert.is(rig.read(path), rig.read(`data/${name}.txt`));
  }
});

rigTest('where an expression looks at all jobs of a rule, they are all there', async (rig) => {
  rig.workflow(`
    config: { ns: [1, 2, 3, 4] }
    rules:
      part:
        for: { n: "\${{ config.ns }}" }
        inputs: { leaf: "data/\${{ n }}.txt" }
        outputs: { p: p.txt }
        run: ${ran('part ${{ n }}')}; cat \${{ inputs.leaf }} > \${{ outputs.p }}
      sum:
        for: { odd: [0, 1] }
        inputs: { ps: "\${{ part.filter(p, p.n % 2 == odd).map(p, p.outputs.p) }}" }
        outputs: { s: s.txt }
        run: ${ran('sum ${{ odd }}')}; cat \${{ inputs.ps }} > \${{ outputs.s }}
      all: { inputs: { x: "\${{ sum }}" } }
    default: all
  `);
  for (const n of [1, 2, 3, 4]) rig.write(`data/${n}.txt`, `leaf ${n}\n`);
  await rig.runs(['part 1', 'part 2', 'part 3', 'part 4', 'sum 0', 'sum 1']);
  await settle(rig);
  rig.write('data/3.txt', 'other 3\n');
  await rig.runs(['part 3', 'sum 1']);
  await settle(rig);
  const states = readSnapshot(rig.path(SNAPSHOT))?.states ?? [];
  assert.ok(states.length === 6 && [...states].every((state) => state === (STATE.wanted | STATE.fresh)));
  appendFileSync(rig.path('data/2.txt'), 'more\n');
  await rig.runs(['part 2', 'sum 0']);
});

rigTest('a snapshot that was brought up to date is the one that would be taken', async (rig) => {
  await built(rig);
  const taken = (): unknown => {
    // A patch leaves the details as they are, and fewer jobs are told by them.
    const { evidence, paths, ids, labels, told, details: _, noted: __, ...arrays } = snapshotOf(rig);
    return {
      ...arrays,
      told: told.map((by) => Math.min(by, TOLD.byResult)),
      paths: paths.all(),
      ids: ids.all(),
      labels: labels.all(),
      words: evidence.words,
    };
  };
  const anew = async (): Promise<unknown> => {
    rmSync(rig.path(SNAPSHOT));
    await rig.runs([]);
    return taken();
  };
  rig.write('data/a.txt', 'other a\n');
  await rig.runs(['make a', 'use a 1', 'use a 2']);
  await settle(rig);
  const rerun = taken();
  assert.equal(await anew(), rerun);
  // One more file and one less in trees, a failure, and its end: rows of other lengths.
  rig.edit(
    'lhb.yaml',
    'mkdir ${{ outputs.tree }}/sub',
    'mkdir ${{ outputs.tree }}/sub; cp src/lib/x* ${{ outputs.tree }}',
  );
  rig.write('src/lib/x1.sh', 'true\n');
  await rig.runs(USES);
  await settle(rig);
  rig.write('data/b.txt', 'other b\n');
  rig.write('src/lib/x1.sh', 'false\n');
  await rig.runs(['make b', ...USES]);
  await settle(rig);
  const later = taken();
  assert.equal(await anew(), later);
});

rigTest('a folder in the place of the snapshot gives way', async (rig) => {
  writeAll(rig);
  mkdirSync(rig.path(`${SNAPSHOT}/below`), { recursive: true });
  await rig.runs(ALL);
  await rig.runs([]);
  assert.ok(statSync(rig.path(SNAPSHOT)).isFile());
});

test.run();
