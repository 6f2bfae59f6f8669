// What a detailed summary shows of each job beside what the snapshot has, as text: to read ten thousand results from the
// index for it takes half a second. A view like the snapshot, beside it since it is three times as large and mostly not
// asked for. Made when a snapshot is taken, not when it is patched.
//
// The file `.lhb/details`, little endian: 16 bytes of magic with the format version; how many rows, uint32; where each ends
// in the text, uint32; the text, UTF-8. Its SHA-256 stands in the snapshot that speaks of it.
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { nodeCrypto } from '../base/node-crypto.ts';
import { unless } from '../fs/errno.ts';
import { Texts } from './texts.ts';

const MAGIC = Buffer.from('lhb details 1\n\0\0', 'latin1');
const COUNT_AT = MAGIC.length;
const ENDS_AT = COUNT_AT + 4;

export type Details = { readonly id: string; readonly bytes: Buffer };

/** @param rows one a job, as they are numbered in the snapshot */
export function makeDetails(rows: readonly string[]): Details {
  const texts = Texts.from(rows);
  const head = Buffer.alloc(ENDS_AT);
  MAGIC.copy(head);
  head.writeUInt32LE(rows.length, COUNT_AT);
  const bytes = Buffer.concat([head, Buffer.from(texts.ends.buffer), texts.bytes]);
  return { id: idOf(bytes), bytes };
}

/** The rows; undefined where the file is not the one of that id. */
export function readDetails(file: string, id: string): Texts | undefined {
  const bytes = unless(['ENOENT', 'EACCES'], () => readFileSync(file));
  if (bytes === undefined || idOf(bytes) !== id || !bytes.subarray(0, COUNT_AT).equals(MAGIC)) return undefined;
  // What the digest covers was written as it stands.
  const count = bytes.readUInt32LE(COUNT_AT);
  const text = ENDS_AT + count * 4;
  const ends = new Int32Array(bytes.buffer.slice(bytes.byteOffset + ENDS_AT, bytes.byteOffset + text));
  return new Texts({ bytes: bytes.subarray(text), ends });
}

/**
 * Rows of a file whose id is not looked at, one by one: who reads them all later looks.
 * @param use gets what reads a row; undefined for one that cannot be read
 */
export function withRows<T>(file: string, use: (rowOf: (job: number) => string | undefined) => T): T {
  const fd = unless(['ENOENT', 'EACCES'], () => openSync(file, 'r'));
  if (fd === undefined) return use(() => undefined);
  const read = (length: number, at: number): Buffer | undefined => {
    const bytes = Buffer.alloc(length);
    return readSync(fd, bytes, 0, length, at) === length ? bytes : undefined;
  };
  try {
    const size = fstatSync(fd).size;
    const count = read(4, COUNT_AT)?.readUInt32LE() ?? 0;
    return use((job) => {
      if (job >= count) return undefined;
      const from = job === 0 ? 0 : read(4, ENDS_AT + (job - 1) * 4)?.readUInt32LE();
      const to = read(4, ENDS_AT + job * 4)?.readUInt32LE();
      if (from === undefined || to === undefined || from > to || to > size) return undefined;
      return read(to - from, ENDS_AT + count * 4 + from)?.toString();
    });
  } finally {
    closeSync(fd);
  }
}

const idOf = (bytes: Buffer): string => nodeCrypto().createHash('sha256').update(bytes).digest('hex');
