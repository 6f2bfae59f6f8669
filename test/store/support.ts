// A work tree with a store, in a folder that is removed at the end.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { LinkMode } from '../../src/fs/link.ts';
import { BlobStore } from '../../src/store/blob-store.ts';
import { storeLayout } from '../../src/store/layout.ts';
import type { Declared } from '../../src/store/manifest.ts';

export type Bench = {
  readonly root: string;
  readonly blobs: BlobStore;
  readonly path: (below: string) => string;
  /** Writes a file below root, folders made; gives its absolute path. */
  readonly write: (below: string, content: string | Uint8Array, mode?: number) => string;
};

export async function withStore(link: LinkMode, action: (bench: Bench) => Promise<void> | void): Promise<void> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'lhb-store-')));
  const path = (below: string): string => join(root, below);
  try {
    await action({
      root,
      path,
      blobs: new BlobStore(storeLayout(path('.lhb')), { link, workTmp: path('.lhb/tmp') }),
      write: (below, content, mode = 0o644) => {
        mkdirSync(dirname(path(below)), { recursive: true });
        rmSync(path(below), { force: true });
        writeFileSync(path(below), content, { mode });
        return path(below);
      },
    });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

export const file = (path: string, ignore: string[] = []): Declared => ({ name: 'o', path, tree: false, ignore });
export const tree = (path: string, ignore: string[] = []): Declared => ({ name: 't', path, tree: true, ignore });
