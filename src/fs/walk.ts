// All files below a folder.
import { readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { statOf } from './stat-signature.ts';

/**
 * Paths of all files below `folder` (absolute), from it, sorted by code unit. Names with dots count; links to files and
 * folders are followed, but for a link back to a folder that it lies in; broken links, pipes and sockets are left out.
 * Throws system errors where `folder` is none.
 */
export function filesBelow(folder: string): string[] {
  const files: string[] = [];
  const visit = (path: string, above: ReadonlySet<string>): void => {
    for (const entry of readdirSync(join(folder, path), { withFileTypes: true })) {
      const below = path === '' ? entry.name : `${path}/${entry.name}`;
      const linked = entry.isSymbolicLink() ? statOf(join(folder, below)) : undefined;
      if ((linked ?? entry).isFile()) files.push(below);
      else if ((linked ?? entry).isDirectory()) {
        const real = realpathSync(join(folder, below));
        if (!above.has(real)) visit(below, new Set(above).add(real));
      }
    }
  };
  visit('', new Set([realpathSync(folder)]));
  return files.sort();
}
