// What the system says when it cannot write or read any more, in the user's words.
import { existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { DiagnosticError, error, type Diagnostic } from '../base/diagnostic.ts';
import { errno } from '../fs/errno.ts';

const WHY: Readonly<Record<string, string>> = {
  ENOSPC: 'no space is left on its disk',
  EDQUOT: 'your quota on its disk is used up',
  EROFS: 'its disk can only be read',
  EIO: 'its disk fails',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EMFILE: 'too many files are open at once in lhb',
  ENFILE: 'too many files are open at once on this machine',
  ENOTDIR: 'a file stands where a folder should',
  EISDIR: 'a folder stands where a file should',
};

/** Less than this is as good as nothing: writes come in pages, and an index in some of them. */
const FULL_BYTES = 64 * 1024;

/** LMDB gives the system's numbers. */
const NUMBERS: Readonly<Record<number, string>> = {
  5: 'EIO',
  13: 'EACCES',
  24: 'EMFILE',
  28: 'ENOSPC',
  30: 'EROFS',
  122: 'EDQUOT',
};

/** The system's name of an error, of those of LMDB too. */
export function codeOf(cause: unknown): string | undefined {
  const named = errno(cause);
  if (named !== undefined) return named;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return typeof code === 'number' ? NUMBERS[code] : undefined;
}

/** Errors of the machine, not of one file: whoever meets one should stop or give up the job, and say so. */
export const isWriteFailure = (cause: unknown): boolean => WHY[codeOf(cause) ?? ''] !== undefined;

/** Why something cannot be written, in words that follow a colon; undefined for what is no such system error. */
export const whyNot = (cause: unknown): string | undefined => WHY[codeOf(cause) ?? ''];

/**
 * A system error while something of the store was written, as an error of the user's.
 * @param what as 'the trace log'; @param path absolute
 * @returns undefined for anything else that was thrown
 */
export function writeFailed(what: string, path: string, cause: unknown): DiagnosticError | undefined {
  const why = isFullDisk(cause, path) ? WHY['ENOSPC'] : whyNot(cause);
  if (why === undefined) return undefined;
  return new DiagnosticError([refused(what, path, cause, why)]);
}

const refused = (what: string, path: string, cause: unknown, why: string): Diagnostic => {
  const hint = writeHint(path, codeOf(cause));
  return isLimit(cause)
    ? error('store/write-failed', `${what} ${path} cannot be written: ${why}`, { hint })
    : error('store/unreadable', `${what} ${path} cannot be opened: ${why}`, { hint });
};

/** A system error in one sentence: with what to do, where the machine is at its limits, else in the system's words. */
export function systemText(cause: Error): string {
  const code = codeOf(cause);
  const path =
    'dest' in cause && typeof cause.dest === 'string' ? cause.dest : 'path' in cause ? String(cause.path) : '';
  if (code === undefined || !LIMITS.has(code)) return cause.message;
  const what = path === '' ? 'a file' : path;
  if (code === 'EMFILE' || code === 'ENFILE')
    return `${what} cannot be opened: ${whyNot(cause)}; ${writeHint(path, code)}`;
  return `${what} cannot be written: ${whyNot(cause)}; ${writeHint(path, code)}`;
}

/** The machine is at its limits: no disk, no file, no quota is left. */
export const isLimit = (cause: unknown): boolean => LIMITS.has(codeOf(cause) ?? '');

const LIMITS = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'ENFILE']);

/** Is the disk of a path full, by the error or, as LMDB says EIO for it, by looking at the disk? */
export function isFullDisk(cause: unknown, path: string): boolean {
  const code = codeOf(cause);
  return code === 'ENOSPC' || (code === 'EIO' && isFull(path));
}

/** Has the disk of a path (which need not exist) no space left that a small file would need? */
export function isFull(path: string): boolean {
  try {
    const { bavail, bsize, files, ffree } = statfsSync(existsSync(path) ? path : dirname(path));
    // File systems without a fixed number of inodes say 0 of both.
    return bavail * bsize < FULL_BYTES || (files > 0 && ffree === 0);
  } catch {
    return false;
  }
}

/** How many bytes are free on the disk of a folder; without end where it does not tell. */
export function freeBytes(folder: string): number {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return Infinity;
  }
}

/** Less space is left than what is about to be written may take. */
export class NoSpace extends Error {
  readonly code = 'ENOSPC';
}

/** What to do about it. */
export function writeHint(path: string, code: string | undefined): string {
  const folder = dirname(path);
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EIO':
      return `free some space on the disk of ${folder}${freeSpace(folder)}, and build again: what is on record stays valid`;
    case 'EMFILE':
      return 'allow more open files (`ulimit -n 1024`), or fewer jobs at once (-j), and build again';
    case 'ENFILE':
      return 'close other programs, or allow more open files on this machine';
    case undefined:
    default:
      return `check the permissions of ${folder}`;
  }
}

function freeSpace(folder: string): string {
  const free = freeBytes(folder);
  return Number.isFinite(free) ? ` (${(free / 1e6).toFixed(1)} MB are free)` : '';
}
