// Builds on a real Grid Engine.
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { clusterTest, countCalls, quickProfile, type Cluster } from '../support/cluster/cluster.ts';
import { asText } from '../support/json.ts';
import type { Rig } from '../support/rig.ts';

const SWEEP = `
  rules:
    build_target:
      for: { n: "\${{ range(0, 40) }}" }
      outputs: { o: o.txt }
      resources: { cpus: 2, time: 20 }
      run: |
        echo "target \${{ n }}" >> ran.log
        [ "$NSLOTS" = "$LHB_CPUS" ]
        echo "\${{ n }}" > \${{ outputs.o }}
    run_sampler:
      for: { from: "\${{ build_target }}", s: [1, 2, 3, 4] }
      outputs: { o: o.txt }
      run: |
        echo "run \${{ from.n }} \${{ s }}" >> ran.log
        cat \${{ from.outputs.o }} > \${{ outputs.o }}
`;

clusterTest('a sweep of 200 jobs in few calls', 'sge', async (rig) => {
  rig.workflow(SWEEP);
  quickProfile(rig, 'quick', 'sge');
  const calls = countCalls(rig, ['qsub', 'qstat', 'qacct']);
  const begun = Date.now();
  await rig.ok('build', '--profile', 'quick');
  const seconds = (Date.now() - begun) / 1000;
  const { qsub = 0, qstat = 0, qacct = 0 } = calls();
  process.stdout.write(`200 jobs in ${Math.round(seconds)} s; qsub ${qsub}, qstat ${qstat}, qacct ${qacct}\n`);
  assert.is(rig.ranSince().length, 200);
  assert.ok(qsub <= 60, `${qsub} submit calls`);
  assert.ok(qstat <= seconds + 2, `${qstat} status calls in ${seconds} s`);
  const { jobs } = await rig.summary('summary', '--detailed', 'build_target');
  for (const { all } of jobs) {
    assert.is(all['executor'], 'quick');
    assert.match(asText(all['executor_job'] ?? null, 'executor_job'), /^\d+(\.\d+)?$/);
  }
});

function oneJob(rig: Rig, resources: string, run: string, more = ''): void {
  rig.workflow(`
    rules:
      work:
        outputs: { o: o.txt }
        resources: { ${resources} }
        ${more}
        run: |
          echo begun >> ran.log
          ${run}
          echo done > \${{ outputs.o }}
  `);
  quickProfile(rig, 'quick', 'sge');
}

async function fails(rig: Rig): Promise<string> {
  const { stderr } = await rig.exits(1, 'build', '--profile', 'quick');
  const job = await rig.job('work');
  assert.is(job.status, 'FAILED');
  return `${stderr}\n${JSON.stringify(job.reasons)}`;
}

const begun = (rig: Rig): Promise<void> => rig.until('the job to begin', () => rig.exists('ran.log'));

/** The ids of what runs and waits. */
const listed = (cluster: Cluster): string[] =>
  [...cluster.ask('qstat').matchAll(/^\s*(\d+) /gm)].map(([, id = '']) => id);

clusterTest('a failing command', 'sge', async (rig) => {
  oneJob(rig, 'cpus: 1', 'exit 99');
  assert.match(await fails(rig), /exit code 99/);
});

clusterTest('over the time that it asked for', 'sge', async (rig) => {
  oneJob(rig, 'time: "00:00:04"', 'sleep 600');
  assert.match(await fails(rig), /time/i);
});

clusterTest('cancelled by hand', 'sge', async (rig, cluster) => {
  oneJob(rig, 'cpus: 1', 'sleep 600');
  const building = fails(rig);
  building.catch(() => {});
  await begun(rig);
  await sleep(1500);
  cluster.ask('qdel', ...listed(cluster));
  // Its accounting does not say who did.
  assert.match(await building, /killed by SIGKILL/);
});

clusterTest('a log that cannot be written', 'sge', async (rig, cluster) => {
  oneJob(rig, 'cpus: 1', 'true');
  quickProfile(rig, 'quick', 'sge', '  submit: qsub -terse -N {name} -wd {root} -j y -o /proc/none/x {script}\n');
  assert.match(await fails(rig), /Eqw|could not/);
  assert.equal(listed(cluster), [], 'it is not left in the queue');
});

clusterTest('rejected when it was submitted', 'sge', async (rig) => {
  oneJob(rig, 'queue: nope', 'true');
  assert.match(await fails(rig), /queue/);
});

clusterTest('a killed driver: the next one adopts what runs, and runs nothing twice', 'sge', async (rig) => {
  rig.workflow(`
    rules:
      work: { for: { n: "\${{ range(0, 8) }}" }, outputs: { o: o.txt }, run: "echo begun \${{ n }} >> ran.log; sleep 3; echo > \${{ outputs.o }}" }
  `);
  quickProfile(rig, 'quick', 'sge');
  const first = rig.start({}, 'build', '--profile', 'quick');
  await begun(rig);
  first.child.kill('SIGKILL');
  await first.done;
  const { stderr } = await rig.ok('build', '--profile', 'quick');
  assert.match(stderr, /adopted/);
  assert.is(rig.ranSince().length, 8);
});

clusterTest('Ctrl-C cancels', 'sge', async (rig, cluster) => {
  oneJob(rig, 'cpus: 1', 'sleep 600');
  const building = rig.start({}, 'build', '--profile', 'quick');
  await begun(rig);
  building.child.kill('SIGINT');
  assert.is((await building.done).code, 130);
  await rig.until('an empty queue', () => listed(cluster).length === 0);
});

clusterTest('the scheduler is down for a while', 'sge', async (rig, cluster) => {
  oneJob(rig, 'cpus: 1', 'sleep 3');
  const building = rig.start({}, 'build', '--profile', 'quick');
  await begun(rig);
  cluster.stop('sge_qmaster');
  await sleep(6000);
  cluster.up();
  const ended = await building.done;
  assert.is(ended.code, 0, ended.stderr);
  assert.is(rig.ranSince().length, 1);
});

test.run();
