// Digests of files in a work tree, read again only where the stat signature is another than on record.
import type { Stats } from 'node:fs';
import type { Digest } from '../base/brand.ts';
import { isExecutable, isRacy, sameSignature, signatureOf, statOf, type StatSignature } from '../fs/stat-signature.ts';
import { hashFile } from '../hash/digest.ts';

/** A digest with the signature that it was taken under. Only signatures that tell of any later write are kept. */
export type FileRecord = { readonly signature: StatSignature; readonly digest: Digest };

/** Where records are kept between builds: the index's `files` table of this work tree. */
export type FileTable = {
  getFile(path: string): FileRecord | undefined;
  putFiles(records: ReadonlyMap<string, FileRecord>): void;
};

export type FileState = { readonly digest: Digest; readonly size: number; readonly exec: boolean };

const FLUSH_AT = 10_000;

export class FileDigests {
  readonly #root: string;
  readonly #table: FileTable | undefined;
  readonly #writable: boolean;
  readonly #fresh = new Map<string, FileRecord>();
  /** The last digest of an inode: outputs of the same bytes share one, and its ctime is that of the last link to it. */
  readonly #byInode = new Map<number, FileRecord & { readonly dev: number }>();
  #pending = new Map<string, FileRecord>();

  /**
   * @param root the workflow's folder, absolute
   * @param table undefined: nothing is kept
   * @param writable false: what had to be read is remembered in this object only
   */
  constructor(root: string, table?: FileTable, writable = true) {
    this.#root = root;
    this.#table = table;
    this.#writable = writable && table !== undefined;
  }

  /**
   * The digest of a regular file, links followed; undefined where there is none (nothing there, a folder, a pipe). Throws
   * system errors such as EACCES.
   * @param path from root, or absolute; @param stats what a stat of it just gave, if there was one
   */
  digest(path: string, stats: Stats | undefined = statOf(join2(this.#root, path))): FileState | undefined {
    if (!stats?.isFile()) return undefined;
    const signature = signatureOf(stats);
    const exec = isExecutable(stats);
    const shared = stats.nlink > 1 ? this.#byInode.get(stats.ino) : undefined;
    if (shared && shared.dev === stats.dev && sameSignature(shared.signature, signature))
      return { digest: shared.digest, size: stats.size, exec };
    const known = this.#fresh.get(path) ?? this.#table?.getFile(path);
    if (known && sameSignature(known.signature, signature)) {
      if (stats.nlink > 1) this.#byInode.set(stats.ino, { ...known, dev: stats.dev });
      return { digest: known.digest, size: stats.size, exec };
    }
    const readAt = Date.now();
    const absolute = join2(this.#root, path);
    const { digest, size } = hashFile(absolute);
    const after = statOf(absolute);
    const stable = after !== undefined && sameSignature(signatureOf(after), signature);
    const settled = stable && !isRacy(signature, readAt);
    if (settled && stats.nlink > 1) this.#byInode.set(stats.ino, { signature, digest, dev: stats.dev });
    this.record(path, signature, digest, settled);
    return { digest, size, exec };
  }

  /** The digest of a file that stands as `stats` says, if that is on record; nothing is read. */
  recorded(path: string, stats: Stats): Digest | undefined {
    const shared = stats.nlink > 1 ? this.#byInode.get(stats.ino) : undefined;
    if (shared && shared.dev === stats.dev && sameSignature(shared.signature, signatureOf(stats))) return shared.digest;
    const known = this.#fresh.get(path) ?? this.#table?.getFile(path);
    return known && sameSignature(known.signature, signatureOf(stats)) ? known.digest : undefined;
  }

  /**
   * Takes down a digest that someone else worked out. With `settled` false the file is read again next time.
   * @param sharedOn the device, where other outputs share the file's inode: this link to it is the last that was made
   */
  record(path: string, signature: StatSignature, digest: Digest, settled: boolean, sharedOn?: number): void {
    if (!settled) {
      this.#fresh.delete(path);
      return;
    }
    const record = { signature, digest };
    if (sharedOn !== undefined) this.#byInode.set(signature.ino, { ...record, dev: sharedOn });
    this.#fresh.set(path, record);
    if (!this.#writable) return;
    this.#pending.set(path, record);
    if (this.#pending.size >= FLUSH_AT) this.flush();
  }

  /** Writes what is new to the table, in one transaction. */
  flush(): void {
    if (!this.#writable || this.#pending.size === 0) return;
    const records = this.#pending;
    this.#pending = new Map();
    this.#table?.putFiles(records);
  }
}

const join2 = (root: string, path: string): string => (path.startsWith('/') ? path : `${root}/${path}`);
