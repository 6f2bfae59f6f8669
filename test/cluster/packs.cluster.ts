// Short jobs that a scheduler has in packs: one job of its own runs several, each with its own marker, log and folder.
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { clusterTest, countCalls, quickProfile } from '../support/cluster/cluster.ts';
import { simulateScheduler } from '../support/cluster/simulated.ts';
import { asText } from '../support/json.ts';
import { rigTest, type Rig } from '../support/rig.ts';

/** Jobs of a group that leave their begin and end in ran.log. */
function grouped(rig: Rig, count: number, size: number, run: string, more = '', kind = 'slurm'): void {
  rig.workflow(`
    rules:
      a:
        for: { n: "\${{ range(0, ${count}) }}" }
        group: { name: g, size: ${size} }
        outputs: { o: o.txt }
        ${more}
        run: |
          echo "begin \${{ n }}" >> ran.log
          ${run}
          echo \${{ n }} > \${{ outputs.o }}
          echo "end \${{ n }}" >> ran.log
  `);
  quickProfile(rig, 'quick', kind);
}

/** The scheduler's ids of all jobs, by n. */
async function ids(rig: Rig): Promise<string[]> {
  const { jobs } = await rig.summary('summary', '--detailed', 'a');
  return jobs.map(({ all }) => asText(all['executor_job'] ?? '', 'executor_job'));
}

const ended = (rig: Rig): readonly string[] => rig.ranSince().filter((line) => line.startsWith('end'));

rigTest(
  '1 000 jobs in packs of 50 are 20 tasks of one array; each has its own log and record',
  async (rig) => {
    grouped(rig, 1000, 50, 'echo "this is ${{ n }}"');
    const scheduler = simulateScheduler(rig);
    scheduler.start();
    await rig.ok('build', '--profile', 'quick', '-j', '20');
    assert.is(ended(rig).length, 1000);
    const { sbatch = 0 } = scheduler.calls();
    assert.ok(sbatch <= 3, `${sbatch} submit calls`);
    const found = await ids(rig);
    assert.is(found.length, 1000);
    assert.ok(new Set(found).size <= 22, `${new Set(found).size} jobs of the scheduler's`);
    const { jobs } = await rig.summary('summary', 'a');
    for (const { id, outputs } of jobs.slice(0, 5))
      assert.is(rig.read(`.lhb/logs/a/${id}.log`), `this is ${rig.read(outputs[0]?.path ?? '')}`);
    assert.match((await rig.ok('build')).stderr, /nothing to do: 1000 jobs fresh/);
  },
  { timeoutS: 300 },
);

rigTest('a job that fails in a pack fails alone; its next attempt goes alone', async (rig) => {
  grouped(rig, 6, 6, '[ ${{ n }} != 2 ] || [ $LHB_ATTEMPT = 2 ] || exit 3', 'retries: 1');
  const scheduler = simulateScheduler(rig);
  scheduler.start();
  const { stderr } = await rig.ok('build', '--profile', 'quick');
  assert.match(stderr, /n=2.*exit code 3.*tried again/);
  assert.is(ended(rig).length, 6);
  assert.is(scheduler.calls()['sbatch'], 2);
});

rigTest('jobs that were short go in packs where the profile says so', async (rig) => {
  const workflow = (salt: number): void =>
    rig.workflow(`
      rules:
        a: { for: { n: "\${{ range(0, 40) }}" }, outputs: { o: o.txt }, run: "echo ${salt} > \${{ outputs.o }}" }
    `);
  workflow(1);
  quickProfile(rig, 'quick', 'slurm');
  rig.append('profiles/quick.yaml', 'pack-seconds: 60\n');
  const scheduler = simulateScheduler(rig);
  scheduler.start();
  await rig.ok('build', '--profile', 'quick');
  assert.is(new Set(await ids(rig)).size, 40, 'nothing is known of them');
  workflow(2);
  await rig.ok('build', '--profile', 'quick');
  assert.is(new Set(await ids(rig)).size, 1, 'they took less than a second each');
});

clusterTest('packs on Slurm: few of its jobs, their times added', 'slurm', async (rig, cluster) => {
  grouped(rig, 60, 20, 'sleep 0.1', 'resources: { time: 3, mem_mb: 100 }');
  const calls = countCalls(rig, ['sbatch']);
  await rig.ok('build', '--profile', 'quick');
  assert.is(ended(rig).length, 60);
  assert.is(calls()['sbatch'], 1);
  assert.is(new Set(await ids(rig)).size, 3);
  const asked = cluster.ask('squeue', '-h', '-r', '-t', 'all', '-o', '%l %m %j %Z').split('\n');
  const own = asked.filter((line) => line.endsWith(` ${rig.dir}`)).map((line) => line.replace(/lhb_[0-9a-f]{16}_/, ''));
  assert.equal(own, Array<string>(3).fill(`1:00:00 100M g ${rig.dir}`));
});

clusterTest('packs on Grid Engine, in an array and alone', 'sge', async (rig) => {
  grouped(rig, 10, 4, '[ ${{ n }} != 5 ] || [ $LHB_ATTEMPT = 2 ] || exit 100', 'retries: 1', 'sge');
  const calls = countCalls(rig, ['qsub']);
  const { stderr } = await rig.ok('build', '--profile', 'quick');
  assert.match(stderr, /n=5.*exit code 100.*tried again/);
  assert.is(ended(rig).length, 10);
  assert.is(calls()['qsub'], 3, 'full packs, the one that is not, and what is tried again');
  assert.is(new Set(await ids(rig)).size, 4, 'two full packs, one of two jobs, and one job alone');
});

clusterTest(
  'a pack that is ended: the job that ran is named, and those that had not begun are handed over again',
  'slurm',
  async (rig, cluster) => {
    // The time of each is its own: the first two together take longer than the limit.
    const run = 'case ${{ n }}$LHB_ATTEMPT in 01|11) sleep 4 ;; 21) sleep 600 ;; esac';
    grouped(rig, 5, 5, run, 'timeout: 6s\n        retries: 1');
    const { stderr } = await rig.ok('build', '--profile', 'quick');
    assert.match(stderr, /n=2.*timed out|n=2.*time limit/i);
    assert.is((stderr.match(/its pack ended before it began; it is handed over again/g) ?? []).length, 2);
    assert.equal(
      rig.ranSince().filter((line) => line.startsWith('begin')),
      ['begin 0', 'begin 1', 'begin 2', 'begin 2', 'begin 3', 'begin 4'],
    );
    assert.is(cluster.ask('squeue', '-h').trim(), '');
  },
);

clusterTest('a pack on a node that is lost: only what had not ended runs again', 'slurm', async (rig, cluster) => {
  grouped(rig, 4, 4, '[ ${{ n }} != 1 ] || [ $LHB_ATTEMPT = 2 ] || sleep 600', 'retries: 1');
  const building = rig.start({}, 'build', '--profile', 'quick');
  await rig.until('the second to begin', () => rig.exists('ran.log') && rig.read('ran.log').includes('begin 1'));
  await sleep(1500);
  const node = cluster.ask('squeue', '-h', '-t', 'R', '-o', '%N').trim();
  cluster.ask('scontrol', 'update', `nodename=${node}`, 'state=down', 'reason=test');
  try {
    const end = await building.done;
    assert.is(end.code, 0, end.stderr);
    assert.match(end.stderr, /n=1.*node/);
    assert.is((end.stderr.match(/its pack ended before it began/g) ?? []).length, 2, 'that is no attempt of theirs');
    const begun = rig.ranSince().filter((line) => line.startsWith('begin'));
    assert.equal(begun, ['begin 0', 'begin 1', 'begin 1', 'begin 2', 'begin 3']);
  } finally {
    cluster.up();
  }
});

clusterTest('a driver that is killed while packs run: the next takes over each job', 'slurm', async (rig) => {
  grouped(rig, 12, 4, 'sleep 0.7');
  const killed = rig.start({}, 'build', '--profile', 'quick');
  await rig.until('some to end', () => rig.exists('ran.log') && rig.read('ran.log').includes('end'));
  killed.child.kill('SIGKILL');
  await killed.done;
  const listed = await rig.ok('jobs');
  assert.match(listed.stdout, /running/);
  assert.match(listed.stdout, /pending \(others of its pack run\)/);
  const { stderr } = await rig.ok('build', '--profile', 'quick');
  assert.match(stderr, /adopted/);
  const lines = rig.ranSince();
  assert.is(lines.filter((line) => line.startsWith('begin')).length, 12, 'none ran twice');
  assert.is(lines.filter((line) => line.startsWith('end')).length, 12);
});

clusterTest('lhb cancel of a job in a pack leaves the others', 'slurm', async (rig, cluster) => {
  grouped(rig, 3, 3, '[ ${{ n }} = 2 ] || sleep 3');
  await rig.ok('build', '--profile', 'quick', '--detach');
  await rig.until('the first to begin', () => rig.exists('ran.log'));
  assert.match((await rig.ok('cancel', 'where:n==2')).stderr, /1 job cancelled/);
  assert.is.not(cluster.ask('squeue', '-h', '-t', 'R,PD').trim(), '');
  await rig.until('the scheduler to be done', () => cluster.ask('squeue', '-h', '-t', 'R,PD').trim() === '');
  assert.equal(ended(rig), ['end 0', 'end 1']);
  const { stderr } = await rig.ok('build', '--profile', 'quick');
  assert.match(stderr, /built 3/);
  assert.equal(ended(rig), ['end 2']);
});

test.run();
