// The graph that all tools build: T targets, each copied from a config file of its own, and 9 runs a target, copied from it.
// Every job is a `cp`.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const RUNS = 9;

/** T for about N jobs; the samplers at first. */
export const targetsFor = (jobs) => Math.max(1, Math.round(jobs / (RUNS + 1)));
export const SAMPLERS = Array.from({ length: RUNS }, (_unused, i) => `s${i}`);
export const jobsOf = (targets, samplers) => targets * (samplers.length + 1);

/** @param graph `targets`: their number, `samplers`: their names */
export function writeConfigs(folder, { targets }) {
  mkdirSync(join(folder, 'conf'), { recursive: true });
  for (let t = 0; t < targets; t++) changeLeaf(folder, t, `t${t}`);
}

/** The leaf file of target `t` gets other bytes. */
export function changeLeaf(folder, t, name) {
  writeFileSync(join(folder, 'conf', `t${t}.yaml`), `name: ${name}\n`);
}

export function writeLhb(folder, { targets, samplers }) {
  const list = Array.from({ length: targets }, (_unused, t) => `  - {name: t${t}, width: ${t % 7}}`).join('\n');
  const names = samplers.map((name) => `{name: ${name}}`).join(', ');
  writeFileSync(join(folder, 'config.yaml'), `samplers: [${names}]\ntargets:\n${list}\n`);
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

function edges({ targets, samplers }) {
  const found = [];
  for (let t = 0; t < targets; t++) {
    found.push([`conf/t${t}.yaml`, `runs/t${t}/meta.json`]);
    for (const s of samplers) found.push([`runs/t${t}/meta.json`, `runs/t${t}/run_${s}/analysis.json`]);
  }
  return found;
}

export function writeNinja(folder, graph) {
  const lines = edges(graph).map(([from, to]) => `build ${to}: cp ${from}`);
  writeFileSync(join(folder, 'build.ninja'), `rule cp\n  command = cp $in $out\n${lines.join('\n')}\n`);
}

export function writeMake(folder, graph) {
  const all = edges(graph);
  const rules = all.map(([from, to]) => `${to}: ${from}\n\t@mkdir -p ${dirname(to)} && cp $< $@`);
  writeFileSync(join(folder, 'Makefile'), `all: ${all.map(([, to]) => to).join(' ')}\n${rules.join('\n')}\n`);
}

export function writeSnakemake(folder, { targets, samplers }) {
  writeFileSync(
    join(folder, 'Snakefile'),
    `TARGETS = range(${targets})
SAMPLERS = ${JSON.stringify(samplers)}
rule all:
    input: expand("runs/t{t}/run_{s}/analysis.json", t=TARGETS, s=SAMPLERS)
rule build_target:
    input: "conf/t{t}.yaml"
    output: "runs/t{t}/meta.json"
    shell: "cp {input} {output}"
rule run_sampler:
    input: "runs/t{t}/meta.json"
    output: "runs/t{t}/run_{s}/analysis.json"
    shell: "cp {input} {output}"
`,
  );
}

/** What a build of the graph would leave, written at once: for tools that would take hours. */
export function writeOutputs(folder, graph) {
  for (const [, to] of edges(graph)) {
    mkdirSync(dirname(join(folder, to)), { recursive: true });
    writeFileSync(join(folder, to), `name: ${to.split('/')[1]}\n`);
  }
}
