// Reruns that the user asks for.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseSummary } from '../support/json.ts';
import { ran, rigTest, type Rig } from '../support/rig.ts';
import { builtSweep, SWEEP_JOBS } from '../support/sweep.ts';

const TARGET_A = ['target a', 'run a hmc', 'run a sgld'];

/** The id of target a and a part of it that no other id begins with. */
async function targetA(rig: Rig): Promise<{ readonly id: string; readonly short: string; readonly meta: string }> {
  const job = await rig.job("where:target.name=='a'");
  return {
    id: job.id,
    short: job.id.slice(0, 10),
    meta: job.outputs.find((output) => output.path.endsWith('meta.json'))?.path ?? '',
  };
}

rigTest('by a unique beginning of an id: that target and its runs', async (rig) => {
  await builtSweep(rig);
  const { short } = await targetA(rig);
  await rig.runs(TARGET_A, 'forcerun', short);
  await rig.runs([]);
});

rigTest('--only: that target alone, and what its new bytes made stale', async (rig) => {
  await builtSweep(rig);
  const { short, meta } = await targetA(rig);
  const before = rig.read(meta);
  await rig.runs(['target a'], 'forcerun', '--only', short);
  assert.is.not(rig.read(meta), before, 'it did run: the time stamp is new');
  await rig.runs([]);
});

rigTest('--only builds what the new bytes made stale', async (rig) => {
  rig.workflow(`
    rules:
      a: { dir: a, outputs: { o: o.txt }, run: '${ran('a')}; date +%s%N > \${{ outputs.o }}' }
      b: { inputs: { i: "\${{ a.outputs.o }}" }, dir: b, outputs: { o: o.txt }, run: '${ran('b')}; cp \${{ inputs.i }} \${{ outputs.o }}' }
      c: { inputs: { i: "\${{ b.outputs.o }}" }, dir: c, outputs: { o: o.txt }, run: '${ran('c')}; echo same > \${{ outputs.o }}' }
      d: { inputs: { i: "\${{ c.outputs.o }}" }, dir: d, outputs: { o: o.txt }, run: '${ran('d')}; cp \${{ inputs.i }} \${{ outputs.o }}' }
  `);
  await rig.runs(['a', 'b', 'c', 'd']);
  const ended = await rig.runs(['a', 'b', 'c'], 'forcerun', '--only', 'a');
  const { id } = await rig.job('a');
  assert.ok(
    ended.stderr.split('\n').some((line) => line.includes(id) && /bytes|differ/.test(line)),
    `it says that ${id} made other bytes:\n${ended.stderr}`,
  );
  assert.is(rig.read('b/o.txt'), rig.read('a/o.txt'));
  await rig.runs([]);
  await rig.runs(['c', 'd'], 'forcerun', 'c');
  const same = await rig.ok('forcerun', 'c');
  const cId = (await rig.job('c')).id;
  assert.not(
    same.stderr.split('\n').some((line) => line.includes(cId) && /other bytes|differ/.test(line)),
    same.stderr,
  );
});

rigTest('by rule, by output path, by a glob over output paths', async (rig) => {
  await builtSweep(rig);
  const { meta } = await targetA(rig);
  await rig.runs(SWEEP_JOBS, 'forcerun', 'build_target');
  await rig.runs(TARGET_A, 'forcerun', meta);
  await rig.runs(['run a sgld', 'run b sgld', 'run c sgld'], 'forcerun', 'runs/targets/*/run_sgld_*/analysis.json');
  await rig.runs([]);
});

rigTest('build -R and --forcerun are the same, with selectors of their own', async (rig) => {
  await builtSweep(rig);
  const { short, meta } = await targetA(rig);
  await rig.runs(TARGET_A, 'build', '-R', short);
  await rig.runs(TARGET_A, 'build', '--forcerun', meta, '-j', '4');
  await rig.runs(
    ['run a hmc', 'run b hmc', 'run c hmc', ...TARGET_A.filter((name) => !name.endsWith('hmc'))],
    'build',
    '-R',
    'runs/targets/*/run_hmc_*/*',
    short,
  );
  await rig.runs(
    ['run b sgld', 'run a sgld', 'run c sgld'],
    'build',
    '-j',
    '2',
    '-R',
    'runs/**/run_sgld_*/analysis.json',
    '--',
    'run_sampler',
  );
});

rigTest('-F runs everything that is selected and what it needs', async (rig) => {
  await builtSweep(rig);
  await rig.runs(SWEEP_JOBS, 'build', '-F');
  await rig.runs(['target a', 'target b', 'target c'], 'build', '--forceall', 'build_target');
  await rig.runs([]);
});

rigTest('-n shows how many would run and why, and runs nothing', async (rig) => {
  await builtSweep(rig);
  const { id, short } = await targetA(rig);
  const plain = await rig.runs([], 'forcerun', '-n', short);
  assert.match(plain.stdout + plain.stderr, /\b3\b/);
  const cascade = parseSummary(JSON.parse((await rig.ok('forcerun', '-n', '--json', short)).stdout));
  const running = cascade.jobs.filter((job) => job.plan === 'run');
  assert.is(running.length, 3);
  assert.ok(running.every((job) => job.reasons.length > 0));
  const target = running.find((job) => job.id === id);
  assert.ok(target?.reasons.some((reason) => reason.kind === 'forced'));
  const only = parseSummary(JSON.parse((await rig.ok('forcerun', '-n', '--only', '--json', short)).stdout));
  assert.equal(
    only.jobs.filter((job) => job.plan === 'run').map((job) => job.id),
    [id],
  );
  await rig.runs([]);
});

rigTest('a forced job bypasses the store: its result replaces the trace', async (rig) => {
  rig.workflow(`
    rules: { a: { dir: a, outputs: { o: o.txt }, run: '${ran('a')}; date +%s%N > \${{ outputs.o }}' } }
  `);
  await rig.runs(['a']);
  const first = rig.read('a/o.txt');
  await rig.runs(['a'], 'forcerun', 'a');
  const second = rig.read('a/o.txt');
  assert.is.not(second, first);
  rig.remove('a');
  await rig.runs([]);
  assert.is(rig.read('a/o.txt'), second);
});

rigTest('a forced rerun that fails keeps the earlier result on record', async (rig) => {
  rig.workflow(`
    rules:
      a: { dir: a, outputs: { o: o.txt }, run: '${ran('a')}; echo try >> tries; test $(wc -l < tries) = 1; echo good > \${{ outputs.o }}' }
      b: { inputs: { i: "\${{ a.outputs.o }}" }, dir: b, outputs: { o: o.txt }, run: '${ran('b')}; cp \${{ inputs.i }} \${{ outputs.o }}' }
  `);
  await rig.runs(['a', 'b']);
  await rig.exits(1, 'forcerun', 'a');
  assert.equal(rig.ranSince(), ['a']);
  await rig.runs([]);
  assert.is(rig.read('a/o.txt'), 'good\n');
  const { jobs } = await rig.summary();
  assert.ok(jobs.every((job) => job.status === 'FRESH'));
});

rigTest('a selector that finds nothing is an error, and nothing runs', async (rig) => {
  await builtSweep(rig);
  const ended = await rig.exits(2, 'forcerun', 'build_targets');
  assert.match(ended.stderr, 'build_target');
  await rig.exits(2, 'forcerun');
  assert.equal(rig.ranSince(), []);
});

/** A job that makes other bytes each time, and one below it that copies. */
function unsteady(rig: Rig): void {
  rig.workflow(`
    rules:
      a: { dir: a, outputs: { o: o.txt }, run: '${ran('a')}; date +%s%N > \${{ outputs.o }}' }
      b: { dir: b, inputs: { i: "\${{ a.outputs.o }}" }, outputs: { o: o.txt }, run: '${ran('b')}; cp \${{ inputs.i }} \${{ outputs.o }}' }
  `);
}

rigTest(
  'a rerun that makes other bytes from the same inputs is reported; other bytes from others are expected',
  async (rig) => {
    unsteady(rig);
    await rig.runs(['a', 'b']);
    const { stderr } = await rig.runs(['a', 'b'], 'forcerun', 'a');
    const warnings = stderr.split('\n').filter((line) => line.startsWith('warning:'));
    assert.is(warnings.length, 1, stderr);
    assert.match(warnings[0] ?? '', 'a/o.txt');
  },
);

rigTest('--check reruns and compares just what is selected; exit 1 for other bytes', async (rig) => {
  unsteady(rig);
  await rig.runs(['a', 'b']);
  await rig.runs(['b'], 'build', '--check', 'b');
  const ended = await rig.exits(1, 'build', '--check', 'a');
  assert.match(ended.stderr, 'a/o.txt');
  assert.equal(rig.ranSince(), ['a']);
});

test.run();
