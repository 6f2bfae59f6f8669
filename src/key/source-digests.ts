// Digests of source files and folders for keys, with the evidence by which a later change is noticed.
import { join, isAbsolute } from 'node:path';
import type { Stats } from 'node:fs';
import type { Digest } from '../base/brand.ts';
import { unreadableText } from '../fs/errno.ts';
import { sameSignature, signatureOf, statOf } from '../fs/stat-signature.ts';
import { listFolder } from '../fs/walk.ts';
import { hashText } from '../hash/digest.ts';
import type { FileDigests } from '../store/file-digests.ts';

/** How source files stood when their digests were taken, by path. */
export type Stamps = Map<string, Stats>;

/** Paths of files that were written to, or replaced, since they were stamped, be their bytes the same again. */
export function restamped(before: Stamps, now: Stamps): string[] {
  return [...before].flatMap(([path, stamp]) => {
    const other = now.get(path);
    return other !== undefined && isSameFile(stamp, other) ? [] : [path];
  });
}

function isSameFile(a: Stats, b: Stats): boolean {
  // A link made elsewhere to a file of several names changes its ctime too.
  const ctimeMs = a.nlink > 1 || b.nlink > 1 ? a.ctimeMs : b.ctimeMs;
  return sameSignature(signatureOf(a), { ...signatureOf(b), ctimeMs });
}

/** A source, or a file or folder in it, may not be read: the message says which. */
export class UnreadableSource extends Error {
  readonly code = 'EACCES';
}

export class SourceDigests {
  private readonly root: string;
  private readonly files: FileDigests;

  constructor(root: string, files: FileDigests) {
    this.root = root;
    this.files = files;
  }

  /** The digest of a file's bytes now, or undefined where there is none. @param stamps are added to, if given @throws UnreadableSource */
  ofFile(path: string, stamps?: Stamps): Digest | undefined {
    try {
      if (stamps === undefined) return this.files.digest(path)?.digest;
      const stats = statOf(isAbsolute(path) ? path : join(this.root, path));
      if (stats?.isFile()) stamps.set(path, stats);
      return this.files.digest(path, stats)?.digest;
    } catch (cause) {
      throw this.told(cause);
    }
  }

  /** The digest of a folder's whole content now: names and bytes, empty folders too. @throws UnreadableSource */
  ofFolder(path: string, stamps?: Stamps): Digest | undefined {
    try {
      const entries = listFolder(isAbsolute(path) ? path : join(this.root, path));
      if (entries === undefined) return undefined;
      const rows = entries.map((entry) => [
        entry.path,
        entry.type === 'dir' ? 'dir' : (this.ofFile(join(path, entry.path), stamps) ?? '(missing)'),
      ]);
      return hashText(JSON.stringify(rows));
    } catch (cause) {
      throw this.told(cause);
    }
  }

  /** What else went wrong stays as it is. */
  private told(cause: unknown): unknown {
    const text = unreadableText(this.root, cause);
    return text === undefined ? cause : new UnreadableSource(text, { cause });
  }
}
