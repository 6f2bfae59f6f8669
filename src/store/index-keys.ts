// Keys and small records of the index.
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

/** Size, mtime, ctime and inode as float64, little endian, then the digest: 64 bytes. */
export function encodeFile({ signature, digest }: FileRecord): Buffer {
  const bytes = Buffer.allocUnsafe(64);
  bytes.writeDoubleLE(signature.size, 0);
  bytes.writeDoubleLE(signature.mtimeMs, 8);
  bytes.writeDoubleLE(signature.ctimeMs, 16);
  bytes.writeDoubleLE(signature.ino, 24);
  bytes.write(digest, 32, 'hex');
  return bytes;
}

/** Undefined for what has another length. */
export function decodeFile(bytes: Buffer | undefined): FileRecord | undefined {
  if (bytes?.length !== 64) return undefined;
  const signature = {
    size: bytes.readDoubleLE(0),
    mtimeMs: bytes.readDoubleLE(8),
    ctimeMs: bytes.readDoubleLE(16),
    ino: bytes.readDoubleLE(24),
  };
  return { signature, digest: bytes.toString('hex', 32, 64) as Digest };
}
