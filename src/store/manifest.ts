// The list of one job's outputs. Paths are relative to the job's folder, so that a manifest holds in any work tree.
import type { Digest } from '../base/brand.ts';

/** One thing on disk. `path` is relative to the output's own path; '' for the output itself. */
export type Entry =
  | { readonly type: 'file'; readonly path: string; readonly size: number; readonly digest: Digest; readonly exec: boolean }
  /** A symbolic link that points inside its own output tree. */
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
