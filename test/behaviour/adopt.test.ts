// Builds that are killed while jobs run: the jobs run on, and the next build adopts what it still wants.
import { readdirSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Gates } from '../support/fake-command.ts';
import { parseEvents } from '../support/json.ts';
import { ran, rigTest, type Rig, type Started } from '../support/rig.ts';

/** A job that says its pid and waits at a gate, then makes its output. Run by /bin/sh, so that `self` is the job's own. */
const waiting = (name: string, gate: string): string =>
  `${ran(name)}; echo $$ >> self; ${Gates.command(gate)}; echo ${name} > \${{ outputs.o }}`;

const selves = (rig: Rig): number[] => (rig.exists('self') ? rig.read('self').trim().split('\n').map(Number) : []);

async function kill(build: Started): Promise<void> {
  build.child.kill('SIGKILL');
  await build.done;
}

const counts = (stdout: string): unknown =>
  parseEvents(stdout).find((e) => e['event'] === 'build-finished')?.['counts'];
const BUILT_ONE = { built: 1, restored: 0, fresh: 0, failed: 0, skipped: 0, cancelled: 0 };
const started = (stdout: string): unknown[] =>
  parseEvents(stdout)
    .filter((e) => e['event'] === 'job-started')
    .map((e) => e['adopted'] ?? 'started');

rigTest('a job of a killed build runs on, is RUNNING, and is adopted by the next build', async (rig) => {
  const gates = new Gates(rig, ['g']);
  rig.workflow(`rules: { r: { dir: out, outputs: { o: o.txt }, run: '${waiting('r', 'g')}' } }`);
  const build = rig.start({}, 'build');
  await gates.reached(1);
  await kill(build);
  const { jobs } = await rig.summary();
  assert.is(jobs[0]?.status, 'RUNNING');
  const listed = (await rig.json('jobs')) as { build: unknown; jobs: { id: string; elapsed_s: number }[] };
  assert.equal([listed.build, listed.jobs.map(({ id }) => id)], [null, [jobs[0]?.id]]);
  assert.match((await rig.ok('jobs')).stderr, 'lhb build');

  const next = rig.start({}, 'build', '--json');
  await rig.until('it is adopted', () => next.stdout().includes('"adopted":"running"'));
  assert.is((await rig.summary()).jobs[0]?.status, 'RUNNING');
  assert.equal(((await rig.json('jobs')) as typeof listed).jobs.length, 1);
  gates.open('g');
  const ended = await next.done;
  assert.equal([ended.code, counts(ended.stdout), started(ended.stdout)], [0, BUILT_ONE, ['running']]);
  assert.equal([rig.ranSince(), selves(rig).length, rig.read('out/o.txt')].slice(0, 2), [['r'], 1]);
  assert.not(rig.exists('.lhb/launches'));
  assert.equal(readdirSync(rig.path('.lhb/tmp')), []);
  await rig.runs([], 'build');
});

test.run();
