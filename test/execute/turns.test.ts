// Jobs that are handed over before their turn: when they begin, when not, and that no more run than there are slots.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Running } from '../../src/execute/executor.ts';
import { LaunchLog, readLaunches } from '../../src/execute/launches.ts';
import { LocalExecutor } from '../../src/execute/local.ts';
import type { JobId } from '../../src/base/brand.ts';
import { findOrphans, notedAttempt } from '../../src/execute/orphans.ts';
import { Turns } from '../../src/execute/turns.ts';
import { alive, localTest, until, type LocalRig } from './local-rig.ts';

const linux = process.platform === 'linux';

/** Short jobs, until one may be handed over early. */
async function warmUp(rig: LocalRig): Promise<void> {
  for (let n = 0; !rig.executor.takesAhead; n++) {
    assert.ok(n < 100, 'turns come into use after some short jobs');
    await rig.run(':');
  }
}

/** Two jobs that end when `go1` and `go2` are there, with `code`, and a third that makes `ran` in its turn. */
async function three(rig: LocalRig, code = 0): Promise<{ both: Running[]; third: Running; hasBegun: () => boolean }> {
  const both = [1, 2].map((n) =>
    rig.start(`touch up${n}; while ! test -e go${n}; do sleep 0.01; done; exit ${code}`, { jobId: `busy${n}` }),
  );
  await until('both run', () => existsSync(rig.path('up1')) && existsSync(rig.path('up2')));
  let begun = false;
  const third = rig.startAhead('touch ran', { jobId: 'third' }, () => (begun = true));
  return { both, third, hasBegun: () => begun };
}

const touch = (rig: LocalRig, name: string): void => writeFileSync(rig.path(name), '');

/** A program of its own that runs `body` with an executor of two slots, and `start(id, text)`, which gives the end. */
function driver(root: string, body: string): string {
  const module = (name: string): string =>
    JSON.stringify(new URL(`../../src/execute/${name}.js`, import.meta.url).href);
  return `
    import { existsSync, mkdirSync } from 'node:fs';
    import { LaunchLog } from ${module('launches')};
    import { LocalExecutor } from ${module('local')};
    const root = ${JSON.stringify(root)};
    const executor = new LocalExecutor({ slots: 2, cwd: root, launches: new LaunchLog(root + '/launches') });
    const start = (id, text, how = 'start') => {
      mkdirSync(root + '/' + id);
      return executor[how]({ jobId: id, rule: 'r', attempt: 1, actionKey: 'k', resources: {}, cwd: root,
        inherited: {}, env: { PATH: process.env.PATH }, log: root + '/' + id + '/log', logName: id,
        command: { kind: 'script', shell: ['/bin/sh', '-eu'], text }, jobDir: root + '/' + id,
        timeoutS: undefined, scratch: root + '/tmp', gpus: undefined }, () => {}).done;
    };
    ${body}`;
}

function turnsTest(name: string, run: (rig: LocalRig) => Promise<void>): void {
  if (!linux) return test.skip(name, () => undefined);
  localTest(
    name,
    async (rig) => {
      await warmUp(rig);
      await run(rig);
    },
    { slots: 2, graceMs: 200 },
  );
}

turnsTest('a third job begins when one of two has ended well, and not before', async (rig) => {
  const { both, third, hasBegun } = await three(rig);
  await sleep(100);
  assert.not(existsSync(rig.path('ran')));
  assert.not(hasBegun());
  const before = Date.now() / 1000;
  touch(rig, 'go1');
  const { outcome, usage } = await third.done;
  assert.equal(outcome, { kind: 'success' });
  assert.ok(hasBegun() && existsSync(rig.path('ran')));
  assert.ok(usage.startedAt >= before, 'waiting is not running');
  assert.not(existsSync(rig.path('go2')), 'the other one still runs');
  touch(rig, 'go2');
  for (const { done } of both) assert.equal((await done).outcome, { kind: 'success' });
});

localTest(
  'launches that cannot be noted leave no helper behind, and no turn',
  async (rig) => {
    let helpers = 0;
    let isFull = false;
    class Log extends LaunchLog {
      override add(...what: Parameters<LaunchLog['add']>): void {
        if (isFull) throw new Error('no space left');
        super.add(...what);
      }
      override addHelper(pid: number): void {
        helpers++;
        super.addHelper(pid);
      }
    }
    const executor = new LocalExecutor({ slots: 2, cwd: rig.root, launches: new Log(rig.path('noted')) });
    try {
      const run = (text: string): Running => executor.start(rig.launch(text), () => {});
      for (let n = 0; linux && !executor.takesAhead; n++) {
        assert.ok(n < 100, 'turns come into use after some short jobs');
        await run(':').done;
      }
      const before = helpers;
      isFull = true;
      for (let n = 0; n < 10; n++) {
        assert.equal((await run(':').done).outcome, { kind: 'spawn-failed', message: 'no space left' });
      }
      isFull = false;
      assert.is(helpers, before);
      // Both have a turn, so that one ahead begins only when one of them ends.
      const busy = [1, 2].map(() => run('until test -e go; do sleep 0.01; done'));
      if (linux) {
        let begun = false;
        const third = executor.startAhead(rig.launch('test -e go'), () => (begun = true));
        await sleep(50);
        touch(rig, 'go');
        await until('the third one begins', () => begun);
        assert.equal((await third.done).outcome, { kind: 'success' });
      }
      touch(rig, 'go');
      for (const { done } of busy) assert.equal((await done).outcome, { kind: 'success' });
    } finally {
      await executor.close();
    }
  },
  { slots: 2 },
);

turnsTest('after a failure it begins only when the build goes on', async (rig) => {
  const { both, third, hasBegun } = await three(rig, 3);
  touch(rig, 'go1');
  assert.equal((await both[0]?.done)?.outcome, { kind: 'exit-code', code: 3 });
  await sleep(50);
  assert.not(hasBegun());
  rig.executor.release();
  assert.equal((await third.done).outcome, { kind: 'success' });
  touch(rig, 'go2');
  await both[1]?.done;
});

turnsTest('one that is called off has not begun, leaves nothing, and its helper takes the next job', async (rig) => {
  const { both, third, hasBegun } = await three(rig);
  rig.executor.callOff(false);
  assert.equal((await third.done).outcome, { kind: 'called-off' });
  assert.not(rig.executor.takesAhead, 'it waited too long: the jobs are not short');
  touch(rig, 'go1');
  touch(rig, 'go2');
  for (const { done } of both) assert.equal((await done).outcome, { kind: 'success' });
  assert.not(hasBegun() || existsSync(rig.path('ran')) || existsSync(rig.path('third/job.sh')));
  for (let n = 0; n < 5; n++) assert.equal((await rig.run(':')).outcome, { kind: 'success' });
});

turnsTest('one that is cancelled while it waits never begins', async (rig) => {
  const { both, third } = await three(rig);
  third.cancel();
  assert.equal((await third.done).outcome, { kind: 'called-off' });
  for (const running of both) running.cancel();
  for (const { done } of both) assert.equal((await done).outcome, { kind: 'cancelled' });
  assert.not(existsSync(rig.path('ran')));
});

turnsTest('what is called off just as its turn comes runs whole or not at all, and no turn is lost', async (rig) => {
  for (let round = 0; round < 40; round++) {
    for (const name of ['up1', 'up2', 'go1', 'go2', 'ran']) rmSync(rig.path(name), { force: true });
    while (!rig.executor.takesAhead) await rig.run(':');
    const { both, third, hasBegun } = await three(rig);
    touch(rig, 'go1');
    await sleep(round / 4);
    rig.executor.callOff(false);
    const { kind } = (await third.done).outcome;
    assert.ok(kind === 'success' || kind === 'called-off', kind);
    assert.is(kind === 'success', hasBegun());
    assert.is(kind === 'success', existsSync(rig.path('ran')));
    touch(rig, 'go2');
    for (const { done } of both) assert.equal((await done).outcome, { kind: 'success' });
  }
  // Both turns are there.
  const { both } = await three(rig);
  touch(rig, 'go1');
  touch(rig, 'go2');
  for (const { done } of both) assert.equal((await done).outcome, { kind: 'success' });
});

turnsTest(
  'where the helper of one that waits is killed, the job has not begun, and all goes on without turns',
  async (rig) => {
    const { both, third } = await three(rig);
    const launch = readLaunches(rig.path('launches')).launches.findLast(({ jobId }) => jobId === 'third');
    process.kill(launch?.helper?.pid ?? -1, 'SIGKILL');
    assert.equal((await third.done).outcome, { kind: 'called-off' });
    touch(rig, 'go1');
    touch(rig, 'go2');
    for (const { done } of both) assert.equal((await done).outcome, { kind: 'success' });
    for (let n = 0; n < 12; n++) assert.equal((await rig.run(':')).outcome, { kind: 'success' });
    assert.not(rig.executor.takesAhead);
  },
);

turnsTest(
  'so they do where the helper of a running job is killed, and jobs have nothing of the turns open',
  async (rig) => {
    const { both, third } = await three(rig);
    const launch = readLaunches(rig.path('launches')).launches.findLast(({ jobId }) => jobId === 'busy1');
    process.kill(launch?.helper?.pid ?? -1, 'SIGKILL');
    assert.equal((await both[0]?.done)?.outcome, { kind: 'signal', signal: 'SIGKILL' });
    assert.equal((await third.done).outcome, { kind: 'called-off' });
    touch(rig, 'go2');
    assert.equal((await both[1]?.done)?.outcome, { kind: 'success' });
    for (let n = 0; n < 12; n++) {
      await rig.run('ls -l /proc/self/fd > fds');
      assert.not.match(rig.read('fds'), 'turns');
    }
    assert.not(rig.executor.takesAhead);
  },
);

turnsTest(
  'one that begins while another is being called off has its turn, and no turn is too many after',
  async (rig) => {
    const { both, third } = await three(rig);
    const helper =
      readLaunches(rig.path('launches')).launches.findLast(({ jobId }) => jobId === 'third')?.helper?.pid ?? -1;
    process.kill(helper, 'SIGSTOP');
    rig.executor.callOff(false);
    for (const name of ['go1', 'go2']) touch(rig, name);
    for (const { done } of both) await done;
    const long = (n: number): Running =>
      rig.start(`touch up${n}; while ! test -e go${n}; do sleep 0.01; done`, { jobId: `busy${n}` });
    const fourth = long(4);
    await until('it runs', () => existsSync(rig.path('up4')));
    process.kill(helper, 'SIGCONT');
    assert.equal((await third.done).outcome, { kind: 'called-off' });
    while (!rig.executor.takesAhead) await rig.run(':');
    const fifth = long(5);
    await until('it runs', () => existsSync(rig.path('up5')));
    let begun = false;
    const sixth = rig.startAhead('touch ran', { jobId: 'sixth' }, () => (begun = true));
    await sleep(100);
    assert.not(begun, 'both turns are taken');
    touch(rig, 'go4');
    assert.equal((await sixth.done).outcome, { kind: 'success' });
    touch(rig, 'go5');
    for (const { done } of [fourth, fifth]) assert.equal((await done).outcome, { kind: 'success' });
  },
);

turnsTest('a call-off that came too late is taken back, and one that is final leaves no turns', async (rig) => {
  const path = rig.path('fifo');
  assert.is(spawnSync('mkfifo', [path]).status, 0);
  const turns = new Turns(path);
  const free = (): number => {
    let count = 0;
    while (turns.take()) count++;
    return count;
  };
  turns.give();
  turns.callOff(false);
  turns.give();
  turns.clear();
  assert.is(free(), 2);
  for (let n = 0; n < 3; n++) turns.give();
  turns.callOff(true);
  turns.clear();
  assert.is(free(), 0);
  turns.close();
  assert.not(existsSync(path));
});

turnsTest('its time limit counts from its beginning', async (rig) => {
  const both = [1, 2].map((n) => rig.start(`while ! test -e go${n}; do sleep 0.01; done`, { jobId: `busy${n}` }));
  const limited = rig.startAhead('touch limited', { jobId: 'limited', timeoutS: 2 }, () => {});
  await sleep(2200);
  touch(rig, 'go1');
  touch(rig, 'go2');
  assert.equal((await limited.done).outcome, { kind: 'success' });
  const fourth = rig.start('sleep 30', { jobId: 'fourth', timeoutS: 0.1 });
  assert.equal((await fourth.done).outcome, { kind: 'timed-out', limitS: 0.1 });
  for (const { done } of both) await done;
});

turnsTest('nothing of the turns is open in a job, or stays behind', async (rig) => {
  await rig.run('ls -l /proc/self/fd > fds; ls tmp > names');
  assert.not.match(rig.read('fds'), 'turns');
  assert.match(rig.read('names'), 'turns');
  await rig.executor.close();
  assert.equal(readdirSync(rig.path('tmp')), []);
});

localTest('an end while the turns are made is waited for, and leaves nothing', async (rig) => {
  if (!linux) return;
  const root = rig.path('driven');
  // The eighth short job brings it about that they are made.
  const code = driver(
    root,
    `for (let n = 0; n < 8; n++) await start('s' + n, ':'); await executor.close(); process.stdout.write('closed');`,
  );
  mkdirSync(root);
  writeFileSync(rig.path('driver.mjs'), code);
  const { stdout, stderr, status } = spawnSync(process.execPath, [rig.path('driver.mjs')], { encoding: 'utf8' });
  assert.equal([stdout, stderr, status], ['closed', '', 0]);
  assert.equal(readdirSync(join(root, 'tmp')), []);
});

turnsTest('should lhb be killed, what waits ends without having begun, and what runs ends as ever', async (rig) => {
  const root = rig.path('driven');
  const code = driver(
    root,
    `for (let n = 0; !executor.takesAhead; n++) await start('s' + n, ':');
    for (const n of [1, 2]) void start('busy' + n, 'touch up' + n + '; while ! test -e go; do sleep 0.01; done; touch end' + n);
    await new Promise((resolve) => setInterval(() => existsSync(root + '/up1') && existsSync(root + '/up2') && resolve(), 5));
    void start('third', 'touch ran', 'startAhead');
    process.stdout.write('waits');`,
  );
  mkdirSync(root);
  writeFileSync(rig.path('driver.mjs'), code);
  const child = spawn(process.execPath, [rig.path('driver.mjs')], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  await sleep(50);
  const helpers = readLaunches(`${root}/launches`).helpers.map(({ pid }) => pid);
  const waits = readLaunches(`${root}/launches`).launches.findLast(({ jobId }) => jobId === 'third')?.helper?.pid ?? -1;
  assert.ok(helpers.includes(waits) && alive(waits));
  child.kill('SIGKILL');
  await until('the helper that waits has ended', () => !alive(waits));
  touch(rig, 'driven/go');
  await until('the running jobs have ended', () => ['end1', 'end2'].every((name) => existsSync(`${root}/${name}`)));
  await until('all helpers have ended', () => !helpers.some(alive));
  assert.not(existsSync(`${root}/ran`));
  const orphans = findOrphans(readLaunches(`${root}/launches`), { jobs: root, ended: `${root}/ended` });
  const noted = orphans.flatMap((orphan) => notedAttempt(orphan, ({ kind }) => kind)?.jobId ?? []);
  assert.ok(noted.includes('busy1' as JobId) && !noted.includes('third' as JobId), 'it never began');
  assert.equal(
    ['busy1', 'busy2', 'third'].map(
      (id) => existsSync(`${root}/${id}/exit`) && / 0 /.test(readFileSync(`${root}/${id}/exit`, 'utf8')),
    ),
    [true, true, false],
  );
});

test.run();
