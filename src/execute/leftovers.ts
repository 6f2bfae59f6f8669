// When lhb itself is killed, its jobs must not run on: the next build would start some of them a second time, beside
// themselves. Two nets:
// - a watchdog, one `sh` for each executor, whose stdin ends when lhb does, however that came about. It ends the groups
//   of all helpers: TERM, KILL after 5 s.
// - a file with the helpers of the build that runs, and where its jobs' temporary folders are. The next build ends what is
//   still there before it begins: what is in a helper's session, and what moved out of it, by TMPDIR in its environment.
import { spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync, readFileSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { hasVariableFrom, processIds, readStat } from './proc.ts';
import { endProcesses, GRACE_MS } from './process-group.ts';
import { removeScratch } from './scratch.ts';

// Reads process groups, one a line; the word `done` means that all is well. A group is there as long as its helper is,
// and a helper ends when its job has and its stdin is at its end.
const WATCHDOG = `trap '' HUP INT QUIT TERM
groups=
while read -r word; do
  [ "$word" != done ] || exit 0
  groups="$groups $word"
done
for group in $groups; do kill -s TERM -- "-$group"; kill -s CONT -- "-$group"; done 2>/dev/null
n=0
while [ $n -lt 50 ]; do
  left=
  for group in $groups; do kill -s 0 -- "-$group" && left=1; done 2>/dev/null
  [ -n "$left" ] || exit 0
  sleep 0.1
  n=$((n + 1))
done
for group in $groups; do kill -s KILL -- "-$group"; done 2>/dev/null
`;

/** The first word of lines that name temporary folders; that of others is a process id. */
const SCRATCH = 'scratch';

export class Watchdog {
  readonly #child: ChildProcess;
  readonly #file: string | undefined;
  readonly #scratch = new Set<string>();

  /** `file` takes a line for each helper; it is removed by `close`, and read by `endLeftovers`. */
  constructor(cwd: string, env: Readonly<Record<string, string>>, file: string | undefined) {
    this.#file = file;
    this.#child = spawn('/bin/sh', ['-c', WATCHDOG], { cwd, env, detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    this.#child.on('error', () => undefined); // a net less; the helpers will say that there is no sh
    this.#child.stdin?.on('error', () => undefined);
    this.#child.unref();
    if (this.#child.stdin instanceof Socket) this.#child.stdin.unref();
  }

  /** Takes a helper's process group into its care. */
  add(helper: number): void {
    this.#child.stdin?.write(`${helper}\n`);
    if (this.#file !== undefined) appendFileSync(this.#file, `${helper} ${readStat(helper)?.startTicks} ${bootId()}\n`);
  }

  /** Notes where jobs have their temporary folders: how the paths begin. Before the first job that has one there. */
  addScratch(beginning: string): void {
    if (this.#file === undefined || this.#scratch.has(beginning)) return;
    this.#scratch.add(beginning);
    appendFileSync(this.#file, `${SCRATCH} ${bootId()} ${beginning}\n`);
  }

  /** When all helpers have ended. */
  close(): void {
    this.#child.stdin?.end('done\n');
    if (this.#file !== undefined) rmSync(this.#file, { force: true });
  }
}

/** What the kernel calls this run of the machine: process ids and start times of another one mean nothing. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'unknown';
  }
}

/**
 * Ends the helpers and jobs, and removes the jobs' temporary folders, of an earlier executor that was given this file and did not get to
 * close itself. To be called by the one who holds the build lock, before anything is started. Gives how many processes
 * there were.
 */
export async function endLeftovers(file: string, graceMs: number = GRACE_MS): Promise<number> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return 0;
  }
  const boot = bootId();
  const helpers = new Set<number>();
  const beginnings: string[] = [];
  const marks: string[] = [];
  for (const line of text.split('\n')) {
    const [, noted, beginning] = line.startsWith(`${SCRATCH} `) ? (/^\w+ (\S+) (\/.+)$/.exec(line) ?? []) : [];
    if (beginning !== undefined) {
      beginnings.push(beginning);
      if (noted === boot) marks.push(`TMPDIR=${beginning}`);
      continue;
    }
    const [pid, ticks, machineRun] = line.split(' ');
    if (machineRun !== boot || boot === 'unknown') continue;
    // only while the helper lives is it certain that the session is still its own
    if (readStat(Number(pid))?.startTicks === Number(ticks)) helpers.add(Number(pid));
  }
  const seen = new Set<number>();
  const find = (): number[] => {
    const pids = processIds().filter((pid) => {
      const stat = readStat(pid);
      if (stat === undefined || stat.state === 'Z' || pid === process.pid) return false;
      return helpers.has(stat.session) || marks.some((mark) => hasVariableFrom(pid, mark));
    });
    for (const pid of pids) seen.add(pid);
    return pids;
  };
  if (helpers.size > 0 || marks.length > 0) await endProcesses(find, () => true, graceMs);
  for (const beginning of beginnings) await removeScratch(beginning);
  rmSync(file, { force: true });
  return seen.size;
}
