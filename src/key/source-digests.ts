// Digests of source files and folders for keys, with the evidence by which a later change is noticed.
import { join, isAbsolute } from 'node:path';
import type { Digest } from '../base/brand.ts';
import { listFolder } from '../fs/walk.ts';
import { hashText } from '../hash/digest.ts';
import type { FileDigests } from '../store/file-digests.ts';

export class SourceDigests {
  private readonly root: string;
  private readonly files: FileDigests;

  constructor(root: string, files: FileDigests) {
    this.root = root;
    this.files = files;
  }

  /** The digest of a file's bytes now, or undefined where there is none. */
  ofFile(path: string): Digest | undefined {
    return this.files.digest(path)?.digest;
  }

  /** The digest of a folder's whole content now: names and bytes, empty folders too. */
  ofFolder(path: string): Digest | undefined {
    const entries = listFolder(isAbsolute(path) ? path : join(this.root, path));
    if (entries === undefined) return undefined;
    const rows = entries.map((entry) => [
      entry.path,
      entry.type === 'dir' ? 'dir' : (this.files.digest(join(path, entry.path))?.digest ?? '(missing)'),
    ]);
    return hashText(JSON.stringify(rows));
  }
}
