// Selectors: the same for every command.
import { mkdirSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseSummary } from '../support/json.ts';
import { rigTest, type Rig } from '../support/rig.ts';
import { builtSweep, writeSweep } from '../support/sweep.ts';

/** `RULE NAME` or `RULE TARGET SAMPLER` of the jobs that these selectors find, sorted. */
async function found(rig: Rig, cwd: string, ...selectors: string[]): Promise<readonly string[]> {
  const ended = await rig.lhbWith({ cwd }, 'summary', '--json', ...selectors);
  assert.is(ended.code, 0, `${selectors.join(' ')}\n${ended.stderr}`);
  return parseSummary(JSON.parse(ended.stdout))
    .jobs.map((job) => `${job.rule} ${/run_(hmc|sgld)_/.exec(job.dir)?.[1] ?? ''}`.trim())
    .sort();
}

const TARGETS = ['build_target', 'build_target', 'build_target'];
const HMC = ['run_sampler hmc', 'run_sampler hmc', 'run_sampler hmc'];
const SGLD = ['run_sampler sgld', 'run_sampler sgld', 'run_sampler sgld'];

rigTest('a whole id, a rule, an output path, a unique beginning', async (rig) => {
  writeSweep(rig);
  const job = await rig.job("where:target.name=='a'");
  for (const selector of [
    job.id,
    job.outputs[0]?.path ?? '',
    job.outputs[1]?.path ?? '',
    job.id.slice(0, 12),
    `./${job.outputs[0]?.path}`,
  ]) {
    assert.is((await rig.job(selector)).id, job.id, selector);
  }
  assert.equal(await found(rig, rig.dir, 'build_target'), TARGETS);
  assert.equal(await found(rig, rig.dir, 'run_sampler'), [...HMC, ...SGLD]);
  assert.equal(await found(rig, rig.dir), [...TARGETS, ...HMC, ...SGLD]);
});

rigTest('globs over declared output paths, existing or not', async (rig) => {
  writeSweep(rig);
  const { id } = await rig.job("where:target.name=='a'");
  assert.equal(await found(rig, rig.dir, 'runs/targets/*/meta.json'), TARGETS);
  assert.equal(await found(rig, rig.dir, 'runs/targets/*/run_hmc_*/analysis.json'), HMC);
  assert.equal(await found(rig, rig.dir, `runs/targets/${id}/run_*/analysis.json`), [
    'run_sampler hmc',
    'run_sampler sgld',
  ]);
  assert.equal(await found(rig, rig.dir, '**/analysis.json'), [...HMC, ...SGLD]);
  assert.equal(await found(rig, rig.dir, 'runs/targets/*/{meta,nothing}.json'), TARGETS);
});

rigTest('where: with CEL over the job; one that lacks a name does not match', async (rig) => {
  writeSweep(rig);
  assert.equal(await found(rig, rig.dir, "where:sampler.name=='hmc'"), HMC);
  assert.equal(await found(rig, rig.dir, "where: sampler.steps > 20 && target.target.model == 'big'"), [
    'run_sampler sgld',
  ]);
  assert.equal(await found(rig, rig.dir, 'where:config.model.depth == 2'), ['build_target', 'build_target']);
  assert.equal(await found(rig, rig.dir, "where:rule == 'build_target'"), TARGETS);
  const bad = await rig.exits(2, 'summary', 'where:sampler.name==');
  assert.match(bad.stderr, 'sampler.name==');
});

rigTest('several selectors select what any of them selects, once', async (rig) => {
  writeSweep(rig);
  assert.equal(await found(rig, rig.dir, 'build_target', 'runs/targets/*/meta.json', "where:sampler.name=='hmc'"), [
    ...TARGETS,
    ...HMC,
  ]);
});

rigTest('paths from a subfolder start with ./ or ../; the workflow is found in a parent folder', async (rig) => {
  writeSweep(rig);
  const deep = rig.path('runs/targets');
  mkdirSync(deep, { recursive: true });
  assert.equal(await found(rig, deep, './*/meta.json'), TARGETS);
  assert.equal(await found(rig, deep, '../targets/*/run_sgld_*/analysis.json'), SGLD);
  assert.equal(
    await found(rig, deep, 'runs/targets/*/meta.json'),
    TARGETS,
    'without ./ from the folder of the workflow',
  );
  assert.equal(await found(rig, rig.path('conf'), 'build_target'), TARGETS);
});

rigTest('a path or glob also selects what is to be built: just that and what it needs', async (rig) => {
  writeSweep(rig);
  await rig.runs(['target a', 'target b', 'target c'], 'build', 'runs/targets/*/meta.json', '-j', '4');
  await rig.runs(['run a hmc', 'run b hmc', 'run c hmc'], 'build', 'runs/targets/*/run_hmc_*/analysis.json');
  await rig.runs(['run a sgld', 'run b sgld', 'run c sgld'], 'build');
});

rigTest('-U and -O: up to these jobs; without these and what is below them', async (rig) => {
  writeSweep(rig);
  await rig.runs(['target a', 'target b', 'target c'], 'build', '-U', 'build_target');
  await rig.runs(['run a hmc', 'run b hmc', 'run c hmc'], 'build', '-O', "where:sampler.name=='sgld'");
  rig.append('train.sh', '# more\n');
  await rig.runs([], 'build', '-O', 'build_target');
});

rigTest('an ambiguous beginning is an error that lists the candidates', async (rig) => {
  writeSweep(rig);
  const ended = await rig.exits(2, 'summary', 'tgt_');
  const { jobs } = await rig.summary('summary', 'build_target');
  assert.is(jobs.length, 3);
  for (const job of jobs) assert.match(ended.stderr, job.id);
});

rigTest('what matches nothing is an error with the nearest names', async (rig) => {
  writeSweep(rig);
  assert.match((await rig.exits(2, 'build', 'build_targt')).stderr, 'build_target');
  assert.match((await rig.exits(2, 'build', '-j', 'two')).stderr, "hint: -j takes a whole number, and 'two' is none");
  const job = await rig.job("where:target.name=='a'");
  assert.match((await rig.exits(2, 'build', `${job.dir}/metta.json`)).stderr, `${job.dir}/meta.json`);
  await rig.exits(2, 'build', 'runs/*/nothing.json');
  await rig.exits(2, 'summary', "where:sampler.name=='nobody'");
  await rig.exits(2, 'show', 'tgt_ffffffffffff');
  assert.equal(rig.ranSince(), []);
  assert.not(rig.exists('runs'));
});

rigTest('a selector that looks like a number or an option arrives as it is', async (rig) => {
  rig.workflow(`
    rules: { r: { dir: "1e5", outputs: { o: "007" }, run: 'echo > \${{ outputs.o }}' } }
  `);
  assert.is((await rig.job('1e5/007')).rule, 'r');
  const ended = await rig.exits(2, 'summary', '1e5');
  assert.match(ended.stderr, '1e5');
  await rig.ok('summary', '--', '1e5/007');
});

rigTest('show, logs, why and restore also know jobs of earlier workflows', async (rig) => {
  await builtSweep(rig);
  const old = await rig.job("where:sampler.name=='hmc' && target.target.name=='a'");
  rig.edit('config/experiments.yaml', 'steps: 20', 'steps: 22');
  assert.match((await rig.ok('show', old.id)).stdout, old.id);
  await rig.ok('logs', old.id.slice(0, 12));
  await rig.ok('why', old.id);
  const [output] = old.outputs;
  rig.remove(output?.path ?? '');
  await rig.ok('restore', old.id);
  assert.ok(rig.exists(output?.path ?? ''));
  await rig.exits(2, 'build', old.id);
  assert.equal(rig.ranSince(), []);
});

rigTest('-C and -f say where the workflow is', async (rig) => {
  writeSweep(rig);
  const elsewhere = rig.base;
  const inFolder = await rig.lhbWith({ cwd: elsewhere }, 'summary', '-C', 'work', '--json');
  assert.is(parseSummary(JSON.parse(inFolder.stdout)).jobs.length, 9, inFolder.stderr);
  const byFile = await rig.lhbWith({ cwd: elsewhere }, 'summary', '-f', 'work/lhb.yaml', '--json');
  assert.is(parseSummary(JSON.parse(byFile.stdout)).jobs.length, 9, byFile.stderr);
  const nowhere = await rig.lhbWith({ cwd: elsewhere }, 'summary');
  assert.is(nowhere.code, 2);
  assert.match(nowhere.stderr, 'lhb.yaml');
});

rigTest(
  'restore finds the job of an earlier workflow by an output path, and not what several ids begin with',
  async (rig) => {
    await builtSweep(rig);
    const { jobs } = await rig.summary('summary', "where:sampler.name=='hmc'");
    const paths = jobs.map((job) => job.outputs[0]?.path ?? '');
    const before = paths.map((path) => rig.read(path));
    rig.edit('config/experiments.yaml', 'steps: 20', 'steps: 22');
    rig.remove('runs');
    const named = JSON.parse((await rig.ok('restore', ...paths, '--json')).stdout) as unknown;
    assert.equal(named, { restored: jobs.map((job) => job.id) });
    assert.equal(
      paths.map((path) => rig.read(path)),
      before,
    );
    rig.edit('lhb.yaml', 'prefix: run', 'prefix: walk');
    const many = await rig.exits(2, 'restore', 'run_');
    assert.match(many.stderr, jobs[0]?.id ?? '');
    assert.equal(rig.ranSince(), []);
  },
);

rigTest('a folder of outputs is no selector, and the error says how to select what is in it', async (rig) => {
  writeSweep(rig);
  assert.match((await rig.exits(2, 'ls', 'runs/targets/')).stderr, "'runs/targets/**'");
  assert.is((await rig.ok('ls', 'runs/targets/**')).stdout.trim().split('\n').length, 12);
});

test.run();
