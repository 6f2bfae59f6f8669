// Keys and small records of the index.
import { crc32 } from 'node:zlib';
import type { Digest } from '../base/brand.ts';
import { hashText } from '../hash/digest.ts';
import type { FileRecord } from './file-digests.ts';

/** Sorts after every text in an ordered key. */
export const AFTER_TEXT = new Uint8Array([0xff]);

/** The range of keys that begin with `first` and then have a time, from the last. */
export const newestFirst = (first: string) => ({
  start: [first, Number.POSITIVE_INFINITY],
  end: [first],
  reverse: true,
});

/** The last element of a key. */
export const lastOf = (key: unknown): string => (Array.isArray(key) ? String(key.at(-1)) : String(key));

/** Key of a path in a work tree. LMDB's keys end at 1978 bytes, paths at 4096. */
export function pathKey(tree: string, path: string): string {
  if (path.length < 400 || Buffer.byteLength(path) < 1200) return `${tree} ${path}`;
  return `${tree}  ${hashText(path)}`;
}

/**
 * Size, mtime, ctime and inode as float64, little endian, then the digest, then the CRC-32 of the key and all that: 68 bytes.
 * @param key as pathKey gives it
 */
export function encodeFile(key: string, { signature, digest }: FileRecord): Buffer {
  const bytes = Buffer.allocUnsafe(FILE_BYTES);
  bytes.writeDoubleLE(signature.size, 0);
  bytes.writeDoubleLE(signature.mtimeMs, 8);
  bytes.writeDoubleLE(signature.ctimeMs, 16);
  bytes.writeDoubleLE(signature.ino, 24);
  bytes.write(digest, 32, 'hex');
  bytes.writeUInt32LE(sumOf(key, bytes), 64);
  return bytes;
}

/** Undefined for what is not what was written: a digest that is wrong would make a key that is wrong. */
export function decodeFile(key: string, bytes: Buffer | undefined): FileRecord | undefined {
  if (bytes?.length !== FILE_BYTES || bytes.readUInt32LE(64) !== sumOf(key, bytes)) return undefined;
  return decodeFile1(bytes.subarray(0, 64));
}

/** As store format 1 had it: 64 bytes, without a check sum. */
export function decodeFile1(bytes: Buffer | undefined): FileRecord | undefined {
  if (bytes?.length !== 64) return undefined;
  const signature = {
    size: bytes.readDoubleLE(0),
    mtimeMs: bytes.readDoubleLE(8),
    ctimeMs: bytes.readDoubleLE(16),
    ino: bytes.readDoubleLE(24),
  };
  return { signature, digest: bytes.toString('hex', 32, 64) as Digest };
}

const FILE_BYTES = 68;
const sumOf = (key: string, bytes: Buffer): number => crc32(bytes.subarray(0, 64), crc32(key));
