// Builds on a real Slurm: a sweep, equal results here and there, profiles of Snakemake's as they are.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { clusterTest, countCalls, quickProfile } from '../support/cluster/cluster.ts';
import { cpuOf } from '../support/cpu.ts';
import { asList, asMap, asNumber, asText } from '../support/json.ts';
import { PROJECT } from '../support/project.ts';
import type { Rig } from '../support/rig.ts';

/** A tenth where few rounds of kills are asked for (`npm run test:cluster -- N`), as they are usually. */
const MANY = Number(process.argv.find((word) => /^\d+$/.test(word)) ?? 10) >= 50 ? 1000 : 100;

/** A sweep in two stages: 40 targets, 4 runs of each. */
const SWEEP = `
  config: { targets: 40, runs: [1, 2, 3, 4] }
  rules:
    build_target:
      for: { n: "\${{ range(0, config.targets) }}" }
      outputs: { meta: meta.json, params: params.txt }
      resources: { cpus: 2, mem_mb: 300, time: "00:20:00" }
      run: |
        echo "target \${{ n }}" >> ran.log
        [ "\${SLURM_CPUS_PER_TASK:-$LHB_CPUS}" = "$LHB_CPUS" ]
        # Long enough for its memory to be seen.
        sleep 0.7
        echo "params of \${{ n }}" > \${{ outputs.params }}
        printf '{"n": %s}' \${{ n }} > \${{ outputs.meta }}
    run_sampler:
      for: { target: "\${{ build_target }}", s: "\${{ config.runs }}" }
      dir: \${{ target.dir }}/run_\${{ s }}
      outputs: { analysis: analysis.json }
      resources: { cpus: "\${{ s == 4 ? 3 : 1 }}", mem_mb: 200, time: 10 }
      run: |
        echo "run \${{ target.n }} \${{ s }}" >> ran.log
        sleep 0.7
        printf '{"params": "%s"}' "$(cat \${{ target.outputs.params }})" > \${{ outputs.analysis }}
`;

/** The fields of a job's record that tell of its execution. */
async function details(
  rig: Rig,
  selector: string,
): Promise<{ executor: string; job: string; host: string; mb: number }[]> {
  const { jobs } = await rig.summary('summary', '--detailed', selector);
  return jobs.map(({ all }) => ({
    executor: asText(all['executor'] ?? '', 'executor'),
    job: asText(all['executor_job'] ?? '', 'executor_job'),
    host: asText(all['host'] ?? '', 'host'),
    mb: asNumber(all['max_rss_mb'] ?? 0, 'max_rss_mb'),
  }));
}

clusterTest(
  'a sweep of 200 jobs in few calls, with its resources, and equal to one that is built here',
  'slurm',
  async (rig, cluster) => {
    rig.workflow(SWEEP);
    quickProfile(rig, 'quick', 'slurm');
    const calls = countCalls(rig, ['sbatch', 'squeue', 'scancel']);
    const begun = Date.now();
    await rig.ok('build', '--profile', 'quick');
    const seconds = (Date.now() - begun) / 1000;
    const { sbatch = 0, squeue = 0, scancel = 0 } = calls();
    process.stdout.write(`200 jobs in ${Math.round(seconds)} s; sbatch ${sbatch}, squeue ${squeue}\n`);
    assert.is(rig.ranSince().length, 200);
    assert.ok(sbatch <= 60, `${sbatch} submit calls`);
    assert.ok(squeue <= seconds + 2, `${squeue} status calls in ${seconds} s, one a second at most`);
    assert.is(scancel, 0);
    let seen = 0;
    for (const rule of ['build_target', 'run_sampler']) {
      for (const { executor, job, host, mb } of await details(rig, rule)) {
        assert.is(executor, 'quick');
        assert.match(job, /^\d+(_\d+)?$/);
        assert.is.not(host, '');
        seen += mb > 0.5 ? 1 : 0;
      }
    }
    // A busy machine may not get to look at a short one.
    assert.ok(seen > 150, `the memory of ${seen} jobs was seen`);
    // What the scheduler was asked for is what rules say.
    const asked = cluster.ask('squeue', '-h', '-r', '-t', 'all', '-o', '%C %m %l %j %Z');
    const kinds = new Set(
      asked
        .trim()
        .split('\n')
        .filter((line) => line.endsWith(` ${rig.dir}`))
        .map((line) => line.replace(/lhb_[0-9a-f]{16}_/, '').replace(` ${rig.dir}`, '')),
    );
    assert.equal([...kinds].sort(), [
      '1 200M 10:00 run_sampler',
      '2 300M 20:00 build_target',
      '3 200M 10:00 run_sampler',
    ]);
    // The same sweep here: nothing is to be run, and in a new place all is equal.
    assert.match((await rig.ok('build')).stderr, /nothing to do: 200 jobs fresh/);
    const there = rig.tree('runs');
    const ids = (await rig.summary()).jobs.map(({ id }) => id);
    const other = rig.copy('other', ['runs', 'profiles']);
    const here = ['-j', '40', '--resources', 'cpus=100'];
    assert.is((await rig.lhbWith({ cwd: other }, 'build', ...here)).code, 0);
    assert.equal(rig.tree('runs', other), there);
    const local = await rig.lhbWith({ cwd: other }, 'summary', '--json');
    const locals = asList(asMap(JSON.parse(local.stdout) as unknown)['jobs'] ?? [], 'jobs').map(
      (job) => asMap(job)['id'],
    );
    assert.equal(locals, ids);
    // And the other way round: what was built here needs nothing of the cluster.
    const submitted = calls()['sbatch'];
    const again = await rig.lhbWith({ cwd: other }, 'build', '--profile', join(rig.dir, 'profiles/quick.yaml'));
    assert.match(again.stderr, /nothing to do: 200 jobs fresh/);
    assert.is(calls()['sbatch'], submitted);
    const keys = async (cwd: string): Promise<unknown[]> => {
      const { stdout } = await rig.lhbWith({ cwd }, 'summary', '--detailed', '--json');
      return asList(asMap(JSON.parse(stdout) as unknown)['jobs'] ?? [], 'jobs').map((job) => asMap(job)['action_key']);
    };
    const made = await keys(rig.dir);
    assert.is(new Set(made).size, 200);
    assert.equal(await keys(other), made);
  },
);

clusterTest(
  `${MANY} jobs of true in at most 60 submit calls, with a driver that has little to do`,
  'slurm',
  async (rig) => {
    rig.workflow(`
    rules:
      a: { for: { n: "\${{ range(0, ${MANY}) }}" }, outputs: { o: o.txt }, run: ": > \${{ outputs.o }}" }
  `);
    const calls = countCalls(rig, ['sbatch', 'squeue']);
    const begun = Date.now();
    const building = rig.start({}, 'build', '--profile', 'slurm', '-j', String(MANY));
    let cpu = 0;
    // Its last moments are not seen.
    const look = setInterval(() => building.child.exitCode ?? (cpu = cpuOf(building.child.pid ?? 0)), 100);
    const ended = await building.done.finally(() => clearInterval(look));
    const seconds = (Date.now() - begun) / 1000;
    const { sbatch = 0, squeue = 0 } = calls();
    process.stdout.write(
      `${MANY} jobs in ${seconds.toFixed(0)} s; sbatch ${sbatch}, squeue ${squeue}; ` +
        `${((cpu / MANY) * 1000).toFixed(1)} ms of CPU a job, ${((cpu / seconds) * 100).toFixed(0)} % of a core\n`,
    );
    assert.is(ended.code, 0, ended.stderr.slice(-2000));
    assert.match(ended.stderr, new RegExp(`built ${MANY} in`));
    assert.ok(sbatch <= 60, `${sbatch} submit calls`);
    assert.ok(squeue <= seconds / 10 + 2, `${squeue} status calls in ${seconds} s, one in 10 s at most`);
    assert.ok(cpu / MANY < 0.05, `${cpu} s of CPU`);
  },
);

clusterTest('a GPU is asked for and granted; localrule and --executor local stay here', 'slurm', async (rig) => {
  rig.workflow(`
    rules:
      train:
        outputs: { o: o.txt }
        resources: { gpus: 1, partition: gpu }
        run: echo "gpu \${CUDA_VISIBLE_DEVICES:-} part \${SLURM_JOB_PARTITION:-}" > \${{ outputs.o }}
      plot:
        localrule: true
        inputs: { o: "\${{ train.outputs.o }}" }
        outputs: { o: p.txt }
        run: echo "here \${SLURM_JOB_ID:-no}" > \${{ outputs.o }}
  `);
  quickProfile(rig, 'quick', 'slurm');
  await rig.ok('build', '--profile', 'quick');
  assert.match(rig.read((await rig.job('train')).outputs[0]?.path ?? ''), /^gpu [01] part gpu$/m);
  assert.is(rig.read((await rig.job('plot')).outputs[0]?.path ?? ''), 'here no\n');
  await rig.ok('build', '-F', '--profile', 'quick', '--executor', 'local', '--resources', 'gpus=1');
  assert.match(rig.read((await rig.job('train')).outputs[0]?.path ?? ''), /part $/m);
});

clusterTest('--default-resources and --set-resources reach the scheduler by their precedence', 'slurm', async (rig) => {
  rig.workflow(`
    rules:
      a: { outputs: { o: o.txt }, run: 'echo "$SLURM_JOB_PARTITION $SLURM_CPUS_PER_TASK" > \${{ outputs.o }}' }
      b: { outputs: { o: o.txt }, resources: { cpus: 2 }, run: 'echo "$SLURM_JOB_PARTITION $SLURM_CPUS_PER_TASK" > \${{ outputs.o }}' }
      c: { outputs: { o: o.txt }, resources: { cpus: 2 }, run: 'echo "$SLURM_JOB_PARTITION $SLURM_CPUS_PER_TASK" > \${{ outputs.o }}' }
  `);
  quickProfile(rig, 'quick', 'slurm');
  await rig.ok(
    'build',
    '--profile',
    'quick',
    '--default-resources',
    'partition=short',
    'cpus=3',
    '--set-resources',
    'c:cpus=4',
  );
  const read = async (rule: string): Promise<string> => rig.read((await rig.job(rule)).outputs[0]?.path ?? '');
  assert.equal([await read('a'), await read('b'), await read('c')], ['short 3\n', 'short 2\n', 'short 4\n']);
});

const FIXTURE = join(PROJECT, 'fixtures/snakemake-profiles');

for (const [name, args] of [
  ['folded', ['--profile', 'slurm-folded', '-j', '100']],
  ['folded, by its path', ['--cluster-config', 'profiles/slurm-folded/config.yaml', '-j', '100']],
  ['literal', ['--profile', 'slurm-literal', '-j', '100']],
] as const) {
  clusterTest(`a profile of Snakemake's as its page prints it: ${name}`, 'slurm', async (rig, cluster) => {
    rig.workflow(`
      rules:
        build_target:
          for: { n: [1, 2] }
          outputs: { o: o.txt }
          run: echo "on $SLURM_JOB_ID" > \${{ outputs.o }}; echo hello
        run_sampler:
          for: { target: "\${{ build_target }}" }
          outputs: { o: o.txt }
          run: cat \${{ target.outputs.o }} > \${{ outputs.o }}
    `);
    for (const kind of ['folded', 'literal']) {
      mkdirSync(rig.path(`profiles/slurm-${kind}`), { recursive: true });
      rig.write(`profiles/slurm-${kind}/config.yaml`, readFileSync(join(FIXTURE, `${kind}.yaml`), 'utf8'));
    }
    const open = [
      '--default-resources',
      'partition=normal',
      'account=proj',
      'qos=normal',
      'gpus=0',
      'cpus=1',
      'mem_mb=100',
      'time=5',
    ];
    await rig.ok('build', ...args, ...(name === 'literal' ? open : open.slice(0, 2)));
    const asked = cluster.ask('squeue', '-h', '-t', 'all', '-o', '%j %C %m %l %P');
    if (name === 'literal') assert.match(asked, /1 100M 5:00 normal/);
    else {
      assert.match(asked, /^snakemake-build_target-n=1 4 8000M 2:00:00 normal$/m);
      assert.match(asked, /^snakemake-run_sampler-\S+ 8 16000M 4:00:00 normal$/m);
      const logs = rig.tree('logs');
      assert.ok(
        Object.keys(logs).some((log) => /^build_target\/build_target-n=1-\d+\.out$/.test(log)),
        Object.keys(logs).join(),
      );
    }
  });
}

test.run();
