// Processes of the program under test, found by the folder in which they run: none but these are ever ended.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Ids of the processes whose working folder is `dir`: the driver, its helper shells, the jobs. */
export function processesIn(dir: string): readonly number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => runsIn(Number(pid), dir)).map(Number);
}

export function runsIn(pid: number, dir: string): boolean {
  try {
    if (readlinkSync(`/proc/${pid}/cwd`) !== dir) return false;
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Ends a process at once, if it runs in `dir`. Says whether it did. */
export function killIn(pid: number, dir: string): boolean {
  if (!runsIn(pid, dir)) return false;
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}
