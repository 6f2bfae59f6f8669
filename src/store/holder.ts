// Who holds a lock, and does he still live? Asked on one host, where processes can be looked at, and between hosts, where
// only the lock's heartbeat (the mtime of its folder) tells.
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

export type LockHolder = {
  readonly pid: number;
  readonly host: string;
  /** Seconds since the epoch. */
  readonly since: number;
  /** The words of the command line after `lhb`. */
  readonly command: string;
  /** Id of the build. */
  readonly build: string;
  /** What tells this boot and process namespace from others of the same host name; '' where unknown. */
  readonly place: string;
  /** Ticks from boot to the start of the process, for a pid may be given again; '' where unknown. */
  readonly startTime: string;
};

/** This process, as a holder. */
export const selfAsHolder = (build: string, command: string): LockHolder => ({
  pid: process.pid,
  host: hostname(),
  since: Date.now() / 1000,
  command,
  build,
  place: placeOf(),
  startTime: startTimeOf(process.pid) ?? '',
});

/** What a command line of many selectors may have. */
const LONGEST = 32 * 1024;

/** From JSON text; undefined where it is not of the form. */
export function parseHolder(text: string): LockHolder | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof fields !== 'object' || fields === null) return undefined;
  const { pid, host, since, command, build, place, startTime } = fields as Record<string, unknown>;
  const texts = [host, command, build, place, startTime];
  // A pid that is none would stand for a group of processes, or for all.
  if (!Number.isSafeInteger(pid) || (pid as number) <= 0) return undefined;
  if (!Number.isFinite(since) || !texts.every((item) => typeof item === 'string' && item.length <= LONGEST))
    return undefined;
  return { pid, host, since, command, build, place, startTime } as LockHolder;
}

/** 'unknown': on another host or in another container, where its processes cannot be seen. */
export function lifeOf(holder: LockHolder): 'lives' | 'dead' | 'unknown' {
  if (holder.host !== hostname()) return 'unknown';
  const [boot, namespace] = holder.place.split(' ');
  const [bootHere, namespaceHere] = placeOf().split(' ');
  // Started before this host was: then nothing of it runs any more.
  if (boot !== bootHere) return boot && bootHere ? 'dead' : 'unknown';
  if (namespace !== namespaceHere) return 'unknown';
  const started = startTimeOf(holder.pid);
  if (started !== undefined) return holder.startTime === '' || started === holder.startTime ? 'lives' : 'dead';
  try {
    process.kill(holder.pid, 0);
    return process.platform === 'linux' ? 'dead' : 'lives';
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM' ? 'lives' : 'dead';
  }
}

let place: string | undefined;

/** This boot and process namespace: `BOOT-ID NAMESPACE`, the same for processes that can see one another; '' where unknown. */
export function placeOf(): string {
  if (place === undefined) {
    try {
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
      place = `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
    } catch {
      place = '';
    }
  }
  return place;
}

/** Field 22 of /proc/PID/stat (man 5 proc); undefined for a process that is gone or a zombie, and without /proc. */
function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
