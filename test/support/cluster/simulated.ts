// A scheduler in one file, as a program that speaks sbatch, squeue and scancel, where thousands of jobs are to be tried and
// no real scheduler would start them fast enough. It runs what was submitted in its order, two tasks at a time, once `start`
// was called. (The real ones are tested beside it.)
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Rig } from '../rig.ts';

const PROGRAM = `#!/usr/bin/env bash
# The simulated scheduler; called as sbatch, squeue, scancel, or as its own daemon.
set -u
state=STATE
echo "\${0##*/}" >> "$state/calls"
# What squeue shows of a submission.
rows() {
  local task
  if [ -z "$array" ]; then echo "$id|$1|None|$key"
  else for task in $(seq "\${array%-*}" "\${array#*-}"); do echo "\${id}_$task|$1|None|$key"; done
  fi > "$state/rows/$id"
}
case \${0##*/} in
  sbatch)
    array= key= script=
    for word; do
      case $word in
        --array=*) array=\${word#--array=} ;;
        -*) ;;
        *) script=$word ;;
      esac
    done
    key=$(sed -n 's/^#SBATCH --comment=//p' "$script" | head -n 1)
    exec 9> "$state/lock"; flock 9
    id=$(( $(cat "$state/id") + 1 )); echo "$id" > "$state/id"
    rows PD
    echo "$id|$array|$key|$script" >> "$state/submitted"
    echo "$id"
    ;;
  squeue) cat "$state"/rows/* 2> /dev/null; exit 0 ;;
  scancel) for id; do rm -f "$state/rows/$id"; done ;;
  daemon)
    done=0
    while [ -e "$state/on" ]; do
      total=$(wc -l < "$state/submitted")
      if [ "$done" -lt "$total" ]; then
        done=$((done + 1))
        IFS='|' read -r id array key script < <(sed -n "\${done}p" "$state/submitted")
        rows R
        if [ -z "$array" ]; then sh "$script"
        else
          seq "\${array%-*}" "\${array#*-}" |
            SLURM_ARRAY_JOB_ID=$id xargs -P 2 -I{} env SLURM_ARRAY_TASK_ID={} sh "$script"
        fi
        rm "$state/rows/$id"
      else sleep 0.2; fi
    done
    ;;
esac
`;

/** Puts its programs before all others in the rig's PATH. */
export function simulateScheduler(rig: Rig): { calls(): Record<string, number>; start(): void } {
  const state = join(rig.base, 'scheduler');
  const bin = join(rig.base, 'bin');
  for (const folder of [state, bin, join(state, 'rows')]) mkdirSync(folder);
  writeFileSync(join(state, 'id'), '0\n');
  for (const file of ['calls', 'submitted', 'on']) writeFileSync(join(state, file), '');
  for (const name of ['sbatch', 'squeue', 'scancel', 'daemon']) {
    writeFileSync(join(bin, name), PROGRAM.replace('STATE', state));
    chmodSync(join(bin, name), 0o755);
  }
  rig.variables = { ...rig.variables, PATH: `${bin}:${process.env['PATH']}` };
  return {
    calls: () => {
      const lines = readFileSync(join(state, 'calls'), 'utf8').split('\n').slice(0, -1);
      const counts: Record<string, number> = {};
      for (const line of lines) counts[line] = (counts[line] ?? 0) + 1;
      return counts;
    },
    start: () => {
      execFileSync('sh', ['-c', `setsid ${join(bin, 'daemon')} > ${join(state, 'log')} 2>&1 < /dev/null &`]);
      rig.atEnd(() => execFileSync('rm', ['-f', join(state, 'on')]));
    },
  };
}
