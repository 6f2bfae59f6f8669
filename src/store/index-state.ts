// Can the index on disk be opened? LMDB brings the process down, or gives wrong answers, where bytes of its file are not
// those that it wrote. So who closes an index that he wrote to notes size and mtime of data.mdb beside it; where they are
// others at opening, and nobody lives who may be writing now, a child process reads all of it first (check-index.ts).
//
// Beside data.mdb and LMDB's lock.mdb: `closed`, one line `SIZE MTIME_MS`; `open-…`, one for each writer, with who it is.
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryName, writeAtomic } from '../fs/atomic-write.ts';
import { errno, unless } from '../fs/errno.ts';
import { lifeOf, parseHolder, selfAsHolder } from './holder.ts';
import { lmdbFileState } from './lmdb-file.ts';

export type IndexState =
  | { readonly state: 'absent' }
  /** `cutOff`: one who wrote to it was killed, and its log may have more; `isWritten`: one who lives has it open to write. */
  | { readonly state: 'sound'; readonly cutOff: boolean; readonly isWritten: boolean }
  /** `why`: words that follow "the index … is damaged: ". */
  | { readonly state: 'damaged'; readonly why: string };

/** How long an index may take to be made. */
const MOST_TRIES = 100;
const PAUSE_MS = 20;
const PAUSE = new Int32Array(new SharedArrayBuffer(4));

const NOTE = 'closed';
const MARK = 'open-';

/** Looks at an index; reads all of it where it was not closed, or where `whole` asks for that. Throws system errors. */
export function stateOfIndex(dir: string, whole = false): IndexState {
  const file = join(dir, 'data.mdb');
  const before = signature(dir);
  try {
    let found = lmdbFileState(file);
    // One that is just being made has no whole page yet: it is no damage, and soon over.
    for (let tries = 0; found === 'damaged' && tries < MOST_TRIES && writers(dir).some(({ lives }) => lives); tries++) {
      Atomics.wait(PAUSE, 0, 0, PAUSE_MS);
      found = lmdbFileState(file);
    }
    if (found === 'damaged') return { state: 'damaged', why: 'its file data.mdb is no index, or a part of one' };
    if (found === 'absent') return { state: 'absent' };
  } catch (cause) {
    const code = errno(cause);
    if (code !== 'ENOTDIR' && code !== 'EISDIR') throw cause;
    const why = code === 'ENOTDIR' ? 'it is a file, not a folder' : 'its data.mdb is a folder';
    return { state: 'damaged', why };
  }
  if (statSync(join(dir, 'lock.mdb'), { throwIfNoEntry: false })?.isDirectory())
    return { state: 'damaged', why: 'its lock.mdb is a folder' };
  const marks = writers(dir);
  const isWritten = marks.some(({ lives }) => lives);
  const isAsClosed = isNoted(dir, before);
  const cutOff = marks.some(({ lives }) => !lives) || (!isWritten && !isAsClosed);
  if (!whole && (isAsClosed || isWritten)) return { state: 'sound', cutOff, isWritten };
  const why = readAll(dir);
  if (why !== undefined) return { state: 'damaged', why };
  return { state: 'sound', cutOff, isWritten };
}

/** Notes that an index is sound, and forgets who was killed while he wrote to it. Queries may not be allowed to. */
export function noteSound(dir: string): void {
  unless(['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'ENOENT'], () => {
    const now = signature(dir);
    const marks = writers(dir);
    if (!marks.some(({ lives }) => lives)) writeAtomic(join(dir, NOTE), now);
    for (const { path, lives } of marks) if (!lives) rmSync(path, { force: true });
  });
}

/** Notes that this process writes to the index from now on. @returns to be called when it was closed */
export function markOpen(dir: string): () => void {
  const mark = join(dir, `${MARK}${temporaryName().slice(1)}`);
  writeFileSync(mark, `${JSON.stringify(selfAsHolder('', ''))}\n`);
  return () => {
    unless(['ENOENT', 'ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM'], () => noteClosed(dir));
    rmSync(mark, { force: true });
  };
}

export const noteClosed = (dir: string): void => writeAtomic(join(dir, NOTE), signature(dir));

/** Is the index as the last one who wrote to it has closed it? */
export const wasClosed = (dir: string): boolean => isNoted(dir, signature(dir));

const isNoted = (dir: string, now: string): boolean =>
  unless(['ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES'], () => readFileSync(join(dir, NOTE), 'utf8')) === now;

function signature(dir: string): string {
  const stats = unless(['ENOTDIR'], () => statSync(join(dir, 'data.mdb'), { throwIfNoEntry: false }));
  return `${stats?.size ?? 0} ${stats?.mtimeMs ?? 0}\n`;
}

function writers(dir: string): { readonly path: string; readonly lives: boolean }[] {
  return readdirSync(dir)
    .filter((name) => name.startsWith(MARK))
    .map((name) => {
      const path = join(dir, name);
      const holder = parseHolder(unless(['ENOENT', 'EACCES', 'EISDIR'], () => readFileSync(path, 'utf8')) ?? '');
      return { path, lives: holder !== undefined && lifeOf(holder) === 'lives' };
    });
}

/** Reads the whole index in a process of its own. @returns what is wrong; undefined where nothing is, or none could be started */
function readAll(dir: string): string | undefined {
  const program = fileURLToPath(new URL('check-index.js', import.meta.url));
  const { NODE_OPTIONS: _, ...env } = process.env;
  // Loaded where it is used: who only asks whether the index was closed is spared it.
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const ended = spawnSync(process.execPath, [program, dir], { env, encoding: 'utf8', maxBuffer: 1 << 20 });
  if (ended.error !== undefined || ended.status === 0) return undefined;
  if (ended.signal !== null) return 'reading it ends in a crash';
  return ended.stdout.trim() || 'it cannot be read to its end';
}
