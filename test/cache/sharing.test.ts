// What users do with shared caches: choosing them, signing, looking, cleaning up, passing results on.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  chmodSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DirectoryCache } from '../../src/cache/directory.ts';
import { errno } from '../../src/fs/errno.ts';
import { hashBytes } from '../../src/hash/digest.ts';
import { selfAsHolder } from '../../src/store/holder.ts';
import { mayMount, SmallDisk } from '../crash/small-disk.ts';
import { MemoryServer } from '../support/memory-server.ts';
import { rigTest, type Rig } from '../support/rig.ts';
import { publicKeyOf } from '../support/cache-suite.ts';
import { buildIn, folderCache, kindsWorkflow } from '../support/shared.ts';

const ALL = ['make a', 'make b', 'join'];

const records = (rig: Rig): string[] =>
  existsSync(join(rig.base, 'cache', 'ac'))
    ? readdirSync(join(rig.base, 'cache', 'ac'), { recursive: true, encoding: 'utf8' }).filter((n) => n.length > 60)
    : [];

rigTest('which caches are used: the workflow, the user, LHB_CACHE and --cache', async (rig) => {
  const cache = await folderCache(rig);
  rig.workflow(kindsWorkflow(cache).replace('mode: rw', 'mode: r'));
  const second = rig.copy('second');
  // Only read by the workflow; a user may write.
  assert.not.match((await buildIn(rig, rig.dir, ALL)).stderr, /cache:/);
  assert.is(records(rig).length, 0);
  rig.write('../home/.config/lhb/config.yaml', 'caches:\n  - { name: lab, mode: rw }\n');
  assert.match((await rig.ok('cache', 'push')).stderr, /lab: 3 uploaded/);
  assert.is(records(rig).length, 3);
  for (const args of [['--no-cache'], ['--cache', 'off']]) await buildIn(rig, second, ALL, {}, ...args, '-F');
  rmSync(join(second, '.lhb'), { recursive: true });
  rmSync(join(second, 'runs'), { recursive: true });
  await buildIn(rig, second, ALL, { env: { LHB_CACHE: 'off' } });
  rmSync(join(second, '.lhb'), { recursive: true });
  rmSync(join(second, 'runs'), { recursive: true });
  // An option wins over the variable.
  await buildIn(rig, second, [], { env: { LHB_CACHE: 'off' } }, '--cache', 'lab');
  const wrong = await rig.exits(2, 'build', '--cache', 'labb');
  assert.match(wrong.stderr, /--cache names the cache 'labb', which does not exist/);
  assert.match(wrong.stderr, /did you mean 'lab'/);
  rig.write('../home/.config/lhb/config.yaml', 'caches:\n  - { name: lab, mod: rw }\n');
  assert.match((await rig.exits(2, 'build')).stderr, /config.yaml:2:18[^]*did you mean 'mode'/);
});

rigTest('a folder named on the command line alone', async (rig) => {
  const cache = await folderCache(rig);
  rig.workflow(kindsWorkflow(cache).replace(/caches: .*/, ''));
  const second = rig.copy('second');
  await buildIn(rig, rig.dir, ALL, {}, '--cache', `${cache.url}:rw`);
  assert.match((await buildIn(rig, second, [], { env: { LHB_CACHE: cache.url } })).stderr, /3 dir \(/);
  // What waits for one folder is not for another.
  const third = rig.copy('third');
  await buildIn(rig, third, ALL, {}, '--cache', `dir:${rig.base}/elsewhere:rw`, '--upload=spool');
  assert.not.match((await buildIn(rig, third, [], {}, '--cache', `${cache.url}:rw`)).stderr, /cache:/);
  await rig.ok('cache', 'init', `dir:${rig.base}/elsewhere`);
  assert.match((await buildIn(rig, third, [], {}, '--cache', `dir:${rig.base}/elsewhere:rw`)).stderr, /3 uploaded/);
});

rigTest('mistakes in `caches` are told with their place', async (rig) => {
  const cases: [string, RegExp][] = [
    ['{ name: a, url: "ftp://x" }', /cache\/config\]: the url of cache 'a': expected dir:\/path/],
    ['{ name: a, url: "dir:x" }', /the path after dir: must be absolute/],
    ['{ name: a, url: "https://u:p@x/" }', /credentials do not belong into it/],
    ['{ name: a, url: "s3://AKIA:pw@bucket/p", trust: any }', /credentials do not belong into it.*~\/\.aws/],
    ['{ name: a, url: "s3://b?endpoint=http://u:p@h", trust: any }', /credentials do not belong into it.*~\/\.aws/],
    ['{ name: a, url: "https://x/" }', /lacks the field 'trust', which http caches must have/],
    ['{ name: a, url: "https://x/", trust: [no.pub] }', /cache 'a', trust: there is no file .*no\.pub/],
    ['{ name: a, url: "s3://b/p?regoin=x", trust: any }', /there is no parameter 'regoin'/],
    ['{ name: a, url: "dir:/x" }, { name: a, url: "dir:/y" }', /two caches have the name 'a'/],
  ];
  for (const [caches, says] of cases) {
    rig.workflow(`caches: [${caches}]\nrules: { a: { outputs: { o: o }, run: "echo > o" } }`);
    assert.match((await rig.exits(2, 'build')).stderr, says);
  }
});

rigTest('-n asks the caches, summary does not; show and summary say where a result came from', async (rig) => {
  const cache = await folderCache(rig);
  rig.workflow(kindsWorkflow(cache));
  const second = rig.copy('second');
  await buildIn(rig, rig.dir, ALL);
  const plan = await rig.lhbWith({ cwd: second }, 'plan', '--json');
  const { jobs } = JSON.parse(plan.stdout) as { jobs: { plan: string; status: string }[] };
  assert.equal(
    jobs.map((job) => job.plan),
    ['restore', 'restore', 'restore'],
  );
  assert.equal(
    jobs.map((job) => job.status),
    ['NEW', 'NEW', 'NEW'],
  );
  assert.not.ok(existsSync(join(second, '.lhb')), 'a plan makes nothing');
  assert.match((await rig.lhbWith({ cwd: second }, 'summary')).stdout, /\tNEW\trun\t/);
  await buildIn(rig, second, []);
  const shown = await rig.lhbWith({ cwd: second }, 'show', 'join');
  assert.match(shown.stdout, /^origin +restored from lab, not signed, built by \S+ on \S+, came \d{4}-\d\d-\d\d/m);
  const detailed = JSON.parse((await rig.lhbWith({ cwd: second }, 'summary', '--json')).stdout) as {
    jobs: { source: { cache: string; key: null } }[];
  };
  assert.equal(
    detailed.jobs.map(({ source }) => [source.cache, source.key]),
    Array(3).fill(['lab', null]),
  );
  const events = (await rig.lhbWith({ cwd: second }, 'build', '--json')).stdout.trim().split('\n');
  assert.not(
    'cache' in (JSON.parse(events.at(-1) ?? '{}') as object),
    'caches gave nothing, so nothing is said of them',
  );
  const another = rig.copy('another');
  const gave = (await rig.lhbWith({ cwd: another }, 'build', '--json')).stdout.trim().split('\n');
  const { cache: told } = JSON.parse(gave.at(-1) ?? '') as { cache: { caches: { name: string; jobs: number }[] } };
  assert.is(told.caches[0]?.name, 'lab');
  assert.is(told.caches[0]?.jobs, 3);
});

rigTest('-n knows what a cache has of a job that changed, below one that will be restored', async (rig) => {
  const cache = await folderCache(rig);
  rig.workflow(`
    caches: [{ name: lab, url: "${cache.url}", mode: rw }]
    rules:
      a: { inputs: { i: in.txt }, outputs: { o: a.txt }, run: "cp \${{ inputs.i }} \${{ outputs.o }}" }
      b: { inputs: { i: "\${{ a.outputs.o }}" }, code: [b.sh], outputs: { o: b.txt }, run: "cp \${{ inputs.i }} \${{ outputs.o }}" }
  `);
  const second = rig.copy('second');
  for (const now of ['1', '2']) {
    for (const name of ['in.txt', 'b.sh']) {
      rig.write(name, now);
      writeFileSync(join(second, name), now);
    }
    if (now === '2') assert.match((await rig.lhbWith({ cwd: second }, 'build', '-n')).stderr, /^would run 2$/m);
    await rig.ok('build');
    assert.match((await rig.lhbWith({ cwd: second }, 'build', '-n')).stderr, /^would restore 2$/m);
    assert.match((await rig.lhbWith({ cwd: second }, 'build')).stderr, /^restored 2 in/m);
  }
});

rigTest(
  'what is never shared: rules with cache: false, jobs without outputs, changed inputs, touched results',
  async (rig) => {
    const cache = await folderCache(rig);
    rig.write('in.txt', 'one');
    rig.workflow(`
    caches: [{ name: lab, url: "${cache.url}", mode: rw }]
    rules:
      private: { cache: false, outputs: { o: private.txt }, run: "echo private > \${{ outputs.o }}" }
      effect: { inputs: { o: "\${{ private }}" }, run: "true" }
      changes: { inputs: { i: in.txt }, outputs: { o: changes.txt }, run: "echo two > in.txt; echo x > \${{ outputs.o }}" }
  `);
    await rig.exits(1, 'build', '-k');
    assert.is(records(rig).length, 0);
    rig.write('lhb.yaml', rig.read('lhb.yaml').replace('echo two > in.txt; ', ''));
    mkdirSync(rig.path('runs/changes'), { recursive: true });
    const { dir } = await rig.job('changes');
    rig.write(`${dir}/changes.txt`, 'made by hand');
    await rig.ok('touch', 'changes');
    await rig.ok('cache', 'push', 'lab');
    assert.is(records(rig).length, 0);
    for (const command of ['push', 'pull']) {
      const { stderr } = await rig.exits(2, 'cache', command, 'labb');
      assert.match(stderr, /'labb' is neither a cache nor a job[^]*did you mean the cache 'lab'\?/);
    }
  },
);

rigTest(
  '--cache-refresh takes nothing and replaces; without it the first result stays, and that is said',
  async (rig) => {
    const cache = await folderCache(rig);
    rig.workflow(`
    caches: [{ name: lab, url: "${cache.url}", mode: rw }]
    rules: { random: { outputs: { o: o.txt }, run: "echo ran >> ran.log; date +%s%N > \${{ outputs.o }}" } }
  `);
    const [second, third] = [rig.copy('second'), rig.copy('third')];
    await buildIn(rig, rig.dir, ['ran']);
    const [name = ''] = await cache.list();
    const first = await cache.read(name);
    const forced = await buildIn(rig, rig.dir, ['ran'], {}, '-F');
    assert.match(forced.stderr, /random random_\w+: the cache has another result for the same inputs, which stays/);
    assert.equal(await cache.read(name), first);
    await buildIn(rig, second, ['ran'], {}, '--cache-refresh');
    assert.not.equal(await cache.read(name), first);
    await buildIn(rig, third, []);
    assert.equal(rig.tree('runs', third), rig.tree('runs', second));
    const compared = await rig.lhbWith({ cwd: third }, 'cache', 'verify', 'lab', '--rebuild', 'random');
    assert.is(compared.code, 1);
    assert.match(compared.stderr, /has other bytes than the run just now made/);
  },
);

rigTest('uploads: none, noted for later, offline, interrupted', async (rig) => {
  const server = await MemoryServer.start();
  rig.atEnd(() => server.stop());
  rig.workflow(kindsWorkflow({ url: server.url, fields: ', trust: any' }));
  const outbox = rig.path('.lhb/outbox/lab');
  const notes = (): number => (existsSync(outbox) ? readdirSync(outbox).length : 0);
  assert.not.match((await buildIn(rig, rig.dir, ALL, {}, '--upload=none')).stderr, /cache:/);
  assert.is(notes(), 0);
  server.requests.length = 0;
  await buildIn(rig, rig.dir, ALL, {}, '-F', '--offline');
  assert.equal(server.requests, []);
  assert.is(notes(), 3);
  rmSync(outbox, { recursive: true });
  assert.match((await buildIn(rig, rig.dir, ALL, {}, '-F', '--upload=spool')).stderr, /3 to upload later/);
  // An upload that hangs: Ctrl-C ends the waiting, not the build's success.
  server.misbehave = ({ method }) => (method === 'PUT' ? undefined : 'answer');
  const waiting = rig.start({}, 'build');
  await rig.until('an upload', () => server.requests.some((line) => line.startsWith('PUT')));
  waiting.child.kill('SIGINT');
  const ended = await waiting.done;
  assert.is(ended.code, 0, ended.stderr);
  assert.is(notes(), 3);
  server.misbehave = () => 'answer';
  assert.match((await rig.ok('cache', 'push')).stderr, /lab: 3 uploaded/);
  assert.is(notes(), 0);
});

rigTest('a build that has nothing to run sends what waits', async (rig) => {
  rig.workflow(kindsWorkflow(await folderCache(rig)));
  await buildIn(rig, rig.dir, ALL, {}, '--upload=spool');
  // By then a snapshot alone can tell that all is fresh.
  await delay(1100);
  for (let round = 0; round < 3; round++) await rig.ok('build', '--upload=spool');
  assert.match((await rig.ok('build')).stderr, /3 uploaded/);
  assert.not.match((await rig.ok('build')).stderr, /cache:/);
});

rigTest('signed results: who is trusted, who is not, who is not any more', async (rig) => {
  const server = await MemoryServer.start();
  rig.atEnd(() => server.stop());
  const homes = { alice: join(rig.base, 'alice'), bob: join(rig.base, 'bob') };
  for (const home of Object.values(homes)) mkdirSync(home);
  const as = (who: keyof typeof homes): { env: Record<string, string> } => ({ env: { HOME: homes[who] } });
  rig.workflow(kindsWorkflow({ url: server.url, fields: ', trust: [team]' }));
  mkdirSync(rig.path('team'));
  // Without a key nothing is sent.
  assert.match(
    (await buildIn(rig, rig.dir, ALL, as('alice'))).stderr,
    /nothing is uploaded: it takes signed results, and there is no key/,
  );
  const made = await rig.lhbWith(as('alice'), 'cache', 'keygen', 'alice');
  assert.is(made.code, 0);
  assert.match(made.stdout, /^lhb-ed25519 [A-Za-z0-9+/]{43}= alice\n$/);
  assert.not.ok(made.stdout.includes('PRIVATE') || made.stderr.includes('PRIVATE'));
  const key = join(homes.alice, '.config/lhb/key');
  assert.match((await rig.lhbWith(as('alice'), 'cache', 'keygen')).stderr, /there is a key already/);
  const id = / ([0-9a-f]{16}) /.exec(` ${made.stderr} `.replace('key ', ' '))?.[1] ?? '';
  assert.match((await rig.lhbWith(as('alice'), 'cache', 'push')).stderr, /lab: 3 uploaded/);
  // Bob does not know her.
  const second = rig.copy('second');
  const unknown = await buildIn(rig, second, ALL, as('bob'), '--cache', 'lab:r');
  assert.match(unknown.stderr, new RegExp(`3 records are ignored: signed by the key ${id}, which is not trusted here`));
  const [third, fourth] = [rig.copy('third'), rig.copy('fourth')];
  assert.is((await rig.lhbWith({ ...as('bob'), cwd: third }, 'cache', 'trust', `${key}.pub`)).code, 0);
  const build = await buildIn(rig, third, [], as('bob'), '--cache', 'lab:r');
  assert.match(build.stderr, /3 lab/);
  assert.match((await rig.lhbWith({ ...as('bob'), cwd: third }, 'show', 'join')).stdout, new RegExp(`signed by ${id}`));
  // A byte of a signature, a signature that is missing.
  for (const [path, bytes] of server.entries) {
    if (path.startsWith('/ac/'))
      server.entries.set(
        path,
        tampered(bytes, (text) => text.replace(/"sig":"(.)/, (_, c) => `"sig":"${c === 'A' ? 'B' : 'A'}`)),
      );
  }
  rmSync(join(third, '.lhb'), { recursive: true });
  rmSync(join(third, 'runs'), { recursive: true });
  assert.match(
    (await buildIn(rig, third, ALL, as('bob'), '--cache', 'lab:r')).stderr,
    /3 records are ignored: their signature is wrong/,
  );
  for (const [path, bytes] of server.entries) {
    if (path.startsWith('/ac/'))
      server.entries.set(
        path,
        tampered(bytes, (text) => text.replace(/\n\{.*"b3":("[0-9a-f]+").*\}/, '\n{"b3":$1}')),
      );
  }
  rmSync(join(third, '.lhb'), { recursive: true });
  rmSync(join(third, 'runs'), { recursive: true });
  assert.match(
    (await buildIn(rig, third, ALL, as('bob'), '--cache', 'lab:r')).stderr,
    /3 records are ignored: not signed/,
  );
  // Bob has a key of his own, and writes: what he does not take he replaces.
  assert.is((await rig.lhbWith({ ...as('bob'), cwd: third }, 'cache', 'keygen', 'bob')).code, 0);
  const bobs = join(homes.bob, '.config/lhb/key.pub');
  for (const from of ['not signed', 'their signature is wrong', 'signed by the key']) {
    if (from === 'signed by the key')
      assert.match((await rig.lhbWith(as('alice'), 'cache', 'push', '--cache-refresh')).stderr, /lab: 3 uploaded/);
    const [writer, reader] = [rig.copy(`writer of ${from}`), rig.copy(`reader of ${from}`)];
    rmSync(join(reader, 'lhb-trust'), { recursive: true, force: true });
    const mended = await buildIn(rig, writer, ALL, as('bob'));
    assert.match(mended.stderr, new RegExp(`3 records are ignored: ${from}`));
    assert.match(mended.stderr, /^cache: 3 uploaded$/m);
    mkdirSync(join(reader, 'team'), { recursive: true });
    writeFileSync(join(reader, 'team', 'bob.pub'), readFileSync(bobs));
    const taken = await buildIn(rig, reader, [], as('alice'), '--cache', 'lab:r');
    assert.not.match(taken.stderr, /warning/);
    // The next thing that is wrong with them.
    for (const [path, bytes] of server.entries) {
      if (path.startsWith('/ac/') && from === 'not signed')
        server.entries.set(
          path,
          tampered(bytes, (text) => text.replace(/"sig":"(.)/, (_, c) => `"sig":"${c === 'A' ? 'B' : 'A'}`)),
        );
    }
  }
  // Revoked: a miss, for her too.
  const pushed = await rig.lhbWith(as('alice'), 'cache', 'push', '--cache-refresh');
  assert.match(pushed.stderr, /lab: 3 uploaded/);
  rig.write('../fourth/team/alice.pub', readFileSync(`${key}.pub`, 'utf8'));
  assert.is((await rig.lhbWith({ ...as('bob'), cwd: fourth }, 'cache', 'revoke', id)).code, 0);
  assert.match(
    (await buildIn(rig, fourth, ALL, as('bob'), '--cache', 'lab:r')).stderr,
    new RegExp(`3 records are ignored: signed by the key ${id}, which is revoked`),
  );
  chmodSync(key, 0o644);
  assert.match((await rig.lhbWith(as('alice'), 'build')).stderr, /others may read the private key/);
});

function tampered(entry: Buffer, change: (record: string) => string): Buffer {
  const fields = JSON.parse(entry.toString()) as { stdoutRaw: string };
  const record = change(Buffer.from(fields.stdoutRaw, 'base64').toString());
  return Buffer.from(JSON.stringify({ ...fields, stdoutRaw: Buffer.from(record).toString('base64') }));
}

rigTest('ls, stats, verify, repair and gc of a folder', async (rig) => {
  const cache = await folderCache(rig);
  rig.workflow(kindsWorkflow(cache));
  await buildIn(rig, rig.dir, ALL);
  assert.is((await rig.ok('cache', 'ls')).stdout.trim().split('\n').length, 4);
  assert.match((await rig.ok('cache', 'stats', 'lab')).stdout, /lab\tmake\t2\t/);
  assert.match((await rig.ok('cache', 'verify')).stderr, /all is well/);
  const blob = (await cache.list()).find((name) => name.startsWith('cas/')) ?? '';
  const bytes = await cache.read(blob);
  await cache.write(blob, Buffer.from('wrong'));
  assert.match((await rig.exits(1, 'cache', 'verify')).stdout, /lab\tblob\t[0-9a-f]{64}\tits bytes are others\t-/);
  assert.match((await rig.ok('cache', 'repair')).stdout, /replaced/);
  assert.equal(await cache.read(blob), bytes);
  await rig.ok('cache', 'verify');

  // Old blobs that no record names go, young ones and what is used stay.
  const orphan = `cas/ab/ab${'0'.repeat(62)}`;
  await cache.write(orphan, Buffer.from('x'));
  assert.match((await rig.ok('cache', 'gc', 'lab', '--yes')).stderr, /dropped 0 records and 0 blobs/);
  const old = Date.now() / 1000 - 8 * 86_400;
  for (const name of await cache.list()) utimesSync(join(rig.base, 'cache', name), old, old);
  assert.match((await rig.ok('cache', 'gc', 'lab')).stderr, /would drop 0 records and 1 blob, 1 B/);
  assert.match((await rig.ok('cache', 'gc', 'lab', '--yes')).stderr, /dropped 0 records and 1 blob, 1 B/);
  assert.not.ok((await cache.list()).includes(orphan));
  const second = rig.copy('second');
  await buildIn(rig, second, []);
  // Used today: --max-age leaves them, --max-size does not.
  assert.match((await rig.ok('cache', 'gc', 'lab', '--max-age', '2d', '--yes')).stderr, /dropped 0 records/);
  assert.match(
    (await rig.ok('cache', 'gc', 'lab', '--max-size', '150k', '--yes')).stderr,
    /dropped [12] records? and [1-9]/,
  );
  assert.match(
    (await rig.exits(2, 'cache', 'gc', 'lab', '--max-size', 'big')).stderr,
    /--max-size takes a size as 200G/,
  );
});

rigTest(
  'one gc of a folder at a time; the lock of one that was killed, or is old there, does not count',
  async (rig) => {
    rig.workflow(kindsWorkflow(await folderCache(rig)));
    const lock = join(rig.base, 'cache', 'gc', 'lock');
    const ended = spawnSync('true');
    writeFileSync(lock, JSON.stringify(selfAsHolder('', 'cache gc')));
    const busy = await rig.exits(2, 'cache', 'gc', 'lab', '--yes');
    assert.match(busy.stderr, new RegExp(`another \`lhb cache gc\` is at it \\(process ${process.pid} on `));
    writeFileSync(lock, JSON.stringify({ ...selfAsHolder('', 'cache gc'), pid: ended.pid, startTime: '1' }));
    await rig.ok('cache', 'gc', 'lab', '--yes');
    writeFileSync(lock, 'of an older version');
    await rig.exits(2, 'cache', 'gc', 'lab', '--yes');
    utimesSync(lock, 1, Date.now() / 1000 - 7200);
    await rig.ok('cache', 'gc', 'lab', '--yes');
    assert.equal(readdirSync(join(rig.base, 'cache', 'gc')), ['trash']);
  },
);

rigTest('pull brings results into the store, restore brings them out', async (rig) => {
  const cache = await folderCache(rig);
  rig.workflow(kindsWorkflow(cache));
  const [second, third] = [rig.copy('second'), rig.copy('third')];
  await buildIn(rig, rig.dir, ALL);
  assert.match((await rig.lhbWith({ cwd: second }, 'cache', 'pull', '-n')).stderr, /would pull 3 results/);
  assert.match((await rig.lhbWith({ cwd: second }, 'cache', 'pull', 'lab', 'make')).stderr, /pulled 2 results/);
  assert.not.ok(existsSync(join(second, 'runs')));
  assert.match((await buildIn(rig, second, [])).stderr, /cache: 2 local, 1 lab/);
  const restored = await rig.lhbWith({ cwd: third }, 'restore', 'join');
  assert.is(restored.code, 0, restored.stderr);
  assert.match(restored.stderr, /restored 1 job/);
});

rigTest('push hands on what came from another cache', async (rig) => {
  const cache = await folderCache(rig);
  const other = join(rig.base, 'other');
  await rig.ok('cache', 'init', `dir:${other}`);
  rig.workflow(
    kindsWorkflow(cache).replace('caches: [', `caches: [{ name: new, url: "dir:${other}", mode: rw, trust: any }, `),
  );
  const [second, third] = [rig.copy('second'), rig.copy('third')];
  await buildIn(rig, rig.dir, ALL, {}, '--cache', 'lab:rw');
  await buildIn(rig, second, [], {}, '--cache', 'lab:r');
  const planned = await rig.lhbWith({ cwd: second }, 'cache', 'push', 'new', '-n', '--json');
  assert.equal(JSON.parse(planned.stdout), { would_push: 3 });
  assert.match((await rig.lhbWith({ cwd: second }, 'cache', 'push', 'new')).stderr, /new: 3 uploaded/);
  const would = await rig.lhbWith({ cwd: third }, 'cache', 'pull', 'new', '-n', '--json');
  assert.equal(JSON.parse(would.stdout), { would_pull: 3 });
  assert.match((await buildIn(rig, third, [], {}, '--cache', 'new:r')).stderr, /3 new/);
});

rigTest(
  'a revoked key counts for nothing, be it named by the workflow or in a file that is handed over',
  async (rig) => {
    const [cache, home] = [await folderCache(rig), join(rig.base, 'alice')];
    mkdirSync(home);
    rig.workflow(kindsWorkflow({ ...cache, fields: ', trust: [alice.pub]' }));
    const alice = { env: { HOME: home } };
    assert.is((await rig.lhbWith(alice, 'cache', 'keygen', 'alice')).code, 0);
    publicKeyOf(rig, home, 'alice.pub');
    await buildIn(rig, rig.dir, ALL, alice);
    assert.is((await rig.lhbWith(alice, 'export', 'results.tar')).code, 0);
    const second = rig.copy('second');
    publicKeyOf(rig, home, '../second/alice.pub');
    const revoked = await rig.lhbWith({ cwd: second }, 'cache', 'revoke', 'alice');
    assert.is(revoked.code, 0, revoked.stderr);
    assert.ok(existsSync(join(second, 'alice.pub')));
    const imported = await rig.lhbWith({ cwd: second }, 'import', rig.path('results.tar'));
    assert.match(
      imported.stderr,
      /2 records are ignored: signed by the key [0-9a-f]{16}, which is revoked/,
      imported.stderr,
    );
    assert.match(imported.stderr, /imported 0 results of 3/);
    assert.match((await buildIn(rig, second, ALL)).stderr, /which is revoked/);
  },
);

rigTest('a place over ssh that is none is told', async (rig) => {
  rig.workflow('rules: { a: { outputs: { o: o.txt }, run: "echo > ${{ outputs.o }}" } }');
  for (const place of ['ssh://', 'ssh://host', 'ssh://-oX/y', 'ssh://host/a%zz', 'ssh://a%zz@host/b']) {
    for (const verb of ['push', 'pull'])
      assert.match((await rig.exits(2, 'cache', verb, place)).stderr, `'${place}' is no ssh://HOST/PATH`);
  }
});

rigTest('export and import: results as a file', async (rig) => {
  rig.workflow(kindsWorkflow({ url: 'dir:/nowhere' }).replace(/caches: .*/, ''));
  const [second, third] = [rig.copy('second'), rig.copy('third')];
  await buildIn(rig, rig.dir, ALL);
  assert.match((await rig.ok('export', 'results.tar')).stderr, /exported 3 results to results\.tar/);
  const imported = await rig.lhbWith({ cwd: second }, 'import', rig.path('results.tar'));
  assert.is(imported.code, 0, imported.stderr);
  assert.match(imported.stderr, /imported 3 results of 3/);
  await buildIn(rig, second, []);
  assert.equal(rig.tree('runs', second), rig.tree('runs'));
  // What came from elsewhere is passed on, with the name of who made it; where nothing is, that is said.
  const on = await rig.lhbWith({ cwd: second }, 'export', 'on.tar');
  assert.match(on.stderr, /exported 3 results to on\.tar/);
  const fifth = rig.copy('fifth');
  assert.match((await rig.lhbWith({ cwd: fifth }, 'export', 'none.tar')).stderr, /there is no result to export/);
  assert.not.ok(existsSync(join(fifth, 'none.tar')));
  assert.is((await rig.lhbWith({ cwd: fifth }, 'import', join(second, 'on.tar'))).code, 0);
  await buildIn(rig, fifth, []);
  // One rule alone; and a file that holds something else.
  assert.match((await rig.ok('export', 'make', 'some.tar')).stderr, /exported 2 results/);
  assert.is((await rig.lhbWith({ cwd: third }, 'import', rig.path('some.tar'))).code, 0);
  await buildIn(rig, third, ['join']);
  writeFileSync(rig.path('evil.tar'), 'no tar');
  assert.match((await rig.exits(2, 'import', 'evil.tar')).stderr, /tar failed: tar: .*not look like a tar archive/);
  assert.match((await rig.exits(2, 'export', 'x')).stderr, /the last word must be the file/);
});

rigTest('the doctor finds what is wrong with a server', async (rig) => {
  const server = await MemoryServer.start();
  rig.atEnd(() => server.stop());
  rig.workflow(kindsWorkflow({ url: server.url, fields: ', trust: any' }));
  const doctor = async (code: number): Promise<string> => (await rig.exits(code, 'cache', 'doctor')).stdout;
  // It is a server that lets everybody overwrite.
  assert.match(await doctor(0), /lab\toverwrite\twarning\tit lets everybody overwrite records/);
  assert.is(server.entries.size, 0, 'what was tried is taken out again');
  server.misbehave = (request, response) => {
    request.resume();
    response.writeHead(401).end();
  };
  assert.match(await doctor(1), /lab\tread\terror\t.*answers 401.*\tcheck LHB_CACHE_AUTH_LAB/);
  server.misbehave = (request, response) => {
    request.resume();
    response.writeHead(404, { date: new Date(Date.now() - 3_600_000).toUTCString() }).end();
  };
  assert.match(await doctor(1), /lab\tclock\terror\tthe clock of .* is 3\d\d\d s behind this one/);
  server.misbehave = (request, response) => {
    if (request.method !== 'PUT') return 'answer';
    request.resume();
    response.writeHead(507).end();
    return undefined;
  };
  assert.match(await doctor(1), /lab\twrite\terror\t.*its disk is full/);
  rig.edit('lhb.yaml', server.url, 'http://cache.invalid/x');
  const far = await doctor(1);
  assert.match(far, /lab\thttps\twarning\t.*asked by http: .*\tuse https/);
  assert.match(far, /the name cache\.invalid is not known|cannot be used/);
});

rigTest('the doctor says what to do about whatever a server answers to PUT', async (rig) => {
  const server = await MemoryServer.start();
  rig.atEnd(() => server.stop());
  rig.workflow(kindsWorkflow({ url: server.url, fields: ', trust: any' }));
  const toPut = (status: number, headers: Record<string, string> = {}): void => {
    server.misbehave = (request, response) => {
      if (request.method !== 'PUT') return 'answer';
      request.resume();
      response.writeHead(status, headers).end();
      return undefined;
    };
  };
  const doctor = async (): Promise<string> => (await rig.exits(1, 'cache', 'doctor')).stdout;
  for (const [status, advice] of [
    [404, 'is its url that of a cache, which takes GET, HEAD and PUT'],
    [405, 'is its url that of a cache, which takes GET, HEAD and PUT'],
    [413, 'let it take files of 256 MiB \\(nginx: client_max_body_size 0\\)'],
    [429, 'try again later'],
    [500, 'try again later'],
    [503, 'try again later'],
  ] as const) {
    toPut(status);
    assert.match(await doctor(), new RegExp(`lab\twrite\terror\t.* answers ${status} to PUT.*\t${advice}`));
  }
  toPut(302, { location: 'http://127.0.0.1:9/' });
  assert.match(await doctor(), /lab\twrite\terror\t.*a redirect.*\tmake the address that it leads to the url/);
  toPut(201);
  assert.match(await doctor(), /lab\tbytes\terror\ta blob that was put is not there\tis it a cache that keeps/);
  toPut(409);
  const lies = /says to PUT that it has the file already, and has it not/;
  assert.match(await doctor(), lies);
  assert.match((await buildIn(rig, rig.dir, ALL)).stderr, lies);
  server.misbehave = (request, response, stored) => {
    if (request.method !== 'GET' || !request.url?.startsWith('/cas/')) return 'answer';
    response.end(stored?.subarray(0, 1000));
    return undefined;
  };
  assert.match(await doctor(), /has 1000 bytes where 1048576 were announced\tis its disk full/);
  server.misbehave = (_, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end('bomb');
  assert.match(await doctor(), /sent gzip where raw bytes were asked for\tswitch compression off there/);
});

rigTest('the doctor of a folder: another format, links in a circle, folders below that are not setgid', async (rig) => {
  const cache = await folderCache(rig);
  const root = join(rig.base, 'cache');
  rig.workflow(kindsWorkflow(cache));
  await buildIn(rig, rig.dir, ALL);
  for (const name of readdirSync(join(root, 'ac'))) chmodSync(join(root, 'ac', name), 0o775);
  const bare = await rig.exits(1, 'cache', 'doctor');
  assert.match(
    bare.stdout,
    /lab\tsetgid\terror\t\S+\/ac\/.. is not setgid \(and so it is with 2 more below .*find .* chmod g\+s/,
  );
  chmodSync(join(root, 'lhb-cache.json'), 0o644);
  writeFileSync(join(root, 'lhb-cache.json'), '{"format":2}');
  const other = await rig.exits(1, 'cache', 'doctor');
  assert.match(other.stdout, /lab\tread\terror\tit has the format 2, .*\tuse the lhb that made it/);
  symlinkSync('circle', join(rig.base, 'circle'));
  rig.edit('lhb.yaml', cache.url, `dir:${join(rig.base, 'circle')}`);
  assert.match(
    (await rig.exits(1, 'cache', 'doctor')).stdout,
    /lab\tfolder\terror\t.*ELOOP.*\tevery folder on the way/,
  );
});

const fullDiskTest = mayMount() ? rigTest : (name: string): void => test.skip(name, () => {});

fullDiskTest('a full disk under a folder: said once, and found by the doctor', async (rig) => {
  const disk = new SmallDisk(rig, 'size=1m');
  const root = join(disk.dir, 'cache');
  await rig.ok('cache', 'init', `dir:${root}`);
  rig.workflow(kindsWorkflow({ url: `dir:${root}` }));
  const second = rig.copy('second');
  disk.fill(10);
  const { stderr } = await buildIn(rig, rig.dir, ALL);
  assert.is(stderr.match(/^warning/gm)?.length, 1, stderr);
  assert.match(stderr, /cache lab: its disk is full; lhb goes on without it/);
  assert.match(stderr, /^cache: .*[1-3] to upload later$/m);
  const { stdout } = await rig.exits(1, 'cache', 'doctor');
  assert.match(stdout, /lab\tspace\terror\t0 MB are free there\t`lhb cache gc --max-size`/);
  assert.match(stdout, /lab\twrite\terror\tits disk is full\tfree some space/);
  // With space again the next build sends what waits, and nothing of what was cut off is left.
  disk.empty();
  assert.match((await buildIn(rig, rig.dir, [])).stderr, /^cache: [1-3] uploaded$/m);
  assert.equal(readdirSync(join(root, 'tmp')), []);
  await buildIn(rig, second, []);
});

fullDiskTest('a disk that fills up takes a blob whole or not at all, there and here', async (rig) => {
  const disk = new SmallDisk(rig, 'size=600k');
  const root = join(disk.dir, 'cache');
  await rig.ok('cache', 'init', `dir:${root}`);
  rig.workflow(`
    caches: [{ name: lab, url: "dir:${root}", mode: rw }]
    rules: { big: { outputs: { o: o.bin }, run: "head -c 900000 /dev/zero > \${{ outputs.o }}" } }
  `);
  const { stderr } = await rig.ok('build');
  assert.match(stderr, /cache lab: its disk is full/);
  assert.match(stderr, /^cache: .*1 to upload later$/m);
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  assert.equal(
    files.map(({ name }) => name),
    ['lhb-cache.json'],
  );
  // The other way: the disk here is full, of which the cache is not to blame.
  const there = join(rig.base, 'there');
  const bytes = Buffer.alloc(9_000_000, 'x');
  const blob = { size: bytes.length, b3: hashBytes(bytes), sha: '' };
  rig.write('big', bytes.toString());
  const cache = new DirectoryCache(
    { name: 'there', kind: 'dir', url: `dir:${there}`, mode: 'rw', trust: undefined, ns: '' },
    there,
  );
  mkdirSync(there);
  const transfer = { limits: { connectMs: 20_000, firstByteMs: 20_000, idleMs: 20_000 } };
  await cache.putBlob(blob, rig.path('big'), false, transfer);
  const problem: unknown = await cache.fetchBlob(blob, join(disk.dir, 'blob'), transfer).catch((e: unknown) => e);
  assert.is(errno(problem), 'ENOSPC', String(problem));
});

test.run();
