// What users of Snakemake type, row by row of the page that they have for it, as lhb commands. Rows that need a cluster
// are tested elsewhere.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Gates } from '../support/fake-command.ts';
import { cleanEnv } from '../support/env.ts';
import { PROGRAM } from '../support/project.ts';
import { ran, rigTest, type Rig } from '../support/rig.ts';
import { builtSweep, SWEEP_JOBS, writeSweep } from '../support/sweep.ts';
import { DOT, toolTest } from '../support/tools.ts';

/** A shell line as a user types it, with `lhb` on the PATH; pipefail is on. */
function shell(
  rig: Rig,
  line: string,
): { readonly code: number | null; readonly stdout: string; readonly stderr: string } {
  const text = `lhb() { "${process.execPath}" "${PROGRAM}" "$@"; }; ${line}`;
  const env = cleanEnv({ HOME: rig.home });
  const ended = spawnSync('bash', ['-o', 'pipefail', '-c', text], {
    cwd: rig.dir,
    env,
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { code: ended.status, stdout: ended.stdout, stderr: ended.stderr };
}

/** The line must succeed and exactly these jobs must run. */
function types(rig: Rig, line: string, expected: readonly string[]): string {
  const ended = shell(rig, line);
  assert.is(ended.code, 0, `${line}\n${ended.stdout}\n${ended.stderr}`);
  assert.equal(rig.ranSince(), [...expected].sort(), line);
  return ended.stdout;
}

const TARGETS = ['target a', 'target b', 'target c'];
const HMC = ['run a hmc', 'run b hmc', 'run c hmc'];
const SGLD = ['run a sgld', 'run b sgld', 'run c sgld'];

rigTest('snakemake -j 4', async (rig) => {
  writeSweep(rig);
  types(rig, 'lhb build -j 4', SWEEP_JOBS);
  types(rig, 'lhb build -j 4', []);
});

rigTest('snakemake -j', async (rig) => {
  writeSweep(rig);
  types(rig, 'lhb build -j', SWEEP_JOBS);
});

rigTest('snakemake -n --dag prints dot and nothing else', async (rig) => {
  writeSweep(rig);
  const dot = types(rig, 'lhb build -n --dag', []);
  assert.match(dot, /^digraph\b[^]*\}\s*$/);
});

toolTest(DOT, 'dot (graphviz)', 'snakemake -n --dag | dot -Tpng > dag.png', async (rig) => {
  writeSweep(rig);
  types(rig, 'lhb build -n --dag | dot -Tpng > dag.png', []);
  const png = readFileSync(rig.path('dag.png'));
  assert.is(png.subarray(1, 4).toString(), 'PNG');
});

rigTest('snakemake "runs/targets/*/meta.json" -j 4: all targets, no samplers', async (rig) => {
  writeSweep(rig);
  types(rig, 'lhb build "runs/targets/*/meta.json" -j 4', TARGETS);
});

rigTest(
  'snakemake "runs/targets/*/run_hmc_*/analysis.json" -j 8: only the HMC samplers and their targets',
  async (rig) => {
    writeSweep(rig);
    types(rig, 'lhb build "runs/targets/*/run_hmc_*/analysis.json" -j 8', [...TARGETS, ...HMC]);
  },
);

rigTest(
  'snakemake "runs/targets/tgt_abc123456789/run_*/analysis.json" -j 4: everything for one target',
  async (rig) => {
    writeSweep(rig);
    const { id } = await rig.job("where:target.name=='b'");
    types(rig, `lhb build "runs/targets/${id}/run_*/analysis.json" -j 4`, ['target b', 'run b hmc', 'run b sgld']);
  },
);

rigTest('snakemake --forcerun build_target -j 4: all targets and what is downstream', async (rig) => {
  await builtSweep(rig);
  types(rig, 'lhb build --forcerun build_target -j 4', SWEEP_JOBS);
  types(rig, 'lhb forcerun build_target -j 4', SWEEP_JOBS);
});

rigTest('snakemake --forcerun "runs/targets/*/run_sgld_*/analysis.json" -j 8: SGLD only', async (rig) => {
  await builtSweep(rig);
  types(rig, 'lhb build --forcerun "runs/targets/*/run_sgld_*/analysis.json" -j 8', SGLD);
  types(rig, 'lhb forcerun "runs/targets/*/run_sgld_*/analysis.json" -j 8', SGLD);
});

rigTest(
  'snakemake --forcerun runs/targets/tgt_abc123456789/meta.json -j 4: a target and all downstream',
  async (rig) => {
    await builtSweep(rig);
    const { id } = await rig.job("where:target.name=='c'");
    const expected = ['target c', 'run c hmc', 'run c sgld'];
    types(rig, `lhb build --forcerun runs/targets/${id}/meta.json -j 4`, expected);
    types(rig, `lhb forcerun runs/targets/${id}/meta.json -j 4`, expected);
  },
);

rigTest('snakemake -j 4 --resources mem_mb=32000', async (rig) => {
  writeSweep(rig);
  types(rig, 'lhb build -j 4 --resources mem_mb=32000', SWEEP_JOBS);
});

rigTest('snakemake "runs/targets/*/meta.json" -j 2 --resources cpus=8; then -j 16 --resources cpus=2', async (rig) => {
  writeSweep(rig);
  types(rig, 'lhb build "runs/targets/*/meta.json" -j 2 --resources cpus=8', TARGETS);
  types(rig, 'lhb build -j 16 --resources cpus=2', [...HMC, ...SGLD]);
});

rigTest('--resources does not swallow the selector that follows', async (rig) => {
  writeSweep(rig);
  types(rig, 'lhb build -j 4 --resources cpus=2 mem_mb=4000 "runs/targets/*/meta.json"', TARGETS);
});

rigTest('snakemake -j 100 --default-resources partition=normal', async (rig) => {
  rig.workflow(`
    rules:
      a: { dir: a, outputs: { o: o.txt }, run: '${ran('a')}; echo \${{ resources.partition }} > \${{ outputs.o }}' }
      b: { dir: b, resources: { partition: gpu }, outputs: { o: o.txt }, run: '${ran('b')}; echo \${{ resources.partition }} > \${{ outputs.o }}' }
  `);
  types(rig, 'lhb build -j 100 --default-resources partition=normal', ['a', 'b']);
  assert.is(rig.read('a/o.txt'), 'normal\n');
  assert.is(rig.read('b/o.txt'), 'gpu\n');
});

rigTest('resources by condition: cpus=lambda wildcards: 16 if wildcards.sampler == "hmc" else 4', async (rig) => {
  rig.workflow(`
    rules:
      r:
        for: { sampler: [hmc, sgld] }
        dir: "\${{ sampler }}"
        outputs: { o: o.txt }
        resources:
          cpus: "\${{ sampler == 'hmc' ? 16 : 4 }}"
          mem_mb: "\${{ sampler == 'hmc' ? 3200 : 800 }}"
          time: "06:00:00"
        run: ${ran('${{ sampler }}')}; echo $LHB_CPUS \${{ resources.cpus }} \${{ resources.mem_mb }} > \${{ outputs.o }}
  `);
  types(rig, 'lhb build --resources cpus=32', ['hmc', 'sgld']);
  assert.is(rig.read('hmc/o.txt'), '16 16 3200\n');
  assert.is(rig.read('sgld/o.txt'), '4 4 800\n');
});

rigTest('CUDA_VISIBLE_DEVICES=0 snakemake -j 1', async (rig) => {
  rig.workflow(`
    rules:
      none: { dir: n, outputs: { o: o.txt }, run: 'echo "\${CUDA_VISIBLE_DEVICES-unset}" > \${{ outputs.o }}' }
      one: { dir: o, resources: { gpus: 1 }, outputs: { o: o.txt }, run: 'echo "$CUDA_VISIBLE_DEVICES" > \${{ outputs.o }}' }
  `);
  types(rig, 'CUDA_VISIBLE_DEVICES=0 lhb build -j 1', []);
  assert.is(rig.read('o/o.txt'), '0\n');
});

rigTest('snakemake --summary, --detailed-summary', async (rig) => {
  await builtSweep(rig);
  const summary = types(rig, 'lhb summary', []);
  assert.is(summary.match(/\bFRESH\b/g)?.length, 9);
  assert.is(types(rig, 'lhb build --summary', []), summary);
  const detailed = types(rig, 'lhb summary --detailed', []);
  assert.is(types(rig, 'lhb build --detailed-summary', []), detailed);
});

rigTest('snakemake -n -r shows the reason for each job', async (rig) => {
  await builtSweep(rig);
  rig.append('train.sh', '# more\n');
  const text = types(rig, 'lhb build -n -r', []);
  for (const job of (await rig.summary('summary', 'build_target')).jobs) {
    assert.ok(text.includes(job.id));
  }
  assert.match(text, 'train.sh');
  types(rig, 'lhb build -n', []);
});

rigTest('snakemake --rerun-incomplete -j 4; snakemake --detailed-summary | grep FAILED', async (rig) => {
  rig.workflow(`
    rules:
      r: { for: { n: [1, 2, 3] }, outputs: { o: o.txt }, run: '${ran('${{ n }}')}; test \${{ n }} != 2 || test -e mended; echo > \${{ outputs.o }}' }
  `);
  const failed = shell(rig, 'lhb build -k');
  assert.is(failed.code, 1, failed.stderr);
  assert.equal(rig.ranSince(), ['1', '2', '3']);
  const { jobs } = await rig.summary();
  const id = jobs.find((job) => job.status === 'FAILED')?.id ?? 'none';
  const line = types(rig, 'lhb summary --detailed | grep FAILED', []);
  assert.is(line.trim().split('\n').length, 1);
  assert.match(line, id);
  assert.is(types(rig, 'lhb build --detailed-summary | grep FAILED', []), line);
  rig.write('mended', '');
  types(rig, 'lhb build --rerun-incomplete -j 4', ['2']);
  assert.is(shell(rig, 'lhb summary --detailed | grep FAILED').code, 1);
});

rigTest('tail -f logs/RULE/*.log: the log is a real file, written while the job runs', async (rig) => {
  const gates = new Gates(rig, ['g']);
  rig.workflow(`
    rules: { r: { outputs: { o: o.txt }, run: 'echo epoch 1; ${Gates.command('g')}; echo epoch 2; echo > \${{ outputs.o }}' } }
  `);
  const { id } = await rig.job('r');
  const build = rig.start({}, 'build');
  await gates.reached(1);
  const log = `.lhb/logs/r/${id}.log`;
  await rig.until('the log', () => existsSync(rig.path(log)) && rig.read(log) !== '');
  assert.is(rig.read(log), 'epoch 1\n');
  gates.open('g');
  assert.is((await build.done).code, 0);
  assert.is(rig.read(log), 'epoch 1\nepoch 2\n');
});

test.run();
