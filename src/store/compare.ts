// Are the outputs on disk what a manifest says? Stat first; bytes are read only where the stat signature is a new one.
import { lstatSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { errno, unless } from '../fs/errno.ts';
import { isExecutable, statOf } from '../fs/stat-signature.ts';
import { FileDigests } from './file-digests.ts';
import type { Entry, Manifest, Output } from './manifest.ts';
import { isFollowed, walkOutput } from './output-walk.ts';

export type DiskState =
  | { readonly state: 'same' }
  /** Something is gone; paths from the workflow's folder, those of whole outputs where nothing of them is there. */
  | { readonly state: 'missing'; readonly paths: readonly string[] }
  /** Nothing is gone, but there are other bytes, modes, kinds or link targets, or files that the job did not make. */
  | { readonly state: 'edited'; readonly paths: readonly string[] };

/**
 * @param root the workflow's folder, absolute; @param dir the job's folder, from root
 * @param digests of this root; reads what changed, and remembers it
 */
export function compareOutputs(root: string, dir: string, manifest: Manifest, digests: FileDigests): DiskState {
  const missing: string[] = [];
  const edited: string[] = [];
  for (const output of manifest) {
    try {
      if (output.tree) compareTree(root, dir, output, digests, missing, edited);
      else compareFile(root, dir, output, digests, missing, edited);
    } catch (error) {
      // A job leaves its outputs readable: someone changed that.
      if (errno(error) !== 'EACCES') throw error;
      edited.push(below(dir, output.path));
    }
  }
  if (missing.length > 0) return { state: 'missing', paths: missing };
  return edited.length > 0 ? { state: 'edited', paths: edited } : { state: 'same' };
}

/** Both are normalised, and this is asked of every output. */
const below = (dir: string, path: string): string => (dir === '.' ? path : `${dir}/${path}`);

function compareFile(
  root: string,
  dir: string,
  output: Output,
  digests: FileDigests,
  missing: string[],
  edited: string[],
): void {
  const path = below(dir, output.path);
  const absolute = `${root}/${path}`;
  const own = lstatOf(absolute);
  const stats = own?.isSymbolicLink() ? statOf(absolute) : own;
  const entry = output.entries[0];
  if (!own) missing.push(path);
  // A link stands for its bytes, as when it was captured; not one that is broken, leads out or into the store.
  else if (!stats || (own.isSymbolicLink() && !isFollowed(root, absolute))) edited.push(path);
  else if (entry?.type !== 'file' || !sameFile(path, entry, digests, stats)) edited.push(path);
}

function lstatOf(path: string): Stats | undefined {
  return unless(['ENOTDIR'], () => lstatSync(path, { throwIfNoEntry: false }));
}

function sameFile(
  path: string,
  entry: Extract<Entry, { type: 'file' }>,
  digests: FileDigests,
  stats: NonNullable<ReturnType<typeof statOf>>,
): boolean {
  if (!stats.isFile() || stats.size !== entry.size || isExecutable(stats) !== entry.exec) return false;
  return digests.digest(path, stats)?.digest === entry.digest;
}

function compareTree(
  root: string,
  dir: string,
  output: Output,
  digests: FileDigests,
  missing: string[],
  edited: string[],
): void {
  const top = join(dir, output.path);
  const walk = walkOutput(root, dir, output);
  if (walk.kind === 'missing') {
    missing.push(`${top}/`);
    return;
  }
  if (walk.kind === 'invalid') {
    edited.push(walk.path);
    return;
  }
  const onDisk = new Map(walk.found.map((found) => [found.path, found]));
  for (const entry of output.entries) {
    const path = join(top, entry.path);
    const found = onDisk.get(entry.path);
    onDisk.delete(entry.path);
    if (!found) missing.push(path);
    else if (found.type !== entry.type) edited.push(path);
    else if (found.type === 'link') {
      if (entry.type === 'link' && found.target !== entry.target) edited.push(path);
    } else if (found.type === 'file') {
      if (entry.type === 'file' && !sameFile(path, entry, digests, found.stats)) edited.push(path);
    }
  }
  for (const path of onDisk.keys()) edited.push(join(top, path));
}
