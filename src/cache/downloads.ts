// Downloads of large files, of which what has come is kept: the next build goes on with it. A process brings the same bytes
// once at a time, and no two processes write to one file: who does stands in its name, and it is taken over from nobody but
// one that is gone.
import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { unless } from '../fs/errno.ts';
import { isAbandoned, ownerMark } from '../fs/atomic-write.ts';
import { CacheError } from './shared-cache.ts';

const nameOf = (b3: string, owner: string): string => `download-${b3}.${owner}`;

/** The path of an unfinished file that is this process's own. What came of it before, and was left, lies there. */
export function unfinishedFile(folder: string, b3: string): string {
  const own = join(folder, nameOf(b3, ownerMark()));
  const start = nameOf(b3, '');
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (!name.startsWith(start) || path === own) continue;
    // Perhaps another has just taken it.
    const taken = unless(['ENOENT'], () => {
      if (!isAbandoned(name.slice(start.length), path)) return false;
      renameSync(path, own);
      return true;
    });
    if (taken) break;
  }
  return own;
}

type UnderWay = { got: number; readonly watchers: Set<(count: number) => void>; readonly done: Promise<void> };

const underWay = new Map<string, UnderWay>();

/** Who wants some bytes: what ends the waiting, what is told of bytes that others bring, and whether all have come. */
export type Wanting = {
  readonly signal: AbortSignal;
  readonly onSeen: (count: number) => void;
  readonly isHere: () => boolean;
};

/**
 * Brings bytes, unless others of this process do so already: then it waits for them.
 * @param b3 what they are
 * @param work brings them, and tells how many have come
 * @returns undefined where the others have brought them. Throws what `work` throws, and a CacheError, `aborted`, where the
 *   waiting was ended
 */
export async function bringOnce<T>(
  b3: string,
  wanting: Wanting,
  work: (onBytes: (count: number) => void) => Promise<T>,
): Promise<T | undefined> {
  for (let other = underWay.get(b3); other !== undefined; other = underWay.get(b3)) {
    await watch(other, wanting);
    if (wanting.isHere()) return undefined;
    wanting.onSeen(-other.got);
  }
  const watchers = new Set<(count: number) => void>();
  let end = (): void => {};
  const own: UnderWay = { got: 0, watchers, done: new Promise<void>((resolve) => (end = resolve)) };
  underWay.set(b3, own);
  try {
    return await work((count) => {
      own.got += count;
      for (const watcher of watchers) watcher(count);
    });
  } finally {
    underWay.delete(b3);
    end();
  }
}

/** Until the others are done. */
async function watch({ got, watchers, done }: UnderWay, { signal, onSeen }: Wanting): Promise<void> {
  onSeen(got);
  watchers.add(onSeen);
  let stop = (): void => {};
  const stopped = new Promise<void>((resolve) => (stop = () => resolve()));
  signal.addEventListener('abort', stop);
  if (!signal.aborted) await Promise.race([done, stopped]);
  signal.removeEventListener('abort', stop);
  watchers.delete(onSeen);
  if (signal.aborted) throw new CacheError('aborted', 'the download was ended');
}
