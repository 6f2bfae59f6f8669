// How jobs of a real scheduler end, and what is said of it: each kind by its name, with the scheduler's reason.
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { clusterTest, quickProfile, type Cluster } from '../support/cluster/cluster.ts';
import type { Rig } from '../support/rig.ts';

/** One job with a command, and what it asks for. */
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
  quickProfile(rig, 'quick', 'slurm');
}

/** The build fails, and says so of its job; the words, and those of the summary. */
async function fails(rig: Rig, ...args: string[]): Promise<string> {
  const { stderr } = await rig.exits(1, 'build', '--profile', 'quick', ...args);
  const job = await rig.job('work');
  assert.is(job.status, 'FAILED');
  return `${stderr}\n${JSON.stringify(job.reasons)}`;
}

const begun = (rig: Rig) => rig.until('the job to begin', () => rig.exists('ran.log'));

/** The id of the only job that runs. */
const running = (cluster: Cluster): string =>
  cluster.ask('squeue', '-h', '-t', 'R', '-o', '%i').trim().split('\n')[0] ?? '';

clusterTest('over its memory', 'slurm', async (rig) => {
  oneJob(rig, 'mem_mb: 60', `exec python3 -c 'x = bytearray(300 * 2**20); import time; time.sleep(30)'`);
  assert.match(await fails(rig), /out of memory/);
});

clusterTest(
  'over its memory, by its control group',
  'slurm',
  async (rig, cluster) => {
    oneJob(rig, 'mem_mb: 60', `exec python3 -c 'x = bytearray(300 * 2**20); import time; time.sleep(30)'`);
    assert.match(await fails(rig), /out of memory .OOM./);
    assert.match(cluster.ask('squeue', '-h', '-t', 'all', '-o', '%t'), /^OOM$/m);
  },
  { options: ['--cgroup'] },
);

clusterTest('over its memory, and tried again with more', 'slurm', async (rig) => {
  oneJob(
    rig,
    'mem_mb: "${{ attempt == 1 ? 60 : 900 }}"',
    `python3 -c 'x = bytearray(300 * 2**20); import time; time.sleep(4)'`,
    'retries: 1\n        retry_on: [oom]',
  );
  const { stderr } = await rig.ok('build', '--profile', 'quick');
  assert.match(stderr, /out of memory.*tried again/);
  assert.is(rig.ranSince().length, 2);
});

clusterTest(
  'over the time that it asked for',
  'slurm',
  async (rig) => {
    oneJob(rig, 'time: 1', 'sleep 600');
    assert.match(await fails(rig), /over its time limit .TIMEOUT./);
  },
  { timeoutS: 300 },
);

clusterTest("over its timeout, which is lhb's own", 'slurm', async (rig) => {
  oneJob(rig, 'cpus: 1', 'sleep 600', 'timeout: 3s');
  assert.match(await fails(rig), /timed out|time limit/i);
});

clusterTest('cancelled by hand', 'slurm', async (rig, cluster) => {
  oneJob(rig, 'cpus: 1', 'sleep 600');
  const building = fails(rig);
  building.catch(() => {});
  await begun(rig);
  await sleep(1500);
  cluster.ask('scancel', running(cluster));
  assert.match(await building, /cancelled/);
});

clusterTest('cancelled by hand while no build watched: the next build runs it anew', 'slurm', async (rig, cluster) => {
  oneJob(rig, 'cpus: 1', '[ $(grep -c begun ran.log) = 2 ] || sleep 600');
  await rig.ok('build', '--profile', 'quick', '--detach');
  await begun(rig);
  await sleep(1500);
  cluster.ask('scancel', running(cluster));
  await rig.until('it to be over', () => running(cluster) === '');
  await rig.ok('build', '--profile', 'quick');
  assert.is(rig.ranSince().length, 2);
});

clusterTest('a failing command, with the end of its log', 'slurm', async (rig) => {
  oneJob(rig, 'cpus: 1', 'echo the reason is here; exit 7');
  const said = await fails(rig);
  assert.match(said, /exit code 7/);
  assert.match(said, /the reason is here/);
});

clusterTest('a log that cannot be written', 'slurm', async (rig) => {
  oneJob(rig, 'cpus: 1', 'true');
  quickProfile(rig, 'quick', 'slurm', '  submit: sbatch --parsable --job-name={name} --output=/proc/none/x {script}\n');
  const said = await fails(rig);
  assert.match(said, /JobLaunchFailure/);
  assert.not(rig.exists('ran.log'));
});

clusterTest('rejected when it was submitted', 'slurm', async (rig) => {
  oneJob(rig, 'partition: nope', 'true');
  const said = await fails(rig);
  assert.match(said, /[Ii]nvalid partition/);
});

clusterTest('never schedulable', 'slurm', async (rig, cluster) => {
  oneJob(rig, 'partition: short, time: 60', 'true');
  const said = await fails(rig);
  assert.match(said, /PartitionTimeLimit/);
  assert.match(said, /partition allows less time/);
  assert.is(cluster.ask('squeue', '-h').trim(), '');
});

clusterTest('a node that is set down', 'slurm', async (rig, cluster) => {
  oneJob(rig, 'cpus: 1', 'sleep 600');
  const building = fails(rig);
  building.catch(() => {});
  await begun(rig);
  await sleep(1500);
  const node = cluster.ask('squeue', '-h', '-t', 'R', '-o', '%N').trim();
  cluster.ask('scontrol', 'update', `nodename=${node}`, 'state=down', 'reason=test');
  try {
    assert.match(await building, /node/);
  } finally {
    // One that answers may be back already.
    cluster.up();
  }
});

clusterTest(
  'a node that is lost, and the job tried again elsewhere; its late twin is dropped',
  'slurm',
  async (rig, cluster) => {
    oneJob(
      rig,
      'cpus: 1',
      'sleep 8; echo "$LHB_ATTEMPT" > "$LHB_DIR/o.txt"; [ "$LHB_ATTEMPT" = 1 ] && sleep 60; exit 0',
      'retries: 1\n        retry_on: [node_fail]',
    );
    const building = rig.start({}, 'build', '--profile', 'quick');
    await begun(rig);
    await sleep(1000);
    const node = cluster.ask('squeue', '-h', '-t', 'R', '-o', '%N').trim();
    cluster.stop(`slurmd.${node}`, true);
    const ended = await building.done;
    cluster.up();
    assert.is(ended.code, 0, ended.stderr);
    assert.match(ended.stderr, /node/);
    assert.is(rig.read((await rig.job('work')).outputs[0]?.path ?? ''), '2\n');
  },
  { timeoutS: 300, options: ['--node-timeout', '6'] },
);

clusterTest('held by someone: it is told, and waited for', 'slurm', async (rig, cluster) => {
  oneJob(rig, 'cpus: 1', 'true');
  quickProfile(
    rig,
    'quick',
    'slurm',
    '  submit: sbatch --parsable --hold --job-name={name} --output={scheduler_log} {script}\n',
  );
  const building = rig.start({}, 'build', '--profile', 'quick');
  await rig.until('a word about the hold', () => /JobHeldUser.*scontrol release/.test(building.stderr()));
  cluster.ask('scontrol', 'release', cluster.ask('squeue', '-h', '-t', 'PD', '-o', '%i').trim());
  assert.is((await building.done).code, 0);
});

clusterTest('Ctrl-C cancels all in one call', 'slurm', async (rig, cluster) => {
  rig.workflow(`
    rules:
      work: { for: { n: "\${{ range(0, 40) }}" }, outputs: { o: o.txt }, run: "echo begun >> ran.log; sleep 600" }
  `);
  quickProfile(rig, 'quick', 'slurm');
  const building = rig.start({}, 'build', '--profile', 'quick');
  await begun(rig);
  building.child.kill('SIGINT');
  const ended = await building.done;
  assert.is(ended.code, 130, ended.stderr);
  assert.is(cluster.ask('squeue', '-h', '-t', 'R,PD').trim(), '');
  assert.not(rig.exists('.lhb/launches'));
});

clusterTest('--detach leaves; jobs lists, build comes back, cancel ends', 'slurm', async (rig, cluster) => {
  rig.workflow(`
    rules:
      work: { for: { n: [1, 2, 3] }, outputs: { o: o.txt }, run: "echo begun >> ran.log; sleep 4; echo > \${{ outputs.o }}" }
      last: { inputs: { all: "\${{ work.map(j, j.outputs.o) }}" }, outputs: { o: o.txt }, run: "echo > \${{ outputs.o }}" }
  `);
  quickProfile(rig, 'quick', 'slurm');
  const left = await rig.ok('build', '--profile', 'quick', '--detach');
  assert.match(left.stderr, /3 jobs left with the scheduler, 1 job still to begin/);
  const listed = await rig.ok('jobs');
  assert.is(listed.stdout.trim().split('\n').length, 4, listed.stdout);
  assert.match(listed.stdout, /quick \d+_0/);
  // Without the profile, too: what was left is known.
  const back = await rig.ok('build', '--profile', 'quick');
  assert.match(back.stderr, /adopted/);
  assert.match(back.stderr, /built 4/);
  assert.is(rig.ranSince().length, 3);
  await rig.ok('build', '--profile', 'quick', '--detach', '-F');
  const ended = await rig.ok('cancel');
  assert.match(ended.stderr, /3 jobs cancelled/);
  assert.is(cluster.ask('squeue', '-h', '-t', 'R,PD').trim(), '');
});

clusterTest('a second Ctrl-C leaves the jobs, and says how to come back', 'slurm', async (rig) => {
  // A scheduler whose cancelling takes its time.
  oneJob(rig, 'cpus: 1', "trap '' TERM; sleep 5; sleep 5");
  quickProfile(rig, 'quick', 'slurm', "  cancel: 'sleep 20; scancel {ids}'\n");
  const building = rig.start({}, 'build', '--profile', 'quick');
  await begun(rig);
  building.child.kill('SIGINT');
  await sleep(500);
  const at = Date.now();
  building.child.kill('SIGINT');
  const ended = await building.done;
  assert.ok(Date.now() - at < 5000, 'it leaves at once');
  assert.is(ended.code, 130, ended.stderr);
  assert.match(ended.stderr, /1 job left with the scheduler: lhb build comes back/);
  await rig.ok('cancel');
});

clusterTest(
  'the scheduler is down for a while: jobs are waited for, and none is sent twice',
  'slurm',
  async (rig, cluster) => {
    rig.workflow(
      `
    rules:
      work: { for: { n: "\${{ range(0, 6) }}" }, outputs: { o: o.txt }, run: "echo begun >> ran.log; sleep 2; echo > \${{ outputs.o }}" }
      last: { for: { from: "\${{ work }}" }, outputs: { o: o.txt }, run: "echo begun >> ran.log; echo > \${{ outputs.o }}" }
  `,
    );
    quickProfile(rig, 'quick', 'slurm');
    const building = rig.start({}, 'build', '--profile', 'quick');
    await begun(rig);
    cluster.stop('slurmctld');
    await sleep(20_000);
    cluster.up();
    const ended = await building.done;
    assert.is(ended.code, 0, ended.stderr);
    assert.match(ended.stderr, /does not answer/);
    assert.is(rig.ranSince().length, 12);
  },
);

test('python3 is there for jobs that take memory', () => {
  assert.match(execFileSync('python3', ['--version'], { encoding: 'utf8' }), /^Python 3/);
});

test.run();
