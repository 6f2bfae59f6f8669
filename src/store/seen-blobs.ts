// Blobs whose bytes this process has read or written: as long as their files stand as they did then, nothing is read again.
import { lstatSync, type Stats } from 'node:fs';
import { isWholeSecond } from '../fs/stat-signature.ts';

type Seen = Pick<Stats, 'ino' | 'size' | 'mtimeMs'>;

const MOST = 100_000;

export class SeenBlobs {
  /** By the blob's path. Linking changes the ctime. */
  readonly #seen = new Map<string, Seen>();

  /** The bytes of the blob are what its name says, in the file that stands so. */
  note(blob: string, { ino, size, mtimeMs }: Seen): void {
    if (this.#seen.size === MOST) this.#seen.clear();
    this.#seen.set(blob, { ino, size, mtimeMs });
  }

  has(blob: string): boolean {
    return this.#seen.has(blob);
  }

  /** Is this link to a blob still the file whose bytes were seen, mode, times and all? Its stats then. */
  standing(blob: string, link: string): Stats | undefined {
    const seen = this.#seen.get(blob);
    const stats = seen && lstatSync(link, { throwIfNoEntry: false });
    // A write to it sets a time that is hardly ever a whole second.
    if (!seen || !stats?.isFile() || !isWholeSecond(stats.mtimeMs) || !isReadOnly(stats)) return undefined;
    const isSame = stats.ino === seen.ino && stats.size === seen.size && stats.mtimeMs === seen.mtimeMs;
    return isSame ? stats : undefined;
  }
}

const isReadOnly = (stats: Stats): boolean => (stats.mode & 0o222) === 0;
