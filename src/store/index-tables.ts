// The tables of the index: named databases of one LMDB environment. The only file that loads lmdb, which takes 15 ms, and
// only where an index is opened.
//
//   traces.2  action key                         -> sealed line of a trace (sealed-line.ts, trace-codec.ts)
//   byJob     [job id, recorded at, action key]  -> true
//   byRule    [rule, recorded at, action key]    -> [job id, job hash, label, config]
//   current   [tree, job id]                     -> action key of what the work tree holds
//   attempts  [tree, job id, action key]         -> attempt
//   files.2   "TREE PATH"                        -> size, mtime, ctime, inode as float64, 32 bytes of digest, CRC-32
//   made      "TREE PATH"                        -> true: a job of this work tree once had this output
//   logs      tree                               -> bytes of its trace log that the tables above have
// A store may be shared by work trees, so what depends on a disk has the work tree's id in its key. Store format 1 had
// `traces` (msgpack) and `files` (without check sums) instead.
import { existsSync, linkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Database, Key, RootDatabase } from 'lmdb';
import { invariant } from '../base/invariant.ts';
import { temporaryBeside } from '../fs/atomic-write.ts';
import { unless } from '../fs/errno.ts';

const load = createRequire(import.meta.url);
const lmdb = (): typeof import('lmdb') => load('lmdb') as typeof import('lmdb');

export type Table = Database<unknown, Key>;

export type Tables = {
  readonly root: RootDatabase<unknown, Key>;
  readonly traces: Table;
  readonly byJob: Table;
  readonly byRule: Table;
  readonly current: Table;
  readonly attempts: Table;
  readonly files: Table;
  readonly made: Table;
  readonly logs: Table;
};

type Encoding = 'msgpack' | 'binary' | 'string';

const ENCODINGS: Readonly<Record<Exclude<keyof Tables, 'root'>, Encoding>> = {
  traces: 'string',
  byJob: 'msgpack',
  byRule: 'msgpack',
  current: 'msgpack',
  attempts: 'msgpack',
  files: 'binary',
  made: 'msgpack',
  logs: 'msgpack',
};

const NAMES: Readonly<Record<string, string>> = { traces: 'traces.2', files: 'files.2' };

/**
 * Opens the environment in a folder that exists, and its tables. Do not open one twice at a time in one process.
 * @param options.atOnce each commit waits for the disk, and closeNow can close it; else a flush follows soon after a commit,
 *   and a power cut loses the commits since the last
 * @returns undefined where, read only, a table is not there: the writer was cut off while it made the index
 * Throws what LMDB throws.
 */
export function openTables(
  dir: string,
  options: { readonly readOnly: boolean; readonly atOnce?: boolean | undefined },
): Tables | undefined {
  const { readOnly, atOnce } = options;
  reserveLockFile(dir);
  if (!readOnly) probeSpace(dir);
  const how = atOnce ? { overlappingSync: false } : {};
  const root = lmdb().open<unknown, Key>({ path: dir, maxDbs: 16, readOnly, noSubdir: false, ...how });
  const found: [string, Table | undefined][] = Object.entries(ENCODINGS).map(([name, encoding]) => [
    name,
    root.openDB<unknown, Key>(NAMES[name] ?? name, { encoding }),
  ]);
  if (found.every(([, table]) => table !== undefined)) return { root, ...Object.fromEntries(found) } as Tables;
  void root.close();
  return undefined;
}

/** More than LMDB asks for (8272 bytes): it takes what is there. */
const LOCK_BYTES = 12_288;

/**
 * LMDB makes lock.mdb by ftruncate, maps it and writes to the map: on a full disk that is a SIGBUS. So the file is made
 * before with all its bytes, under its name at one stroke. Throws ENOSPC and other system errors.
 */
function reserveLockFile(dir: string): void {
  const file = join(dir, 'lock.mdb');
  if (existsSync(file) || !existsSync(dir)) return;
  const temporary = temporaryBeside(file);
  unless(['EROFS', 'EACCES', 'EPERM', 'EEXIST', 'ENOTDIR'], () => {
    try {
      writeFileSync(temporary, Buffer.alloc(LOCK_BYTES), { flag: 'wx' });
      // A rename would take away what another process has just locked.
      linkSync(temporary, file);
    } finally {
      rmSync(temporary, { force: true });
    }
  });
}

/** What a new index takes, and a little more. */
const NEW_BYTES = 96 * 1024;

/** LMDB crashes the process where the disk has no space for the first pages of a new index: tried out before. Throws ENOSPC. */
function probeSpace(dir: string): void {
  const file = join(dir, 'data.mdb');
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0) return;
  const temporary = temporaryBeside(file);
  try {
    writeFileSync(temporary, Buffer.alloc(NEW_BYTES), { flag: 'wx' });
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** A value's bytes, which are those of the map: good until the next look at the index. */
export function bytesOf(table: Table, key: Key): Buffer | undefined {
  const bytes = table.getBinaryFast(key);
  // lmdb's buffer is larger than its length says.
  return bytes?.subarray(0, bytes.length);
}

/** Closes what was opened with `atOnce`, or to read. */
export function closeNow({ root }: Tables): void {
  void root.close();
  // Not in its types.
  const { status } = root as { readonly status?: string };
  invariant(status === 'closed', 'an index that was opened to be closed at once waits for the disk');
}

/** A table of store format 1, for its migration. */
export const openOldTable = (root: RootDatabase<unknown, Key>, name: 'traces' | 'files'): Table =>
  root.openDB<unknown, Key>(name, { encoding: name === 'traces' ? 'msgpack' : 'binary' });
