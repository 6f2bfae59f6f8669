// Garbage collection: which records and blobs nothing refers to, and their removal.
//
// Records go before their blobs, so what is cut off leaves blobs without a record, which the next gc takes.
import { lstatSync } from 'node:fs';
import type { ActionKey, Digest, JobId } from '../base/brand.ts';
import { error } from '../base/diagnostic.ts';
import { err, ok, type Result } from '../base/result.ts';
import { step } from '../base/step.ts';
import type { BlobStore } from './blob-store.ts';
import type { IndexDb } from './index-db.ts';
import { filesOf } from './manifest.ts';
import type { RootKind, Roots } from './roots.ts';
import type { Trace } from './trace.ts';

export type CollectLimits = {
  /** Only results neither recorded nor looked at for so many seconds go. */
  readonly olderThanS: number | undefined;
  /** No more goes than is needed for the blobs to have at most so many bytes, the longest unused first. */
  readonly maxBytes: number | undefined;
  /** When gc began, seconds since the epoch. */
  readonly now: number;
};

export type GoneRecord = {
  readonly actionKey: ActionKey;
  readonly jobId: JobId;
  readonly rule: string;
  readonly label: string;
  /** Of its outputs: bytes of the blobs that go with it. */
  readonly bytes: number;
  /** Seconds since the epoch. */
  readonly usedAt: number;
};

export type GoneBlob = {
  readonly digest: Digest;
  readonly exec: boolean;
  readonly size: number;
  /** It is the last name of its bytes: they are freed. */
  readonly last: boolean;
  /** No record refers to it even now. */
  readonly orphan: boolean;
};

/** Why a result stays: by a root, or by the limits that were given. */
export type KeptBy = RootKind | 'age' | 'size';

export type Collection = {
  readonly records: {
    readonly total: number;
    readonly kept: ReadonlyMap<KeptBy, number>;
    readonly gone: readonly GoneRecord[];
  };
  readonly blobs: { readonly total: number; readonly bytes: number; readonly gone: readonly GoneBlob[] };
  /** The ids that keep a record. */
  readonly ids: ReadonlySet<JobId>;
};

type Candidate = Omit<GoneRecord, 'bytes'> & { readonly blobs: readonly string[] };

/** Works out what would go. Reads every record, no bytes. Errors: records that cannot be read. */
export function planCollection(
  index: IndexDb,
  blobs: BlobStore,
  roots: Roots,
  limits: CollectLimits,
): Result<Collection> {
  const stored = sizesOf(blobs);
  const references = new Map<string, number>();
  const kept = new Map<KeptBy, number>();
  const ids = new Set<JobId>();
  const candidates: Candidate[] = [];
  let total = 0;
  let unreadable = 0;
  let newer = 0;

  const keep = (id: JobId, by: KeptBy): void => {
    kept.set(by, (kept.get(by) ?? 0) + 1);
    ids.add(id);
  };
  for (const record of index.allTraces()) {
    total++;
    const { actionKey, trace } = record;
    if (!trace) {
      if (record.newer) newer++;
      else unreadable++;
      continue;
    }
    const names = blobNames(trace);
    for (const name of names) references.set(name, (references.get(name) ?? 0) + 1);
    const root = roots.kind(actionKey);
    const usedAt = Math.max(trace.recordedAt, roots.usedAt(actionKey));
    if (root !== undefined) keep(trace.jobId, root);
    else if (limits.olderThanS !== undefined && usedAt > limits.now - limits.olderThanS) keep(trace.jobId, 'age');
    else candidates.push({ actionKey, jobId: trace.jobId, rule: trace.rule, label: trace.label, usedAt, blobs: names });
  }
  if (unreadable > 0 || newer > 0) return err([unknownNeeds(unreadable, newer)]);

  const gone: GoneBlob[] = [];
  let left = stored.bytes;
  const take = (name: string, size: number, orphan: boolean): void => {
    gone.push({ ...partsOf(name), size, last: isLast(blobs, name), orphan });
    left -= size;
  };
  for (const [name, size] of stored.sizes) {
    if (!references.has(name) && !isNewerThan(blobs, name, limits.now)) take(name, size, true);
  }
  candidates.sort((a, b) => a.usedAt - b.usedAt || (a.actionKey < b.actionKey ? -1 : 1));
  const goneRecords: GoneRecord[] = [];
  for (const { blobs: names, ...candidate } of candidates) {
    if (limits.maxBytes !== undefined && left <= limits.maxBytes) {
      keep(candidate.jobId, 'size');
      continue;
    }
    let bytes = 0;
    for (const name of names) {
      const others = (references.get(name) ?? 1) - 1;
      references.set(name, others);
      const size = stored.sizes.get(name);
      if (others > 0 || size === undefined) continue;
      take(name, size, false);
      bytes += size;
    }
    goneRecords.push({ ...candidate, bytes });
  }
  return ok({
    records: { total, kept, gone: goneRecords },
    blobs: { total: stored.sizes.size, bytes: stored.bytes, gone },
    ids,
  });
}

const BATCH = 1_000;

/** Removes what a plan says: records, then blobs. The index must be open for writing. Throws system errors. */
export async function removeCollected(index: IndexDb, blobs: BlobStore, collection: Collection): Promise<void> {
  const keys = collection.records.gone.map(({ actionKey }) => actionKey);
  for (let at = 0; at < keys.length; at += BATCH) {
    index.transaction(() => {
      for (const key of keys.slice(at, at + BATCH)) index.removeTrace(key);
    });
    step('gc:records');
    await pause();
  }
  let count = 0;
  for (const { digest, exec } of collection.blobs.gone) {
    blobs.remove(digest, exec);
    step('gc:blob');
    if (++count % BATCH === 0) await pause();
  }
}

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A blob's name here: its digest, and an x where it can be executed. */
const nameOf = (digest: Digest, exec: boolean): string => (exec ? `${digest}x` : digest);

const partsOf = (name: string): { digest: Digest; exec: boolean } => ({
  digest: name.slice(0, 64) as Digest,
  exec: name.length > 64,
});

const blobNames = (trace: Trace): string[] => [
  ...new Set([...filesOf(trace.manifest)].map(({ entry }) => nameOf(entry.digest, entry.exec))),
];

function sizesOf(blobs: BlobStore): { sizes: Map<string, number>; bytes: number } {
  const sizes = new Map<string, number>();
  let bytes = 0;
  for (const { digest, exec, size } of blobs.list()) {
    sizes.set(nameOf(digest, exec), size);
    bytes += size;
  }
  return { sizes, bytes };
}

function statsOf(blobs: BlobStore, name: string): { nlink: number; ctimeMs: number } | undefined {
  const { digest, exec } = partsOf(name);
  return lstatSync(blobs.path(digest, exec), { throwIfNoEntry: false });
}

const isLast = (blobs: BlobStore, name: string): boolean => (statsOf(blobs, name)?.nlink ?? 1) <= 1;

/** Someone may be about to put it on record. */
const isNewerThan = (blobs: BlobStore, name: string, time: number): boolean =>
  (statsOf(blobs, name)?.ctimeMs ?? 0) > time * 1000;

function unknownNeeds(unreadable: number, newer: number): ReturnType<typeof error> {
  const count = unreadable + newer;
  const what = `${count} ${count === 1 ? 'result' : 'results'} on record cannot be read`;
  return newer > 0
    ? error('gc/unreadable-root', `${what}, as a newer lhb wrote them: it is not known which bytes they need`, {
        hint: 'run gc with the newer lhb',
      })
    : error('gc/unreadable-root', `${what}: it is not known which bytes they need`, {
        hint: '`lhb verify` repairs them, or drops them so that their jobs run again',
      });
}
