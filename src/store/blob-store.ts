// The bytes of all outputs, by digest. A blob appears by rename or link, complete, under the digest of its bytes, read only,
// and never changes; nothing here knows of jobs.
//
// Order of every write: bytes under a temporary name, flush (where asked for), then the final name. Writers need no lock:
// whoever comes second finds the blob there.
//
// A blob's mtime is cut to a whole second. Any write to it, through whichever hard link, sets a time that is hardly ever
// one (file systems with fine ticks), so `has` tells a blob that was written to without reading its bytes.
import {
  chmodSync,
  closeSync,
  existsSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  futimesSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeSync,
  type Stats,
} from 'node:fs';
import { basename } from 'node:path';
import type { Digest } from '../base/brand.ts';
import { step } from '../base/step.ts';
import { flush } from '../fs/atomic-write.ts';
import { errno, unless } from '../fs/errno.ts';
import { isReflinkKnownToFail, tryHardLink, tryReflink, type LinkMode } from '../fs/link.ts';
import {
  isExecutable,
  isRacy,
  isWholeSecond,
  sameSignature,
  signatureOf,
  type StatSignature,
} from '../fs/stat-signature.ts';
import { moveInto } from '../fs/move.ts';
import { hashBytes, hashFile } from '../hash/digest.ts';
import { copyAndHash, hashFileAsync } from '../hash/hash-file.ts';
import { BlobExit, fileAt, type Staged } from './blob-exit.ts';
import { listBlobs, type Blob } from './blob-list.ts';
import { blobPath, type StoreLayout } from './layout.ts';
import { moveToDamaged, quarantine } from './damaged.ts';
import { folderOf, OwnFolders } from './own-folders.ts';
import { SeenBlobs } from './seen-blobs.ts';

export type { Blob } from './blob-list.ts';

export type Stored = Blob & {
  /** Of the output, after it was stored. */
  readonly signature: StatSignature;
  /** The signature will tell of any later write; false in the racy case. */
  readonly settled: boolean;
  /** Its device, where it shares its inode with other outputs. */
  readonly sharedOn?: number;
};

export type BlobState = 'ok' | 'missing' | 'damaged';

export type BlobStoreOptions = {
  /** How outputs and blobs share bytes. */
  readonly link: LinkMode;
  /** Flush each blob to the disk before it gets its name. Default false: a torn blob is found by its digest. */
  readonly durable?: boolean;
  /** Where files wait to be renamed into the work tree; default: the store's own tmp/. */
  readonly workTmp?: string;
};

/** A file was written to while it was read, again and again. */
export class UnstableFileError extends Error {}

const ATTEMPTS = 3;

export class BlobStore {
  readonly layout: StoreLayout;
  readonly #link: LinkMode;
  readonly #durable: boolean;
  readonly #workTmp: string;
  readonly #folders = new OwnFolders();
  readonly #seen = new SeenBlobs();
  readonly #out: BlobExit;
  /** Devices whose files cannot be cloned into the store. */
  readonly #noReflinkFrom = new Set<number>();

  constructor(layout: StoreLayout, options: BlobStoreOptions) {
    this.layout = layout;
    this.#link = options.link;
    this.#durable = options.durable ?? false;
    this.#workTmp = options.workTmp ?? layout.tmp;
    this.#out = new BlobExit(layout, options.link, this.#workTmp, this.#folders, this.#seen);
  }

  /**
   * Takes a file into the store; afterwards file and blob share their bytes, as far as `link` and the file system allow.
   * With a hard link the file becomes read only and gets the blob's mtime.
   * @param path absolute; a regular file, or a link to one
   * @param source true: the file is not the job's own (reached by a link): it is read, and left as it is
   * @param seen what a stat of it (links followed) gave just now
   * Throws system errors, and UnstableFileError for a file that something keeps writing to.
   */
  async put(path: string, source = false, seen?: Stats): Promise<Stored> {
    for (let attempt = 1; ; attempt++) {
      const before = attempt === 1 && seen !== undefined ? seen : statSync(path);
      const known = source || before.nlink === 1 ? undefined : await this.#alreadyShared(path, before);
      if (known) return known;
      // Another name of the same inode may be a source: then neither mode nor times are ours to change.
      const own = !source && before.nlink === 1;
      const settled = own && this.#stamp(path, before);
      const mtimeMs = settled ? wholeSecond(before.mtimeMs) * 1000 : before.mtimeMs;
      const readAt = Date.now();
      const blob = await this.#store(path, before, own);
      const after = statSync(path);
      // Linking changes ctime, and linking to an older blob the inode; then mtime is the evidence.
      if (blob.relinked || (after.mtimeMs === mtimeMs && after.size === before.size)) {
        const signature = signatureOf(after);
        const safe = (settled && isWholeSecond(after.mtimeMs)) || !isRacy(signature, readAt);
        const stored = { digest: blob.digest, size: blob.size, exec: blob.exec, signature, settled: safe };
        // Its own name and the blob's are two.
        return after.nlink > 2 ? { ...stored, sharedOn: after.dev } : stored;
      }
      // The link was made, and then the file was written to: the blob of its earlier bytes is no more.
      if ((await this.check(blob.digest, blob.exec)) === 'damaged') this.quarantine(blob.digest, blob.exec);
      if (attempt === ATTEMPTS) throw new UnstableFileError(`${path} is being written to while it is read`);
    }
  }

  /** The file is a hard link to its own blob already: an output that is captured again. */
  async #alreadyShared(path: string, before: Stats): Promise<Stored | undefined> {
    const { digest, size } = await hashFileAsync(path);
    const exec = isExecutable(before);
    const blob = fileAt(blobPath(this.layout, digest, exec));
    if (!blob || blob.ino !== before.ino || blob.dev !== before.dev) return undefined;
    const after = statSync(path);
    if (!sameSignature(signatureOf(before), signatureOf(after))) return undefined;
    return { digest, size, exec, signature: signatureOf(after), settled: isWholeSecond(after.mtimeMs) };
  }

  /** Cuts the mtime to a whole second. False where that is no evidence: it was one before, as on coarse file systems. */
  #stamp(path: string, stats: Stats): boolean {
    if (isWholeSecond(stats.mtimeMs)) return false;
    const second = wholeSecond(stats.mtimeMs);
    return unless(['EPERM', 'EACCES'], () => (utimesSync(path, second, second), true)) ?? false;
  }

  async #store(path: string, stats: Stats, own: boolean): Promise<Blob & { relinked: boolean }> {
    const exec = isExecutable(stats);
    const temporary = this.#temporary();
    const mayReflink = (this.#link === 'auto' || this.#link === 'reflink') && !this.#noReflinkFrom.has(stats.dev);
    const reflink = mayReflink && tryReflink(path, temporary);
    if (mayReflink && !reflink && isReflinkKnownToFail(stats.dev, this.layout.tmp)) this.#noReflinkFrom.add(stats.dev);
    const mayLink = this.#link === 'auto' || this.#link === 'hardlink';
    // Empty files have no bytes to share, but the mode that they come back with.
    if (!reflink && own && mayLink && chmodded(path, exec) && stats.size > 0) {
      const linked = await this.#storeByHardLink(path, stats, exec);
      if (linked) return linked;
    }
    // The stored bytes are what is hashed, so the name is right whatever happens to the file meanwhile.
    try {
      const { digest, size } = reflink ? await hashFileAsync(temporary) : await copyAndHash(path, temporary);
      const standing = await this.check(digest, exec);
      if (standing === 'damaged') this.quarantine(digest, exec);
      if (standing !== 'ok') this.#name(temporary, digest, exec, stats.mtimeMs);
      return { digest, size, exec, relinked: false };
    } finally {
      rmSync(temporary, { force: true });
    }
  }

  async #storeByHardLink(
    path: string,
    { ino, mtimeMs, size: expected }: Stats,
    exec: boolean,
  ): Promise<(Blob & { relinked: boolean }) | undefined> {
    const { digest, size } = await hashFileAsync(path, expected);
    if (this.#durable) flush(path);
    const blob = blobPath(this.layout, digest, exec);
    // Many small outputs are the same: to be told by a system error that one is there costs more than to look.
    if (this.#seen.standing(blob, blob) !== undefined)
      return { digest, size, exec, relinked: this.#relink(blob, path) };
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      try {
        step('blob:before-link');
        if (!tryHardLink(path, this.#folders.placeFor(blob, this.layout.root))) return undefined;
        step('blob:named');
        this.#seen.note(blob, { ino, size, mtimeMs: wholeSecond(mtimeMs) * 1000 });
        return { digest, size, exec, relinked: false };
      } catch (error) {
        if (errno(error) === 'ENOENT' && this.#folders.forget(folderOf(blob))) continue;
        if (errno(error) !== 'EEXIST') throw error;
      }
      // The blob is there. Its bytes were right once; this file's are right now, so nothing is thrown away unseen.
      if ((await this.check(digest, exec)) === 'ok') return { digest, size, exec, relinked: this.#relink(blob, path) };
      this.quarantine(digest, exec);
    }
    return undefined;
  }

  /** Makes an output a link to a blob of the same bytes. False where there are too many links already. */
  #relink(blob: string, path: string): boolean {
    const temporary = this.temporaryInWork();
    if (!tryHardLink(blob, temporary)) return false;
    try {
      step('output:relinking');
      renameSync(temporary, path);
      // Where both were one file already, as where two outputs of a job are one, rename does nothing.
      if (existsSync(temporary)) unlinkSync(temporary);
      return true;
    } catch (error) {
      rmSync(temporary, { force: true });
      if (errno(error) === 'EXDEV') return false;
      throw error;
    }
  }

  /** Gives a finished temporary file its name as a blob. */
  #name(temporary: string, digest: Digest, exec: boolean, mtimeMs: number): void {
    const second = Math.floor(mtimeMs / 1000);
    utimesSync(temporary, second, second);
    chmodSync(temporary, exec ? 0o555 : 0o444);
    if (this.#durable) flush(temporary);
    this.#rename(temporary, blobPath(this.layout, digest, exec));
  }

  #rename(temporary: string, blob: string): void {
    step('blob:before-link');
    try {
      renameSync(temporary, this.#folders.placeFor(blob, this.layout.root));
    } catch (error) {
      if (errno(error) !== 'ENOENT' || !this.#folders.forget(folderOf(blob))) throw error;
      renameSync(temporary, this.#folders.placeFor(blob, this.layout.root));
    }
    if (this.#durable) flush(folderOf(blob));
    step('blob:named');
  }

  /**
   * Takes in some bytes. They need not be read again when they are staged.
   * @returns false, and the store is as it was, where they are others than `digest` says
   */
  putBytes(bytes: Uint8Array, digest: Digest, exec: boolean): boolean {
    if (hashBytes(bytes) !== digest) return false;
    const temporary = this.#temporary();
    const blob = blobPath(this.layout, digest, exec);
    let isNamed = false;
    try {
      const fd = openSync(temporary, 'wx', 0o600);
      try {
        for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
        const second = Math.floor(Date.now() / 1000);
        futimesSync(fd, second, second);
        fchmodSync(fd, exec ? 0o555 : 0o444);
        if (this.#durable) fsyncSync(fd);
        this.#seen.note(blob, fstatSync(fd));
      } finally {
        closeSync(fd);
      }
      this.#rename(temporary, blob);
      isNamed = true;
    } finally {
      if (!isNamed) rmSync(temporary, { force: true });
    }
    return true;
  }

  /**
   * Takes in a finished file that lies in the store's tmp/ (a download): verified, then renamed. The file is gone after.
   * @returns its digest and size; with `expected` and other bytes, undefined, and the store is as it was
   */
  async adopt(temporary: string, exec: boolean, expected?: Digest): Promise<Blob | undefined> {
    let isNamed = false;
    try {
      const { digest, size } = await hashFileAsync(temporary);
      if (expected !== undefined && digest !== expected) return undefined;
      this.#name(temporary, digest, exec, Date.now());
      isNamed = true;
      return { digest, size, exec };
    } finally {
      if (!isNamed) rmSync(temporary, { force: true });
    }
  }

  /**
   * Writes a blob from a file that may have its bytes, in the place of a damaged one.
   * @returns false, and nothing is changed, where the file cannot be read or has other bytes
   */
  async give(digest: Digest, exec: boolean, from: string): Promise<boolean> {
    try {
      if ((await hashFileAsync(from)).digest !== digest) return false;
    } catch {
      return false;
    }
    const temporary = this.#temporary();
    try {
      await copyAndHash(from, temporary);
      if ((await this.check(digest, exec)) === 'damaged') this.quarantine(digest, exec);
      return (await this.adopt(temporary, exec, digest)) !== undefined;
    } finally {
      rmSync(temporary, { force: true });
    }
  }

  /** Where the blob lies, or would. */
  path(digest: Digest, exec: boolean): string {
    return blobPath(this.layout, digest, exec);
  }

  /**
   * Is the blob there, as far as can be seen without reading it? Of another size: no. Written to since (see above): its
   * bytes are read. What stands here is checked again by its bytes when it is restored.
   */
  has(digest: Digest, exec: boolean, size: number): boolean {
    const path = blobPath(this.layout, digest, exec);
    const stats = fileAt(path);
    if (!stats || stats.size !== size) return false;
    return isWholeSecond(stats.mtimeMs) || unless(['EACCES'], () => hashFile(path))?.digest === digest;
  }

  /** The number of its bytes on disk; undefined where the blob is missing. */
  size(digest: Digest, exec: boolean): number | undefined {
    return fileAt(blobPath(this.layout, digest, exec))?.size;
  }

  /** Reads all bytes of a blob. Changes nothing. */
  async check(digest: Digest, exec: boolean): Promise<BlobState> {
    const path = blobPath(this.layout, digest, exec);
    try {
      // A link's bytes are someone else's, whatever they are now.
      if (!lstatSync(path).isFile()) return 'damaged';
      return (await hashFileAsync(path)).digest === digest ? 'ok' : 'damaged';
    } catch (error) {
      const code = errno(error);
      if (code === 'ENOENT' || code === 'ENOTDIR') return 'missing';
      if (code === 'EISDIR' || code === 'EIO' || code === 'EACCES') return 'damaged';
      throw error;
    }
  }

  /** As BlobExit.stage. */
  stage(digest: Digest, exec: boolean): Promise<Staged | 'missing' | 'damaged'> {
    return this.#out.stage(digest, exec);
  }

  /** As BlobExit.see. */
  see(digest: Digest, exec: boolean, size: number): boolean {
    return this.#out.see(digest, exec, size);
  }

  /** As BlobExit.link. */
  linkOut(digest: Digest, exec: boolean, size: number, dest: string): Stats | undefined {
    return this.#out.link(digest, exec, size, dest);
  }

  /** Puts a blob's bytes at `dest` (absolute; its folder exists), in the place of any file there, at once or not at all. */
  async materialise(digest: Digest, exec: boolean, dest: string): Promise<BlobState> {
    const staged = await this.stage(digest, exec);
    if (typeof staged === 'string') return staged;
    moveInto(staged.temporary, dest);
    return 'ok';
  }

  /** Is anything there under the blob's name? */
  exists(digest: Digest, exec: boolean): boolean {
    return unless(['ENOTDIR'], () => lstatSync(this.path(digest, exec), { throwIfNoEntry: false })) !== undefined;
  }

  /** Moves a damaged blob to damaged/, where it can be looked at. */
  quarantine(digest: Digest, exec: boolean): void {
    quarantine(this.layout, digest, exec);
  }

  /** Moves what does not belong among the blobs to damaged/. */
  moveAway(path: string): void {
    moveToDamaged(this.layout, path, basename(path));
  }

  remove(digest: Digest, exec: boolean): void {
    rmSync(blobPath(this.layout, digest, exec), { force: true });
  }

  /** Every blob, sorted by name. Sizes are those on disk. */
  list(): Iterable<Blob> {
    return listBlobs(this.layout);
  }

  /** A path in the work tree's tmp/ that does not exist. */
  temporaryInWork(): string {
    return this.#folders.temporaryIn(this.#workTmp);
  }

  #temporary(): string {
    return this.#folders.temporaryIn(this.layout.tmp);
  }
}

/** Seconds since the epoch. */
const wholeSecond = (timeMs: number): number => Math.floor(timeMs / 1000);

const chmodded = (path: string, exec: boolean): boolean =>
  unless(['EPERM', 'EACCES'], () => (chmodSync(path, exec ? 0o555 : 0o444), true)) ?? false;
