// What a snapshot keeps of one job's outputs, and of one source: paths, and how each stood when its bytes were known.
import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { unless } from '../fs/errno.ts';
import { isExecutable, isRacy, signatureOf, statOf } from '../fs/stat-signature.ts';
import { listFolder } from '../fs/walk.ts';
import type { Job } from '../graph/job.ts';
import type { KeyedSource } from '../key/keyed-sources.ts';
import type { SourceDigests } from '../key/source-digests.ts';
import type { FileDigests } from '../store/file-digests.ts';
import { manifestSize, type Entry, type Manifest, type Output } from '../store/manifest.ts';
import type { Trace } from '../store/trace.ts';
import { isTemp } from './records.ts';
import { BLOB, BLOB_BYTES, LOOK, STAT_FIELDS } from './snapshot.ts';

/** Paths with their looks, STAT_FIELDS numbers for each, and what the store has of it. */
export class Row {
  readonly paths: string[] = [];
  readonly looks: number[] = [];
  readonly stats: number[] = [];
  readonly blobs: (FileEntry | undefined)[] = [];

  /**
   * @param stats undefined: nothing is known that would prove anything later
   * @param blob what a link to would bring back the path, should it be gone; undefined: only a plan can tell
   */
  add(path: string, look: number, stats?: Stats, blob?: FileEntry): void {
    this.paths.push(path);
    this.looks.push(stats === undefined && look < LOOK.absent ? LOOK.unknown : look);
    const { size = 0, mtimeMs = 0, ctimeMs = 0, ino = 0 } = stats ?? {};
    this.stats.push(size, mtimeMs, ctimeMs, ino);
    this.blobs.push(stats && blob);
  }

  get length(): number {
    return this.stats.length / STAT_FIELDS;
  }
}

type FileEntry = Extract<Entry, { type: 'file' }>;

/** BLOB_BYTES for each. */
export function blobBytes(blobs: readonly (FileEntry | undefined)[]): Uint8Array {
  const bytes = Buffer.alloc(blobs.length * BLOB_BYTES, BLOB.none);
  for (const [i, blob] of blobs.entries()) {
    if (blob === undefined) continue;
    bytes[i * BLOB_BYTES] = blob.exec ? BLOB.executable : BLOB.file;
    bytes.write(blob.digest, i * BLOB_BYTES + 1, 'hex');
  }
  return bytes;
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
    else {
      const [entry] = output.entries;
      // A temp output may be gone.
      const blob = entry?.type === 'file' && !isTemp(job, output.path) ? entry : undefined;
      const own = lstatOf(join(parts.root, path));
      const linked = own?.isSymbolicLink();
      // Where it leads may change, and what is there.
      if (linked) row.add(path, LOOK.lstat, own);
      row.add(path, LOOK.stat, known(parts, path, entry, linked ? statOf(join(parts.root, path)) : own), blob);
    }
  }
  return row;
}

/** RESULT_FIELDS numbers of a job's result. */
export const resultNumbers = ({ usage, manifest }: Trace): number[] => [
  usage.finishedAt,
  usage.wallS,
  manifestSize(manifest),
];

const lstatOf = (path: string): Stats | undefined =>
  unless(['ENOTDIR'], () => lstatSync(path, { throwIfNoEntry: false }));

/** A temp output that went when nobody needed it any more. */
function isDropped({ root }: RowParts, job: Job, output: Output, path: string): boolean {
  return isTemp(job, output.path) && lstatSync(join(root, path), { throwIfNoEntry: false }) === undefined;
}

/** The given stats of a file that is on record as it stands so, and is what the entry says; else undefined. */
function known(
  { files }: RowParts,
  path: string,
  entry: Entry | undefined,
  stats: Stats | undefined,
): Stats | undefined {
  if (!stats?.isFile() || entry?.type !== 'file') return undefined;
  if (stats.size !== entry.size || isExecutable(stats) !== entry.exec) return undefined;
  return files.recorded(path, stats) === entry.digest ? stats : undefined;
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
    if (entry.type === 'file') row.add(path, LOOK.stat, known(parts, path, entry, statOf(join(parts.root, path))));
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
export function sourceRow(parts: RowParts, { path, folder }: KeyedSource): { row: Row; digest: string } {
  const row = new Row();
  const absolute = isAbsolute(path) ? path : join(parts.root, path);
  if (!folder) {
    const digest = parts.sources.ofFile(path) ?? '';
    addSource(parts, row, path, absolute, digest);
    return { row, digest };
  }
  // First how the folders stand, then what is in them: what comes after that is seen by the next build.
  for (const below of ['', ...foldersIn(absolute)]) {
    const stats = statOf(join(absolute, below));
    const racy = stats === undefined || isRacy(signatureOf(stats), Date.now());
    row.add(join(path, below), LOOK.stat, racy ? undefined : stats);
  }
  const digest = parts.sources.ofFolder(path) ?? '';
  for (const { path: below, type } of listFolder(absolute) ?? []) {
    const own = lstatSync(join(absolute, below), { throwIfNoEntry: false });
    if (own?.isSymbolicLink()) row.add(join(path, below), LOOK.lstat, own);
    if (type === 'file') addSource(parts, row, join(path, below), join(absolute, below));
  }
  return { row, digest };
}

const foldersIn = (absolute: string): string[] =>
  (listFolder(absolute) ?? []).flatMap(({ path, type }) => (type === 'dir' ? [path] : []));

/** @param digest what the file must be on record as; undefined: whatever it is */
function addSource({ files }: RowParts, row: Row, path: string, absolute: string, digest?: string): void {
  const stats = statOf(absolute);
  const recorded = stats && files.recorded(path, stats);
  row.add(path, LOOK.stat, recorded !== undefined && recorded === (digest ?? recorded) ? stats : undefined);
}
