// Brings the bytes of a result into the local store, each blob verified as it enters. A result comes whole or counts as a
// miss; a download that takes longer than the job took is given up.
import { readFileSync, rmSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Digest } from '../base/brand.ts';
import { temporaryName } from '../fs/atomic-write.ts';
import { errno } from '../fs/errno.ts';
import { hashBytes } from '../hash/digest.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { withoutFields } from '../store/ignore-fields.ts';
import type { Declared, Manifest } from '../store/manifest.ts';
import { systemText } from '../store/write-failed.ts';
import { bringOnce, unfinishedFile } from './downloads.ts';
import type { SharedFile } from './record.ts';
import { CacheError, inParallel, manyListeners } from './shared-cache.ts';
import type { Hit, Tier } from './tier.ts';

/** Blobs of one result at the same time. */
const WIDTH = 8;
/** How often a download is looked at, and how long it is given before it is judged (ms). */
const LOOK_EVERY_MS = 500;
const JUDGE_AFTER_MS = 1500;

/** What came: bytes of blobs, or why the result is a miss. */
export type Fetched = { readonly bytes: number } | 'missing' | 'bad' | 'failed' | 'slow';

/** Brings in what the store lacks of a hit. @param patient give nothing up for being slow */
export async function fetchResult(hit: Hit, blobs: BlobStore, stop: AbortSignal, patient: boolean): Promise<Fetched> {
  const { tier, record } = hit;
  const needed = new Map<string, SharedFile>();
  for (const file of record.files) {
    const { digest, exec, size } = file.entry;
    if (!blobs.has(digest, exec, size)) needed.set(`${digest}${exec}`, file);
  }
  const inRecord = [...needed.values()].filter(({ inline }) => inline !== undefined);
  const toFetch = [...needed.values()].filter(({ inline }) => inline === undefined);
  const all = [...needed.values()].reduce((sum, { blob }) => sum + blob.size, 0);
  // Most results are small, and all of them has come with the record.
  const ends: Failed[] = putInline(hit, inRecord, blobs);
  if (ends.length === 0 && toFetch.length > 0) ends.push(...(await fetchBlobs(hit, toFetch, blobs, stop, patient)));
  if (ends.length === 0 && wrongKeyDigest(record.manifest, hit.wanted.declared, blobs)) ends.push('bad');
  const [how = { bytes: all }] = ends;
  if (how === 'bad') tier.ignore(record.key, 'the bytes of a file are not what the record says');
  if (how === 'missing') tier.badRecords.add(record.key);
  return how;
}

type Failed = Exclude<Fetched, { bytes: number }>;

function putInline({ tier }: Hit, files: readonly SharedFile[], blobs: BlobStore): Failed[] {
  try {
    const isRight = files.every(({ entry, inline }) => inline && blobs.putBytes(inline, entry.digest, entry.exec));
    return isRight ? [] : ['bad'];
  } catch (problem) {
    return [storeFailed(tier, problem)];
  }
}

/** What the store here cannot take is a miss: the job that runs in its place tells of a full disk itself. */
function storeFailed(tier: Tier, problem: unknown): 'failed' {
  if (!(problem instanceof Error) || errno(problem) === undefined) throw problem;
  tier.reads.warn(`what it has cannot be kept here: ${systemText(problem)}`);
  return 'failed';
}

/** Fetches the files that have blobs of their own; why the result is a miss, if it is one. */
async function fetchBlobs(
  hit: Hit,
  toFetch: readonly SharedFile[],
  blobs: BlobStore,
  stop: AbortSignal,
  patient: boolean,
): Promise<Failed[]> {
  const { tier, record } = hit;
  const total = toFetch.reduce((sum, file) => sum + file.blob.size, 0);
  if (!patient && tier.reads.isSlowerThan(total, record.wallS)) return ['slow'];
  if (total > 0 && total > (await freeBytes(blobs.layout.tmp))) {
    tier.reads.warn('there is no room here for what it has');
    return ['failed'];
  }
  const began = tier.reads.now();
  const ending = manyListeners();
  const end = (): void => ending.abort();
  stop.addEventListener('abort', end);
  let got = 0;
  let slow = false;
  const timer = setInterval(() => {
    const spent = tier.reads.now() - began;
    if (patient || spent < JUDGE_AFTER_MS) return;
    if (!tier.reads.isSlowerThan(total - got, record.wallS, spent / 1000, tier.reads.rateSince(began))) return;
    slow = true;
    ending.abort();
  }, LOOK_EVERY_MS);
  const onBytes = (count: number): void => {
    got += count;
    tier.reads.received(count);
  };
  const ends: Failed[] = [];
  try {
    await inParallel(toFetch, WIDTH, async (file) => {
      if (ends.length > 0) return;
      const one = await fetchOnce(hit, file, blobs, { signal: ending.signal, onBytes }, (count) => (got += count));
      if (one === 'ok') return;
      ends.push(one);
      // What else is under way is of no use now.
      ending.abort();
    });
  } catch (problem) {
    if (!(problem instanceof CacheError)) return [storeFailed(tier, problem)];
    if (slow) {
      tier.reads.lose(began);
      tier.reads.warn('results come more slowly than they are made: such jobs are run');
    }
    if (ends.length === 0) ends.push(slow ? 'slow' : 'failed');
  } finally {
    clearInterval(timer);
    stop.removeEventListener('abort', end);
  }
  return ends;
}

type Followed = { readonly signal: AbortSignal; readonly onBytes: (count: number) => void };
type FileEnd = 'ok' | 'missing' | 'bad' | 'failed';

/** Fetches a file. A large one that is on its way already, for another job, is waited for, and seen to come by `onSeen`. */
async function fetchOnce(
  hit: Hit,
  file: SharedFile,
  blobs: BlobStore,
  transfer: Followed,
  onSeen: (count: number) => void,
): Promise<FileEnd> {
  const { entry, blob } = file;
  if (blob.parts === undefined) return fetchFile(hit, file, blobs, transfer);
  const isHere = (): boolean => blobs.has(entry.digest, entry.exec, entry.size);
  const brought = await bringOnce(blob.b3, { signal: transfer.signal, onSeen, isHere }, (tell) =>
    fetchFile(hit, file, blobs, {
      ...transfer,
      onBytes: (count) => {
        transfer.onBytes(count);
        tell(count);
      },
    }),
  );
  return brought ?? 'ok';
}

async function fetchFile(
  { tier }: Hit,
  { entry, blob }: SharedFile,
  blobs: BlobStore,
  transfer: Followed,
): Promise<FileEnd> {
  // A blob in parts keeps its name, so that what came of it before it was cut off is not fetched twice.
  const { tmp } = blobs.layout;
  const file = blob.parts ? unfinishedFile(tmp, blob.b3) : join(tmp, temporaryName());
  if (tier.badBlobs.has(blob.b3)) return 'bad';
  const answer = await tier.reads
    .ask((cache, limits) => cache.fetchBlob(blob, file, limits), transfer)
    .catch((problem: unknown) => {
      const isWrong = problem instanceof CacheError && problem.kind === 'bytes';
      if (!blob.parts || isWrong) rmSync(file, { force: true });
      if (!isWrong) throw problem;
      return 'bytes' as const;
    });
  if (answer === 'bytes') {
    tier.badBlobs.add(blob.b3);
    return 'bad';
  }
  if (answer?.value !== true) {
    if (!blob.parts) rmSync(file, { force: true });
    return answer === undefined ? 'failed' : 'missing';
  }
  if ((await blobs.adopt(file, entry.exec, entry.digest)) !== undefined) return 'ok';
  tier.badBlobs.add(blob.b3);
  return 'bad';
}

async function freeBytes(folder: string): Promise<number> {
  const stats = await statfs(dirname(folder)).catch(() => undefined);
  return stats === undefined ? Infinity : stats.bavail * stats.bsize;
}

/** Does a record lie about what downstream keys see of its files? That follows from their bytes. */
function wrongKeyDigest(manifest: Manifest, declared: readonly Declared[], blobs: BlobStore): boolean {
  return manifest.some((output) => {
    const { ignore = [] } = declared.find((d) => d.path === output.path && d.name === output.name) ?? {};
    return output.entries.some((entry) => {
      if (entry.type !== 'file') return false;
      const counts = ignore.length > 0 && (!output.tree || entry.path.endsWith('.json'));
      const expected = counts ? restDigest(blobs.path(entry.digest, entry.exec), ignore) : entry.digest;
      return (entry.keyDigest ?? entry.digest) !== (expected ?? entry.digest);
    });
  });
}

/** Files larger than this are never read as JSON (capture.ts). */
const MAX_JSON = 256 * 1024 * 1024;

function restDigest(path: string, ignore: readonly string[]): Digest | undefined {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? Infinity) > MAX_JSON) return undefined;
  const rest = withoutFields(readFileSync(path), ignore);
  return rest && hashBytes(rest);
}
