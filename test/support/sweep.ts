// A two-stage sweep as researchers have it: 3 targets, each with 2 sampling runs. Jobs are shell scripts that leave their
// name in ran.log: `target a`, `run a hmc`. meta.json has a time stamp, which the workflow tells to ignore.
import type { Rig } from './rig.ts';

const EXPERIMENTS = `
targets:
  - { name: a, model: small, seed: 1 }
  - { name: b, model: big, seed: 2 }
  - { name: c, model: small, seed: 3 }
samplers:
  - { name: hmc, steps: 20 }
  - { name: sgld, steps: 100 }
`;

const TRAIN = `
config=$1 dir=$2 name=$3
echo "target $name" >> ran.log
sum=$(grep -v '^runtime' "$config" | sha256sum | cut -c1-16)
echo "params $sum" > "$dir/params.txt"
printf '{"name": "%s", "sum": "%s", "created_at": %s}\\n' "$name" "$sum" "$(date +%s%N)" > "$dir/meta.json"
`;

const WORKFLOW = `
lhb: 1
config: config/experiments.yaml
output: runs
rules:
  build_target:
    prefix: tgt
    for: { target: "\${{ config.targets }}" }
    config:
      - file: conf/base.yaml
      - { file: "conf/model/\${{ target.model }}.yaml", at: model }
      - { set: { target: "\${{ target }}" } }
    unkeyed: [runtime]
    dir: \${{ output }}/targets/\${{ job.id }}
    outputs: { meta: { path: meta.json, ignore: [/created_at] }, params: params.txt }
    code: [train.sh]
    resources: { cpus: 1, mem_mb: 100 }
    run: sh train.sh \${{ job.config_file }} \${{ job.dir }} \${{ target.name }}
  run_sampler:
    prefix: run
    for: { target: "\${{ build_target }}", sampler: "\${{ config.samplers }}" }
    dir: \${{ target.dir }}/run_\${{ sampler.name }}_\${{ job.hash8 }}
    outputs: { analysis: analysis.json }
    resources: { cpus: "\${{ sampler.name == 'hmc' ? 2 : 1 }}", mem_mb: "\${{ 100 * attempt }}" }
    run: |
      echo "run \${{ target.target.name }} \${{ sampler.name }}" >> ran.log
      params=$(cat \${{ target.outputs.params }})
      printf '{"params": "%s", "steps": %s, "llc_mean": 1.5}\\n' "$params" \${{ sampler.steps }} > \${{ outputs.analysis }}
`;

/** The names that all 9 jobs leave in ran.log, sorted. */
export const SWEEP_JOBS: readonly string[] = ['a', 'b', 'c']
  .flatMap((target) => [`target ${target}`, `run ${target} hmc`, `run ${target} sgld`])
  .sort();

/** Writes the sweep's files. */
export function writeSweep(rig: Rig): void {
  rig.write('lhb.yaml', WORKFLOW.trimStart());
  rig.write('config/experiments.yaml', EXPERIMENTS.trimStart());
  rig.write('conf/base.yaml', 'lr: 0.01\nepochs: 10\nruntime: { verbose: false }\n');
  rig.write('conf/model/small.yaml', 'depth: 2\nwidths: [4, 4]\n');
  rig.write('conf/model/big.yaml', 'depth: 8\nwidths: [16, 16]\n');
  rig.write('train.sh', TRAIN.trimStart());
}

/** Writes the sweep, builds it and forgets what ran. */
export async function builtSweep(rig: Rig): Promise<void> {
  writeSweep(rig);
  await rig.ok('build');
  rig.ranSince();
}
