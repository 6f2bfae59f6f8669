// The built-in profile for PBS, through the qsub, qstat and qdel that come with Slurm for users of Torque. They read most of
// PBS's words; what they have not is said otherwise here: `qstat -x -t`, and the variable with a task's number.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { clusterTest, type Cluster } from '../support/cluster/cluster.ts';
import { asText } from '../support/json.ts';
import { PROJECT } from '../support/project.ts';
import type { Rig } from '../support/rig.ts';

const PROFILE = `
lhb-profile: 1
extends: pbs
latency-wait: 5
max-jobs-per-second: 10
cluster:
  array: { index: SLURM_ARRAY_TASK_ID }
  status: { command: qstat, interval: 1 }
`;

const hasApt = spawnSync('apt-get', ['--version']).status === 0;
const pbsTest = (name: string, body: (rig: Rig, cluster: Cluster) => Promise<void>): void => {
  if (hasApt) return clusterTest(`pbs: ${name}`, 'slurm', body);
  process.stdout.write(`skipped, since there is no apt-get: pbs: ${name}\n`);
  test.skip(`pbs: ${name}`, () => {});
};

function torque(rig: Rig, cluster: Cluster): void {
  const script = join(PROJECT, 'test/support/cluster/torque.sh');
  const { status, stdout, stderr } = spawnSync(script, [join(cluster.dir, 'torque')], { encoding: 'utf8' });
  assert.is(status, 0, stderr);
  const found = Object.fromEntries(
    [...stdout.matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]),
  );
  const path = `${found['LHB_TORQUE_BIN']}:${process.env['PATH']}`;
  rig.variables = { ...rig.variables, ...found, PATH: path };
  rig.write('profiles/torque.yaml', PROFILE.trimStart());
}

pbsTest('a sweep in two stages, with its resources', async (rig, cluster) => {
  rig.workflow(`
    rules:
      build_target:
        for: { n: "\${{ range(0, 6) }}" }
        outputs: { o: o.txt }
        resources: { cpus: 2, mem_mb: 300, time: 7 }
        run: "echo begun >> ran.log; echo \${{ n }} > \${{ outputs.o }}"
      run_sampler:
        for: { from: "\${{ build_target }}", s: [1, 2] }
        outputs: { o: o.txt }
        run: "echo begun >> ran.log; cat \${{ from.outputs.o }} > \${{ outputs.o }}"
  `);
  torque(rig, cluster);
  await rig.ok('build', '--profile', 'torque');
  assert.is(rig.ranSince().length, 18);
  const { jobs } = await rig.summary('summary', '--detailed');
  for (const { all } of jobs) {
    assert.is(all['executor'], 'torque');
    assert.match(asText(all['executor_job'] ?? '', 'executor_job'), /^\d+(\[\d+\])?$/);
  }
  // Of several -l this qsub takes the last: PBS's own takes all of them.
  const asked = cluster.ask('squeue', '-h', '-t', 'all', '-o', '%l %j %Z');
  assert.match(asked, new RegExp(`^7:00 lhb_[0-9a-f]{16}_build_target ${rig.dir}$`, 'm'));
});

pbsTest('a failing command is named', async (rig, cluster) => {
  rig.workflow('rules: { a: { outputs: { o: o.txt }, run: "echo the reason is here; exit 7" } }');
  torque(rig, cluster);
  assert.match((await rig.exits(1, 'build', '--profile', 'torque')).stderr, /exit code 7[^]*the reason is here/);
});

pbsTest('Ctrl-C cancels by qdel', async (rig, cluster) => {
  rig.workflow(`
    rules:
      a: { for: { n: [1, 2, 3] }, outputs: { o: o.txt }, run: "echo begun >> ran.log; sleep 600" }
  `);
  torque(rig, cluster);
  const building = rig.start({}, 'build', '--profile', 'torque');
  await rig.until('the jobs to begin', () => rig.exists('ran.log'));
  building.child.kill('SIGINT');
  const ended = await building.done;
  assert.is(ended.code, 130, ended.stderr);
  assert.is(cluster.ask('squeue', '-h', '-t', 'R,PD').trim(), '');
});

test.run();
