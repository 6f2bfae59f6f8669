// The processes of a job: finding them, and ending them with TERM, then KILL.
//
// A job runs in the process group and session of its helper shell. Of those that left it (setsid), a descendant is found
// by its parent, and one whose parent is gone by the job's TMPDIR in its environment, which no other job has.
import { setTimeout as sleep } from 'node:timers/promises';
import { hasProc, hasVariable, lastProcessId, processIds, readStat, type Moment, type ProcessStat } from './proc.ts';

/** How long processes may take to end after TERM (spec, section 7). */
export const GRACE_MS = 5000;
/** How long they may take after KILL: a process in an uninterruptible wait may hang for ever, and a build must not. */
const GIVE_UP_MS = 5000;

/** With fewer new processes than this since the job's start, each is looked at by its id; else /proc is listed. */
const FEW = 128;
/** After this time process ids may have gone all the way round, and tell nothing about age. */
const IDS_COUNT_MS = 3000;

export type JobProcesses = {
  /** The helper shell: leader of the job's group and session, itself never among the job's processes. */
  readonly helper: number;
  /** `TMPDIR=...` of the job. */
  readonly mark: string;
  /** Just before the job was started. */
  readonly since: Moment;
};

/** The job's processes that live now, the helper left out. `helpers` gives those of other jobs. */
export function findProcesses(job: JobProcesses, helpers: () => ReadonlySet<number>): number[] {
  if (!hasProc) return [];
  const stats = new Map<number, ProcessStat>();
  for (const pid of candidates(job)) {
    const stat = readStat(pid);
    if (stat !== undefined) stats.set(pid, stat);
  }
  if (stats.size === 0) return [];
  const others = helpers();
  const verdicts = new Map<number, boolean>([[job.helper, true]]);
  const belongs = (pid: number): boolean => {
    const known = verdicts.get(pid);
    if (known !== undefined) return known;
    verdicts.set(pid, false); // ends a circle, should ids be reused while we read
    const stat = stats.get(pid);
    const verdict =
      stat !== undefined &&
      stat.startTicks >= job.since.ticks &&
      (stat.session === job.helper ||
        stat.group === job.helper ||
        belongs(stat.parent) ||
        (!others.has(stat.session) && hasVariable(pid, job.mark)));
    verdicts.set(pid, verdict);
    return verdict;
  };
  const found: number[] = [];
  for (const stat of stats.values()) {
    if (stat.pid !== job.helper && stat.state !== 'Z' && stat.state !== 'X' && belongs(stat.pid)) found.push(stat.pid);
  }
  return found;
}

/** Process ids that can be the job's: those given out since it was started. */
function candidates(job: JobProcesses): number[] {
  const last = lastProcessId();
  const before = job.since.lastId;
  // equal: a job takes an id, so the number is not to be trusted (a sandbox's /proc); smaller: ids have wrapped around
  if (last === undefined || before === undefined || last <= before) return processIds();
  if (performance.now() - job.since.ms > IDS_COUNT_MS) return processIds();
  if (last - before > FEW) return processIds().filter((id) => id > before && id <= last);
  return Array.from({ length: last - before }, (_, index) => before + 1 + index);
}

/** Sends a signal; a process that is gone, or not ours, is no error. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // ESRCH, EPERM
  }
}

/**
 * Ends processes: TERM to all that `find` gives (and to those that appear later), KILL after the grace time to what is
 * left. Resolves when none is left and `over` holds (a job may not have begun yet when it is cancelled): true; false
 * where that did not come about for long after KILL.
 */
export async function endProcesses(find: () => number[], over: () => boolean, graceMs: number): Promise<boolean> {
  const start = performance.now();
  const told = new Set<number>();
  for (let pause = 2; ; pause = Math.min(pause * 2, 64)) {
    const wasOver = over();
    const pids = find();
    if (pids.length === 0 && wasOver) return true;
    const elapsed = performance.now() - start;
    if (elapsed >= graceMs + GIVE_UP_MS) return false;
    for (const pid of pids) {
      if (elapsed >= graceMs) {
        sendSignal(pid, 'SIGKILL');
      } else if (!told.has(pid)) {
        told.add(pid);
        sendSignal(pid, 'SIGTERM');
        sendSignal(pid, 'SIGCONT'); // a stopped process takes TERM only once it goes on
      }
    }
    await sleep(pause);
  }
}
