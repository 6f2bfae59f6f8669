// Publishing in a folder: killed at every step, by many at once, by two users of one group.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hashBytes } from '../../src/hash/digest.ts';
import { cleanEnv } from '../support/env.ts';
import { PROGRAM } from '../support/project.ts';
import { rigTest, type Rig } from '../support/rig.ts';
import { big, buildIn, folderCache, kindsWorkflow } from '../support/shared.ts';

const ALL = ['make a', 'make b', 'join'];

const STEPS = [
  'cache:temporary-opened',
  'cache:blob-written',
  'cache:blob-named',
  'cache:blobs-published',
  'cache:record-written',
  'cache:record-linked',
  'cache:record-published',
];

/** Every entry of a folder is whole: blobs by their names, records by their seals and by the blobs that they name. */
function assertWhole(root: string): void {
  for (const path of filesBelow(join(root, 'cas'))) assert.is(hashBytes(readFileSync(path)), path.slice(-64));
  for (const path of filesBelow(join(root, 'ac'))) {
    const [line = '', seal = ''] = readFileSync(path, 'utf8').split('\n');
    assert.is((JSON.parse(seal) as { b3: string }).b3, hashBytes(Buffer.from(line)));
    for (const [, b3 = '', rest = ''] of line.matchAll(/"b3":"([0-9a-f]{64})"(,"inline")?/g)) {
      if (rest === '' && !/"s":0,/.test(line.slice(line.indexOf(b3), line.indexOf(b3) + 120))) {
        assert.ok(existsSync(join(root, 'cas', b3.slice(0, 2), b3)) || b3 === hashBytes(Buffer.alloc(0)), b3);
      }
    }
  }
}

const filesBelow = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
    : [];

for (const name of STEPS) {
  rigTest(`killed at ${name}: no reader sees a part, and the next build sends the rest`, async (rig) => {
    const cache = await folderCache(rig);
    const root = join(rig.base, 'cache');
    rig.workflow(kindsWorkflow(cache));
    const [second, third] = [rig.copy('second'), rig.copy('third')];
    rig.write(
      'kill.mjs',
      `let left = 2;
       globalThis[Symbol.for('lhb.step')] = (name) => {
         if (name === ${JSON.stringify(name)} && --left === 0) process.kill(process.pid, 'SIGKILL');
       };`,
    );
    const killed = await rig.start({ env: { NODE_OPTIONS: `--import=${rig.path('kill.mjs')}` } }, 'build').done;
    assert.is(killed.code, 137, killed.stderr);
    assertWhole(root);
    await buildIn(rig, second, undefined, {}, '--cache', 'lab:r');
    assertWhole(root);
    await buildIn(rig, rig.dir, undefined);
    await buildIn(rig, third, []);
    assertWhole(root);
    assert.equal(Object.keys(rig.tree('runs', third)), Object.keys(rig.tree('runs', second)));
  });
}

/** Two users of one group, where the tests run as root and there is setpriv. */
const CAN_BE_OTHERS = process.getuid?.() === 0 && spawnSync('setpriv', ['--version']).status === 0;
const GROUP = 63_000;

/** Runs a command as another user. */
function as(
  rig: Rig,
  uid: number,
  cwd: string,
  argv: readonly string[],
  umask = '022',
): { code: number | null; stderr: string; stdout: string } {
  const home = join(rig.base, `home${uid}`);
  if (!existsSync(home)) {
    mkdirSync(home);
    chownSync(home, uid, uid);
  }
  const words = [
    '--reuid',
    String(uid),
    '--regid',
    String(uid),
    '--groups',
    String(GROUP),
    '--inh-caps=-all',
    'sh',
    '-c',
    `umask ${umask}; exec "$@"`,
    'sh',
  ];
  const ran = spawnSync('setpriv', [...words, ...argv], { cwd, encoding: 'utf8', env: cleanEnv({ HOME: home }) });
  return { code: ran.status, stderr: ran.stderr, stdout: ran.stdout };
}

function usersTest(name: string, body: (rig: Rig) => Promise<void>): void {
  if (CAN_BE_OTHERS) return rigTest(name, body);
  process.stdout.write(`skipped, since there is no setpriv for root: ${name}\n`);
  test.skip(name, () => {});
}

/** A work tree of a user. */
function treeOf(rig: Rig, uid: number): string {
  const dir = join(rig.base, `tree${uid}`);
  cpSync(rig.dir, dir, { recursive: true });
  spawnSync('chown', ['-R', `${uid}:${uid}`, dir]);
  return dir;
}

usersTest('two users of one group share a folder, whatever their umask', async (rig) => {
  chmodSync(rig.base, 0o755);
  const root = join(rig.base, 'cache');
  await rig.ok('cache', 'init', `dir:${root}`, '--group', String(GROUP));
  rig.workflow(kindsWorkflow({ url: `dir:${root}` }));
  const [alice, bob] = [treeOf(rig, 62_001), treeOf(rig, 62_002)];
  const lhb = (uid: number, dir: string, ...args: string[]): ReturnType<typeof as> =>
    as(rig, uid, dir, [process.execPath, PROGRAM, ...args], '077');
  const first = lhb(62_001, alice, 'build');
  assert.is(first.code, 0, first.stderr);
  assert.match(first.stderr, /cache: 3 uploaded/);
  const second = lhb(62_002, bob, 'build');
  assert.is(second.code, 0, second.stderr);
  assert.match(second.stderr, /restored 3 in/);
  assert.equal(rig.tree('runs', bob), rig.tree('runs', alice));

  // The permission table: what bob may do to an entry of alice.
  const blob = join(root, 'cas', hashBytes(big('a')).slice(0, 2), hashBytes(big('a')));
  const stats = statSync(blob);
  assert.equal([stats.mode & 0o7777, stats.uid, stats.gid], [0o444, 62_001, GROUP]);
  for (const folder of ['ac', 'cas', 'tmp', 'used'])
    assert.is(statSync(join(root, folder)).mode & 0o7777, 0o2775, folder);
  const script = (text: string): string => {
    const ran = as(rig, 62_002, bob, [process.execPath, '-e', text]);
    return ran.code === 0
      ? 'ok'
      : (/ E[A-Z]+\b|: (E[A-Z]+):/.exec(ran.stderr)?.[0].replaceAll(/[: ]/g, '') ?? ran.stderr);
  };
  /** What bob may do to a file of alice in the cache's folder; by which time it has his bytes. */
  const table = (path: string): Record<string, string> => ({
    read: script(`fs.readFileSync('${path}')`),
    write: script(`fs.appendFileSync('${path}', 'x')`),
    link: script(
      `fs.linkSync('${path}', '${bob}/link-' + ${JSON.stringify(hashBytes(Buffer.from(path)).slice(0, 8))})`,
    ),
    'set times': script(`fs.utimesSync('${path}', 1, 1)`),
    touch:
      script(`require('child_process').execFileSync('touch', ['${path}'], { stdio: 'pipe' })`) === 'ok' ? 'ok' : 'no',
    chmod: script(`fs.chmodSync('${path}', 0o666)`),
    replace: script(`fs.writeFileSync('${root}/tmp/x', 'wrong'); fs.renameSync('${root}/tmp/x', '${path}')`),
  });
  const owned = join(root, 'tmp', 'of-alice');
  as(rig, 62_001, alice, ['sh', '-c', `echo x > ${owned} && chmod 664 ${owned}`]);
  const protectedLinks = readFileSync('/proc/sys/fs/protected_hardlinks', 'utf8').trim() === '1';
  const link = protectedLinks ? 'EPERM' : 'ok';
  const refused = { 'set times': 'EPERM', chmod: 'EPERM' };
  // Files are published as 0444: nobody writes through a link of his own. 0664 would let him.
  assert.equal(table(blob), { read: 'ok', write: 'EACCES', link, touch: 'no', replace: 'ok', ...refused });
  assert.equal(table(owned), { read: 'ok', write: 'ok', link: 'ok', touch: 'ok', replace: 'ok', ...refused });

  // So he can put wrong bytes there: nobody takes them, and alice, who writes, puts it right.
  spawnSync('rm', ['-rf', join(alice, '.lhb'), join(alice, 'runs')]);
  const third = lhb(62_001, alice, 'build');
  assert.is(third.code, 0, third.stderr);
  assert.match(third.stderr, /1 record is ignored: the bytes of a file are not what the record says/);
  assert.is(hashBytes(readFileSync(blob)), hashBytes(big('a')));
  assert.match(lhb(62_002, bob, 'cache', 'verify', 'lab').stderr, /all is well/);

  // With the sticky bit only owners replace what is there.
  spawnSync('chmod', ['-R', '+t', join(root, 'cas')]);
  assert.is(script(`fs.writeFileSync('${root}/tmp/x', 'wrong'); fs.renameSync('${root}/tmp/x', '${blob}')`), 'EPERM');
  spawnSync('chmod', ['-R', '-t', join(root, 'cas')]);

  // Each writes down what he read; a stranger is told what is wrong and builds all the same.
  assert.ok(existsSync(join(root, 'used', '62002')));
  const gc = lhb(62_002, bob, 'cache', 'gc', 'lab', '--max-size', '0', '--yes');
  assert.is(gc.code, 0, gc.stderr);
  assert.match(gc.stderr, /dropped 3 records and 0 blobs/);
});

usersTest('who is not of the group reads nothing, or only reads, and is told by the doctor', async (rig) => {
  chmodSync(rig.base, 0o755);
  const root = join(rig.base, 'cache');
  await rig.ok('cache', 'init', `dir:${root}`, '--group', '63001');
  rig.workflow(kindsWorkflow({ url: `dir:${root}` }));
  const dir = treeOf(rig, 62_003);
  const lhb = (...args: string[]): ReturnType<typeof as> => as(rig, 62_003, dir, [process.execPath, PROGRAM, ...args]);
  const built = lhb('build');
  assert.is(built.code, 0, built.stderr);
  assert.is(built.stderr.match(/^warning/gm)?.length, 1, built.stderr);
  assert.match(built.stderr, /this user may not write or read .*EACCES/);
  const told = lhb('cache', 'doctor');
  assert.is(told.code, 1);
  assert.match(told.stdout, /lab\tgroup\terror\t.* belongs to the group 63001, of which this user is none/);
  assert.match(told.stdout, /lab\twrite\terror/);
  chmodSync(root, 0o775);
  assert.match(lhb('cache', 'doctor').stdout, /lab\tsetgid\terror\t.* is not setgid/);
  mkdirSync(join(root, 'ac', 'ab'));
  chownSync(join(root, 'ac', 'ab'), 0, 0);
  assert.match(lhb('cache', 'doctor').stdout, /lab\tgroup\terror\t\S+\/ac\/ab belongs to another group than .*63001/);
  rig.write('../closed/x', '');
  chmodSync(join(rig.base, 'closed'), 0o700);
  writeFileSync(join(dir, 'lhb.yaml'), rig.read('lhb.yaml').replace(root, join(rig.base, 'closed', 'cache')));
  const closed = lhb('cache', 'doctor');
  assert.is(closed.code, 1, closed.stderr);
  assert.match(closed.stdout, /lab\tfolder\terror\tthis user may not .* \(EACCES\)\tevery folder on the way to it/);
});

usersTest('with the sticky bit what another put there stays, and all else is sent', async (rig) => {
  chmodSync(rig.base, 0o755);
  const root = join(rig.base, 'cache');
  mkdirSync(root);
  chownSync(root, 0, GROUP);
  chmodSync(root, 0o3775);
  rig.workflow(kindsWorkflow({ url: `dir:${root}` }, ['a']));
  const alice = treeOf(rig, 62_001);
  rig.workflow(kindsWorkflow({ url: `dir:${root}` }, ['a', 'b', 'c']));
  const bob = treeOf(rig, 62_002);
  const lhb = (uid: number, dir: string, ...args: string[]): ReturnType<typeof as> =>
    as(rig, uid, dir, [process.execPath, PROGRAM, ...args]);
  assert.is(lhb(62_001, alice, 'build', 'make').code, 0);
  const [record = ''] = filesBelow(join(root, 'ac'));
  const bytes = readFileSync(record);
  for (const damage of [bytes.subarray(1), bytes.subarray(2)]) {
    writeFileSync(record, damage);
    const built = lhb(62_002, bob, 'build', '-F');
    assert.is(built.code, 0, built.stderr);
    assert.not.match(built.stderr, /left alone/);
    assert.match(built.stderr, /1 to upload later/);
  }
  assert.is(filesBelow(join(root, 'ac')).length, 4);
  const repaired = lhb(62_002, bob, 'cache', 'repair', 'lab');
  assert.is(repaired.code, 1, repaired.stderr);
  assert.match(repaired.stdout, /\tdamaged\t-/);
  assert.match(lhb(62_001, alice, 'cache', 'repair', 'lab').stdout, /\tdamaged\treplaced/);
});

usersTest('what one user may not read is a bad entry, and no more', async (rig) => {
  chmodSync(rig.base, 0o755);
  const root = join(rig.base, 'cache');
  await rig.ok('cache', 'init', `dir:${root}`, '--group', String(GROUP));
  rig.workflow(kindsWorkflow({ url: `dir:${root}` }));
  const dir = treeOf(rig, 62_002);
  const lhb = (...args: string[]): ReturnType<typeof as> => as(rig, 62_002, dir, [process.execPath, PROGRAM, ...args]);
  await buildIn(rig, rig.dir, ALL);
  const [closed = ''] = filesBelow(join(root, 'ac'));
  chmodSync(closed, 0o600);
  chmodSync(join(root, 'cas', hashBytes(big('a')).slice(0, 2), hashBytes(big('a'))), 0o600);
  const verified = lhb('cache', 'verify', 'lab');
  assert.is(verified.code, 1, verified.stderr);
  assert.is(verified.stdout.match(/\tthis user may not read it\t-$/gm)?.length, 2, verified.stdout);
  const built = lhb('build', '--cache', 'lab:r');
  assert.is(built.code, 0, built.stderr);
  assert.match(built.stderr, /1 record is ignored: this user may not read it/);
  assert.match(built.stderr, /restored 1 /);
  assert.not.match(built.stderr, /left alone/);
});

usersTest('the modes of a folder go on to all that is made in it', async (rig) => {
  chmodSync(rig.base, 0o755);
  const root = join(rig.base, 'cache');
  const modeOf = (...path: string[]): number => statSync(join(root, ...path)).mode & 0o7777;
  // Without a group a new one is shared, whatever the umask, and one that is there is opened to no others.
  for (const [name, mode] of [
    ['new', 0o2775],
    ['mine', 0o700],
  ] as const) {
    const folder = join(rig.base, 'home62001', name);
    if (name === 'mine') as(rig, 62_001, rig.dir, ['mkdir', '-m', '700', folder]);
    as(rig, 62_001, rig.dir, [process.execPath, PROGRAM, 'cache', 'init', `dir:${folder}`], '077');
    for (const part of ['', 'ac', 'gc']) assert.is(statSync(join(folder, part)).mode & 0o7777, mode, `${name} ${part}`);
  }
  // Made by hand: who reads first makes used/, and not for himself alone.
  mkdirSync(root);
  chownSync(root, 0, GROUP);
  chmodSync(root, 0o3775);
  rig.workflow(kindsWorkflow({ url: `dir:${root}` }));
  const [alice, bob] = [treeOf(rig, 62_001), treeOf(rig, 62_002)];
  for (const [uid, dir] of [
    [62_001, alice],
    [62_002, bob],
  ] as const)
    assert.is(as(rig, uid, dir, [process.execPath, PROGRAM, 'build'], '077').code, 0);
  const [first = ''] = readdirSync(join(root, 'ac'));
  for (const path of [['ac'], ['ac', first], ['cas'], ['tmp'], ['used'], ['used', '62002']])
    assert.is(modeOf(...path), 0o3775, path.join('/'));
  // What is wrong with one that is there is mended by init, the sticky bit stays.
  chmodSync(join(root, 'ac', first), 0o755);
  await rig.ok('cache', 'init', `dir:${root}`, '--group', String(GROUP));
  assert.is(modeOf('ac', first), 0o3775);
});

rigTest('a folder that is not there is an unmounted file system: said, and never made', async (rig) => {
  const url = `dir:${join(rig.base, 'nowhere')}`;
  rig.workflow(kindsWorkflow({ url }));
  const { stderr } = await buildIn(rig, rig.dir, ALL);
  assert.match(stderr, /there is no folder .*nowhere: is its file system mounted\?/);
  for (const command of ['verify', 'repair', 'ls', 'stats', 'gc']) {
    const told = await rig.exits(2, 'cache', command, 'lab');
    assert.match(told.stderr, /cache lab: there is no folder .*nowhere: is its file system mounted\?/, command);
  }
  await rig.exits(2, 'cache', 'gc', 'lab', '--yes');
  assert.not.ok(existsSync(join(rig.base, 'nowhere')));
  assert.match((await rig.exits(1, 'cache', 'doctor')).stdout, /mount its file system, or make it/);
});

test.run();
