// Files of a shared folder: records are read, blobs copied, names flushed to the disk.
import { close, constants, closeSync, open as openFile, openSync, read, readSync, type Stats } from 'node:fs';
import { chmod, mkdir, open, readdir, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errno } from '../fs/errno.ts';
import { MAX_RECORD } from './record.ts';
import { CacheError, type Transfer } from './shared-cache.ts';

const COPY_CHUNK = 1024 * 1024;
/** Records are mostly smaller. */
const RECORD_AT_ONCE = 16 * 1024;

/** Makes a folder below `root` that the group may write to, and those above it; one that is there stays as it is. */
export async function makeSharedFolder(path: string, root: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (problem) {
    if (errno(problem) === 'EEXIST') return;
    if (errno(problem) !== 'ENOENT' || path === root) throw problem;
    await makeSharedFolder(dirname(path), root);
    return makeSharedFolder(path, root);
  }
  // Only the bits that the root gives: a cache for one user stays one.
  const mode = (await stat(root)).mode & 0o2777;
  await chmod(path, mode).catch(() => {});
}

const NEWLINE = 0x0a;
const buffers: Buffer[] = [];

/** Mostly with two calls: a detour through another thread costs more than reading a small file. */
export function readRecord(path: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    openFile(path, 'r', (failed, fd) => {
      if (failed) return reject(failed);
      const readOn = (buffer: Buffer, filled: number): void => {
        read(fd, buffer, filled, buffer.length - filled, filled, (problem, count) => {
          const size = filled + count;
          // One of a terabyte must not be read whole.
          const failure =
            problem ?? (size > MAX_RECORD ? new CacheError('answer', `the record ${path} is too large`) : undefined);
          // Whole records end so; others are known by a reading that gives nothing.
          const isWhole = count === 0 || (size < buffer.length && buffer[size - 1] === NEWLINE);
          if (!failure && !isWhole) {
            return readOn(size < buffer.length ? buffer : Buffer.concat([buffer], size * 8), size);
          }
          close(fd);
          if (failure) reject(failure);
          else resolve(Buffer.from(buffer.subarray(0, size)));
          if (buffer.length === RECORD_AT_ONCE) buffers.push(buffer);
        });
      };
      readOn(buffers.pop() ?? Buffer.allocUnsafeSlow(RECORD_AT_ONCE), 0);
    });
  });
}

/** As readRecord, while all else waits: for a disk of this machine. A pipe in its place is not waited for. */
export function readRecordNow(path: string): Buffer {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  let buffer = buffers.pop() ?? Buffer.allocUnsafeSlow(RECORD_AT_ONCE);
  try {
    for (let size = 0; ;) {
      const count = readSync(fd, buffer, size, buffer.length - size, null);
      size += count;
      if (size > MAX_RECORD) throw new CacheError('answer', `the record ${path} is too large`);
      if (count === 0 || (size < buffer.length && buffer[size - 1] === NEWLINE))
        return Buffer.from(buffer.subarray(0, size));
      if (size === buffer.length) buffer = Buffer.concat([buffer], size * 8);
    }
  } finally {
    closeSync(fd);
    if (buffer.length === RECORD_AT_ONCE) buffers.push(buffer);
  }
}

export const wrongSize = (): CacheError => new CacheError('bytes', 'a blob has another size than its record says');

export async function copyPieces(from: string, to: string, size: number, transfer: Transfer): Promise<boolean> {
  const source = await open(from, 'r');
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

export const names = (folder: string): Promise<string[]> =>
  readdir(folder).then(
    (all) => all.sort(),
    () => [],
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
