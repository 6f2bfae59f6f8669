// What a process has used of the processor.
import { readFileSync } from 'node:fs';

/** USER_HZ. */
const TICKS_PER_S = 100;

/** CPU seconds of a process so far, without those of its children. */
export function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}
