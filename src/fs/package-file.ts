// Files that come with the package, wherever it is installed or compiled to.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { invariant } from '../base/invariant.ts';

/** The absolute path of a file of the package `lhb`, given from its top folder. */
export const packageFile = (path: string): string => join(packageRoot(), path);

function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (; !isPackage(folder); folder = dirname(folder)) invariant(folder !== dirname(folder), 'no package.json of lhb');
  return folder;
}

function isPackage(folder: string): boolean {
  const file = join(folder, 'package.json');
  return existsSync(file) && /"name": *"lhb"/.test(readFileSync(file, 'utf8'));
}
