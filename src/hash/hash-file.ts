// BLAKE3 of files while other work goes on: small ones at once, bigger ones in pieces that are read ahead, whole gigabytes in
// worker threads. Where bytes have to be copied, they are hashed as they are copied: one read for both.
import { closeSync, fstatSync, openSync, read, rmSync, statSync, write, writeSync } from 'node:fs';
import { errno } from '../fs/errno.ts';
import { CHUNK, hashBytes, Hasher, hasNative, readFull, type FileDigest } from './digest.ts';
import { HashWorkers } from './workers.ts';

/**
 * Up to here a file is read in one go, some 0.3 ms: no detour through another thread is as fast. From `WORKER_FROM` on a
 * worker pays for its start, 50 ms, where native code reads 2 GB/s; WebAssembly reads a tenth of that.
 */
const SMALL = 1024 * 1024;
const WORKER_FROM = { native: 256 * 1024 * 1024, wasm: 16 * 1024 * 1024 };

/**
 * Bytes in a piece. Each is handed from thread to thread, which may take as long as to hash 256 kB: with pieces of that size
 * 1 GiB takes 0.8 s, and 0.3 s with those of 4 MB.
 */
const PIECE = 1024 * 1024;
const LARGE_PIECE = 4 * PIECE;
const LARGE_FROM = 64 * 1024 * 1024;

/** So many files are in pieces at once in this thread: more would only take memory and open files. */
const IN_PIECES = 4;

const workers = new HashWorkers();
let inPieces = 0;
const waiting: (() => void)[] = [];

/** Waits until fewer than IN_PIECES others are at it. */
async function inTurn<T>(action: () => Promise<T>): Promise<T> {
  if (inPieces === IN_PIECES) await new Promise<void>((resolve) => waiting.push(resolve));
  else inPieces++;
  try {
    return await action();
  } finally {
    const next = waiting.shift();
    if (next === undefined) inPieces--;
    else next();
  }
}

/**
 * BLAKE3 and number of the bytes that were read. Rejects with system errors (ENOENT, EISDIR).
 * @param size what a stat gave just now; it decides how the file is read, not how far
 */
export const hashFileAsync = (path: string, size?: number): Promise<FileDigest> => digestOf(path, undefined, size);

/**
 * Copies a file's bytes and hashes what it writes. `to` must not exist, and is gone again if it fails.
 * @returns digest and number of the bytes that were written, whatever happens to `from` meanwhile
 */
export async function copyAndHash(from: string, to: string): Promise<FileDigest> {
  try {
    return await digestOf(from, to);
  } catch (error) {
    if (errno(error) !== 'EEXIST') rmSync(to, { force: true });
    throw error;
  }
}

async function digestOf(path: string, copyTo: string | undefined, seen?: number): Promise<FileDigest> {
  const size = seen ?? statSync(path).size;
  if (size <= SMALL) return hashSmall(path, size, copyTo);
  if (size >= (hasNative() ? WORKER_FROM.native : WORKER_FROM.wasm)) {
    const result = await workers.digest(path, copyTo);
    if (result !== undefined) return result;
    if (copyTo !== undefined) rmSync(copyTo, { force: true });
  }
  return inTurn(() => hashInPieces(path, copyTo));
}

let small: Buffer | undefined;

/** In one read; one that has grown since it was looked at is read in pieces. */
function hashSmall(path: string, size: number, copyTo: string | undefined): FileDigest | Promise<FileDigest> {
  const buffer = size < CHUNK ? (small ??= Buffer.allocUnsafeSlow(CHUNK)) : Buffer.allocUnsafe(size + 1);
  const fd = openSync(path, 'r');
  let filled: number;
  try {
    filled = readFull(fd, buffer);
  } finally {
    closeSync(fd);
  }
  if (filled === buffer.length) return inTurn(() => hashInPieces(path, copyTo));
  const bytes = buffer.subarray(0, filled);
  if (copyTo !== undefined) writeWhole(copyTo, bytes);
  return { digest: hashBytes(bytes), size: filled };
}

function writeWhole(path: string, bytes: Uint8Array): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
  } finally {
    closeSync(fd);
  }
}

/** While one piece is hashed, and written, the next is read. */
export async function hashInPieces(path: string, copyTo: string | undefined): Promise<FileDigest> {
  const from = openSync(path, 'r');
  const hasher = new Hasher();
  let to: number | undefined;
  let reading: Promise<number> = Promise.resolve(0);
  try {
    if (copyTo !== undefined) to = openSync(copyTo, 'wx', 0o600);
    const length = fstatSync(from).size < LARGE_FROM ? PIECE : LARGE_PIECE;
    let [next, current] = [Buffer.allocUnsafeSlow(length), Buffer.allocUnsafeSlow(length)];
    let size = 0;
    reading = readPiece(from, next);
    for (;;) {
      const filled = await reading;
      if (filled === 0) return { digest: hasher.digest(), size };
      [next, current] = [current, next];
      const bytes = current.subarray(0, filled);
      reading = readPiece(from, next);
      const written = to === undefined ? undefined : writePiece(to, bytes);
      hasher.update(bytes);
      size += filled;
      await written;
    }
  } finally {
    await reading.catch(() => {});
    hasher.dispose();
    closeSync(from);
    if (to !== undefined) closeSync(to);
  }
}

const readPiece = (fd: number, buffer: Buffer): Promise<number> =>
  new Promise((resolve, reject) => {
    read(fd, buffer, 0, buffer.length, null, (error, filled) => (error ? reject(error) : resolve(filled)));
  });

async function writePiece(fd: number, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const from = at;
    at += await new Promise<number>((resolve, reject) => {
      write(fd, bytes, from, bytes.length - from, null, (error, n) => (error ? reject(error) : resolve(n)));
    });
  }
}
