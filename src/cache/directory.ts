// A cache in a directory that several people and machines share: plain files, no server, no lock, no database.
//
//   lhb-cache.json            format, and the group that it was made for
//   ac/ab/KEY                 records; the first writer wins
//   cas/ab/BLAKE3             whole raw files, read only
//   tmp/HOST-PID-RANDOM       what is being written, on the same file system
//   used/UID/YYYYMMDD         keys that were read, one a line, for `lhb cache gc`
//   gc/lock, gc/trash/        see dir-gc.ts
//
// Publishing: bytes under a temporary name, flushed, made read only, then the final name. Blobs come by rename, which harms
// nothing where they are there already; a record comes last, by link, so that the first stays. On NFS the reply to a link
// may be lost and the call repeated: what counts is how many names the temporary file has afterwards.
// Modes are set here whatever the umask says: folders 2775, files 0444, so that a group can share them. Nobody changes what
// another owns; entries are copied out, never linked to.
import { constants } from 'node:fs';
import {
  appendFile,
  chmod,
  copyFile,
  link,
  lstat,
  open,
  readFile,
  rename,
  rm,
  stat,
  type FileHandle,
} from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { step } from '../base/step.ts';
import { errno } from '../fs/errno.ts';
import { fileSystemOf } from '../fs/mounts.ts';
import { failure } from './dir-failure.ts';
import {
  badEntry,
  copyHandle,
  copyPieces,
  entriesOf,
  flushFolder,
  makeSharedFolder,
  MISSES,
  readRecord,
  readRecordNow,
  sizeOf,
  TO_READ,
  wrongSize,
  type DirEntry,
} from './dir-files.ts';
import {
  CacheError,
  inParallel,
  inSeconds,
  type BlobRef,
  type CacheSpec,
  type Listed,
  type Piece,
  type RecordKey,
  type SharedCache,
  type Transfer,
} from './shared-cache.ts';

export const DIR_FORMAT = 1;
export const DIR_FILE = 'lhb-cache.json';

/** Files up to this size are copied by one call; larger ones piece by piece, so that they can be followed and ended. */
const COPY_AT_ONCE = 8 * 1024 * 1024;
const WIDTH = 16;
/** As `a`, and a pipe is not waited for. */
const TO_APPEND = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NONBLOCK;

/** Reading takes no space there: with these it is the disk here that cannot take what comes. */
const OURS = new Set(['ENOSPC', 'EDQUOT']);

export class DirectoryCache implements SharedCache {
  readonly spec: CacheSpec;
  readonly root: string;
  readonly #made = new Set<string>();
  #checked = false;
  #isLocal = false;

  readonly #linking: boolean;

  /**
   * @param root the folder, absolute
   * @param linking of a folder that is only passed on: blobs may be hard links to those of the store
   */
  constructor(spec: CacheSpec, root: string, linking = false) {
    this.spec = spec;
    this.root = root;
    this.#linking = linking;
  }

  recordPath(key: RecordKey): string {
    return join(this.root, 'ac', key.slice(0, 2), key);
  }

  blobPath(blob: Pick<BlobRef, 'b3'>): string {
    return join(this.root, 'cas', blob.b3.slice(0, 2), blob.b3);
  }

  getRecord(key: RecordKey, transfer: Transfer): Promise<Uint8Array | undefined> {
    const path = this.recordPath(key);
    // A disk of this machine answers.
    if (this.#isLocal) return this.#atOnce(transfer, path, () => readRecordNow(path));
    return this.#guarded(transfer, async () => {
      await this.check();
      return this.#reading(path, () => readRecord(path));
    });
  }

  putRecord(
    key: RecordKey,
    bytes: Uint8Array,
    _blobs: readonly Piece[],
    replace: boolean,
    transfer: Transfer,
  ): Promise<'stored' | 'exists'> {
    return this.#guarded(transfer, async () => {
      await this.check();
      const final = this.recordPath(key);
      const temporary = await this.#write(async (file) => {
        await file.writeFile(bytes);
        transfer.onBytes?.(bytes.length);
      });
      try {
        await this.#folder(dirname(final));
        step('cache:record-written');
        if (replace) {
          await giveName(temporary, final);
          await flushFolder(dirname(final));
          return 'stored';
        }
        const failure = await link(temporary, final).then(
          () => undefined,
          (problem: unknown) => problem,
        );
        step('cache:record-linked');
        // The lost reply of a link that was made looks like EEXIST.
        if ((await stat(temporary)).nlink === 2) {
          await flushFolder(dirname(final));
          return 'stored';
        }
        if (errno(failure) === 'EEXIST') return 'exists';
        throw failure ?? new CacheError('answer', 'the directory took a link and shows none');
      } finally {
        await rm(temporary, { force: true });
      }
    });
  }

  async hasBlobs(blobs: readonly BlobRef[], transfer: Transfer): Promise<boolean[]> {
    return this.#guarded(transfer, () =>
      inParallel(blobs, WIDTH, async (blob) => (await sizeOf(this.blobPath(blob))) === blob.size),
    );
  }

  fetchBlob(blob: BlobRef, file: string, transfer: Transfer): Promise<boolean> {
    const path = this.blobPath(blob);
    return this.#guarded(
      { ...transfer, limits: { ...transfer.limits, firstByteMs: Infinity } },
      async () => {
        const done = await this.#reading(path, async () => {
          if (blob.size <= COPY_AT_ONCE) {
            if ((await stat(path)).size !== blob.size) throw wrongSize();
            await copyFile(path, file, constants.COPYFILE_FICLONE);
            await chmod(file, 0o600);
            transfer.onBytes?.(blob.size);
            return true;
          }
          return await copyPieces(path, file, blob.size, transfer);
        });
        return done ?? false;
      },
      OURS,
    );
  }

  putBlob(blob: BlobRef, file: string, replace: boolean, transfer: Transfer): Promise<void> {
    return this.#guarded({ ...transfer, limits: { ...transfer.limits, firstByteMs: Infinity } }, async () => {
      await this.check();
      const final = this.blobPath(blob);
      if (!replace && (await sizeOf(final)) === blob.size) return;
      if (this.#linking) {
        await this.#folder(dirname(final));
        const linked = await link(file, final).then(
          () => true,
          () => false,
        );
        if (linked) return;
      }
      const temporary = await this.#write(async (target) => {
        const source = await open(file, 'r');
        try {
          await copyHandle(source, target, blob.size, transfer);
          // The last look at it before it has its name.
          if ((await target.stat()).size !== blob.size) throw wrongSize();
        } finally {
          await source.close();
        }
      });
      try {
        await this.#folder(dirname(final));
        step('cache:blob-written');
        await giveName(temporary, final);
        step('cache:blob-named');
        await flushFolder(dirname(final));
      } catch (problem) {
        await rm(temporary, { force: true });
        throw problem;
      }
    });
  }

  async *listRecords(): AsyncIterable<Listed> {
    await this.check();
    for await (const { name, path } of entriesOf(join(this.root, 'ac'))) {
      const stats = await lstat(path).catch(() => undefined);
      if (stats) yield { key: name as RecordKey, size: stats.size, modifiedMs: stats.mtimeMs };
    }
  }

  /** What lies in the places of blobs; not looked into. Throws system errors. */
  listBlobs(): AsyncIterable<DirEntry> {
    return entriesOf(join(this.root, 'cas'));
  }

  async noteUse(keys: readonly RecordKey[]): Promise<void> {
    if (keys.length === 0) return;
    const uid = process.getuid?.() ?? 0;
    const day = new Date().toISOString().slice(0, 10).replaceAll('-', '');
    try {
      const folder = join(this.root, 'used', String(uid));
      await makeSharedFolder(folder, this.root);
      await appendFile(join(folder, day), keys.map((key) => `${key}\n`).join(''), { flag: TO_APPEND });
    } catch {
      // Who may not write here is no use to count.
    }
  }

  close(): void {
    // Nothing is kept open.
  }

  /**
   * A folder that is not there is a file system that is not mounted, or a typing mistake: never made here. Throws a
   * CacheError for that, and where it is of another format.
   */
  async check(): Promise<void> {
    if (this.#checked) return;
    const found = await stat(this.root).catch((problem: unknown) => failure(problem, this.root));
    if (found instanceof CacheError) throw found;
    if (!found.isDirectory()) throw new CacheError('down', `${this.root} is no folder`);
    const text = await readFile(join(this.root, DIR_FILE), { encoding: 'utf8', flag: TO_READ }).catch(() => undefined);
    const format = text === undefined ? DIR_FORMAT : formatOf(text);
    if (format !== DIR_FORMAT) {
      throw new CacheError(
        'denied',
        `it has the format ${format ?? '(none)'}, and this lhb knows format ${DIR_FORMAT}`,
        false,
        'use the lhb that made it, a newer one perhaps, or another folder',
      );
    }
    this.#isLocal = !fileSystemOf(this.root).network;
    this.#checked = true;
  }

  /**
   * A file that went away, or that the file server forgot about, is a miss; the latter is looked at once more. What is no
   * file, or may not be read, is a bad entry.
   */
  async #reading<T>(path: string, read: () => Promise<T> | T): Promise<T | undefined> {
    for (let again = true; ; again = false) {
      try {
        return await read();
      } catch (problem) {
        const code = errno(problem);
        if (code === 'ESTALE' && again) continue;
        if (MISSES.has(code ?? '')) return undefined;
        const why = await badEntry(problem, path);
        throw why === undefined ? problem : new CacheError('bytes', why);
      }
    }
  }

  /**
   * System errors as failures of the cache. A file system that hangs is left alone after a while.
   * @param ours errors that are not the cache's: they are thrown on
   */
  async #guarded<T>(
    { limits, signal }: Transfer,
    work: () => Promise<T>,
    ours: ReadonlySet<string> = new Set(),
  ): Promise<T> {
    if (signal?.aborted) throw new CacheError('aborted', 'ended');
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      if (!Number.isFinite(limits.firstByteMs)) return;
      timer = setTimeout(() => {
        reject(new CacheError('timeout', `${this.root} did not answer within ${inSeconds(limits.firstByteMs)}`));
      }, limits.firstByteMs);
    });
    try {
      return await Promise.race([work(), late]);
    } catch (problem) {
      if (ours.has(errno(problem) ?? '')) throw problem;
      throw failure(problem, this.root);
    } finally {
      clearTimeout(timer);
    }
  }

  /** As #guarded, of what takes no waiting. */
  async #atOnce<T>({ signal }: Transfer, path: string, work: () => T): Promise<T | undefined> {
    if (signal?.aborted) throw new CacheError('aborted', 'ended');
    try {
      return await this.#reading(path, work);
    } catch (problem) {
      throw failure(problem, this.root);
    }
  }

  async #folder(path: string): Promise<void> {
    if (this.#made.has(path)) return;
    await makeSharedFolder(path, this.root);
    this.#made.add(path);
  }

  /** A finished, flushed, read-only file under a temporary name. */
  async #write(fill: (file: FileHandle) => Promise<void>): Promise<string> {
    const folder = join(this.root, 'tmp');
    await this.#folder(folder);
    const host = hostname()
      .replaceAll(/[^A-Za-z0-9]/g, '')
      .slice(0, 40);
    const path = join(folder, `${host}-${process.pid}-${randomBytes(8).toString('hex')}`);
    const file = await open(path, 'wx', 0o600);
    try {
      step('cache:temporary-opened');
      await fill(file);
      await file.chmod(0o444);
      await file.sync();
    } catch (problem) {
      await rm(path, { force: true });
      throw problem;
    } finally {
      await file.close();
    }
    return path;
  }
}

/** Gives a finished file its name. A folder in its place goes out of the way. */
async function giveName(temporary: string, final: string): Promise<void> {
  try {
    await rename(temporary, final);
  } catch (problem) {
    // In a folder with the sticky bit: the others of this user go on.
    if (errno(problem) === 'EPERM') throw new CacheError('bytes', `only its owner may replace ${final}`);
    if (errno(problem) !== 'EISDIR') throw problem;
    const aside = `${temporary}-aside`;
    await rename(final, aside);
    await rename(temporary, final);
    // What cannot be removed lies in tmp/ until `lhb cache gc`.
    await rm(aside, { recursive: true, force: true }).catch(() => {});
  }
}

const formatOf = (text: string): number | undefined => {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && 'format' in parsed ? Number(parsed.format) : undefined;
  } catch {
    return undefined;
  }
};
