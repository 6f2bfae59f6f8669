// The list of one job's outputs. Paths are relative to the job's folder, so that a manifest holds in any work tree.
import { posix } from 'node:path';
import type { Digest } from '../base/brand.ts';
import { isInside } from '../fs/rel-path.ts';
import { hashIn } from '../hash/digest.ts';

/** One thing on disk. `path` is relative to the output's own path; '' for the output itself. */
export type Entry =
  | {
      readonly type: 'file';
      readonly path: string;
      readonly size: number;
      /** Of all bytes: the blob's name. */
      readonly digest: Digest;
      /** Any of the bits that let it be executed; it counts in keys. */
      readonly exec: boolean;
      /** What downstream keys see in place of `digest`; only there where ignored fields make it another. */
      readonly keyDigest?: Digest;
    }
  /** A symbolic link that points inside its own output tree; `target` is relative to the link's own folder. */
  | { readonly type: 'link'; readonly path: string; readonly target: string }
  | { readonly type: 'dir'; readonly path: string };

export type Output = {
  /** The declared name. An output with a list of paths has one Output a path, with the same name. */
  readonly name: string;
  /** Relative to the job's folder, without a trailing slash. */
  readonly path: string;
  readonly tree: boolean;
  /** Sorted by path (code units). A file output has one entry; a tree its files, links and folders, itself excluded. */
  readonly entries: readonly Entry[];
  /** What downstream keys see: BLAKE3 over the entries, `ignore`d fields left out. */
  readonly keyDigest: Digest;
};

export type Manifest = readonly Output[];

/** A declared output as the store sees it. */
export type Declared = {
  readonly name: string;
  /** Relative to the job's folder, normalised, without a trailing slash. */
  readonly path: string;
  readonly tree: boolean;
  /** JSON pointers; in a tree they count for the files whose names end in `.json`. */
  readonly ignore: readonly string[];
};

/** What downstream keys see of a file output or a tree, from its entries: types, paths, bytes, executable bits. */
export function keyDigestOf(tree: boolean, entries: readonly Entry[]): Digest {
  const lines = entries.map((entry) => {
    switch (entry.type) {
      case 'file':
        return JSON.stringify([entry.exec ? 'exec' : 'file', entry.path, entry.keyDigest ?? entry.digest]);
      case 'link':
        return JSON.stringify(['link', entry.path, entry.target]);
      case 'dir':
        return JSON.stringify(['dir', entry.path]);
    }
  });
  return hashIn(tree ? 'lhb tree 1' : 'lhb file 1', lines.join('\n'));
}

/**
 * What downstream keys see of one file or folder inside an output tree, alone; links inside the tree are followed. It is what
 * the same file or folder has as an output of its own. Undefined where the tree has no such path.
 * @param path from the tree's own folder; '' for all of it
 */
export function keyDigestWithin(output: Output, path: string, hops = 0): Digest | undefined {
  if (path === '' || path === '.') return output.keyDigest;
  const found = output.entries.find((entry) => entry.path === path);
  if (found?.type === 'file') return keyDigestOf(false, [{ ...found, path: '' }]);
  if (found?.type === 'dir') {
    const below = output.entries.filter((entry) => entry.path !== path && isInside(path, entry.path));
    return keyDigestOf(
      true,
      below.map((entry) => ({ ...entry, path: entry.path.slice(path.length + 1) })),
    );
  }
  // A link on the way: go on from where it leads.
  const link = output.entries.find((entry) => entry.type === 'link' && isInside(entry.path, path));
  if (link?.type !== 'link' || hops > 40) return undefined;
  const target = posix.join(posix.dirname(link.path), link.target, path.slice(link.path.length));
  return keyDigestWithin(output, target.replace(/\/$/, ''), hops + 1);
}

/** Order of entries: by code unit. */
export const byPath = (a: { readonly path: string }, b: { readonly path: string }): number =>
  a.path < b.path ? -1 : a.path > b.path ? 1 : 0;

/** Every file of a manifest with its path from the job's folder. */
export function* filesOf(manifest: Manifest): Generator<{ path: string; entry: Extract<Entry, { type: 'file' }> }> {
  for (const output of manifest) {
    for (const entry of output.entries) {
      if (entry.type === 'file') yield { path: posix.join(output.path, entry.path), entry };
    }
  }
}

/** Bytes of all files. */
export const manifestSize = (manifest: Manifest): number =>
  manifest.reduce((sum, output) => sum + outputSize(output), 0);

/** As manifestSize, of one output. */
export const outputSize = (output: Output): number =>
  output.entries.reduce((sum, entry) => sum + (entry.type === 'file' ? entry.size : 0), 0);

/** Do two results of a job count the same for the jobs below it? The order of outputs is that of the workflow then. */
export function sameForKeys(a: Manifest, b: Manifest): boolean {
  const digests = new Map(b.map((output) => [output.path, output.keyDigest]));
  return a.length === b.length && a.every((output) => digests.get(output.path) === output.keyDigest);
}
