// Folders, made with all above them.
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { errno } from './errno.ts';
import { isInside } from './rel-path.ts';

/**
 * Makes a folder and those above it; one that is there is fine.
 * @param path absolute; @param own lhb's own folder, absolute: a file in it that stands in the way is cleared away
 * @returns the uppermost folder that was made; undefined where the folder was there
 * Throws system errors; for anything else in the way one whose message names it and says what to do.
 */
export function makeFolder(path: string, own?: string): string | undefined {
  for (;;) {
    try {
      return mkdirSync(path, { recursive: true });
    } catch (cause) {
      const code = errno(cause);
      const blocker = code === 'EEXIST' || code === 'ENOTDIR' ? firstNonFolder(path) : undefined;
      if (blocker === undefined) throw cause;
      if (own === undefined || blocker === own || !isInside(own, blocker)) {
        const message = `${blocker}, which must be a folder, is none: move it away`;
        throw Object.assign(new Error(message), { code, syscall: 'mkdir', path: blocker });
      }
      rmSync(blocker);
    }
  }
}

/** The uppermost of `path` and the folders above it that is there and no folder. */
function firstNonFolder(path: string): string | undefined {
  let found: string | undefined;
  for (let at = path; at !== dirname(at); at = dirname(at)) {
    try {
      if (statSync(at, { throwIfNoEntry: false })?.isDirectory() === false) found = at;
    } catch (cause) {
      if (errno(cause) !== 'ENOTDIR') throw cause;
    }
  }
  return found;
}
