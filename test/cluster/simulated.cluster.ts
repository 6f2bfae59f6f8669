// 5 000 jobs through a simulated scheduler: few calls, and a driver that costs next to nothing while it waits.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { quickProfile } from '../support/cluster/cluster.ts';
import { simulateScheduler } from '../support/cluster/simulated.ts';
import { cpuOf } from '../support/cpu.ts';
import { rigTest } from '../support/rig.ts';

const JOBS = 5000;
/** They all run where many rounds are asked for; else they are cancelled, which is quicker. */
const RUN = Number(process.argv.find((word) => /^\d+$/.test(word)) ?? 10) >= 50;

rigTest(
  `${JOBS} jobs in at most 60 submit calls; waiting costs under 5 % of a core`,
  async (rig) => {
    rig.workflow(`
      rules:
        a: { for: { n: "\${{ range(0, ${JOBS}) }}" }, outputs: { o: o.txt }, run: ": > \${{ outputs.o }}" }
    `);
    const scheduler = simulateScheduler(rig);
    const building = rig.start({}, 'build', '--profile', 'slurm', '-j', String(JOBS));
    const submitted = (): number => scheduler.calls()['sbatch'] ?? 0;
    // Nothing runs yet: once all are handed over, the driver waits.
    const list = rig.path('../scheduler/submitted');
    const tasks = (): number =>
      [...readFileSync(list, 'utf8').matchAll(/^\d+\|(\d+)-(\d+)\|/gm)].reduce(
        (n, [, a, b]) => n + Number(b) - Number(a) + 1,
        0,
      );
    const end = Date.now() + 120_000;
    while (tasks() < JOBS && Date.now() < end) await sleep(200);
    assert.is(tasks(), JOBS, 'all are handed over, in arrays');
    assert.ok(submitted() <= 60, `${submitted()} submit calls`);
    await sleep(3000);
    const pid = building.child.pid ?? 0;
    const [before, asked] = [cpuOf(pid), scheduler.calls()['squeue'] ?? 0];
    await sleep(20_000);
    const share = (cpuOf(pid) - before) / 20;
    const calls = (scheduler.calls()['squeue'] ?? 0) - asked;
    process.stdout.write(
      `${submitted()} submit calls; ${(share * 100).toFixed(1)} % of a core; ${calls} status calls in 20 s\n`,
    );
    assert.ok(share < 0.05, `${share * 100} % of a core`);
    assert.ok(calls <= 3, `${calls} status calls in 20 s`);
    if (RUN) scheduler.start();
    else building.child.kill('SIGINT');
    const ended = await building.done;
    assert.is(ended.code, RUN ? 0 : 130, ended.stderr.slice(-2000));
    if (RUN) assert.match(ended.stderr, new RegExp(`built ${JOBS} in`));
    else assert.is(scheduler.calls()['scancel'], 1);
    assert.ok(submitted() <= 60, `${submitted()} submit calls`);
  },
  { timeoutS: 900 },
);

rigTest('a job that ends well while lhb cancel is at it is not lost', async (rig) => {
  rig.workflow(`
    rules:
      a: { outputs: { o: o.txt }, run: "echo begun >> ran.log; sleep 3; echo > \${{ outputs.o }}" }
  `);
  quickProfile(rig, 'quick', 'slurm');
  const scheduler = simulateScheduler(rig);
  scheduler.start();
  await rig.ok('build', '--profile', 'quick', '--detach');
  await rig.until('the job to begin', () => rig.exists('ran.log'));
  // This scheduler takes it from its list, and ends nothing.
  assert.match((await rig.ok('cancel')).stderr, /1 job ended well before that: lhb build takes what they made/);
  assert.match((await rig.ok('build', '--profile', 'quick')).stderr, /built 1/);
  assert.is(rig.ranSince().length, 1);
});

test.run();
