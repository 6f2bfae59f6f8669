// Reading /proc (proc(5), Linux). Everything here answers "nothing" on other systems and for processes that are gone.
import { closeSync, existsSync, openSync, readFileSync, readdirSync, readSync } from 'node:fs';

export const hasProc: boolean = process.platform === 'linux';

export type ProcessStat = {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Clock ticks since boot. With the pid it names one process for ever. */
  readonly startTicks: number;
};

const buffer = Buffer.allocUnsafe(8192);

/** The first 8 kB of a file of /proc: one open, one read, one close. */
function readSmall(path: string): string | undefined {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    return buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0));
  } catch {
    return undefined; // ESRCH: gone between open and read
  } finally {
    closeSync(fd);
  }
}

/** All process ids, in no order. */
export function processIds(): number[] {
  if (!hasProc) return [];
  const ids: number[] = [];
  for (const name of readdirSync('/proc')) {
    const id = Number(name);
    if (id > 0) ids.push(id);
  }
  return ids;
}

export function readStat(pid: number): ProcessStat | undefined {
  // Most that are asked about are gone: an exception costs ten times as much.
  if (!existsSync(`/proc/${pid}`)) return undefined;
  const text = readSmall(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // the name, in parentheses, may hold blanks and parentheses
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ', 20);
  return {
    pid,
    state: fields[0] ?? '',
    parent: Number(fields[1]),
    group: Number(fields[2]),
    session: Number(fields[3]),
    startTicks: Number(fields[19]),
  };
}

/** Resident memory now, and at its highest since the program was started, in kB; undefined for zombies and kernel threads. */
export function readMemory(pid: number): { readonly nowKb: number; readonly peakKb: number } | undefined {
  const text = readSmall(`/proc/${pid}/status`);
  if (text === undefined) return undefined;
  const now = /^VmRSS:\s+(\d+)/m.exec(text)?.[1];
  const peak = /^VmHWM:\s+(\d+)/m.exec(text)?.[1];
  return now === undefined || peak === undefined ? undefined : { nowKb: Number(now), peakKb: Number(peak) };
}

/** Whether the process was started with `NAME=VALUE` in its environment; false where that may not be known. */
export const hasVariable = (pid: number, assignment: string): boolean =>
  variableFrom(pid, `${assignment}\0`) !== undefined;

/** `NAME=VALUE` of the environment that the process was started with, where it begins so; undefined otherwise. */
export function variableFrom(pid: number, beginning: string): string | undefined {
  try {
    const environ = readFileSync(`/proc/${pid}/environ`);
    for (let at = environ.indexOf(beginning); at >= 0; at = environ.indexOf(beginning, at + 1)) {
      if (at > 0 && environ[at - 1] !== 0) continue;
      const end = environ.indexOf(0, at);
      return environ.toString('utf8', at, end === -1 ? undefined : end);
    }
  } catch {
    // gone, or of another user
  }
  return undefined;
}

/**
 * The process id given out last in this pid namespace (the last field of /proc/loadavg): what is younger than a moment
 * has an id after the one of that moment. Undefined where it cannot be known.
 */
export function lastProcessId(): number | undefined {
  if (!hasProc) return undefined;
  lastRead = { id: lastIdNow(), ms: performance.now() };
  return lastRead.id;
}

/** An id that is some moments old is as good for what is younger. */
let lastRead: { readonly id: number | undefined; readonly ms: number } = { id: undefined, ms: -Infinity };
const RECENT_MS = 5;

/** Open from the first use on: each job asks, and its text is made anew at each read of its beginning. */
let loadavg: number | undefined;

function lastIdNow(): number | undefined {
  try {
    loadavg ??= openSync('/proc/loadavg', 'r');
    let end = readSync(loadavg, buffer, 0, buffer.length, 0);
    while (end > 0 && !isDigit(buffer[end - 1])) end--;
    let id = 0;
    for (let at = end - 1, unit = 1; at >= 0 && isDigit(buffer[at]); at--, unit *= 10) id += digit(buffer[at]) * unit;
    return id > 0 ? id : undefined;
  } catch {
    return undefined;
  }
}

const digit = (byte: number | undefined): number => (byte ?? 0) - 48;
const isDigit = (byte: number | undefined): boolean => digit(byte) >= 0 && digit(byte) <= 9;

export type Moment = {
  /** On the clock of `performance.now()`. */
  readonly ms: number;
  /** Clock ticks since boot, at most those that a process started from now on has; 0 where unknown. */
  readonly ticks: number;
  /** `lastProcessId()`. */
  readonly lastId: number | undefined;
};

// The kernel shows ticks of 1/100 s (USER_HZ) on every architecture that Node runs on. The clock of `performance.now()`
// stands still while the machine sleeps and that of start times does not, which errs to the safe side.
const TICKS_PER_MS = 0.1;
const originTicks = hasProc
  ? Number(readSmall('/proc/uptime')?.split(' ')[0]) * 1000 * TICKS_PER_MS - performance.now() * TICKS_PER_MS
  : 0;

/** This moment, to tell afterwards which processes are younger. */
export function moment(): Moment {
  const ms = performance.now();
  const lastId = ms - lastRead.ms < RECENT_MS ? lastRead.id : lastProcessId();
  return { ms, ticks: Math.floor(originTicks + ms * TICKS_PER_MS) - 2 || 0, lastId };
}
