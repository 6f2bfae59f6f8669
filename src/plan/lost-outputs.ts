// Brings outputs of a snapshot back that are gone (lost-paths.ts), and tells how they stand then.
import { lstatSync, mkdirSync, rmSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Digest } from '../base/brand.ts';
import { unless } from '../fs/errno.ts';
import { makeFolder } from '../fs/make-folder.ts';
import { moveInto } from '../fs/move.ts';
import { isInside } from '../fs/rel-path.ts';
import { isExecutable, isRacy, isWholeSecond, signatureOf, statOf } from '../fs/stat-signature.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { FileDigests } from '../store/file-digests.ts';
import { BLOB, BLOB_BYTES, LOOK, STAT_FIELDS, type Snapshot } from './snapshot.ts';

type Blob = {
  readonly digest: Digest;
  readonly exec: boolean;
  readonly size: number;
  /** Whether its bytes are as they should be; undefined: not looked at yet. */
  sound?: boolean;
  /** One of its paths that is a link to it. */
  linked?: number;
};

export class LostOutputs {
  private readonly root: string;
  private readonly snapshot: Snapshot;
  private readonly blobs: BlobStore;
  private readonly folders: SoundFolders;
  private readonly looks: Uint8Array;
  private readonly stats: Float64Array;
  /** What was put in place. */
  private readonly placed: number[] = [];
  /** By what the snapshot has of them. */
  private readonly known = new Map<string, Blob>();

  constructor(root: string, snapshot: Snapshot, blobs: BlobStore) {
    this.root = root;
    this.snapshot = snapshot;
    this.blobs = blobs;
    this.folders = new SoundFolders(root, join(root, snapshot.output));
    this.looks = snapshot.looks.slice();
    this.stats = snapshot.stats.slice();
  }

  /** Has the store the bytes of this path, as they should be? */
  canReturn(path: number): boolean {
    const blob = this.blobOf(path);
    return (blob.sound ??= this.blobs.see(blob.digest, blob.exec, blob.size));
  }

  /** Is what stands at this path a link to its blob, whose bytes are as they should be? */
  isLinked(path: number): boolean {
    const blob = this.blobOf(path);
    const stats = statOf(this.blobs.path(blob.digest, blob.exec));
    const isIt = stats !== undefined && this.isFile(path, stats) && isExecutable(stats) === blob.exec;
    if (!isIt || !this.canReturn(path)) return false;
    blob.linked = path;
    return true;
  }

  /** Puts a path in place, where nothing stands, as a link to its blob; false where that cannot be. */
  link(path: number): boolean {
    const absolute = this.absolute(path);
    if (!this.folders.make(dirname(absolute))) return false;
    const blob = this.blobOf(path);
    const stats = this.blobs.linkOut(blob.digest, blob.exec, blob.size, absolute);
    if (stats === undefined) return false;
    this.note(path, stats);
    this.placed.push(path);
    blob.linked = path;
    return true;
  }

  /** As `link`, in whatever way the store gives out its blobs. */
  async bringBack(path: number): Promise<boolean> {
    const absolute = this.absolute(path);
    if (!this.folders.make(dirname(absolute))) return false;
    const blob = this.blobOf(path);
    const staged = await this.blobs.stage(blob.digest, blob.exec);
    if (typeof staged === 'string') return false;
    moveInto(staged.temporary, absolute, true);
    this.placed.push(path);
    const stats = statOf(absolute);
    if (stats === undefined) return false;
    const isSettled = isWholeSecond(stats.mtimeMs) || !isRacy(signatureOf(stats), Date.now());
    this.note(path, stats);
    if (!isSettled) this.looks[path] = LOOK.unknown;
    else if (stats.nlink > 1) blob.linked = path;
    return true;
  }

  /** Takes away again what was put in place: the whole way brings back all of it. */
  undo(): void {
    for (const path of this.placed) rmSync(this.absolute(path), { force: true });
  }

  /**
   * The paths as they stand when all is back. To link a blob changes the ctime of all links to it, also of outputs that were
   * there: it is asked for once a blob.
   * @param returned jobs of which something was brought back; @param files learns the digests of what is known
   */
  settled(returned: ReadonlyMap<number, unknown>, files: FileDigests): Pick<Snapshot, 'looks' | 'stats'> {
    const { paths, pathsOfJob, states, blobs } = this.snapshot;
    const { looks, stats } = this;
    const now = new Map<Blob, Stats>();
    for (const blob of this.known.values()) {
      const found = blob.linked === undefined ? undefined : statOf(this.absolute(blob.linked));
      if (found !== undefined) now.set(blob, found);
    }
    for (let job = 0; job < states.length; job++) {
      for (let path = pathsOfJob[job] ?? 0; path < (pathsOfJob[job + 1] ?? 0); path++) {
        if (blobs[path * BLOB_BYTES] === BLOB.none) continue;
        const blob = this.blobOf(path);
        const shared = now.get(blob);
        const isLink = shared !== undefined && this.isFile(path, shared);
        if (isLink) this.note(path, shared);
        if (looks[path] !== LOOK.stat || !(isLink || returned.has(job))) continue;
        const at = path * STAT_FIELDS;
        const [size = 0, mtimeMs = 0, ctimeMs = 0, ino = 0] = [stats[at], stats[at + 1], stats[at + 2], stats[at + 3]];
        files.record(paths.at(path), { size, mtimeMs, ctimeMs, ino }, blob.digest, true);
      }
    }
    return { looks, stats };
  }

  /** Is a path the file of these stats, but for its ctime? */
  private isFile(path: number, { size, mtimeMs, ino }: Stats): boolean {
    const at = path * STAT_FIELDS;
    return this.stats[at] === size && this.stats[at + 1] === mtimeMs && this.stats[at + 3] === ino;
  }

  private absolute(path: number): string {
    return `${this.root}/${this.snapshot.paths.at(path)}`;
  }

  private note(path: number, { size, mtimeMs, ctimeMs, ino }: Stats): void {
    this.stats.set([size, mtimeMs, ctimeMs, ino], path * STAT_FIELDS);
  }

  /** The same object for paths of the same blob. */
  private blobOf(path: number): Blob {
    const { blobs, stats } = this.snapshot;
    const bytes = Buffer.from(blobs.buffer, blobs.byteOffset + path * BLOB_BYTES, BLOB_BYTES);
    const name = bytes.toString('latin1');
    let blob = this.known.get(name);
    if (blob === undefined) {
      const exec = bytes[0] === BLOB.executable;
      blob = { digest: bytes.toString('hex', 1) as Digest, exec, size: stats[path * STAT_FIELDS] ?? 0 };
      this.known.set(name, blob);
    }
    return blob;
  }
}

/** Folders that are there, or were made, with no link on the way from the output root, which may be one itself. */
class SoundFolders {
  private readonly sound = new Set<string>();
  private readonly tops: readonly string[];

  /** @param root the workflow's folder, @param output the output root; absolute */
  constructor(root: string, output: string) {
    this.tops = [output, root];
  }

  /** False where a link or a file is in the way, or the folder is none of the workflow's. */
  make(folder: string): boolean {
    if (this.sound.has(folder)) return true;
    if (this.tops.includes(folder)) makeFolder(folder);
    else {
      if (!this.tops.some((top) => isInside(top, folder)) || !this.make(dirname(folder))) return false;
      const isNew = unless(['EEXIST'], () => (mkdirSync(folder), true));
      if (!isNew && !lstatSync(folder).isDirectory()) return false;
    }
    this.sound.add(folder);
    return true;
  }
}
