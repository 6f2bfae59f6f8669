// The file that a path was perhaps meant to be.
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { didYouMean } from '../base/nearest.ts';

/** A hint with the nearest name in the same folder, or in the nearest folder above that exists; undefined where none is near. */
export function nearestPath(root: string, path: string): string | undefined {
  let missing = path;
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    let names: string[];
    try {
      names = readdirSync(join(root, folder));
    } catch {
      missing = folder;
      if (folder === '.' || folder === '/') return undefined;
      continue;
    }
    const prefix = folder === '.' ? '' : `${folder}/`;
    return didYouMean(
      missing,
      names.filter((name) => !name.startsWith('.') || basename(missing).startsWith('.')).map((name) => prefix + name),
    );
  }
}
