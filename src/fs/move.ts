// Moving a finished file into place.
import { lstatSync, renameSync, rmSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { temporaryName } from './atomic-write.ts';
import { errno } from './errno.ts';
import { copyBytes } from './link.ts';

/** Renames a file, across file systems too: then by way of a temporary name beside the target. `temporary` is gone after. */
export function moveInto(temporary: string, dest: string): void {
  try {
    renameSync(temporary, dest);
  } catch (error) {
    if (errno(error) !== 'EXDEV') throw error;
    copyInto(temporary, dest);
  } finally {
    // Where both names are links to one file, rename(2) succeeds, does nothing, and leaves the old one.
    rmSync(temporary, { force: true });
  }
}

function copyInto(temporary: string, dest: string): void {
  const beside = join(dirname(dest), temporaryName());
  try {
    copyBytes(temporary, beside);
    const { mtimeMs } = lstatSync(temporary);
    utimesSync(beside, mtimeMs / 1000, mtimeMs / 1000);
    renameSync(beside, dest);
  } finally {
    rmSync(beside, { force: true });
  }
}
