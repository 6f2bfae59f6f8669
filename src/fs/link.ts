// Two paths for the same bytes: by reflink where the file system can, by hard link, or by copying.
import { constants, copyFileSync, linkSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { errno } from './errno.ts';

export type LinkMode = 'auto' | 'reflink' | 'hardlink' | 'copy';
export type Shared = 'reflink' | 'hardlink' | 'copy';

const CANNOT = new Set([
  'ENOTSUP',
  'EOPNOTSUPP',
  'EINVAL',
  'EXDEV',
  'ENOTTY',
  'ENOSYS',
  'EPERM',
  'EACCES',
  'EMLINK',
  'EBADF',
  'ETXTBSY',
]);

/** Pairs of devices between which a reflink failed once: asked again for no other file. */
const noReflink = new Set<string>();

/** Copies a file to `to`, which must not exist and is gone again if it fails. Throws system errors (ENOENT, ENOSPC). */
export function copyBytes(from: string, to: string): void {
  try {
    copyFileSync(from, to, constants.COPYFILE_EXCL);
  } catch (error) {
    if (errno(error) !== 'EEXIST') rmSync(to, { force: true });
    throw error;
  }
}

/** Is it known by now that files of this device cannot be cloned into that folder? */
export const isReflinkKnownToFail = (from: number, to: string): boolean => noReflink.has(`${from}:${statSync(to).dev}`);

/** A copy-on-write clone (FICLONE), or false where the file system has none. */
export function tryReflink(from: string, to: string): boolean {
  const devices = `${statSync(from).dev}:${statSync(dirname(to)).dev}`;
  if (noReflink.has(devices)) return false;
  try {
    copyFileSync(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch (error) {
    const code = errno(error) ?? '';
    if (!CANNOT.has(code)) throw error;
    // EACCES and ETXTBSY say something of these two files, the others of the file systems.
    if (code !== 'EACCES' && code !== 'ETXTBSY') noReflink.add(devices);
    rmSync(to, { force: true });
    return false;
  }
}

/** A hard link, or false where there can be none: another device, too many links, a file that is not ours. */
export function tryHardLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (!CANNOT.has(errno(error) ?? '')) throw error;
    return false;
  }
}
