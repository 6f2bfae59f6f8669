// What becomes of jobs when lhb itself is killed, as the next driver finds them.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LaunchLog, linesFor, readLaunches, type Helper, type Launched } from '../../src/execute/launches.ts';
import { LocalExecutor } from '../../src/execute/local.ts';
import { slotText } from '../../src/execute/job-script.ts';
import { endStrays, findOrphans, machineWasDown, type Orphan } from '../../src/execute/orphans.ts';
import { alive, until } from './local-rig.ts';

const linux = process.platform === 'linux';
const local = new URL('../../src/execute/local.js', import.meta.url).href;
const launchesModule = new URL('../../src/execute/launches.js', import.meta.url).href;

class KilledDriver {
  readonly root = mkdtempSync(join(tmpdir(), 'lhb-orphans-'));
  readonly file = join(this.root, 'launches');

  path(name: string): string {
    return join(this.root, name);
  }

  pid(name = 'self'): number {
    return Number(readFileSync(this.path(name), 'utf8').split('\n')[0]);
  }

  /** Starts a driver with one job, `j`, waits until the job has written `self`, and kills the driver. */
  async kill(job: string): Promise<void> {
    const code = `
      import { LaunchLog } from ${JSON.stringify(launchesModule)};
      import { LocalExecutor } from ${JSON.stringify(local)};
      const root = ${JSON.stringify(this.root)};
      const executor = new LocalExecutor({ slots: 2, cwd: root, launches: new LaunchLog(root + '/launches') });
      executor.start({ jobId: 'j', rule: 'r', attempt: 1, actionKey: 'k', resources: { cpus: 2 }, cwd: root,
        inherited: {}, env: { PATH: process.env.PATH }, log: root + '/log', logName: 'log',
        command: { kind: 'script', shell: ['/bin/sh', '-eu'], text: ${JSON.stringify(job)} },
        jobDir: root + '/jobs/j', timeoutS: undefined, scratch: root + '/tmp', gpus: ['0'] }, () => {});`;
    mkdirSync(this.path('jobs/j'), { recursive: true });
    writeFileSync(this.path('driver.mjs'), code);
    const driver = spawn(process.execPath, [this.path('driver.mjs')], { stdio: 'inherit' });
    const written = (): boolean => existsSync(this.path('self')) && readFileSync(this.path('self'), 'utf8') !== '';
    await until('the job runs', written);
    const gone = new Promise((resolve) => driver.once('exit', resolve));
    driver.kill('SIGKILL');
    await gone;
  }

  orphan(): Orphan {
    const [orphan, ...more] = findOrphans(readLaunches(this.file), {
      jobs: this.path('jobs'),
      ended: this.path('ended'),
    });
    assert.equal(more, []);
    assert.ok(orphan);
    return orphan as Orphan;
  }
}

function killedTest(name: string, body: (driver: KilledDriver) => Promise<void>): void {
  test(name, async () => {
    if (!linux) return;
    const driver = new KilledDriver();
    try {
      await body(driver);
    } finally {
      await endStrays(readLaunches(driver.file), [], 100);
      rmSync(driver.root, { recursive: true, force: true });
    }
  });
}

const WAITS = 'echo $$ >self; until [ -e go ]; do sleep 0.01; done; ';

killedTest('a job of a driver that was killed runs on, is found, and is adopted', async (driver) => {
  await driver.kill(`${WAITS} i=0; while [ $i -lt 60000 ]; do i=$((i + 1)); done; echo made >out; exit 3`);
  const orphan = driver.orphan();
  assert.is(orphan.state, 'running');
  const { jobId, rule, attempt, actionKey, gpus, resources, log } = orphan.launch;
  assert.equal([jobId, rule, attempt, actionKey, gpus, resources, log], ['j', 'r', 1, 'k', ['0'], { cpus: 2 }, 'log']);
  const executor = new LocalExecutor({ slots: 1, cwd: driver.root });
  const adopted = executor.adopt(orphan, undefined);
  assert.ok(alive(driver.pid()));
  writeFileSync(driver.path('go'), '');
  const ended = await adopted?.done;
  assert.equal(ended?.outcome, { kind: 'exit-code', code: 3 });
  assert.is(readFileSync(driver.path('out'), 'utf8'), 'made\n');
  assert.ok((ended?.usage.cpuS ?? 0) > 0.01);
  assert.is(ended?.usage.startedAt, orphan.launch.startedAt);
  assert.ok(Math.abs((ended?.usage.finishedAt ?? 0) - Date.now() / 1000) < 60);
  assert.equal(readdirSync(driver.path('tmp')), [], 'its TMPDIR');
  await executor.close();
});

killedTest('a job that ended meanwhile is told by its marker', async (driver) => {
  await driver.kill(WAITS);
  writeFileSync(driver.path('go'), '');
  await until('the job has ended', () => driver.orphan().state === 'ended');
  assert.is(driver.orphan().marker?.code, 0);
  await until('its helper has ended', () => !alive(driver.orphan().launch.helper?.pid ?? -1));
});

killedTest(
  'close ends an adopted job, a time-out does so counted from its start, and no other is harmed',
  async (driver) => {
    await driver.kill('trap : TERM; echo $$ >self; while :; do sleep 0.01 || :; done');
    const executor = new LocalExecutor({ slots: 1, cwd: driver.root, graceMs: 100 });
    const adopted = executor.adopt(driver.orphan(), 0.01);
    assert.equal((await adopted?.done)?.outcome, { kind: 'timed-out', limitS: 0.01 });
    assert.not(alive(driver.pid()));
    await executor.close();

    rmSync(driver.path('self'));
    rmSync(driver.file);
    await driver.kill('echo $$ >self; sleep 1000');
    const other = new LocalExecutor({ slots: 1, cwd: driver.root, graceMs: 100 });
    const second = other.adopt(driver.orphan(), 1000);
    await other.close();
    assert.equal((await second?.done)?.outcome, { kind: 'cancelled' });
    assert.not(alive(driver.pid()));
  },
);

killedTest('an adopted job whose helper is killed is lost, with all that it left', async (driver) => {
  await driver.kill(
    `setsid sh -c 'echo $$ >left; sleep 1000' & until [ -s left ]; do sleep 0.01; done; echo $$ >self; sleep 1000`,
  );
  const executor = new LocalExecutor({ slots: 1, cwd: driver.root, graceMs: 100 });
  const adopted = executor.adopt(driver.orphan(), undefined);
  process.kill(driver.orphan().launch.helper?.pid ?? -1, 'SIGKILL');
  assert.equal((await adopted?.done)?.outcome, { kind: 'lost' });
  assert.not(alive(driver.pid()));
  assert.not(alive(driver.pid('left')));
  await executor.close();
});

killedTest('strays are ended, in sessions of their own too, and what is kept is not', async (driver) => {
  await driver.kill(
    `trap : TERM; setsid sh -c 'trap : TERM; echo $$ >left; while :; do sleep 0.05; done' &
    until [ -s left ]; do sleep 0.01; done; echo $$ >self; while :; do sleep 0.05 || :; done`,
  );
  const earlier = readLaunches(driver.file);
  const busy = earlier.launches.map(({ helper }) => helper?.pid);
  const idle = earlier.helpers.filter(({ pid }) => !busy.includes(pid));
  await until('the helper without a job has ended', () => !idle.some(({ pid }) => alive(pid)));
  assert.is(await endStrays(earlier, earlier.launches, 100), 0);
  assert.ok(alive(driver.pid()));
  assert.ok(alive(driver.pid('left')));
  assert.is(readdirSync(driver.path('tmp')).length, 1);
  assert.ok((await endStrays(earlier, [], 100)) >= 2);
  assert.not(alive(driver.pid()));
  assert.not(alive(driver.pid('left')));
  assert.equal(readdirSync(driver.path('tmp')), []);
  assert.is(driver.orphan().state === 'running', false);
});

killedTest(
  'an orphan that is kept stands in the file of the next driver, and in that of the one after it',
  async (driver) => {
    await driver.kill(WAITS);
    for (let n = 0; n < 2; n++) {
      const earlier = readLaunches(driver.file);
      const log = new LaunchLog(driver.file, linesFor(earlier, earlier.launches));
      log.addHelper(process.pid);
    }
    assert.is(driver.orphan().state, 'running');
    assert.is(readLaunches(driver.file).scratches.length, 1);
    const earlier = readLaunches(driver.file);
    const text = readFileSync(driver.file, 'utf8');
    new LaunchLog(driver.file, linesFor(earlier, earlier.launches)).close();
    assert.not(existsSync(driver.file));
    // So that the job is found, and ended, after the test.
    writeFileSync(driver.file, text);
  },
);

killedTest('after the machine was down nothing runs, and no marker counts', async (driver) => {
  await driver.kill('echo $$ >self; sleep 1000');
  const text = readFileSync(driver.file, 'utf8');
  assert.not(machineWasDown(readLaunches(driver.file)));
  writeFileSync(driver.file, text.replaceAll(/"place":"[0-9a-f]{8}/g, '"place":"00000000'));
  assert.ok(machineWasDown(readLaunches(driver.file)));
  assert.is(driver.orphan().state, 'gone');
  assert.is(await endStrays(readLaunches(driver.file), [], 100), 0);
  assert.ok(alive(driver.pid()));
  writeFileSync(driver.file, text);
});

killedTest('a process that has the id of an old helper is left alone', async (driver) => {
  const other = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
  try {
    const log = new LaunchLog(driver.file);
    log.addHelper(other.pid ?? 0);
    const text = readFileSync(driver.file, 'utf8');
    assert.is(readLaunches(driver.file).helpers.length, 1);
    writeFileSync(driver.file, text.replace(/"ticks":\d+/, '"ticks":17'));
    assert.is(await endStrays(readLaunches(driver.file), [], 0), 0);
    assert.ok(alive(other.pid ?? 0));
  } finally {
    other.kill('SIGKILL');
  }
});

test('of the jobs that a living helper was given only the last can run, of the launches of a job only the last counts', () => {
  const root = mkdtempSync(join(tmpdir(), 'lhb-launches-'));
  try {
    const log = new LaunchLog(join(root, 'launches'));
    log.addHelper(process.pid);
    const [helper] = readLaunches(join(root, 'launches')).helpers;
    assert.ok(helper);
    const rest = { rule: 'r', attempt: 1, actionKey: 'k', executor: 'local', startedAt: 1, tmpdir: '/x', log: 'l' };
    const launch = (token: string, jobId: string): Launched => ({
      ...rest,
      token,
      jobId,
      helper: helper as Helper,
      gpus: undefined,
      submitted: undefined,
      place: undefined,
      cpuBefore: 0,
      resources: {},
      begun: true,
    });
    const launches = [launch('t-1', 'a'), launch('t-2', 'a'), launch('t-3', 'b')];
    const earlier = { helpers: [helper as Helper], scratches: [], launches, profiles: new Map<string, string>() };
    const states = findOrphans(earlier, { jobs: root, ended: join(root, 'ended') }).map((o) => [
      o.launch.token,
      o.state,
    ]);
    assert.equal(states, [
      ['t-2', 'gone'],
      ['t-3', 'running'],
    ]);
    mkdirSync(join(root, 'a'));
    writeFileSync(join(root, 'a/exit'), 'lhb-exit 2 t-1 0 1\nok\n');
    assert.is(
      findOrphans(earlier, { jobs: root, ended: join(root, 'ended') })[0]?.state,
      'gone',
      'the marker of the attempt before',
    );
    writeFileSync(join(root, 'a/exit'), 'lhb-exit 2 t-2 0 1\nok\n');
    assert.is(findOrphans(earlier, { jobs: root, ended: join(root, 'ended') })[0]?.state, 'ended');
    log.close();
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('lines that are cut off, malformed or from elsewhere do not count', () => {
  const root = mkdtempSync(join(tmpdir(), 'lhb-launches-'));
  const file = join(root, 'launches');
  try {
    const helper = { pid: 2 ** 22 + 1, ticks: 1, place: 'b n', host: 'h' };
    const launch = {
      token: 't-1',
      jobId: 'j',
      rule: 'r',
      attempt: 1,
      actionKey: 'k',
      executor: 'local',
      startedAt: 1,
      tmpdir: '/x/lhb-0123456789-0',
      log: 'l',
      resources: {},
    };
    const lines = [
      JSON.stringify({ helper }),
      JSON.stringify({ launch, helper: helper?.pid ?? -1 }),
      JSON.stringify({ launch: { ...launch, jobId: '../../x' }, helper: helper?.pid ?? -1 }),
      JSON.stringify({ launch: { ...launch, token: 'a b' }, helper: helper?.pid ?? -1 }),
      JSON.stringify({ launch: { ...launch, gpus: [1] }, helper: helper?.pid ?? -1 }),
      JSON.stringify({ launch: { ...launch, resources: { a: {} } }, helper: helper?.pid ?? -1 }),
      JSON.stringify({ launch, helper: 7 }),
      JSON.stringify({ launch: { ...launch, token: 't-2' } }),
      JSON.stringify({ helper: { ...helper, pid: -1 } }),
      JSON.stringify({ scratch: { beginning: '/home/', place: 'b n' } }),
      JSON.stringify({ scratch: { beginning: '/x/lhb-0123456789-', place: 'b n' } }),
      'rubbish',
      '[]',
      'null',
      JSON.stringify({ launch, helper: helper?.pid ?? -1 }).slice(0, 60),
    ];
    writeFileSync(file, `lhb launches 1\n${lines.join('\n')}`);
    const found = readLaunches(file);
    assert.equal(found.launches, [{ ...launch, helper, submitted: undefined, begun: true }]);
    assert.equal(found.helpers, [helper]);
    assert.equal(found.scratches, [{ beginning: '/x/lhb-0123456789-', place: 'b n' }]);
    writeFileSync(file, `lhb launches 2\n${lines.join('\n')}`);
    assert.equal(readLaunches(file), { helpers: [], scratches: [], launches: [], profiles: new Map() });
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('a text for a helper that is cut off anywhere runs nothing', () => {
  const root = mkdtempSync(join(tmpdir(), 'lhb-cut-'));
  try {
    const log = new LaunchLog(undefined);
    const token = log.newToken();
    assert.is.not(token, log.newToken());
    // As a subshell, and, where sh is dash, as a simple command.
    for (const helperCwd of ['/', root]) {
      const text = slotText({
        words: ['touch', 'ran'],
        inherited: {},
        env: {},
        helperEnv: {},
        helperCwd,
        cwd: root,
        log: join(root, 'log'),
        jobDir: root,
        token,
        startedAt: 1,
        turn: undefined,
        hasTurns: false,
      });
      const run = (input: string): unknown =>
        spawnSync('/bin/sh', [], { input, cwd: helperCwd, stdio: ['pipe', 'ignore', 'ignore', 'ignore'] });
      for (let length = 0; length < text.length - 2; length++) {
        run(text.slice(0, length));
        assert.equal(readdirSync(root), [], `${length} of ${text.length} bytes`);
      }
      run(text);
      const made = ['exit', 'log', 'ran'];
      assert.equal(readdirSync(root).sort(), made);
      for (const name of made) rmSync(join(root, name));
    }
  } finally {
    rmSync(root, { recursive: true });
  }
});

test.run();
