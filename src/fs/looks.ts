// What this process has looked at on disk to read a workflow, so that a later one can tell whether it would see the same.
//
// It is kept by the few functions that look (readSource, expandGlob, …) and not handed from one to the next, because they are
// called from everywhere. `clear` begins a new reading.
import { readdirSync, type Dirent } from 'node:fs';
import { join } from 'node:path';
import { nodeCrypto } from '../base/node-crypto.ts';
import { unless } from './errno.ts';
import { isRacy, signatureOf, statOf, type StatSignature } from './stat-signature.ts';

/** What lies at a path, links followed. */
export type Kind = 'file' | 'folder' | 'none';

/** A file or folder as it was seen. `signature` is undefined where it proves nothing later: a racy one, nothing there. */
export type Seen = { readonly signature: StatSignature | undefined; readonly digest: string };

/** What a folder that is not there is listed as. */
const ABSENT = 'absent';

class Looks {
  /** Files read, by absolute path. */
  readonly files = new Map<string, Seen>();
  /** Folders listed by globs, by absolute path. */
  readonly folders = new Map<string, Seen>();
  /** Paths of which only the kind was asked, as they were asked for. */
  readonly kinds = new Map<string, Kind>();
  /** Sizes in bytes that expressions asked for, by absolute path. */
  readonly sizes = new Map<string, number>();
  /** Something was not the same when it was looked at again: what came of it rests on no one state of the disk. */
  torn = false;

  clear(): void {
    for (const map of [this.files, this.folders, this.kinds, this.sizes]) map.clear();
    this.torn = false;
  }

  /** @param signature taken before the bytes were read; @param readAt when that was (ms) */
  file(path: string, signature: StatSignature, readAt: number, bytes: Uint8Array): void {
    this.note(this.files, path, settled(signature, readAt, digestOf(bytes)));
  }

  folder(path: string): void {
    this.note(this.folders, path, lookAtFolder(path));
  }

  kind(path: string, kind: Kind): void {
    this.kinds.set(path, kind);
  }

  size(path: string, size: number): void {
    if ((this.sizes.get(path) ?? size) !== size) this.torn = true;
    this.sizes.set(path, size);
  }

  private note(map: Map<string, Seen>, path: string, seen: Seen): void {
    const before = map.get(path);
    if (before !== undefined && before.digest !== seen.digest) this.torn = true;
    map.set(path, seen);
  }
}

export const looks = new Looks();

const settled = (signature: StatSignature, readAt: number, digest: string): Seen => ({
  signature: isRacy(signature, readAt) ? undefined : signature,
  digest,
});

/** SHA-256 in hex: evidence for this machine alone, and so from Node itself. */
export const digestOf = (bytes: string | Uint8Array): string =>
  nodeCrypto().createHash('sha256').update(bytes).digest('hex');

/** Does this link lead to a file? Not where it leads to what may not be seen. */
export const isLinkedFile = (link: string): boolean => unless(['EACCES'], () => statOf(link))?.isFile() === true;

/** A folder's names and what kind of thing each is, as globs see them. */
export function lookAtFolder(path: string): Seen {
  const stats = statOf(path);
  const readAt = Date.now();
  let entries: Dirent[];
  try {
    entries = readdirSync(path, { withFileTypes: true });
  } catch {
    return { signature: undefined, digest: ABSENT };
  }
  let linked = false;
  const lines = entries.map((entry) => {
    if (!entry.isSymbolicLink()) return `${entry.isDirectory() ? 'd' : entry.isFile() ? 'f' : 'o'}${entry.name}`;
    linked = true;
    return `${isLinkedFile(join(path, entry.name)) ? 'f' : 'l'}${entry.name}`;
  });
  const digest = digestOf(lines.sort().join('\0'));
  // What a link leads to changes without a trace in the folder.
  if (stats === undefined || linked) return { signature: undefined, digest };
  return settled(signatureOf(stats), readAt, digest);
}
