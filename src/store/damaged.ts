// What is damaged, or does not belong where it lies, goes to the store's damaged/, where it can be looked at.
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '../base/brand.ts';
import { temporaryName } from '../fs/atomic-write.ts';
import { unless } from '../fs/errno.ts';
import { makeFolder } from '../fs/make-folder.ts';
import { blobPath, type StoreLayout } from './layout.ts';

/** Moves a blob away. Throws system errors; one that is gone is fine. */
export function quarantine(layout: StoreLayout, digest: Digest, exec: boolean): void {
  moveToDamaged(layout, blobPath(layout, digest, exec), `${digest}${exec ? 'x' : ''}`);
}

/** @param name what its name there begins with */
export function moveToDamaged(layout: StoreLayout, path: string, name: string): void {
  makeFolder(layout.damaged, layout.root);
  unless(['ENOENT'], () => renameSync(path, join(layout.damaged, `${name}${temporaryName()}`)));
}
