// npm run bench -- [N …]: the same graph for lhb, ninja and make, built in turns in one run; prints a table with medians.
//
// The graph: N/10 targets, each copied from a config file of its own, and 9 runs a target, copied from it; each job is a `cp`.
// Figures are for reading: nothing fails on a clock. The machine may be busy, so compare within a run.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const LHB = join(dirname(dirname(fileURLToPath(import.meta.url))), 'bin', 'lhb.js');
const RUNS = 9;
const ROUNDS = 5;

// Node parses the bundle that this names at each start, for all tools the same and for none of them the point.
const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;

const tools = [
  {
    name: 'lhb',
    version: [process.execPath, LHB, '--version'],
    write: writeLhb,
    build: [process.execPath, LHB, 'build', '-q', '-j', '2'],
  },
  { name: 'ninja', version: ['ninja', '--version'], write: writeNinja, build: ['ninja', '-j', '2'] },
  { name: 'make', version: ['make', '--version'], write: writeMake, build: ['make', '-s', '-j', '2'] },
].filter((tool) => spawnSync(tool.version[0], tool.version.slice(1)).status === 0);

const sizes = process.argv.slice(2).map(Number);
for (const jobs of sizes.length > 0 ? sizes : [1000]) bench(jobs);

function bench(jobs) {
  const targets = Math.max(1, Math.round(jobs / (RUNS + 1)));
  const root = mkdtempSync(join(tmpdir(), 'lhb-bench-'));
  const times = new Map();
  const note = (what, tool, seconds) => {
    const row = times.get(what) ?? new Map();
    row.set(tool, [...(row.get(tool) ?? []), seconds]);
    times.set(what, row);
  };
  try {
    for (const tool of tools) {
      mkdirSync(join(root, tool.name, 'conf'), { recursive: true });
      for (let t = 0; t < targets; t++) writeFileSync(join(root, tool.name, 'conf', `t${t}.yaml`), `name: t${t}\n`);
      tool.write(join(root, tool.name), targets);
    }
    for (const tool of tools) note('clean build', tool.name, timed(tool.build, join(root, tool.name)));
    for (let round = 0; round < ROUNDS; round++) {
      for (const tool of tools) note('no-op', tool.name, timed(tool.build, join(root, tool.name)));
      note('plan', 'lhb', timed([process.execPath, LHB, 'build', '-n', '-q'], join(root, 'lhb')));
      note('summary', 'lhb', timed([process.execPath, LHB, 'summary'], join(root, 'lhb')));
      note('summary --detailed', 'lhb', timed([process.execPath, LHB, 'summary', '--detailed'], join(root, 'lhb')));
    }
    for (let t = 0; t < tools.length; t++) {
      const tool = tools[t];
      writeFileSync(join(root, tool.name, 'conf', 't0.yaml'), 'name: other\n');
      note('one input changed', tool.name, timed(tool.build, join(root, tool.name)));
    }
    rmSync(join(root, 'lhb', 'runs'), { recursive: true });
    note('restore all', 'lhb', timed(tools[0].build, join(root, 'lhb')));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  print(targets * (RUNS + 1), times);
}

function timed([program, ...args], cwd) {
  const begun = process.hrtime.bigint();
  const { status, stderr } = spawnSync(program, args, { cwd, env, stdio: ['ignore', 'ignore', 'pipe'] });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} in ${cwd}: exit ${status}\n${stderr.toString()}`);
  return Number(process.hrtime.bigint() - begun) / 1e9;
}

function print(jobs, times) {
  const names = tools.map((tool) => tool.name);
  console.log(`${jobs} jobs; median seconds (of ${ROUNDS} where it can be repeated), and lhb as a multiple of ninja`);
  console.log(['', ...names, 'lhb/ninja'].map((cell, i) => (i === 0 ? cell.padEnd(20) : cell.padStart(10))).join(''));
  for (const [what, row] of times) {
    const cells = names.map((name) => (row.has(name) ? median(row.get(name)) : undefined));
    const [lhb, ninja] = [row.get('lhb'), row.get('ninja')];
    const ratio = lhb && ninja ? `${(median(lhb) / median(ninja)).toFixed(2)} x` : '-';
    console.log(
      what.padEnd(20) + [...cells.map((c) => c?.toFixed(3) ?? '-'), ratio].map((c) => c.padStart(10)).join(''),
    );
  }
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

function writeLhb(folder, targets) {
  const samplers = Array.from({ length: RUNS }, (_unused, i) => `{name: s${i}}`).join(', ');
  const list = Array.from({ length: targets }, (_unused, t) => `  - {name: t${t}, width: ${t % 7}}`).join('\n');
  writeFileSync(join(folder, 'config.yaml'), `samplers: [${samplers}]\ntargets:\n${list}\n`);
  writeFileSync(
    join(folder, 'lhb.yaml'),
    `lhb: 1
config: config.yaml
rules:
  build_target:
    prefix: tgt
    for: { target: "\${{ config.targets }}" }
    dir: \${{ output }}/targets/\${{ job.id }}
    inputs: { conf: "conf/\${{ target.name }}.yaml" }
    outputs: { meta: meta.json }
    run: cp \${{ inputs.conf }} \${{ outputs.meta }}
  run_sampler:
    prefix: run
    for: { target: "\${{ build_target }}", sampler: "\${{ config.samplers }}" }
    dir: \${{ target.dir }}/run_\${{ sampler.name }}_\${{ job.hash8 }}
    outputs: { analysis: analysis.json }
    run: cp \${{ target.outputs.meta }} \${{ outputs.analysis }}
`,
  );
}

function edges(targets) {
  const found = [];
  for (let t = 0; t < targets; t++) {
    found.push([`conf/t${t}.yaml`, `runs/t${t}/meta.json`]);
    for (let s = 0; s < RUNS; s++) found.push([`runs/t${t}/meta.json`, `runs/t${t}/run_s${s}/analysis.json`]);
  }
  return found;
}

function writeNinja(folder, targets) {
  const lines = edges(targets).map(([from, to]) => `build ${to}: cp ${from}`);
  writeFileSync(join(folder, 'build.ninja'), `rule cp\n  command = cp $in $out\n${lines.join('\n')}\n`);
}

function writeMake(folder, targets) {
  const all = edges(targets);
  const rules = all.map(([from, to]) => `${to}: ${from}\n\t@mkdir -p ${dirname(to)} && cp $< $@`);
  writeFileSync(join(folder, 'Makefile'), `all: ${all.map(([, to]) => to).join(' ')}\n${rules.join('\n')}\n`);
}
