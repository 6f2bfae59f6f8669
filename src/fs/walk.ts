// All that lies below a folder.
import { readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { checkName } from './name.ts';
import { statOf } from './stat-signature.ts';

/** `path` is from the folder that was listed. */
export type FolderEntry = { readonly path: string; readonly type: 'file' | 'dir' };

/**
 * Files and folders below `folder` (absolute), at any depth, sorted by code unit; undefined where it is no folder. Names with
 * dots count; links to files and folders are followed, but for a link back to a folder that it lies in; broken links, pipes
 * and sockets are left out. Throws system errors such as EACCES, and a DiagnosticError for a name that is no text.
 */
export function listFolder(folder: string): FolderEntry[] | undefined {
  if (statOf(folder)?.isDirectory() !== true) return undefined;
  const entries: FolderEntry[] = [];
  const visit = (path: string, above: ReadonlySet<string>): void => {
    for (const entry of readdirSync(join(folder, path), { withFileTypes: true })) {
      const below = path === '' ? entry.name : `${path}/${entry.name}`;
      checkName(folder, below);
      const linked = entry.isSymbolicLink() ? statOf(join(folder, below)) : undefined;
      if ((linked ?? entry).isFile()) entries.push({ path: below, type: 'file' });
      else if ((linked ?? entry).isDirectory()) {
        const real = realpathSync(join(folder, below));
        if (above.has(real)) continue;
        entries.push({ path: below, type: 'dir' });
        visit(below, new Set(above).add(real));
      }
    }
  };
  visit('', new Set([realpathSync(folder)]));
  return entries.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}
