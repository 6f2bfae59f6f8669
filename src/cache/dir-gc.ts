// Cleans up a `dir:` cache. Its roots are all its records, never one project's view. Records go first, by rename into
// gc/trash/, then blobs that no record names and that are older than a week (a writer puts blobs before their record), then
// what has lain in the trash for a day. «Now» is the time of a file just made there: clocks of machines differ.
import { chmodSync, lstatSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { errno, unless } from '../fs/errno.ts';
import { lifeOf, parseHolder, selfAsHolder } from '../store/holder.ts';
import { anyonesRecord } from './any-record.ts';
import { type DirectoryCache } from './directory.ts';
import { makeSharedFolder, readText } from './dir-files.ts';
import { LIMITS } from './guard.ts';
import { type SharedRecord } from './record.ts';
import { CacheError, type RecordKey } from './shared-cache.ts';

const DAY_MS = 24 * 3600 * 1000;
const GRACE_MS = 7 * DAY_MS;
const LOCK_STALE_MS = 3600 * 1000;

export type GcWish = {
  /** Bytes to keep at most; undefined: all. */
  readonly maxSize: number | undefined;
  /** Milliseconds without use after which a record goes; undefined: never. */
  readonly maxAgeMs: number | undefined;
  /** False: only count. */
  readonly remove: boolean;
};

export type GcReport = {
  readonly records: { kept: number; dropped: number };
  readonly blobs: { kept: number; dropped: number };
  readonly bytes: { kept: number; dropped: number };
};

type Item = {
  readonly path: string;
  readonly record: SharedRecord | undefined;
  readonly usedMs: number;
  readonly size: number;
};

/** @returns what was (or would be) dropped, or a sentence on why nothing could be done. Throws system errors. */
export async function collectDirectory(cache: DirectoryCache, wish: GcWish): Promise<GcReport | string> {
  const { root } = cache;
  const trash = join(root, 'gc', 'trash');
  await cache.check();
  await makeSharedFolder(trash, root);
  const lock = join(root, 'gc', 'lock');
  const now = takeLock(lock);
  if (typeof now === 'string') return now;
  try {
    const used = lastUses(join(root, 'used'));
    const items: Item[] = [];
    for await (const { key, size, modifiedMs } of cache.listRecords()) {
      const path = cache.recordPath(key);
      const usedMs = Math.max(modifiedMs, used.get(key) ?? 0);
      items.push({ path, record: await readRecord(cache, key), usedMs, size });
    }
    const blobs = new Map<string, { path: string; size: number; age: number; names: number }>();
    for await (const { name, path } of cache.listBlobs()) {
      const stats = lstatSync(path, { throwIfNoEntry: false });
      if (stats) blobs.set(name, { path, size: stats.size, age: now - stats.mtimeMs, names: 0 });
    }
    const named = (item: Item): string[] => [...new Set(item.record?.files.map(({ blob }) => blob.b3) ?? [])];
    for (const item of items) for (const name of named(item)) (blobs.get(name) ?? { names: 0 }).names++;

    let size =
      items.reduce((sum, item) => sum + item.size, 0) + [...blobs.values()].reduce((sum, b) => sum + b.size, 0);
    const dropped = new Set<Item>();
    const drop = (item: Item): void => {
      dropped.add(item);
      size -= item.size;
      for (const name of named(item)) {
        const blob = blobs.get(name);
        if (blob && --blob.names === 0) size -= blob.size;
      }
    };
    for (const blob of blobs.values()) if (blob.names === 0) size -= blob.size;
    for (const item of items) {
      const tooOld = wish.maxAgeMs !== undefined && now - item.usedMs > wish.maxAgeMs;
      // Damaged: it is a miss for everyone. One of a newer version is not ours to judge.
      if (tooOld) drop(item);
    }
    // What was cheap to compute for its size goes first, and sooner the longer nobody used it.
    const worth = ({ record, size: own, usedMs }: Item): number => {
      const bytes = own + (record?.files.reduce((sum, { blob }) => sum + blob.size, 0) ?? 0);
      return (record?.wallS ?? 0) / Math.max(1, bytes) / (1 + Math.max(0, now - usedMs) / DAY_MS);
    };
    for (const item of items.filter((i) => !dropped.has(i)).sort((a, b) => worth(a) - worth(b))) {
      if (wish.maxSize === undefined || size <= wish.maxSize) break;
      drop(item);
    }
    const gone = [...blobs.values()].filter((blob) => blob.names === 0 && blob.age > GRACE_MS);
    if (wish.remove) {
      // Records before blobs, so that no reader finds a record without them.
      for (const { path } of dropped) unless(['ENOENT'], () => renameSync(path, join(trash, path.slice(-64))));
      for (const { path } of gone) unless(['ENOENT'], () => renameSync(path, join(trash, `blob-${path.slice(-64)}`)));
      for (const [folder, age] of [
        [trash, DAY_MS],
        [join(root, 'tmp'), DAY_MS],
      ] as const) {
        for (const name of namesIn(folder)) {
          const path = join(folder, name);
          // Renaming leaves mtime alone, and changes ctime.
          if (now - (statSync(path, { throwIfNoEntry: false })?.ctimeMs ?? now) > age)
            rmSync(path, { force: true, recursive: true });
        }
      }
    }
    const sum = (list: Iterable<{ readonly size: number }>): number =>
      [...list].reduce((all, one) => all + one.size, 0);
    const droppedBytes = sum(dropped) + sum(gone);
    const all = sum(items) + sum(blobs.values());
    return {
      records: { kept: items.length - dropped.size, dropped: dropped.size },
      blobs: { kept: blobs.size - gone.length, dropped: gone.length },
      bytes: { kept: all - droppedBytes, dropped: droppedBytes },
    };
  } finally {
    rmSync(lock, { force: true });
  }
}

/** The time there, in ms; or who holds the lock. */
function takeLock(lock: string): number | string {
  for (let attempt = 1; ; attempt++) {
    try {
      writeFileSync(lock, `${JSON.stringify(selfAsHolder('', 'cache gc'))}\n`, { flag: 'wx', mode: 0o664 });
      unless(['EPERM'], () => chmodSync(lock, 0o664));
      return statSync(lock).mtimeMs;
    } catch (problem) {
      if (errno(problem) !== 'EEXIST') throw problem;
      const holder = parseHolder(unless(['ENOENT'], () => readText(lock)) ?? '');
      const isStale = (holder && lifeOf(holder) === 'dead') || ageOf(lock) > LOCK_STALE_MS;
      if (!isStale || attempt > 1) {
        const who = holder ? `process ${holder.pid} on ${holder.host}` : 'its lock does not say where';
        return `another \`lhb cache gc\` is at it (${who}); where it is not, remove ${lock}`;
      }
      rmSync(lock, { force: true });
    }
  }
}

/** How old a file is by the time there, in ms. */
function ageOf(path: string): number {
  const now = `${path}-${randomBytes(8).toString('hex')}`;
  writeFileSync(now, '', { flag: 'wx' });
  const age = statSync(now).mtimeMs - (lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0);
  rmSync(now);
  return age;
}

/** A record of whatever namespace, for a folder may hold several; undefined where it cannot be read, or is none. */
async function readRecord(cache: DirectoryCache, key: RecordKey): Promise<SharedRecord | undefined> {
  const bytes = await cache.getRecord(key, { limits: LIMITS }).catch((problem: unknown) => {
    if (problem instanceof CacheError && problem.kind === 'bytes') return undefined;
    throw problem;
  });
  const record = bytes && anyonesRecord(bytes, key);
  return record && record !== 'newer' && record.ok ? record.value : undefined;
}

/** The last day on which someone read each record, as ms. */
function lastUses(folder: string): Map<string, number> {
  const uses = new Map<string, number>();
  for (const user of namesIn(folder)) {
    for (const day of namesIn(join(folder, user)).filter((name) => /^\d{8}$/.test(name))) {
      const at = Date.parse(`${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}T23:59:59Z`);
      const text = unless(['ENOENT', 'EACCES'], () => readText(join(folder, user, day))) ?? '';
      for (const key of text.split('\n')) if (key !== '' && at > (uses.get(key) ?? 0)) uses.set(key, at);
    }
  }
  return uses;
}

const namesIn = (folder: string): string[] => unless(['ENOENT', 'ENOTDIR', 'EACCES'], () => readdirSync(folder)) ?? [];
