// What a snapshot keeps of one job's outputs, and of one source: paths, and how each stood when its bytes were known.
import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { isExecutable, isRacy, sameSignature, signatureOf, statOf } from '../fs/stat-signature.ts';
import { listFolder } from '../fs/walk.ts';
import type { Job } from '../graph/job.ts';
import type { KeyedSource } from '../key/keyed-sources.ts';
import type { SourceDigests } from '../key/source-digests.ts';
import type { FileDigests } from '../store/file-digests.ts';
import type { Entry, Manifest, Output } from '../store/manifest.ts';
import { LOOK, STAT_FIELDS } from './snapshot.ts';

/** Paths with their looks, and STAT_FIELDS numbers for each. */
export class Row {
  readonly paths: string[] = [];
  readonly looks: number[] = [];
  readonly stats: number[] = [];

  /** @param stats undefined: nothing is known that would prove anything later */
  add(path: string, look: number, stats?: Stats): void {
    this.paths.push(path);
    this.looks.push(stats === undefined && look < LOOK.absent ? LOOK.unknown : look);
    const { size = 0, mtimeMs = 0, ctimeMs = 0, ino = 0 } = stats ?? {};
    this.stats.push(size, mtimeMs, ctimeMs, ino);
  }

  get length(): number {
    return this.stats.length / STAT_FIELDS;
  }
}

export type RowParts = {
  /** The workflow's folder, absolute. */
  readonly root: string;
  readonly files: FileDigests;
  readonly sources: SourceDigests;
};

/** @param manifest of the result that the work tree holds */
export function outputsRow(parts: RowParts, job: Job, manifest: Manifest): Row {
  const row = new Row();
  for (const output of manifest) {
    const path = join(job.dir, output.path);
    if (output.tree) addTree(parts, row, path, output);
    else if (isDropped(parts, job, output, path)) row.add(path, LOOK.absent);
    else row.add(path, LOOK.stat, known(parts, path, output.entries[0]));
  }
  return row;
}

/** A temp output that went when nobody needed it any more. */
function isDropped({ root }: RowParts, job: Job, output: Output, path: string): boolean {
  const temp = job.rule.temp || job.outputs.some((o) => o.inDir === output.path && o.spec.temp);
  return temp && lstatSync(join(root, path), { throwIfNoEntry: false }) === undefined;
}

/** The stats of a file whose bytes are on record, as they are now, with what the entry says; else undefined. */
function known({ root, files }: RowParts, path: string, entry: Entry | undefined): Stats | undefined {
  const record = files.recorded(path);
  const stats = statOf(isAbsolute(path) ? path : join(root, path));
  if (!record || !stats?.isFile() || entry?.type !== 'file') return undefined;
  if (record.digest !== entry.digest || stats.size !== entry.size || isExecutable(stats) !== entry.exec)
    return undefined;
  return sameSignature(record.signature, signatureOf(stats)) ? stats : undefined;
}

function addTree(parts: RowParts, row: Row, top: string, output: Output): void {
  const folders = new Map<string, string[]>([['', []]]);
  for (const entry of output.entries) {
    const slash = entry.path.lastIndexOf('/');
    folders.get(entry.path.slice(0, Math.max(0, slash)))?.push(entry.path.slice(slash + 1));
    if (entry.type === 'dir') folders.set(entry.path, []);
  }
  for (const [path, names] of folders) addFolder(parts, row, join(top, path), names);
  for (const entry of output.entries) {
    const path = join(top, entry.path);
    if (entry.type === 'dir') continue;
    const own = lstatSync(join(parts.root, path), { throwIfNoEntry: false });
    // Where it leads may change, and what is there.
    if (entry.type === 'link' || own?.isSymbolicLink()) row.add(path, LOOK.lstat, own);
    if (entry.type === 'file') row.add(path, LOOK.stat, known(parts, path, entry));
  }
}

/** A folder with these names in it and no others: its mtime tells when one comes or goes. */
function addFolder({ root }: RowParts, row: Row, path: string, names: readonly string[]): void {
  const absolute = join(root, path);
  const own = lstatSync(absolute, { throwIfNoEntry: false });
  const stats = statOf(absolute);
  const readAt = Date.now();
  const settled =
    stats?.isDirectory() === true &&
    !isRacy(signatureOf(stats), readAt) &&
    readdirSync(absolute).sort().join('/') === [...names].sort().join('/');
  if (own?.isSymbolicLink()) row.add(path, LOOK.lstat, own);
  row.add(path, LOOK.stat, settled ? stats : undefined);
}

/** A source with the digest that the row stands for; '' where there is none. */
export function sourceRow(parts: RowParts, source: KeyedSource): { row: Row; digest: string } {
  const row = new Row();
  const { root, files } = parts;
  const absolute = isAbsolute(source.path) ? source.path : join(root, source.path);
  if (!source.folder) {
    const digest = parts.sources.ofFile(source.path) ?? '';
    row.add(source.path, LOOK.stat, recordedAs(parts, source.path, absolute, digest));
    return { row, digest };
  }
  const folders = new Row();
  const addListed = (path: string): void => {
    const stats = statOf(join(absolute, path));
    const racy = stats === undefined || isRacy(signatureOf(stats), Date.now());
    folders.add(join(source.path, path), LOOK.stat, racy ? undefined : stats);
  };
  // Folders first, then what lies in them: what comes later is seen by the next build.
  addListed('');
  for (const { path, type } of listFolder(absolute) ?? []) if (type === 'dir') addListed(path);
  const digest = parts.sources.ofFolder(source.path) ?? '';
  for (const { path, type } of listFolder(absolute) ?? []) {
    const from = join(source.path, path);
    const own = lstatSync(join(absolute, path), { throwIfNoEntry: false });
    if (own?.isSymbolicLink()) folders.add(from, LOOK.lstat, own);
    if (type === 'file')
      folders.add(from, LOOK.stat, recordedAs(parts, from, join(absolute, path), files.recorded(from)?.digest ?? ''));
  }
  return { row: folders, digest };
}

function recordedAs({ files }: RowParts, path: string, absolute: string, digest: string): Stats | undefined {
  const record = files.recorded(path);
  const stats = statOf(absolute);
  if (!record || !stats || record.digest !== digest) return undefined;
  return sameSignature(record.signature, signatureOf(stats)) ? stats : undefined;
}
