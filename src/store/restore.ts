// Outputs come back from the store, or are removed. Only declared outputs are touched, and links are never followed out.
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  renameSync,
  type Stats,
} from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { concurrently } from '../base/concurrently.ts';
import { err, ok, type Result } from '../base/result.ts';
import { step } from '../base/step.ts';
import { temporaryBeside } from '../fs/atomic-write.ts';
import { errno } from '../fs/errno.ts';
import { makeFolder } from '../fs/make-folder.ts';
import { moveInto } from '../fs/move.ts';
import { below, isInside, parseRelPath } from '../fs/rel-path.ts';
import { isRacy, isWholeSecond, signatureOf, statOf } from '../fs/stat-signature.ts';
import type { BlobStore } from './blob-store.ts';
import type { FileDigests } from './file-digests.ts';
import type { Declared, Entry, Manifest, Output } from './manifest.ts';
import { systemText } from './write-failed.ts';

export type RestoreProblem =
  /** Blobs are missing or were damaged (and are moved away now): paths of their files, from the workflow's folder. */
  | { readonly kind: 'evicted'; readonly paths: readonly string[] }
  /** The manifest names a path that no job may write: it came from elsewhere, or the record is damaged. */
  | { readonly kind: 'invalid'; readonly message: string }
  /** The system refused, or something that is no declared output stands in the way. */
  | { readonly kind: 'failed'; readonly message: string };

type FileEntry = Extract<Entry, { type: 'file' }>;

/** Big files are read in other threads meanwhile. */
const FILES_AT_ONCE = 8;

/**
 * Puts all outputs of a manifest in place: first every blob is brought out and verified, then files are renamed in and trees
 * are swapped. What stands at the path of an output goes, extra files in its trees too. If a blob is missing, nothing changed.
 * @param root the workflow's folder, absolute; @param dir the job's folder, from root
 * @param digests learns the digests of the files that are put there
 */
export async function restoreOutputs(
  root: string,
  dir: string,
  manifest: Manifest,
  blobs: BlobStore,
  digests?: FileDigests,
): Promise<Result<void, RestoreProblem>> {
  const wrong = wrongPath(dir, manifest);
  if (wrong !== undefined) return err({ kind: 'invalid', message: wrong });
  const staged = new Map<FileEntry, string>();
  try {
    const evicted: string[] = [];
    const files = manifest.flatMap((output) =>
      output.entries.flatMap((entry) => (entry.type === 'file' ? [{ output, entry }] : [])),
    );
    await concurrently(files, FILES_AT_ONCE, async ({ output, entry }) => {
      const blob = await blobs.stage(entry.digest, entry.exec);
      if (typeof blob === 'string') evicted.push(join(dir, output.path, entry.path));
      else staged.set(entry, blob.temporary);
    });
    if (evicted.length > 0) return err({ kind: 'evicted', paths: evicted.toSorted() });
    step('restore:staged');
    let made = '';
    // Trees first: a file that is declared by itself may lie in a tree of the same job.
    for (const output of [...manifest].sort((a, b) => Number(b.tree) - Number(a.tree))) {
      const absolute = join(root, dir, output.path);
      // Outputs mostly lie side by side; a tree takes what was made in it away.
      if (dirname(absolute) !== made) makeFolder(dirname(absolute));
      made = output.tree ? '' : dirname(absolute);
      if (output.tree) placeTree(absolute, output, staged, blobs);
      else placeFile(absolute, output, staged);
      for (const entry of output.entries) {
        if (entry.type === 'file') learn(root, join(dir, output.path, entry.path), entry, digests);
      }
    }
    step('restore:placed');
    return ok(undefined);
  } catch (error) {
    if (error instanceof Error && 'code' in error) return err({ kind: 'failed', message: systemText(error) });
    throw error;
  } finally {
    for (const temporary of staged.values()) rmSync(temporary, { force: true });
  }
}

/** A sentence on the first path of a manifest that leads out, or that lies below a link; undefined if all are fine. */
export function wrongPath(dir: string, manifest: Manifest): string | undefined {
  const normal = (path: string): boolean => {
    const parsed = parseRelPath(path);
    return parsed.ok && parsed.value === path;
  };
  if (!normal(dir)) return `the folder '${dir}' is no path inside the workflow's folder`;
  for (const output of manifest) {
    if (!normal(output.path) || output.path === '.')
      return `output ${output.name}: '${output.path}' is no path inside the job's folder`;
    if (
      !output.tree &&
      (output.entries.length !== 1 || output.entries[0]?.type !== 'file' || output.entries[0].path !== '')
    ) {
      return `output ${output.name}: a file has exactly one entry, its own`;
    }
    const folders = new Set(output.entries.filter((entry) => entry.type === 'dir').map((entry) => entry.path));
    const seen = new Set<string>();
    for (const entry of output.tree ? output.entries : []) {
      const shown = `output ${output.name}: '${entry.path}'`;
      if (!normal(entry.path) || entry.path === '.') return `${shown} is no path inside its tree`;
      if (seen.has(entry.path)) return `${shown} is listed twice`;
      seen.add(entry.path);
      const parent = posix.dirname(entry.path);
      if (parent !== '.' && !folders.has(parent)) return `${shown} lies in no folder of its tree`;
      if (entry.type === 'link') {
        const target = posix.join(posix.dirname(entry.path), entry.target);
        if (entry.target.startsWith('/') || !isInside('.', target) || /^\.\.(\/|$)/.test(target)) {
          return `${shown} is a link out of its tree`;
        }
      }
    }
  }
  return undefined;
}

function placeFile(absolute: string, output: Output, staged: Map<FileEntry, string>): void {
  const entry = output.entries[0];
  const temporary = entry?.type === 'file' ? staged.get(entry) : undefined;
  if (entry?.type !== 'file' || temporary === undefined) return;
  const there = lstatSync(absolute, { throwIfNoEntry: false });
  if (there?.isDirectory()) removeAll(absolute);
  moveInto(temporary, absolute, there === undefined);
  staged.delete(entry);
}

/** Builds the tree aside and swaps it in. */
function placeTree(absolute: string, output: Output, staged: Map<FileEntry, string>, blobs: BlobStore): void {
  const build = (top: string): void => {
    mkdirSync(top, { recursive: true });
    // Sorted by path, so a folder comes before what lies in it.
    for (const entry of output.entries) {
      const path = join(top, entry.path);
      if (entry.type === 'dir') mkdirSync(path);
      else if (entry.type === 'link') symlinkSync(entry.target, path);
      else {
        const temporary = staged.get(entry);
        if (temporary === undefined) continue;
        moveInto(temporary, path, true);
        staged.delete(entry);
      }
    }
  };
  // On another file system than tmp/, only a folder beside the tree can be renamed into its place.
  const near = blobs.temporaryInWork();
  const sameDevice = statOf(dirname(near))?.dev === statOf(dirname(absolute))?.dev;
  const aside = sameDevice ? near : temporaryBeside(absolute);
  try {
    build(aside);
    removeAll(absolute);
    renameSync(aside, absolute);
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

/**
 * Puts the outputs of a job in place where none of them stands, each by one link to its blob: so are most results brought
 * back, and it takes a third of the system calls of restoreOutputs.
 * @returns false where they cannot come so: then none of them was put there. Parameters as of restoreOutputs
 */
export function linkOutputs(
  root: string,
  dir: string,
  manifest: Manifest,
  blobs: BlobStore,
  digests: FileDigests,
): boolean {
  if (manifest.some(({ tree }) => tree) || wrongPath(dir, manifest) !== undefined) return false;
  const folder = `${root}/${dir}`;
  const placed: { readonly path: string; readonly entry: FileEntry; readonly stats: Stats }[] = [];
  let isWhole = false;
  try {
    const isNew = makeFolder(folder) !== undefined;
    // What a link leads to is not for this way.
    isWhole =
      (isNew || lstatSync(folder).isDirectory()) &&
      manifest.every(({ path, entries: [entry] }) => {
        if (entry?.type !== 'file') return false;
        if (path.includes('/')) {
          if (!isNew && firstLink(folder, path) !== undefined) return false;
          makeFolder(dirname(`${folder}/${path}`));
        }
        const stats = blobs.linkOut(entry.digest, entry.exec, entry.size, `${folder}/${path}`);
        if (stats) placed.push({ path, entry, stats });
        return stats !== undefined;
      });
    if (isWhole) step('restore:linked');
  } catch (error) {
    if (errno(error) === undefined) throw error;
  } finally {
    if (!isWhole) for (const { path } of placed) rmSync(`${folder}/${path}`, { force: true });
  }
  if (!isWhole) return false;
  for (const { path, entry, stats } of placed) remember(posix.join(dir, path), entry, stats, digests);
  return true;
}

function learn(root: string, path: string, entry: FileEntry, digests: FileDigests | undefined): void {
  const stats = digests && statOf(join(root, path));
  if (stats) remember(path, entry, stats, digests);
}

function remember(path: string, { digest }: FileEntry, stats: Stats, digests: FileDigests): void {
  const signature = signatureOf(stats);
  const settled = isWholeSecond(stats.mtimeMs) || !isRacy(signature, Date.now());
  // Its own name and the blob's are two; each link more changes the times of those before.
  digests.record(path, signature, digest, settled, stats.nlink > 2 ? stats.dev : undefined);
}

/**
 * Unlinks a job's declared outputs, trees wholly; what is not there is fine. Links are removed, never followed: where a folder
 * on the way to an output is a link, that link goes. Other files stay, empty folders too. Throws system errors.
 * @param root the workflow's folder, absolute; @param dir the job's folder, from root
 */
export function removeOutputs(root: string, dir: string, declared: readonly Pick<Declared, 'path' | 'tree'>[]): void {
  for (const { path } of declared) {
    const folder = below(root, dir);
    const link = firstLink(folder, path);
    if (link === undefined) removeAll(below(folder, path));
    else unlinkSync(link);
  }
}

/** The first of the folders between `folder` and the output below it that is a link. */
function firstLink(folder: string, path: string): string | undefined {
  const segments = path.split('/').slice(0, -1);
  for (let n = 1; n <= segments.length; n++) {
    const at = join(folder, ...segments.slice(0, n));
    const stats = lstatOf(at);
    if (!stats) return undefined;
    if (stats.isSymbolicLink()) return at;
  }
  return undefined;
}

function lstatOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (errno(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Removes a file, a link or a folder with all in it, folders that a job left read only too. */
function removeAll(path: string): void {
  const stats = lstatOf(path);
  if (!stats) return;
  if (!stats.isDirectory()) {
    unlinkSync(path);
    return;
  }
  try {
    rmSync(path, { recursive: true, force: true });
  } catch (error) {
    if (errno(error) !== 'EACCES' && errno(error) !== 'EPERM') throw error;
    openFolders(path);
    rmSync(path, { recursive: true, force: true });
  }
}

function openFolders(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) openFolders(join(folder, entry.name));
  }
}
