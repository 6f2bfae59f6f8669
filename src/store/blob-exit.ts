// Blobs on their way out of the store: to a temporary name in the work tree, or straight to their place. None leaves with
// other bytes than its name says.
import { chmodSync, lstatSync, rmSync, statSync, utimesSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import type { Digest } from '../base/brand.ts';
import { errno, unless } from '../fs/errno.ts';
import { isReflinkKnownToFail, tryHardLink, tryReflink, type LinkMode, type Shared } from '../fs/link.ts';
import { isExecutable, isWholeSecond } from '../fs/stat-signature.ts';
import { hashFile, type FileDigest } from '../hash/digest.ts';
import { copyAndHash, hashFileAsync } from '../hash/hash-file.ts';
import { LARGE } from '../hash/large.ts';
import { quarantine } from './damaged.ts';
import { blobPath, type StoreLayout } from './layout.ts';
import type { OwnFolders } from './own-folders.ts';
import type { SeenBlobs } from './seen-blobs.ts';

export type Staged = { readonly temporary: string };

export class BlobExit {
  readonly #layout: StoreLayout;
  readonly #mode: LinkMode;
  readonly #workTmp: string;
  readonly #folders: OwnFolders;
  readonly #seen: SeenBlobs;
  #cannotReflink = false;

  /** @param workTmp where files wait to be renamed into the work tree */
  constructor(layout: StoreLayout, mode: LinkMode, workTmp: string, folders: OwnFolders, seen: SeenBlobs) {
    this.#layout = layout;
    this.#mode = mode;
    this.#workTmp = workTmp;
    this.#folders = folders;
    this.#seen = seen;
  }

  /**
   * Brings a blob out, verified, under a temporary name in the work tree's tmp/: rename it into place, or remove it. A
   * damaged blob is moved away and counts as missing.
   */
  async stage(digest: Digest, exec: boolean): Promise<Staged | 'missing' | 'damaged'> {
    const temporary = this.#folders.temporaryIn(this.#workTmp);
    const blob = blobPath(this.#layout, digest, exec);
    try {
      if (this.#linkSeen(blob, temporary)) return { temporary };
      const before = lstatSync(blob);
      if (!before.isFile()) {
        quarantine(this.#layout, digest, exec);
        return 'damaged';
      }
      const { shared, found } = await this.#bringOut(blob, exec, temporary);
      if (found !== digest) {
        rmSync(temporary, { force: true });
        quarantine(this.#layout, digest, exec);
        return 'damaged';
      }
      if (shared === 'hardlink') this.#seen.note(blob, before);
      else {
        const { mtimeMs } = statSync(blob);
        chmodSync(temporary, (exec ? 0o777 : 0o666) & ~process.umask());
        const second = Math.floor((isWholeSecond(mtimeMs) ? mtimeMs : Date.now()) / 1000);
        utimesSync(temporary, second, second);
      }
      return { temporary };
    } catch (error) {
      rmSync(temporary, { force: true });
      if (errno(error) === 'ENOENT' || errno(error) === 'ENOTDIR') return 'missing';
      throw error;
    }
  }

  /** Links to a blob whose bytes this process saw. */
  #linkSeen(blob: string, to: string): boolean {
    if (!this.#seen.has(blob) || !this.#mayLink(blob) || !tryHardLink(blob, to)) return false;
    if (this.#seen.standing(blob, to)) return true;
    rmSync(to);
    return false;
  }

  /**
   * Makes a hard link to a blob at `dest`, where nothing may stand. The blob's bytes are read first, where this process has
   * not seen them.
   * @param dest absolute; its folder exists
   * @returns how the link stands; undefined where it cannot be so, and then none was made. Throws system errors (EEXIST).
   */
  link(digest: Digest, exec: boolean, size: number, dest: string): Stats | undefined {
    const blob = blobPath(this.#layout, digest, exec);
    if (!this.#mayLink(blob)) return undefined;
    if (!this.see(digest, exec, size)) return undefined;
    if (!tryHardLink(blob, dest)) return undefined;
    const stats = this.#seen.standing(blob, dest);
    if (!stats) rmSync(dest, { force: true });
    return stats;
  }

  /** Has this process seen the blob's bytes? If not, it reads them now, unless they are many. False where they are wrong, gone or not to be read. */
  see(digest: Digest, exec: boolean, size: number): boolean {
    const blob = blobPath(this.#layout, digest, exec);
    if (this.#seen.has(blob)) return true;
    const before = size > LARGE ? undefined : fileAt(blob);
    if (!before || isExecutable(before) !== exec) return false;
    if (unless(['EACCES'], () => hashFile(blob))?.digest !== digest) return false;
    this.#seen.note(blob, before);
    return true;
  }

  #mayLink(blob: string): boolean {
    return (this.#mode === 'auto' || this.#mode === 'hardlink') && !this.#mayReflink(blob);
  }

  /** As far as is known by now. Files that share their bytes so may be written to, so that is the better way. */
  #mayReflink(blob: string): boolean {
    if (this.#mode !== 'auto' && this.#mode !== 'reflink') return false;
    this.#cannotReflink ||= isReflinkKnownToFail(statSync(dirname(blob)).dev, this.#workTmp);
    return !this.#cannotReflink;
  }

  /** Shares a blob's bytes with a new file, and hashes what that file has now. */
  async #bringOut(
    blob: string,
    exec: boolean,
    to: string,
  ): Promise<{ readonly shared: Shared; readonly found: Digest }> {
    const digestOf = async (hashed: Promise<FileDigest>): Promise<Digest> => (await hashed).digest;
    const hardlink = this.#mode === 'auto' || this.#mode === 'hardlink';
    if (this.#mayReflink(blob) && tryReflink(blob, to))
      return { shared: 'reflink', found: await digestOf(hashFileAsync(to)) };
    if (hardlink && tryHardLink(blob, to)) {
      // Someone may have changed the mode through another link of the same file, so that it cannot even be read.
      restoreMode(to, exec);
      return { shared: 'hardlink', found: await digestOf(hashFileAsync(to)) };
    }
    return { shared: 'copy', found: await digestOf(copyAndHash(blob, to)) };
  }
}

/** Stats of a regular file; undefined where there is none, or a link or a folder in its place. */
export function fileAt(path: string): Stats | undefined {
  const stats = unless(['ENOTDIR'], () => lstatSync(path, { throwIfNoEntry: false }));
  return stats?.isFile() ? stats : undefined;
}

/** Makes a blob read only again, through one of its links; where it is not ours it stays as it is. */
function restoreMode(link: string, exec: boolean): void {
  const mode = exec ? 0o555 : 0o444;
  if ((statSync(link).mode & 0o777) !== mode) unless(['EPERM', 'EACCES'], () => chmodSync(link, mode));
}
