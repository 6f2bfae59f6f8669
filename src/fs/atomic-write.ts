// Files that appear whole or not at all: written under a temporary name on the same file system, then renamed.
import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { nodeCrypto } from '../base/node-crypto.ts';

const PREFIX = '.lhb-';

const HOST = hostname()
  .replaceAll(/[^A-Za-z0-9]/g, '')
  .slice(0, 40);
let ownNames: { readonly start: string; readonly end: string } | undefined;
let namesGiven = 0;

/**
 * A name that no other process on any host uses. Uniqueness comes from 96 random bits of this process and a count; pid and
 * host are in it only so that clearTemporary knows at once whether the writer still lives.
 */
export function temporaryName(): string {
  ownNames ??= { start: `${PREFIX}${nodeCrypto().randomBytes(12).toString('hex')}`, end: `-${ownerMark()}` };
  return `${ownNames.start}.${namesGiven++}${ownNames.end}`;
}

/** A temporary path in the folder of `path`. */
export const temporaryBeside = (path: string): string => join(dirname(path), temporaryName());

export type WriteOptions = {
  /** Permission bits of the new file; default 0o666 without the umask. */
  readonly mode?: number;
  /** Flush bytes and name to the disk before returning; default false. */
  readonly durable?: boolean;
};

/** Writes a file whole: readers see the old bytes or the new, never a part. The folder must exist. Throws system errors. */
export function writeAtomic(path: string, content: string | Uint8Array, options: WriteOptions = {}): void {
  const temporary = temporaryBeside(path);
  try {
    writeFileSync(temporary, content, { flag: 'wx', mode: options.mode ?? 0o666 });
    if (options.durable) flush(temporary);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    // A write that fails does not know its file.
    throw error instanceof Error && !('path' in error) ? Object.assign(error, { path }) : error;
  }
  if (options.durable) flush(dirname(path));
}

/** Flushes a file's bytes, or a folder's names, to the disk. */
export function flush(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

const DAY_MS = 24 * 3600 * 1000;

/**
 * Removes temporary files and folders that a writer left in `folder` when it died: at once where the writer was on this
 * host, after a day where it was on another. What other processes are writing stays.
 */
export function clearTemporary(folder: string): void {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return;
  }
  for (const name of names) {
    if (!name.startsWith(PREFIX)) continue;
    const path = join(folder, name);
    try {
      const owner = name.slice(name.indexOf('-', PREFIX.length) + 1);
      if (isAbandoned(owner, path)) rmSync(path, { recursive: true, force: true });
    } catch {
      // Someone else cleared it.
    }
  }
}

/** This process in the name of a file that it alone writes to. */
export const ownerMark = (): string => `${process.pid}-${HOST}`;

/**
 * Is the one who wrote this file gone? Known at once where it was on this host; else it is, after a day.
 * @param owner as of ownerMark
 * @throws ENOENT where the file is gone
 */
export function isAbandoned(owner: string, path: string): boolean {
  const [pid, ...host] = owner.split('-');
  return host.join('-') === HOST ? !lives(Number(pid)) : statSync(path).mtimeMs < Date.now() - DAY_MS;
}

function lives(pid: number): boolean {
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
