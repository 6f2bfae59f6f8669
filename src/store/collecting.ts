// That gc is removing something from a store: the file `collecting.json` with who does it. gc writes it, and then looks
// whether a build runs in any work tree of the store; a build takes the lock of its work tree, and then looks for this
// file. So of the two at least one sees the other, and gives way. The file's mtime is its heartbeat.
import { closeSync, openSync, rmSync, statSync, utimesSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { readSmall } from '../fs/bounded-read.ts';
import { errno, unless } from '../fs/errno.ts';
import { lifeOf, parseHolder, selfAsHolder, type LockHolder } from './holder.ts';
import type { StoreLayout } from './layout.ts';

/** Without a heartbeat for so long, a gc on another host counts as dead. */
const STALE_MS = 60_000;
const HEARTBEAT_MS = 5_000;
const POLL_MS = 300;

/**
 * Says that gc is at work from now on.
 * @returns what ends that; 'busy' where another gc is at work. Throws system errors.
 */
export function beginCollecting(layout: StoreLayout, command: string): (() => void) | 'busy' {
  if (collector(layout) !== undefined) return 'busy';
  // A dead one's. Should another gc be as quick, the two find each other by the locks of their work trees.
  rmSync(layout.collecting, { force: true });
  let fd: number;
  try {
    fd = openSync(layout.collecting, 'wx');
  } catch (cause) {
    if (errno(cause) === 'EEXIST') return 'busy';
    throw cause;
  }
  writeSync(fd, `${JSON.stringify(selfAsHolder('gc', command))}\n`);
  closeSync(fd);
  const beat = setInterval(() => {
    const now = new Date();
    unless(['ENOENT', 'EACCES', 'EROFS', 'EIO'], () => utimesSync(layout.collecting, now, now));
  }, HEARTBEAT_MS);
  beat.unref();
  return () => {
    clearInterval(beat);
    rmSync(layout.collecting, { force: true });
  };
}

/** Waits until nobody removes anything from the store, or `interrupt`. */
export async function untilCollected(layout: StoreLayout, interrupt: AbortSignal): Promise<void> {
  while (collector(layout) !== undefined && !interrupt.aborted) {
    await sleep(POLL_MS, undefined, { signal: interrupt }).catch(() => {});
  }
}

/** Who removes something from the store now; undefined where nobody does, a dead one included. */
export function collector(layout: StoreLayout): LockHolder | 'unknown' | undefined {
  const stats = statSync(layout.collecting, { throwIfNoEntry: false });
  if (!stats) return undefined;
  const holder = parseHolder(readSmall(layout.collecting) ?? '');
  const isQuiet = Date.now() - stats.mtimeMs > STALE_MS;
  if (!holder) return isQuiet ? undefined : 'unknown';
  const life = lifeOf(holder);
  if (life === 'dead' || (life === 'unknown' && isQuiet)) return undefined;
  return holder;
}
