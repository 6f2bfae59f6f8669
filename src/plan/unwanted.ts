// Outputs that lie in the work tree though no job of the workflow declares them: of jobs that left it, or that moved.
//
// Only what this work tree is on record to have made counts, file by file: a file with other bytes than on record is not
// lhb's to remove, nor is one that the workflow reads or declares, nor one behind a link.
import { lstatSync, readdirSync, readlinkSync, rmdirSync, unlinkSync, type Stats } from 'node:fs';
import { join, posix, resolve } from 'node:path';
import type { JobId } from '../base/brand.ts';
import { unless } from '../fs/errno.ts';
import { isInside } from '../fs/rel-path.ts';
import { isExecutable } from '../fs/stat-signature.ts';
import type { JobGraph } from '../graph/graph.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { FileDigests } from '../store/file-digests.ts';
import type { IndexDb } from '../store/index-db.ts';
import type { Entry, Output } from '../store/manifest.ts';
import { wrongPath } from '../store/restore.ts';
import type { Trace } from '../store/trace.ts';

/** Why a file stays. */
export type KeptReason = 'edited' | 'not on record' | 'evicted' | 'source' | 'behind a link';

export type UnwantedFile = {
  /** From the workflow's folder. */
  readonly path: string;
  readonly bytes: number;
  readonly kept: KeptReason | undefined;
};

/** One output with what lies there. */
export type Unwanted = {
  /** From the workflow's folder; a tree without a trailing slash. */
  readonly path: string;
  readonly tree: boolean;
  readonly jobId: JobId;
  readonly rule: string;
  readonly label: string;
  readonly files: readonly UnwantedFile[];
  /** Folders of a tree, itself included, the deepest first: they go once they are empty. */
  readonly folders: readonly string[];
};

export type UnwantedFrom = {
  /** The workflow's folder, absolute. */
  readonly root: string;
  readonly tree: string;
  readonly graph: JobGraph;
  readonly index: IndexDb;
  readonly blobs: BlobStore;
  readonly files: FileDigests;
  /** Paths that the workflow reads, from its folder or absolute. */
  readonly sources: ReadonlySet<string>;
};

type OnRecord = { readonly trace: Trace; readonly output: Output };

/** @param wanted is the output of a job of this id asked for? */
export function findUnwanted(from: UnwantedFrom, wanted: (id: JobId) => boolean): Unwanted[] {
  const found = new Map<string, OnRecord[]>();
  for (const { trace } of from.index.allTraces()) {
    if (!trace || !wanted(trace.jobId) || wrongPath(trace.dir, trace.manifest) !== undefined) continue;
    for (const output of trace.manifest) {
      const path = posix.join(trace.dir, output.path);
      if (isDeclared(from.graph, path) || !from.index.wasMade(from.tree, path)) continue;
      if (!lstatOf(join(from.root, path))) continue;
      const known = found.get(path);
      if (known) known.push({ trace, output });
      else found.set(path, [{ trace, output }]);
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, records]) => lookAt(from, path, records));
}

/** Is it an output of the workflow, or does it lie in one? */
export function isDeclared({ producers }: JobGraph, path: string): boolean {
  for (let at = path; ; at = posix.dirname(at)) {
    const producer = producers.get(at);
    if (producer && (at === path || producer.output.tree)) return true;
    if (at === '/' || !at.includes('/')) return false;
  }
}

function lookAt(from: UnwantedFrom, path: string, records: readonly OnRecord[]): Unwanted {
  const newest = records.reduce((a, b) => (b.trace.recordedAt > a.trace.recordedAt ? b : a));
  const { jobId, rule, label } = newest.trace;
  const files: UnwantedFile[] = [];
  const folders: string[] = [];
  const visit = (at: string, sub: string): void => {
    const stats = lstatOf(join(from.root, at));
    if (!stats || isDeclared(from.graph, at)) return;
    if (!stats.isDirectory()) {
      const entries = records.flatMap(({ output }) => output.entries.filter((entry) => entry.path === sub));
      files.push({ path: at, bytes: stats.isFile() ? stats.size : 0, kept: reasonToKeep(from, at, stats, entries) });
      return;
    }
    for (const name of readdirSync(join(from.root, at)).sort())
      visit(`${at}/${name}`, sub === '' ? name : `${sub}/${name}`);
    folders.push(at);
  };
  visit(path, '');
  return { path, tree: newest.output.tree, jobId, rule, label, files, folders };
}

/** @param entries what is on record under this path */
function reasonToKeep(
  from: UnwantedFrom,
  path: string,
  stats: Stats,
  entries: readonly Entry[],
): KeptReason | undefined {
  if (isBehindLink(from, path)) return 'behind a link';
  if (isSource(from, path)) return 'source';
  if (entries.length === 0) return 'not on record';
  const absolute = join(from.root, path);
  if (stats.isSymbolicLink()) {
    const target = readlinkSync(absolute);
    return entries.some((entry) => entry.type === 'link' && entry.target === target) ? undefined : 'edited';
  }
  if (!stats.isFile()) return 'edited';
  const sameSize = entries.filter((entry) => entry.type === 'file' && entry.size === stats.size);
  const digest = sameSize.length > 0 ? from.files.digest(path, stats)?.digest : undefined;
  const same = sameSize.find(
    (entry) => entry.type === 'file' && entry.digest === digest && entry.exec === isExecutable(stats),
  );
  if (same?.type !== 'file') return 'edited';
  return from.blobs.has(same.digest, same.exec, same.size) ? undefined : 'evicted';
}

/** Is a path, or a folder that it lies in, among the sources? @param sources from `root`, or absolute */
export function isSource({ sources, root }: Pick<UnwantedFrom, 'sources' | 'root'>, path: string): boolean {
  for (let at = path; ; at = posix.dirname(at)) {
    if (sources.has(at) || sources.has(resolve(root, at))) return true;
    if (at === '/' || !at.includes('/')) return false;
  }
}

/** Is a folder on the way a link? The output root, and what is above it, may be: it is the user's own. */
function isBehindLink({ root, graph }: UnwantedFrom, path: string): boolean {
  for (let at = posix.dirname(path); at !== '.' && at !== '/'; at = posix.dirname(at)) {
    if (isInside(at, graph.workflow.output)) continue;
    if (lstatOf(join(root, at))?.isSymbolicLink()) return true;
  }
  return false;
}

const lstatOf = (path: string): Stats | undefined =>
  unless(['ENOTDIR', 'ELOOP'], () => lstatSync(path, { throwIfNoEntry: false }));

/**
 * Removes what is not to be kept, then folders that are empty by that, up to the output root.
 * @param force files that were edited, or that nothing is on record of, as well
 * Throws system errors.
 */
export function removeUnwanted(from: UnwantedFrom, outputs: readonly Unwanted[], force: boolean): void {
  for (const output of outputs) {
    for (const file of output.files) if (goes(file, force)) unlinkSync(join(from.root, file.path));
    for (const folder of output.folders) removeEmpty(from, folder);
    for (let at = posix.dirname(output.path); removeEmpty(from, at);) at = posix.dirname(at);
  }
}

/** Sources, and what lies behind a link, never go. */
export const goes = ({ kept }: UnwantedFile, force: boolean): boolean =>
  kept === undefined || (force && (kept === 'edited' || kept === 'not on record' || kept === 'evicted'));

/** False where it stays: it is not empty, an output, the output root or above it, or a link. */
function removeEmpty({ root, graph }: UnwantedFrom, folder: string): boolean {
  if (folder === '.' || isInside(folder, graph.workflow.output) || isDeclared(graph, folder)) return false;
  return (
    unless(
      ['ENOTEMPTY', 'EEXIST', 'ENOTDIR', 'ENOENT', 'EACCES', 'EPERM', 'EBUSY'],
      () => (rmdirSync(join(root, folder)), true),
    ) ?? false
  );
}
