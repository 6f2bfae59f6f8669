// Evidence that a file has not changed since its digest was taken. Never identity: a digest decides, a signature spares it.
//
// The racy case (git's name for it): file systems stamp times in ticks, so a write in the tick of the last recorded change
// leaves all of size, mtime, ctime and inode as they were. A signature taken that early proves nothing later.
import { statSync, type Stats } from 'node:fs';

export type StatSignature = {
  readonly size: number;
  /** Milliseconds since the epoch, with fractions. */
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly ino: number;
};

/** The signature in what `stat` gave. */
export const signatureOf = (stats: Stats): StatSignature => ({
  size: stats.size,
  mtimeMs: stats.mtimeMs,
  ctimeMs: stats.ctimeMs,
  ino: stats.ino,
});

export const sameSignature = (a: StatSignature, b: StatSignature): boolean =>
  a.size === b.size && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs && a.ino === b.ino;

/** Ticks are 1 to 10 ms, clocks of a file server differ from ours; a margin that is too wide costs one more hash. */
const TICK_MS = 1000;
const COARSE_TICK_MS = 2000;

/** True for a time that a file system with fine ticks hardly ever gives: one set by someone, or one of a coarse file system. */
export const isWholeSecond = (timeMs: number): boolean => timeMs % 1000 === 0;

/**
 * True if the file may have been changed after its bytes were read without a trace in its signature.
 * @param readAtMs when reading its bytes began, by this host's clock
 */
export function isRacy(signature: StatSignature, readAtMs: number): boolean {
  const tick = isWholeSecond(signature.mtimeMs) ? COARSE_TICK_MS : TICK_MS;
  return Math.max(signature.mtimeMs, signature.ctimeMs) >= readAtMs - tick;
}

/** Stats of what the path leads to (links followed), or undefined where there is nothing. Other system errors throw. */
export function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    // A file where a folder should be, or a circle of links: nothing is there.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOTDIR' || error.code === 'ELOOP'))
      return undefined;
    throw error;
  }
}

/** Whether a file counts as executable: by anyone. */
export const isExecutable = (stats: Stats): boolean => (stats.mode & 0o111) !== 0;
