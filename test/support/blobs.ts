// The store's blobs, looked up by their text, so that tests can remove or damage one.
import { chmodSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Rig } from './rig.ts';

/** The path of the one blob with this text, from the workflow's folder. */
export function blobOf(rig: Rig, text: string): string {
  const found = readdirSync(rig.path('.lhb/blobs'), { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(rig.dir.length + 1))
    .filter((path) => rig.read(path) === text);
  assert.is(found.length, 1, `blobs with ${JSON.stringify(text)}`);
  return found[0] ?? '';
}

/** Overwrites a blob in place, as a failing disk or an editor would. */
export function damage(rig: Rig, blob: string): void {
  chmodSync(rig.path(blob), 0o644);
  writeFileSync(rig.path(blob), 'damaged\n');
}
