// Names of files that are no text: bytes that are not UTF-8 come from Node as U+FFFD, and no file has that name.
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { DiagnosticError, error } from '../base/diagnostic.ts';

/**
 * A file that was listed must be one that can be read: else its bytes would count for nothing in a key.
 * @param path as it was listed, from `folder`
 * @throws DiagnosticError where its name is not UTF-8
 */
export function checkName(folder: string, path: string): void {
  if (!path.includes('\ufffd')) return;
  const absolute = join(folder, path);
  if (lstatSync(absolute, { throwIfNoEntry: false }) !== undefined) return;
  throw new DiagnosticError([
    error('file/name', `the name ${JSON.stringify(absolute)} is not UTF-8`, {
      hint: 'rename it: neither commands nor records can name it',
    }),
  ]);
}
