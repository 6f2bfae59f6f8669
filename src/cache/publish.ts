// Puts a result into a cache: its blobs, and the record last. The bytes are read once more for that, and are checked.
import { createHash } from 'node:crypto';
import { hostname, userInfo } from 'node:os';
import { existsSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Digest } from '../base/brand.ts';
import { step } from '../base/step.ts';
import { Hasher, hashBytes } from '../hash/digest.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { filesOf, sameForKeys, type Manifest } from '../store/manifest.ts';
import type { Trace } from '../store/trace.ts';
import { blobsOf, encodeRecord, inlineChoice, piecesOf, type SharedFile, type SharedRecord } from './record.ts';
import { inParallel, type BlobRef, type Piece } from './shared-cache.ts';
import { sealRecord, type SigningKey } from './signature.ts';
import type { Tier } from './tier.ts';

/** Larger files go to servers in parts, so that they can be gone on with, and pass through proxies. */
const PARTS_FROM = 512 * 1024 * 1024;
export const PART_SIZE = 256 * 1024 * 1024;
const CHUNK = 1024 * 1024;
const WIDTH = 4;

/** What is published: files and where their bytes lie. The same for every cache. */
export type Parcel = {
  readonly trace: Trace;
  readonly files: readonly SharedFile[];
  readonly paths: ReadonlyMap<string, string>;
};

/**
 * Reads what a result's record needs; undefined where the store has not all its bytes, or damaged ones.
 * @param onBytes follows the reading
 */
export async function packParcel(
  trace: Trace,
  blobs: BlobStore,
  onBytes?: (count: number) => void,
): Promise<Parcel | undefined> {
  const entries = [...filesOf(trace.manifest)].map(({ entry }) => entry);
  const inlined = inlineChoice(entries.map((entry) => entry.size));
  const known = new Map<Digest, BlobRef>();
  const paths = new Map<string, string>();
  const files: SharedFile[] = [];
  for (const [i, entry] of entries.entries()) {
    const path = [entry.exec, !entry.exec].map((exec) => blobs.path(entry.digest, exec)).find((p) => existsSync(p));
    if (path === undefined) return undefined;
    if (inlined[i] || entry.size === 0) {
      const inline = readFileSync(path);
      if (hashBytes(inline) !== entry.digest) return undefined;
      files.push({ entry, blob: { size: entry.size, b3: entry.digest, sha: '' }, inline });
      continue;
    }
    const blob = known.get(entry.digest) ?? (await digestsOf(path, entry.size, onBytes));
    if (blob.b3 !== entry.digest) return undefined;
    known.set(entry.digest, blob);
    paths.set(blob.b3, path);
    files.push({ entry, blob });
  }
  return { trace, files, paths };
}

/** BLAKE3 and SHA-256 of a file and of its parts, in one reading. */
async function digestsOf(path: string, size: number, onBytes?: (count: number) => void): Promise<BlobRef> {
  const partSize = size > PARTS_FROM ? PART_SIZE : size;
  const whole = size > partSize ? new Hasher() : undefined;
  const parts: Piece[] = [];
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK, size));
    for (let at = 0; at < size;) {
      const end = Math.min(size, at + partSize);
      const sha = createHash('sha256');
      const b3 = new Hasher();
      const start = at;
      while (at < end) {
        const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - at), at);
        if (bytesRead === 0) break;
        const chunk = buffer.subarray(0, bytesRead);
        sha.update(chunk);
        b3.update(chunk);
        whole?.update(chunk);
        at += bytesRead;
        onBytes?.(bytesRead);
      }
      parts.push({ size: at - start, b3: b3.digest(), sha: sha.digest('hex') });
      if (at < end) break;
    }
  } finally {
    await file.close();
  }
  const [only] = parts;
  if (whole === undefined && only !== undefined) return only;
  return { size, b3: (whole ?? new Hasher()).digest(), sha: '', parts };
}

/** Who publishes, and the key that vouches for it. */
export type Maker = { readonly lhb: string; readonly key: SigningKey | undefined };

function recordOf({ trace, files }: Parcel, tier: Tier, maker: Maker): SharedRecord {
  const { usage } = trace;
  return {
    key: tier.keyFor(trace.actionKey),
    ns: tier.cache.spec.ns,
    rule: trace.rule,
    jobId: trace.jobId,
    startedAt: usage.startedAt,
    finishedAt: usage.finishedAt,
    wallS: usage.wallS,
    cpuS: usage.cpuS,
    maxRssMb: usage.maxRssMb,
    producer: {
      lhb: maker.lhb,
      host: trace.host,
      user: trace.source?.user ?? userName(),
      platform: `${process.platform}-${process.arch}`,
    },
    manifest: trace.manifest,
    files,
  };
}

const userName = (): string => {
  try {
    return userInfo().username;
  } catch {
    return process.env['USER'] ?? hostname();
  }
};

export type Published =
  /** Also where it was there already. */
  | { readonly kind: 'stored'; readonly bytes: number; readonly fresh: boolean }
  /** There is another result under this key: the job does not make the same bytes each time. */
  | { readonly kind: 'differs' }
  | { readonly kind: 'failed' };

/**
 * Publishes a result in one cache.
 * @param refresh put it in the place of one that is there
 * @param onBytes follows the upload
 */
export async function publish(
  parcel: Parcel,
  tier: Tier,
  maker: Maker,
  refresh: boolean,
  more: { readonly signal?: AbortSignal; readonly onBytes?: (count: number) => void },
): Promise<Published> {
  const record = recordOf(parcel, tier, maker);
  return publishSealed(record, sealRecord(encodeRecord(record), maker.key), parcel.paths, tier, refresh, more);
}

/** Publishes a record as it is, with the bytes that `paths` has by BLAKE3. */
export async function publishSealed(
  record: SharedRecord,
  sealed: Uint8Array,
  paths: ReadonlyMap<string, string>,
  tier: Tier,
  refresh: boolean,
  more: { readonly signal?: AbortSignal; readonly onBytes?: (count: number) => void },
): Promise<Published> {
  const { key } = record;
  let replace = refresh || tier.badRecords.has(key);
  if (!replace && !tier.missing.has(key)) {
    const there = await whatIsThere(tier, record);
    if (there === 'same') {
      // Perhaps without its blobs: then they come again.
      const whole = await tier.writes.ask((cache, transfer) => cache.hasBlobs(blobsOf(record), transfer));
      if (whole === undefined) return { kind: 'failed' };
      if (whole.value.every(Boolean)) return { kind: 'stored', bytes: 0, fresh: false };
    }
    if (there === 'failed') return { kind: 'failed' };
    if (there === 'other') return { kind: 'differs' };
    replace = there === 'bad';
  }
  const blobs = blobsOf(record);
  const has = await tier.writes.ask((cache, transfer) => cache.hasBlobs(blobs, transfer), more);
  if (has === undefined) return { kind: 'failed' };
  const missing = blobs.filter((blob, i) => !has.value[i] || tier.badBlobs.has(blob.b3));
  let bytes = 0;
  const put = await inParallel(missing, WIDTH, async (blob) => {
    const path = paths.get(blob.b3);
    if (path === undefined) return undefined;
    const bad = tier.badBlobs.has(blob.b3);
    bytes += blob.size;
    return tier.writes.ask((cache, transfer) => cache.putBlob(blob, path, bad, transfer), more);
  });
  if (put.some((done) => done === undefined)) return { kind: 'failed' };
  step('cache:blobs-published');
  const pieces = blobs.flatMap(piecesOf);
  for (let attempt = 1; ; attempt++) {
    const done = await tier.writes.ask(
      (cache, transfer) => cache.putRecord(key, sealed, pieces, replace, transfer),
      more,
    );
    if (done === undefined) return { kind: 'failed' };
    if (done.value === 'stored') break;
    const there = await whatIsThere(tier, record);
    if (there === 'other') return { kind: 'differs' };
    if (there === 'failed' || (there !== 'same' && attempt === 2)) return { kind: 'failed' };
    if (there === 'same') return { kind: 'stored', bytes, fresh: false };
    replace = true;
  }
  step('cache:record-published');
  for (const blob of blobs) tier.badBlobs.delete(blob.b3);
  tier.badRecords.delete(key);
  return { kind: 'stored', bytes, fresh: true };
}

async function whatIsThere(tier: Tier, record: SharedRecord): Promise<'none' | 'same' | 'other' | 'bad' | 'failed'> {
  const answer = await tier.read(record.key);
  if (answer === undefined) return 'failed';
  const opened = answer.value;
  if (opened === undefined) return 'none';
  if (typeof opened === 'string') return 'bad';
  return compared(opened.record.manifest, record.manifest);
}

/** Does a record hold the files that were made here? `bad`: it tells sizes of them that they cannot have. */
function compared(there: Manifest, here: Manifest): 'same' | 'other' | 'bad' {
  const sizes = new Map([...filesOf(here)].map(({ entry }) => [entry.digest, entry.size]));
  for (const { entry } of filesOf(there)) if ((sizes.get(entry.digest) ?? entry.size) !== entry.size) return 'bad';
  return sameForKeys(there, here) ? 'same' : 'other';
}
