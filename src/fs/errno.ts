// System errors by their code.
import { relative } from 'node:path';
import { isInside } from './rel-path.ts';

/** The code of a system error (`ENOENT`), or undefined for anything else that was thrown. */
export function errno(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Runs `action`; undefined where it failed by one of `codes`, all else is thrown on. */
export function unless<T>(codes: readonly string[], action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (codes.includes(errno(error) ?? '')) return undefined;
    throw error;
  }
}

/**
 * Which file or folder may not be read, in a sentence; undefined for anything else that was thrown.
 * @param root paths inside it are told from there
 */
export function unreadableText(root: string, error: unknown): string | undefined {
  if (errno(error) !== 'EACCES' || !(error instanceof Error) || !('path' in error)) return undefined;
  const path = String(error.path);
  return `${isInside(root, path) ? relative(root, path) : path} cannot be read (EACCES)`;
}

/** What to do about it. */
export const UNREADABLE_HINT = 'allow yourself to read it (`chmod u+r`, a folder `u+rx`)';
