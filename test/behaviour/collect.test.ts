// lhb gc and lhb clean: what goes, what stays, and that a kill between loses nothing.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Gates } from '../support/fake-command.ts';
import { asList, asMap, asNumber, asText, type JsonMap } from '../support/json.ts';
import { ran, rigTest, type Rig } from '../support/rig.ts';

/** A sweep over `values`, with a tree and a file each; the code counts. */
function sweep(rig: Rig, values: string, more = ''): void {
  rig.workflow(`
    config: { n: [${values}] }
    ${more}
    rules:
      r:
        for: { n: "\${{ config.n }}" }
        code: code.txt
        outputs: { o: o.txt, t: tree/ }
        run: |
          ${ran('${{ n }}')}
          { echo \${{ n }}; cat code.txt; } > \${{ outputs.o }}
          mkdir -p \${{ outputs.t }}/sub
          echo tree \${{ n }} > \${{ outputs.t }}/sub/x
  `);
  if (!rig.exists('code.txt')) rig.write('code.txt', 'code\n');
}

const gcJson = async (rig: Rig, ...args: string[]): Promise<JsonMap> => asMap(await rig.json('gc', ...args));
const removed = (document: JsonMap): number => asNumber(asMap(document['records'])['removed']);
const kept = (document: JsonMap, by: string): number => asNumber(asMap(document['kept'])[by]);

/** All of the store, but for LMDB's own table of readers. */
function everything(rig: Rig): Readonly<Record<string, string>> {
  const { 'index/lock.mdb': _, ...rest } = rig.tree('.lhb');
  return rest;
}

function blobs(rig: Rig, store = rig.path('.lhb')): number {
  const all = readdirSync(join(store, 'blobs'), { recursive: true, withFileTypes: true });
  return all.filter((entry) => entry.isFile()).length;
}

/** As many other results of the same job as there are texts; the outputs are those of the last. */
async function buildWith(rig: Rig, ...texts: string[]): Promise<void> {
  for (const text of texts) {
    rig.write('code.txt', `${text}\n`);
    await rig.ok('build', '-q');
  }
}

rigTest('gc says what would go, and --yes removes it: results that were replaced, with their blobs', async (rig) => {
  sweep(rig, '1');
  await buildWith(rig, 'a', 'b', 'c');
  const before = everything(rig);
  const dry = await gcJson(rig, '--keep-builds', '1');
  assert.equal([removed(dry), kept(dry, 'workflow'), dry['dry_run']], [2, 1, true]);
  assert.equal(everything(rig), before, 'a dry run changes nothing');
  assert.is(removed(await gcJson(rig, '--keep-builds', '1', '--yes', '-n')), 2, '-n wins');
  assert.equal(everything(rig), before);
  const count = blobs(rig);
  const { stdout, stderr } = await rig.ok('gc', '--keep-builds', '1', '--yes');
  assert.match(stderr, /removed 2 of 3 results and 2 of 4 blobs: /);
  assert.is(stdout.trim().split('\n').length, 3);
  assert.is(blobs(rig), count - 2);
  assert.is((await rig.summary()).counts['FRESH'], 1);
  await rig.ok('verify');
  // What went is run again, what stayed is not, and so it is from the trace log.
  rig.ranSince();
  await rig.runs([], 'build');
  rig.remove('.lhb/index', 'runs');
  await rig.runs([], 'build');
  rig.write('code.txt', 'a\n');
  await rig.runs(['1'], 'build');
});

rigTest('the last builds, pins and age keep results', async (rig) => {
  sweep(rig, '1');
  await buildWith(rig, 'a', 'b', 'c', 'd');
  rig.ranSince();
  assert.is(removed(await gcJson(rig)), 0, 'ten builds by default');
  assert.equal(
    [removed(await gcJson(rig, '--keep-builds', '3')), kept(await gcJson(rig, '--keep-builds', '3'), 'builds')],
    [1, 2],
  );
  assert.equal([removed(await gcJson(rig, '--keep-builds', '0', '--older-than', '1d'))], [0]);
  assert.is(kept(await gcJson(rig, '--keep-builds', '0', '--older-than', '1d'), 'age'), 3);
  // A build that does nothing does not push others out.
  await rig.runs([], 'build');
  assert.is(removed(await gcJson(rig, '--keep-builds', '3')), 1);
  // The result of `a` comes back, is pinned, and is replaced again.
  await buildWith(rig, 'a');
  await rig.ok('gc', '--pin', 'r');
  assert.is(asList(asMap(await rig.json('gc', '--pins'))['pins']).length, 1);
  await buildWith(rig, 'd');
  const pinned = await gcJson(rig, '--keep-builds', '0', '--yes');
  assert.equal([removed(pinned), kept(pinned, 'pins')], [2, 1]);
  rig.write('code.txt', 'a\n');
  await rig.runs([], 'build');
  await buildWith(rig, 'd');
  await rig.ok('gc', '--unpin', 'r');
  assert.is(removed(await gcJson(rig, '--keep-builds', '0', '--yes')), 1);
  rig.write('code.txt', 'a\n');
  await rig.runs(['1'], 'build');
  assert.match((await rig.exits(2, 'gc', '--unpin', 'r')).stderr, /no result of 'r' is pinned/);
  sweep(rig, '7');
  assert.match((await rig.exits(2, 'gc', '--pin', 'r')).stderr, /gc\/no-result.*has no result on record/);
});

rigTest(
  'by size the longest unused go first, and only as many as needed; what has to stay is never among them',
  async (rig) => {
    sweep(rig, '1');
    await buildWith(rig, ...['a', 'b', 'c', 'd'].map((text) => text.repeat(1000)));
    const bytes = asNumber(asMap((await gcJson(rig))['bytes'])['total']);
    const some = await gcJson(rig, '--keep-builds', '0', '--max-size', String(bytes - 1));
    assert.equal([removed(some), kept(some, 'size')], [1, 2]);
    await rig.ok('gc', '--keep-builds', '0', '--max-size', `${bytes - 1}`, '--yes');
    rig.write('code.txt', `${'a'.repeat(1000)}\n`);
    assert.is((await rig.job('r')).plan, 'run', 'the oldest went');
    rig.write('code.txt', `${'d'.repeat(1000)}\n`);
    const { stderr } = await rig.ok('gc', '--keep-builds', '0', '--max-size', '1kB', '--yes');
    assert.match(stderr, /what has to stay has 1\.0 kB, more than 1\.0 kB/);
    assert.is((await rig.job('r')).status, 'FRESH');
    await rig.ok('verify');
  },
);

rigTest(
  'blobs without a record go, and what killed processes left; logs and folders of jobs that are on no record',
  async (rig) => {
    sweep(rig, '1, 2');
    await rig.ok('build');
    const digest = 'ab'.repeat(32);
    rig.write(`.lhb/blobs/${digest.slice(0, 2)}/${digest.slice(2)}`, 'orphan');
    const old = new Date(Date.now() - 2 * 24 * 3600 * 1000);
    rig.write('.lhb/damaged/new', 'x');
    rig.write('.lhb/logs/r/r_0123456789ab.log', 'x');
    rig.write('.lhb/logs/r/r_0123456789ab.log.1', 'x');
    rig.write('.lhb/logs/r/mine.log', 'x');
    rig.write('.lhb/jobs/r_0123456789ab/job.json', '{}');
    utimesSync(rig.path('.lhb/damaged/new'), old, old);
    const document = await gcJson(rig, '--yes');
    assert.is(asNumber(asMap(document['blobs'])['orphaned']), 1);
    const files = asMap(document['files']);
    assert.equal(
      ['logs', 'job_folders', 'damaged'].map((kind) => asNumber(asMap(files[kind])['count'])),
      [2, 1, 0],
    );
    assert.not(rig.exists(`.lhb/blobs/${digest.slice(0, 2)}/${digest.slice(2)}`));
    assert.not(rig.exists('.lhb/jobs/r_0123456789ab'));
    assert.ok(rig.exists('.lhb/logs/r/mine.log'), 'not named as lhb names them');
    assert.is(readdirSync(rig.path('.lhb/jobs')).length, 2);
  },
);

/** Another work tree that shares this one's store; gives its folder. */
function otherTree(rig: Rig): string {
  rig.write('lhb.yaml', rig.read('lhb.yaml').replace('lhb: 1', `lhb: 1\nstore: ${join(rig.base, 'store')}`));
  return rig.copy('other');
}

rigTest('what other work trees of the store hold stays, and one that cannot be looked at stops gc', async (rig) => {
  sweep(rig, '1');
  const other = otherTree(rig);
  writeFileSync(join(other, 'code.txt'), 'other\n');
  await rig.ok('build', '-C', other);
  await buildWith(rig, 'a', 'b');
  rig.ranSince();
  const shared = await gcJson(rig, '--keep-builds', '0', '--yes');
  assert.equal([removed(shared), kept(shared, 'other_trees'), kept(shared, 'workflow')], [1, 1, 1]);
  rmSync(join(other, 'runs'), { recursive: true });
  await rig.ok('build', '-C', other);
  assert.not(existsSync(join(other, 'ran.log')) && readFileSync(join(other, 'ran.log'), 'utf8') !== '1\n', 'restored');
  // Moved away: nothing is known of it.
  renameSync(other, join(rig.base, 'elsewhere'));
  const stopped = await rig.exits(2, 'gc', '--keep-builds', '0', '--yes');
  assert.ok(
    stopped.stderr.includes(`the work tree ${other}, which uses this store, cannot be looked at`),
    stopped.stderr,
  );
  assert.ok(stopped.stderr.includes(`lhb gc --forget-tree ${other}`), stopped.stderr);
  renameSync(join(rig.base, 'elsewhere'), other);
  assert.match((await rig.exits(2, 'gc', '--forget-tree', other)).stderr, /is there: gc keeps what it needs/);
  rmSync(other, { recursive: true });
  await rig.ok('gc', '--forget-tree', other);
  assert.is(removed(await gcJson(rig, '--keep-builds', '0', '--yes')), 1);
  await rig.ok('verify');
  assert.is((await rig.job('r')).status, 'FRESH');
  rmSync(join(rig.base, 'store/index'), { recursive: true });
  await rig.runs([], 'build');
});

rigTest('a build that runs in another work tree stops gc, and gc one that would begin', async (rig) => {
  rig.workflow(`
    store: ${join(rig.base, 'store')}
    rules:
      r: { outputs: { o: o.txt }, run: '${Gates.command('job')}; echo x > \${{ outputs.o }}' }
  `);
  const other = rig.copy('other');
  const gates = new Gates(rig, ['job']);
  const build = rig.start({}, 'build');
  await gates.reached(1);
  const stopped = await rig.exits(3, 'gc', '--yes', '-C', other);
  assert.ok(stopped.stderr.includes(`a build runs in the work tree ${rig.dir}`), stopped.stderr);
  gates.open('job');
  assert.is((await build.done).code, 0);
  // As gc leaves it while it is at work; this process stands for it.
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  const place = `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  const holder = {
    pid: process.pid,
    host: hostname(),
    since: 0,
    command: 'gc',
    build: 'gc',
    place,
    startTime: started,
  };
  const file = join(rig.base, 'store/collecting.json');
  writeFileSync(file, JSON.stringify(holder));
  assert.match((await rig.exits(3, 'build')).stderr, /lhb gc \(pid \d+ on .*\) is removing something from the store/);
  await rig.ok('summary');
  const waiting = rig.start({}, 'build', '--wait');
  await rig.until('the lock', () => existsSync(rig.path('.lhb/lock.json')));
  rmSync(file);
  assert.is((await waiting.done).code, 0);
  // Of one that died nothing is left to wait for.
  writeFileSync(file, JSON.stringify({ ...holder, startTime: '1' }));
  await rig.ok('gc', '--yes');
  assert.not(existsSync(file));
});

rigTest(
  'a kill at any step of gc leaves a store that holds together',
  async (rig) => {
    sweep(rig, '1');
    await buildWith(rig, 'a', 'b', 'c', 'd');
    rig.ranSince();
    rig.write(
      'kill.mjs',
      `
    let left = Number(process.env.KILL_AFTER);
    globalThis[Symbol.for('lhb.step')] = (name) => { if (/^(gc|log):/.test(name) && left-- === 0) process.kill(process.pid, 'SIGKILL'); };
  `,
    );
    let kills = 0;
    for (let after = 0; after < 40; after++) {
      await buildWith(rig, 'a', 'b');
      rig.ranSince();
      const env = { NODE_OPTIONS: `--import ${rig.path('kill.mjs')}`, KILL_AFTER: String(after) };
      const ended = await rig.lhbWith({ env }, 'gc', '--keep-builds', '0', '--yes');
      assert.match((await rig.ok('verify')).stderr, /all is well/);
      await rig.runs([], 'build');
      if (ended.code === 0) break;
      assert.is(ended.code, 137);
      kills++;
    }
    assert.ok(kills > 3, `${kills} steps`);
    const { blobs: left } = await gcJson(rig, '--keep-builds', '0');
    assert.is(asNumber(asMap(left)['removed']), 0, 'what was cut off was taken by the next');
  },
  { timeoutS: 240 },
);

rigTest('clean removes what jobs that left the workflow made, and restore brings it back', async (rig) => {
  sweep(rig, '1, 2');
  await rig.ok('build');
  const two = await rig.job('where:n==2');
  const all = rig.tree('runs');
  sweep(rig, '1');
  const dry = await rig.ok('clean');
  assert.match(dry.stderr, /would remove 2 files of 1 job/);
  assert.equal(rig.tree('runs'), all);
  await rig.ok('clean', '--yes');
  assert.equal(readdirSync(rig.path('runs/r')), [(await rig.job('r')).id]);
  assert.match((await rig.ok('clean')).stderr, /nothing to remove/);
  await rig.ok('restore', two.id);
  assert.equal(rig.tree('runs'), all);
  // It is outputs of the work tree again, and goes by its id.
  assert.match((await rig.ok('clean', (await rig.job('r')).id)).stderr, /nothing to remove/);
  await rig.ok('clean', '--yes', two.id);
  assert.not(rig.exists(two.dir));
  rig.ranSince();
  sweep(rig, '1, 2');
  await rig.runs([]);
});

rigTest('clean keeps what was edited or added, sources, and what the workflow declares', async (rig) => {
  sweep(rig, '1, 2, 3');
  await rig.ok('build');
  const [two, three] = [await rig.job('where:n==2'), await rig.job('where:n==3')];
  rig.remove(`${two.dir}/o.txt`);
  rig.write(`${two.dir}/o.txt`, 'mine\n');
  rig.write(`${two.dir}/tree/notes`, 'mine\n');
  rig.workflow(`
    config: { n: [1] }
    rules:
      r: { for: { n: "\${{ config.n }}" }, code: code.txt, outputs: { o: o.txt, t: tree/ }, run: 'true' }
      s: { dir: ${three.dir}, inputs: { x: ${three.dir}/o.txt }, outputs: { y: tree/sub/x }, run: 'true' }
  `);
  const { stderr } = await rig.ok('clean', '--yes');
  for (const line of [
    `${two.dir}/o.txt (edited)`,
    `${two.dir}/tree/notes (not on record)`,
    `${three.dir}/o.txt (source)`,
  ])
    assert.ok(stderr.includes(`kept: ${line}`), `${line} in ${stderr}`);
  assert.equal(Object.keys(rig.tree(two.dir)), ['o.txt', 'tree/notes']);
  assert.equal(Object.keys(rig.tree(three.dir)), ['o.txt', 'tree/sub/x']);
  await rig.ok('clean', '--yes', '--force');
  assert.not(rig.exists(two.dir));
  assert.equal(Object.keys(rig.tree(three.dir)), ['o.txt', 'tree/sub/x']);
});

rigTest('clean never goes through a link, but for that of the output root', async (rig) => {
  mkdirSync(join(rig.base, 'disk'));
  symlinkSync(join(rig.base, 'disk'), rig.path('runs'));
  sweep(rig, '1, 2');
  await rig.ok('build');
  const two = await rig.job('where:n==2');
  sweep(rig, '1');
  renameSync(rig.path(two.dir), join(rig.base, 'moved'));
  symlinkSync(join(rig.base, 'moved'), rig.path(two.dir));
  assert.match((await rig.ok('clean', '--yes', '--force')).stderr, /behind a link/);
  assert.equal(Object.keys(rig.tree('', join(rig.base, 'moved'))), ['o.txt', 'tree/sub/x']);
  rmSync(rig.path(two.dir));
  renameSync(join(rig.base, 'moved'), rig.path(two.dir));
  await rig.ok('clean', '--yes');
  assert.not(existsSync(rig.path(two.dir)));
  assert.ok(statSync(rig.path('runs')).isDirectory());
});

rigTest('clean leaves a file whose bytes the store has lost', async (rig) => {
  sweep(rig, '1, 2');
  await rig.ok('build');
  const two = await rig.job('where:n==2');
  sweep(rig, '1');
  rig.remove('.lhb/blobs');
  const { kept: files } = asMap(await rig.json('clean', '--yes'));
  assert.equal(
    asList(files).map((file) => asText(asMap(file)['reason'])),
    ['evicted', 'evicted'],
  );
  assert.ok(rig.exists(`${two.dir}/o.txt`));
});

test.run();
