// Files of a shared folder: records are read, blobs copied, names flushed to the disk.
import {
  close,
  closeSync,
  constants,
  fstat,
  fstatSync,
  open as openFile,
  openSync,
  read,
  readFileSync,
  readSync,
  type Stats,
} from 'node:fs';
import { access, chmod, mkdir, open, readdir, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { errno } from '../fs/errno.ts';
import { readFull } from '../hash/digest.ts';
import { MAX_RECORD } from './record.ts';
import { CacheError, type Transfer } from './shared-cache.ts';

const COPY_CHUNK = 1024 * 1024;
/** Records are mostly smaller. */
const RECORD_AT_ONCE = 16 * 1024;

/** Makes a folder below `root` with its modes, and those between them; one that is there stays as it is. Never the root. */
export async function makeSharedFolder(path: string, root: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (problem) {
    if (errno(problem) === 'EEXIST') return;
    if (errno(problem) !== 'ENOENT' || dirname(path) === root) throw problem;
    await makeSharedFolder(dirname(path), root);
    return makeSharedFolder(path, root);
  }
  // Only the bits that the root gives: a cache for one user stays one.
  const mode = (await stat(root)).mode & 0o3777;
  await chmod(path, mode).catch(() => {});
}

/** Opening never waits: anybody may have put a pipe in a file's place. */
export const TO_READ = constants.O_RDONLY | constants.O_NONBLOCK;

const NEWLINE = 0x0a;
const buffers: Buffer[] = [];

/** Whole records end so, and are mostly read at once. */
const isWhole = (buffer: Buffer, size: number): boolean => size < buffer.length && buffer[size - 1] === NEWLINE;

/** How long a record is, of which a part was read; throws where it can be none. */
function recordSize(stats: Stats): number {
  if (!stats.isFile()) throw new CacheError('bytes', NO_FILE);
  if (stats.size > MAX_RECORD) throw new CacheError('bytes', `it is larger than ${MAX_RECORD} bytes`);
  return stats.size;
}

/** Mostly with two calls: a detour through another thread costs more than reading a small file. */
export function readRecord(path: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    openFile(path, TO_READ, (failed, fd) => {
      if (failed) return reject(failed);
      const first = buffers.pop() ?? Buffer.allocUnsafeSlow(RECORD_AT_ONCE);
      read(fd, first, 0, first.length, null, (problem, count) => {
        const start = Buffer.from(first.subarray(0, count));
        const isAll = problem !== null || isWhole(first, count);
        buffers.push(first);
        if (!isAll) return void readRest(fd, start).then(resolve, reject);
        close(fd);
        if (problem) reject(problem);
        else resolve(start);
      });
    });
  });
}

/** Reads on where `start` ends, and closes the file. */
async function readRest(fd: number, start: Buffer): Promise<Buffer> {
  try {
    const rest = Buffer.allocUnsafe(Math.max(0, recordSize(await promisify(fstat)(fd)) - start.length));
    let filled = 0;
    while (filled < rest.length) {
      const { bytesRead } = await promisify(read)(fd, rest, filled, rest.length - filled, null);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return Buffer.concat([start, rest.subarray(0, filled)]);
  } finally {
    close(fd);
  }
}

/** As readRecord, while all else waits: for a disk of this machine. */
export function readRecordNow(path: string): Buffer {
  const fd = openSync(path, TO_READ);
  const first = buffers.pop() ?? Buffer.allocUnsafeSlow(RECORD_AT_ONCE);
  try {
    const count = readSync(fd, first, 0, first.length, null);
    const start = first.subarray(0, count);
    if (isWhole(first, count)) return Buffer.from(start);
    const rest = Buffer.allocUnsafe(Math.max(0, recordSize(fstatSync(fd)) - count));
    return Buffer.concat([start, rest.subarray(0, readFull(fd, rest))]);
  } finally {
    closeSync(fd);
    buffers.push(first);
  }
}

/** Nothing is there. */
export const MISSES: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ESTALE']);
/** Something is there that is no file: a folder, a pipe, a socket, a link to itself. */
const NO_FILES = new Set(['EISDIR', 'EAGAIN', 'ENXIO', 'ELOOP']);
export const NO_FILE = 'what stands in its place is no file';
/** The text of a small file. Throws system errors. */
export function readText(path: string): string {
  const fd = openSync(path, TO_READ);
  try {
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

/** What is said of an entry that may be right for others. */
export const UNREADABLE = 'this user may not read it';

/** What is wrong with an entry alone, by the system error at reading it; undefined where it may be wrong with the cache. */
export async function badEntry(problem: unknown, path: string): Promise<string | undefined> {
  const code = errno(problem) ?? '';
  if (problem instanceof CacheError && problem.kind === 'bytes') return problem.message;
  if (NO_FILES.has(code)) return NO_FILE;
  if (code !== 'EACCES' && code !== 'EPERM') return undefined;
  // Where `ac` or `cas` itself is closed it is not this entry.
  const isOpen = await access(dirname(dirname(path)), constants.X_OK).then(
    () => true,
    () => false,
  );
  return isOpen ? UNREADABLE : undefined;
}

export const wrongSize = (): CacheError => new CacheError('bytes', 'a blob has another size than its record says');

export async function copyPieces(from: string, to: string, size: number, transfer: Transfer): Promise<boolean> {
  const source = await open(from, TO_READ);
  try {
    if ((await source.stat()).size !== size) throw wrongSize();
    const target = await open(to, 'w', 0o600);
    try {
      await copyHandle(source, target, size, transfer);
    } finally {
      await target.close();
    }
    return true;
  } finally {
    await source.close();
  }
}

/** Copies `size` bytes, or throws. */
export async function copyHandle(from: FileHandle, to: FileHandle, size: number, transfer: Transfer): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(COPY_CHUNK, size));
  for (let at = 0; at < size;) {
    if (transfer.signal?.aborted) throw new CacheError('aborted', 'ended');
    const { bytesRead } = await from.read(buffer, 0, Math.min(buffer.length, size - at), at);
    if (bytesRead === 0) throw new CacheError('answer', 'a file is shorter than it was');
    // A disk that fills up takes a part first, and fails at the next call.
    for (let done = 0; done < bytesRead;) {
      done += (await to.write(buffer, done, bytesRead - done, at + done)).bytesWritten;
    }
    at += bytesRead;
    transfer.onBytes?.(bytesRead);
  }
}

export const sizeOf = async (path: string): Promise<number | undefined> => {
  const stats: Stats | undefined = await stat(path).catch(() => undefined);
  return stats?.isFile() ? stats.size : undefined;
};

export type DirEntry = { readonly name: string; readonly path: string };

/** What has a name as entries of `ac` or `cas` have it, in the folder where it belongs. Whatever else lies there is none. */
export async function* entriesOf(folder: string): AsyncIterable<DirEntry> {
  for (const start of await names(folder)) {
    if (!/^[0-9a-f]{2}$/.test(start)) continue;
    for (const name of await names(join(folder, start))) {
      if (/^[0-9a-f]{64}$/.test(name) && name.startsWith(start)) yield { name, path: join(folder, start, name) };
    }
  }
}

const names = (folder: string): Promise<string[]> =>
  readdir(folder).then(
    (all) => all.sort(),
    (problem: unknown) => {
      if (MISSES.has(errno(problem) ?? '')) return [];
      throw problem;
    },
  );

export async function flushFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } catch {
    // Some network file systems have no flush for folders.
  } finally {
    await folder.close();
  }
}
