// One build a work tree. The only file that imports proper-lockfile, and only when a lock is taken.
//
// The lock is proper-lockfile's: a folder, made by mkdir, whose mtime is its heartbeat. Who holds it stands in a file beside
// it (not inside: the folder is removed by rmdir). Locks are looked at and taken behind a second, short lock, the gate, so
// that of two builds that find a dead holder only one clears it away.
import { mkdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { err, ok, type Result } from '../base/result.ts';
import { step } from '../base/step.ts';
import { writeAtomic } from '../fs/atomic-write.ts';
import { readSmall } from '../fs/bounded-read.ts';
import { errno, unless } from '../fs/errno.ts';
import { lifeOf, parseHolder, selfAsHolder, type LockHolder } from './holder.ts';
import type { WorkLayout } from './layout.ts';

export type { LockHolder } from './holder.ts';

export type Lock = {
  /** Gives the lock up. It is also given up when the process ends. */
  readonly release: () => Promise<void>;
};

export type LockOptions = {
  /** Id of the build, and the words of its command line, for others to read. */
  readonly build: string;
  readonly command: string;
  /** Wait until the holder is done, instead of giving up. */
  readonly wait?: boolean;
  /** Called each time that the lock was found held while waiting. */
  readonly onWait?: (holder: LockHolder | undefined) => void;
  /** Ends the waiting. */
  readonly interrupt?: AbortSignal;
  /** Called if the lock was lost while it was held: its folder was removed, or another host took it for dead. */
  readonly onLost?: (cause: Error) => void;
};

/** Without a heartbeat for so long, a holder on another host counts as dead. */
const STALE_MS = 60_000;
const HEARTBEAT_MS = 5_000;
/** The same where its name cannot be read. */
const NAMELESS_MS = 10_000;
const POLL_MS = 300;
// One who dies in the gate shuts it until it is stale: 2 s, the least that proper-lockfile allows. The retries (20 to 40 ms
// each) last for longer than that.
const GATE = { stale: 2_000, retries: { retries: 300, factor: 1, minTimeout: 20, maxTimeout: 40, randomize: true } };

/**
 * Takes the work tree's lock. A dead holder on this host gives way at once, one on another host when its heartbeat is old.
 * @returns the lock, or who holds it (undefined where that cannot be read). Throws system errors.
 */
export async function acquireLock(
  work: WorkLayout,
  options: LockOptions,
): Promise<Result<Lock, LockHolder | undefined>> {
  mkdirSync(work.dir, { recursive: true });
  const { default: lockfile } = await import('proper-lockfile');
  for (;;) {
    let holder: LockHolder | undefined;
    let leaveGate = (): Promise<void> => Promise.resolve();
    try {
      // proper-lockfile keeps its locks by this path, so gate and lock must name different ones.
      leaveGate = await lockfile.lock(join(work.dir, 'gate'), {
        ...GATE,
        realpath: false,
        lockfilePath: join(work.dir, 'lock.gate'),
        onCompromised: () => {},
      });
      step('lock:gate');
      const standing = lookAt(work);
      if (standing === 'free') return ok(await take());
      holder = standing.holder;
    } catch (error) {
      // The gate is crowded; or the lock was taken by one for whom it was opened by force, while another stood in it.
      if (errno(error) !== 'ELOCKED') throw error;
      holder = readInfo(work);
    } finally {
      await leaveGate().catch(() => {});
    }
    if (options.wait !== true || options.interrupt?.aborted) return err(holder);
    options.onWait?.(holder);
    await sleep(POLL_MS, undefined, options.interrupt && { signal: options.interrupt }).catch(() => {});
    if (options.interrupt?.aborted) return err(holder);
  }

  async function take(): Promise<Lock> {
    // Before the lock, so that whoever dies holding it is known by name; it stays after, and means nothing by itself.
    const before = readSmall(work.lockInfo);
    writeAtomic(work.lockInfo, `${JSON.stringify(selfAsHolder(options.build, options.command))}\n`);
    step('lock:noted');
    try {
      const unlock = await lockfile.lock(work.dir, {
        realpath: false,
        lockfilePath: work.lock,
        stale: STALE_MS,
        update: HEARTBEAT_MS,
        onCompromised: (cause) => options.onLost?.(cause),
      });
      step('lock:taken');
      return {
        release: async () => {
          // It may be lost by now.
          await unlock().catch(() => {});
          step('lock:released');
        },
      };
    } catch (error) {
      if (before !== undefined) writeAtomic(work.lockInfo, before);
      throw error;
    }
  }
}

/** Clears a dead holder's lock away. Behind the gate only. */
function lookAt(work: WorkLayout): 'free' | { readonly holder: LockHolder | undefined } {
  const folder = statSync(work.lock, { throwIfNoEntry: false });
  if (!folder) return 'free';
  const holder = readInfo(work);
  // Without a holder on record, it was cut off between taking the lock and saying so.
  const life = holder ? lifeOf(holder) : 'unknown';
  const quiet = Date.now() - folder.mtimeMs > (holder ? STALE_MS : NAMELESS_MS);
  if (life === 'lives' || (life === 'unknown' && !quiet)) return { holder };
  rmSync(work.lockInfo, { force: true });
  unless(['ENOENT'], () => rmdirSync(work.lock));
  return 'free';
}

/** Who holds the work tree's lock now; undefined where nobody does, a dead holder included. Takes and changes nothing. */
export function readHolder(work: WorkLayout): LockHolder | undefined {
  const folder = statSync(work.lock, { throwIfNoEntry: false });
  const holder = folder && readInfo(work);
  if (!folder || !holder) return undefined;
  const life = lifeOf(holder);
  if (life === 'unknown') return Date.now() - folder.mtimeMs > STALE_MS ? undefined : holder;
  return life === 'lives' ? holder : undefined;
}

const readInfo = (work: WorkLayout): LockHolder | undefined => {
  const text = readSmall(work.lockInfo);
  return text === undefined ? undefined : parseHolder(text);
};
