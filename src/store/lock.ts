// One build a work tree. The only file that imports proper-lockfile, and only when a lock is taken.
//
// The lock is proper-lockfile's: a folder, made by mkdir, whose mtime is its heartbeat. Who holds it stands in a file beside
// it (not inside: the folder is removed by rmdir). Locks are looked at and taken behind a second, short lock, the gate, so
// that of two builds that find a dead holder only one clears it away.
import { mkdirSync, readFileSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { err, ok, type Result } from '../base/result.ts';
import { step } from '../base/step.ts';
import { writeAtomic } from '../fs/atomic-write.ts';
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
const POLL_MS = 300;
const GATE = { stale: 5_000, retries: { retries: 100, factor: 1, minTimeout: 20, maxTimeout: 100, randomize: true } };

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
    // proper-lockfile keeps its locks by this path, so gate and lock must name different ones.
    const openGate = await lockfile.lock(join(work.dir, 'gate'), {
      ...GATE,
      realpath: false,
      lockfilePath: join(work.dir, 'lock.gate'),
      onCompromised: () => {},
    });
    let holder: LockHolder | undefined;
    try {
      const standing = lookAt(work);
      if (standing === 'free') return ok(await take());
      holder = standing.holder;
    } catch (error) {
      // Taken by one who did not come through the gate: it was opened by force while he stood in it.
      if (errno(error) !== 'ELOCKED') throw error;
    } finally {
      await openGate().catch(() => {});
    }
    if (options.wait !== true || options.interrupt?.aborted) return err(holder);
    options.onWait?.(holder);
    await sleep(POLL_MS, undefined, options.interrupt && { signal: options.interrupt }).catch(() => {});
    if (options.interrupt?.aborted) return err(holder);
  }

  async function take(): Promise<Lock> {
    const unlock = await lockfile.lock(work.dir, {
      realpath: false,
      lockfilePath: work.lock,
      stale: STALE_MS,
      update: HEARTBEAT_MS,
      onCompromised: (cause) => options.onLost?.(cause),
    });
    writeAtomic(work.lockInfo, `${JSON.stringify(selfAsHolder(options.build, options.command))}\n`);
    step('lock:taken');
    return {
      release: async () => {
        if (readInfo(work)?.build === options.build) rmSync(work.lockInfo, { force: true });
        // It may be lost by now.
        await unlock().catch(() => {});
        step('lock:released');
      },
    };
  }
}

/** Clears a dead holder's lock away. Behind the gate only. */
function lookAt(work: WorkLayout): 'free' | { readonly holder: LockHolder | undefined } {
  const folder = statSync(work.lock, { throwIfNoEntry: false });
  if (!folder) return 'free';
  const holder = readInfo(work);
  // Without a holder on record, it was cut off between taking the lock and saying so.
  const life = holder ? lifeOf(holder) : 'unknown';
  const quiet = Date.now() - folder.mtimeMs > (holder ? STALE_MS : GATE.stale);
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
  const text = unless(['ENOENT'], () => readFileSync(work.lockInfo, 'utf8'));
  return text === undefined ? undefined : parseHolder(text);
};
