// What is in the store.
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '../base/brand.ts';
import { unless } from '../fs/errno.ts';
import type { StoreLayout } from './layout.ts';

export type Blob = { readonly digest: Digest; readonly size: number; readonly exec: boolean };

/** Every blob, sorted by name. Sizes are those on disk; what has no blob's name is left out. */
export function* listBlobs(layout: StoreLayout): Generator<Blob> {
  for (const folder of namesIn(layout.blobs)) {
    if (!/^[0-9a-f]{2}$/.test(folder)) continue;
    for (const name of namesIn(join(layout.blobs, folder))) {
      const [, rest, x] = /^([0-9a-f]{62})(x?)$/.exec(name) ?? [];
      const stats =
        rest === undefined ? undefined : lstatSync(join(layout.blobs, folder, name), { throwIfNoEntry: false });
      if (stats) yield { digest: `${folder}${rest}` as Digest, size: stats.size, exec: x === 'x' };
    }
  }
}

const namesIn = (folder: string): string[] => unless(['ENOENT', 'ENOTDIR'], () => readdirSync(folder).sort()) ?? [];

/** Paths of what lies among the blobs and has no blob's name. */
export function* strangers(layout: StoreLayout): Generator<string> {
  for (const folder of namesIn(layout.blobs)) {
    const path = join(layout.blobs, folder);
    if (!/^[0-9a-f]{2}$/.test(folder) || !lstatSync(path).isDirectory()) yield path;
    else for (const name of namesIn(path)) if (!/^[0-9a-f]{62}x?$/.test(name)) yield join(path, name);
  }
}
