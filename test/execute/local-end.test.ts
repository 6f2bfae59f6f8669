// Jobs that are ended, and what jobs leave running.
import { existsSync, readdirSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { alive, localTest, until, type LocalRig } from './local-rig.ts';

const pidIn = (rig: LocalRig, name: string): number => Number(rig.read(name));
const written = (rig: LocalRig, name: string): boolean => existsSync(rig.path(name)) && rig.read(name).endsWith('\n');
/** A process that ignores TERM, in a session of its own, whose parent ends at once. */
const escape = (name: string): string =>
  `sh -c "setsid sh -c 'trap : TERM; echo \\$\\$ >${name}; while :; do sleep 0.05; done' &"\n`;

localTest(
  'a time-out ends the whole tree, with what ignores TERM and what left the group',
  async (rig) => {
    const text = `${escape('escaped')}sh -c 'trap : TERM; echo $$ >deaf; while :; do sleep 0.05; done' &
      until [ -s escaped ] && [ -s deaf ]; do sleep 0.01; done
      echo $$ >self; echo >$TMPDIR/x; sleep 1000`;
    const { outcome } = await rig.run(text, { timeoutS: 1 });
    assert.equal(outcome, { kind: 'timed-out', limitS: 1 });
    for (const name of ['escaped', 'deaf', 'self']) assert.not(alive(pidIn(rig, name)), name);
    assert.equal(readdirSync(rig.path('tmp')), []); // it wrote to its TMPDIR, which went at once
    assert.is((await rig.run('echo next')).outcome.kind, 'success');
    assert.is(rig.read('j1/log'), 'next\n');
  },
  { graceMs: 300 },
);

localTest('TERM comes first: a job may clean up, and is told as timed out whatever its exit code', async (rig) => {
  const { outcome } = await rig.run(`trap 'echo cleaned; exit 0' TERM; while :; do sleep 0.02; done`, {
    timeoutS: 0.3,
  });
  assert.equal(outcome, { kind: 'timed-out', limitS: 0.3 });
  assert.match(rig.read('j0/log'), /^cleaned$/m);
});

localTest('a job that ends in time is not timed out', async (rig) => {
  assert.is((await rig.run('sleep 0.05', { timeoutS: 30 })).outcome.kind, 'success');
  assert.is((await rig.run(':', { timeoutS: 40 * 86400 })).outcome.kind, 'success');
});

localTest('cancel ends a job; twice is as once, and after the end it is nothing', async (rig) => {
  const job = rig.start('echo $$ >self; sleep 1000');
  await until('the job runs', () => written(rig, 'self'));
  job.cancel();
  job.cancel();
  assert.equal((await job.done).outcome, { kind: 'cancelled' });
  assert.not(alive(pidIn(rig, 'self')));
  job.cancel();
  assert.is((await rig.run('sleep 0.01')).outcome.kind, 'success');
});

localTest('cancel right after the start', async (rig) => {
  const job = rig.start('sleep 1000');
  job.cancel();
  assert.equal((await job.done).outcome, { kind: 'cancelled' });
});

localTest(
  'cancelling one job leaves the others alone',
  async (rig) => {
    const [one, two] = ['one', 'two'].map((name) =>
      rig.start(`echo >${name}; until [ -e go ]; do sleep 0.01; done; echo end`),
    );
    await until('both run', () => written(rig, 'one') && written(rig, 'two'));
    one?.cancel();
    assert.is((await one?.done)?.outcome.kind, 'cancelled');
    await rig.run('echo >go');
    assert.is((await two?.done)?.outcome.kind, 'success');
    assert.is(rig.read('j1/log'), 'end\n');
  },
  { slots: 2 },
);

localTest('a stopped job can be cancelled', async (rig) => {
  const job = rig.start('echo $$ >self; kill -STOP $$; sleep 1000');
  await until('the job runs', () => written(rig, 'self'));
  job.cancel();
  assert.is((await job.done).outcome.kind, 'cancelled');
  assert.not(alive(pidIn(rig, 'self')));
});

localTest(
  'what a job leaves in the background is ended before the job is done',
  async (rig) => {
    const text = `(sleep 1000 & echo $! >left)\n${escape('escaped')}until [ -s escaped ]; do sleep 0.01; done\nexit 5`;
    const { outcome } = await rig.run(text);
    assert.equal(outcome, { kind: 'exit-code', code: 5 });
    assert.not(alive(pidIn(rig, 'left')));
    assert.not(alive(pidIn(rig, 'escaped')));
  },
  { graceMs: 300 },
);

localTest('the same for a job that ran for long and started many processes', async (rig) => {
  const text = `(sleep 1000 & echo $! >left)\ni=0; while [ $i -lt 150 ]; do /bin/true; i=$((i + 1)); done`;
  assert.is((await rig.run(text)).outcome.kind, 'success');
  assert.not(alive(pidIn(rig, 'left')));
});

localTest('a job that kills its parent shell, or its whole group, harms no other', async (rig) => {
  const { outcome } = await rig.run('echo $$ >self; kill -9 $PPID; sleep 1000');
  assert.equal(outcome, { kind: 'signal', signal: 'SIGKILL' });
  assert.not(alive(pidIn(rig, 'self')));
  assert.is((await rig.run('echo a')).outcome.kind, 'success');
  assert.equal((await rig.run('kill -9 0; sleep 1000')).outcome, { kind: 'signal', signal: 'SIGKILL' });
  assert.equal((await rig.run('kill 0; sleep 1000')).outcome, { kind: 'signal', signal: 'SIGTERM' });
  assert.equal((await rig.run('trap "kill 0" EXIT; sleep 1000 & :')).outcome, { kind: 'signal', signal: 'SIGTERM' });
  assert.is((await rig.run('echo b')).outcome.kind, 'success');
  assert.is(rig.read('j5/log'), 'b\n');
});

localTest('close ends what runs, and the helpers', async (rig) => {
  const job = rig.start('echo $PPID >helper; echo $$ >self; sleep 1000');
  await until('the job runs', () => written(rig, 'self'));
  await rig.executor.close();
  assert.is((await job.done).outcome.kind, 'cancelled');
  assert.not(alive(pidIn(rig, 'self')));
  assert.not(alive(pidIn(rig, 'helper')));
});

test.run();
