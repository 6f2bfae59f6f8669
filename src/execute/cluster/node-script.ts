// A job as a script of its own for a scheduler's node: POSIX sh, with neither Node nor lhb there. It takes the job's
// environment over the node's own (which has what the scheduler grants: CUDA_VISIBLE_DEVICES, SLURM_*), makes TMPDIR on a
// local disk, runs the command, ends what it left behind, and writes the exit marker as its last act, also when it is told
// to end. Beside the times that the shell knows, the marker has the host and the peak memory of the job's processes.
import type { Launch } from '../executor.ts';
import { HOST_LINE, markerLines, PEAK_LINE } from '../exit-marker.ts';
import { wholeEnvironment } from '../environment.ts';
import { quoteWord } from '../shell.ts';

/** Names that are the node's own. */
const OF_NODE =
  /^(TMPDIR|TMP|TEMP|HOSTNAME|PWD|OLDPWD|SHLVL|_|CUDA_VISIBLE_DEVICES|ROCR_VISIBLE_DEVICES|NVIDIA_VISIBLE_DEVICES|(SLURM|SLURMD|SBATCH|SRUN|SGE|PBS|LSB|LSF|LS|PE|JOB|QUEUE|NSLOTS|ARC|REQUEST|RESTARTED)(_\w*)?)$/;

/** What schedulers end a job with, or warn it by, calls the script's `stop` with the exit code of that signal. */
const TRAPS = `trap 'stop 143' TERM
trap 'stop 130' INT
trap 'stop 129' HUP
trap 'stop 138' USR1
trap 'stop 140' USR2`;

export type NodeScript = {
  readonly launch: Launch;
  readonly words: readonly string[];
  readonly token: string;
  /** Lines that the scheduler reads: `#SBATCH …`. */
  readonly directives: readonly string[];
  /** The folder in which TMPDIR is made, as the node's shell reads it; undefined: `$TMPDIR`, else /tmp. */
  readonly scratch: string | undefined;
  /** The exit marker's path, absolute. */
  readonly marker: string;
  /** Whether what the job prints goes to the scheduler's log as well. */
  readonly printsToScheduler: boolean;
};

/** The text of the script. */
export function nodeScript(from: NodeScript): string {
  const { launch, words, token } = from;
  const marker = quoteWord(from.marker);
  const log = quoteWord(launch.log);
  const exports = Object.entries(wholeEnvironment(launch))
    .filter(([name]) => /^[A-Za-z_]\w*$/.test(name) && !OF_NODE.test(name))
    .map(([name, value]) => `export ${name}=${quoteWord(value)}\n`)
    .join('');
  const scratch = from.scratch ?? '${TMPDIR:-/tmp}';
  // `tee` and not two redirections: one file is the scheduler's own, and may be of its user's naming.
  const output = from.printsToScheduler ? `> "$fifo" 2>&1` : `>> ${log} 2>&1`;
  return `#!/bin/sh
${from.directives.map((line) => `${line}\n`).join('')}# ${oneLine(launch.jobId)}, rule ${oneLine(launch.rule)}, attempt ${launch.attempt}: as lhb runs it on a node
${twinGuard(from)}start=$(date +%s.%N)
# Not every date knows fractions.
case $start in *[!0-9.]*) start=$(date +%s) ;; esac
cd ${quoteWord(launch.cwd)} || exit 125
${exports}base=${scratch === '' ? '/tmp' : `"${scratch}"`}
[ -d "$base" ] && [ -w "$base" ] || base=/tmp
scratch=$(mktemp -d "$base/lhb-${token}-XXXXXX") || exit 125
export TMPDIR="$scratch"
peak=0
own=
# The peak of each process of the job's session, and the sum of what they have now; whichever is more.
measure() {
  [ -r /proc/self/status ] || return 0
  found=$(awk -v root="$own" '
    function parent(p,   line, n, f) {
      if (p in up) return up[p]
      if ((getline line < ("/proc/" p "/stat")) <= 0) return up[p] = 0
      close("/proc/" p "/stat"); sub(/^.*\\) /, "", line); n = split(line, f, " "); return up[p] = f[2]
    }
    function ours(p,   q, depth) {
      for (q = p; q > 1 && depth++ < 64; q = parent(q)) if (q == root) return 1
      return 0
    }
    BEGIN {
      while (("ls /proc" | getline p) > 0) if (p ~ /^[0-9]+$/ && ours(p)) {
        file = "/proc/" p "/status"
        while ((getline line < file) > 0) {
          split(line, f, " ")
          if (f[1] == "VmHWM:" && f[2] > most) most = f[2]
          if (f[1] == "VmRSS:") sum += f[2]
        }
        close(file)
      }
      print (sum > most ? sum : most) + 0
    }' 2>/dev/null)
  [ "\${found:-0}" -gt "$peak" ] && peak=$found
  return 0
}
finish() {
  s=$1
  trap '' TERM INT HUP USR1 USR2 XCPU
  # Waited for: it must not write after its file was removed.
  [ -n "$sampler" ] && { kill "$sampler"; wait "$sampler"; } 2>/dev/null
  [ -s "$scratch.peak" ] && read -r seen < "$scratch.peak" && [ "$seen" -gt "$peak" ] && peak=$seen
  rm -f "$scratch.peak" "$scratch.fifo"
  rm -rf "$scratch" 2>/dev/null || { chmod -R u+rwx "$scratch"; rm -rf "$scratch"; } 2>/dev/null
  { ${markerLines(token, '$s', '$start').replace('; times; echo ok', '')}; times
    echo "${HOST_LINE} $(hostname)"; echo "${PEAK_LINE} $peak"; echo ok; } > ${marker}.new && mv -f ${marker}.new ${marker}
}
sampler=
stop() {
  [ -n "$own" ] && { kill -s TERM "$own"; kill -s TERM -- "-$own"; } 2>/dev/null
  i=0
  while [ -n "$own" ] && kill -s 0 "$own" 2>/dev/null && [ $i -lt 20 ]; do sleep 0.1; i=$((i + 1)); done
  finish "$1"
  exit "$1"
}
${TRAPS}
${
  from.printsToScheduler
    ? `fifo="$scratch.fifo"
mkfifo "$fifo" || exit 125
tee -a ${log} < "$fifo" &
printer=$!
`
    : ''
}(
exec ${words.map(quoteWord).join(' ')}
) < /dev/null ${output} &
own=$!
( trap - TERM; sampler=; pause=0.2
  while kill -s 0 "$own" 2>/dev/null; do
    measure; echo "$peak" > "$scratch.peak"; sleep "$pause"; pause=2
  done ) &
sampler=$!
wait "$own"
code=$?
own=
${from.printsToScheduler ? 'wait "$printer"\n' : ''}finish "$code"
# Grid Engine takes these two for itself.
case $code in 99|100) code=1 ;; esac
exit "$code"
`;
}

/** Beside a job's marker: one of a pack that was cancelled before its turn. */
export const CANCELLED = '.cancelled';

/**
 * A scheduler that crashed may start a job again that it had started, or that is over: one that has its marker, or whose
 * folder was brought out, is not run again. Nor is one of a pack that was cancelled.
 */
function twinGuard({ launch, marker }: NodeScript): string {
  const folder = launch.place === undefined ? '' : ` || [ ! -d ${quoteWord(`${launch.cwd}/${launch.place}`)} ]`;
  return `if [ -e ${quoteWord(marker)} ] || [ -e ${quoteWord(`${marker}${CANCELLED}`)} ]${folder}; then echo 'lhb: this job is over already' >&2; exit 0; fi\n`;
}

/**
 * The script of an array: its task number N runs the Nth of the scripts that are listed in a file beside it.
 * @param number which, from 1, as the node's shell finds it
 */
export function arrayScript(list: string, number: string, directives: readonly string[]): string {
  return `#!/bin/sh
${directives.map((line) => `${line}\n`).join('')}script=$(sed -n "${number}p" ${quoteWord(list)})
exec sh "$script"
`;
}

/**
 * The script of packs: it runs those of the listed scripts, one after the other, that have its number before them. What ends it
 * ends the one that runs, and no other is begun.
 */
export function packScript(list: string, number: string, directives: readonly string[]): string {
  return `#!/bin/sh
${directives.map((line) => `${line}\n`).join('')}pack=${number}
code=0
running=
stop() {
  trap '' TERM INT HUP USR1 USR2
  [ -n "$running" ] && { kill -s TERM "$running"; wait "$running"; } 2>/dev/null
  exit "$1"
}
${TRAPS}
exec 3< ${quoteWord(list)}
while read -r number script <&3; do
  [ "$number" = "$pack" ] || continue
  sh "$script" 3<&- < /dev/null &
  running=$!
  wait "$running" || code=$?
  running=
done
exit "$code"
`;
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ');
