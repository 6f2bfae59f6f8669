// Is a file one that LMDB can open? Asked first, because lmdb 3.5.6 brings the whole process down (SIGSEGV, SIGBUS) on a
// file that is none or was cut short, where one wants a message.
//
// Layout of the first two pages (MDB_meta in lmdb's mdb.c, as that version has it), little endian: 0x18 magic, 0x1c data
// version, 0x30 page size, 0x58 and 0x88 the root pages of the free list and of the main table, 0x98 the transaction.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { unless } from '../fs/errno.ts';

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const META_BYTES = 0xa0;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;

/** 'absent': nothing there, or an empty file, which LMDB takes for a new one. Throws system errors such as EACCES. */
export function lmdbFileState(path: string): 'absent' | 'sound' | 'damaged' {
  const fd = unless(['ENOENT'], () => openSync(path, 'r'));
  if (fd === undefined) return 'absent';
  try {
    const { size } = fstatSync(fd);
    if (size === 0) return 'absent';
    const first = readMeta(fd, 0);
    const second = first && readMeta(fd, first.pageSize);
    if (!first || !second) return 'damaged';
    // The later of the two counts; its roots must lie in the file.
    const meta = second.transaction > first.transaction ? second : first;
    return size >= (meta.lastRoot + 1) * meta.pageSize ? 'sound' : 'damaged';
  } finally {
    closeSync(fd);
  }
}

/**
 * A text that is another after any write to the index, by whatever process: the first two pages with the number of the last
 * transaction, and which file it is. Undefined where there is none.
 */
export function lmdbMark(path: string): string | undefined {
  const fd = unless(['ENOENT'], () => openSync(path, 'r'));
  if (fd === undefined) return undefined;
  try {
    const { ino, dev } = fstatSync(fd);
    const metas = Buffer.alloc(2 * META_BYTES);
    if (readSync(fd, metas, 0, META_BYTES, 0) < META_BYTES) return undefined;
    readSync(fd, metas, META_BYTES, META_BYTES, metas.readUInt32LE(0x30));
    return `${dev} ${ino} ${metas.toString('base64')}`;
  } finally {
    closeSync(fd);
  }
}

function readMeta(fd: number, at: number): { pageSize: number; lastRoot: number; transaction: bigint } | undefined {
  const page = Buffer.alloc(META_BYTES);
  if (readSync(fd, page, 0, META_BYTES, at) < META_BYTES) return undefined;
  if (page.readUInt32LE(0x18) !== MAGIC || page.readUInt32LE(0x1c) !== DATA_VERSION) return undefined;
  const pageSize = page.readUInt32LE(0x30);
  if (pageSize < 256 || pageSize > 65_536) return undefined;
  const roots = [page.readBigUInt64LE(0x58), page.readBigUInt64LE(0x88)].filter((root) => root !== NO_PAGE);
  return { pageSize, lastRoot: Math.max(1, ...roots.map(Number)), transaction: page.readBigUInt64LE(0x98) };
}
