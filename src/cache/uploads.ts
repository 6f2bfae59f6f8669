// Sends results to the caches that are written, in the background. Before a result is sent a note lies in
// .lhb/outbox/CACHE/ACTIONKEY, and goes when it has been: whatever ends a build, the next one sends what is left.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ActionKey } from '../base/brand.ts';
import { unless } from '../fs/errno.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { Trace } from '../store/trace.ts';
import { packParcel, publish, publishSealed, type Maker, type Parcel, type Published } from './publish.ts';
import { CacheError, manyListeners, type CacheSpec } from './shared-cache.ts';
import type { Hit, Tier } from './tier.ts';

/** `wait`: as `background`, and not given up for being slow; `spool`: only noted. */
export type UploadMode = 'background' | 'wait' | 'spool' | 'none';

const WIDTH = 4;
const PROGRESS_MS = 500;
/** Uploads that hold up the end of a build go on while in so many ms bytes flow at so many a second. */
const GRACE_MS = 10_000;
const WORTH_RATE = 64 * 1024;

/** What flowed in the last GRACE_MS: a quick beginning does not make up for a standstill after it. */
export class Flow {
  readonly #seen: { readonly at: number; readonly moved: number }[] = [];

  /** Has next to nothing flowed? To be asked now and then, with the bytes that have moved in all. */
  isSlow(at: number, moved: number): boolean {
    this.#seen.push({ at, moved });
    while (this.#seen[1] && this.#seen[1].at <= at - GRACE_MS) this.#seen.shift();
    const [first = { at, moved }] = this.#seen;
    const spent = at - first.at;
    return spent >= GRACE_MS && ((moved - first.moved) / spent) * 1000 < WORTH_RATE;
  }
}

export type UploadsParts = {
  readonly tiers: readonly Tier[];
  readonly blobs: BlobStore;
  readonly traceOf: (key: ActionKey) => Trace | undefined;
  readonly maker: Maker;
  /** The folder of notes, absolute. */
  readonly outbox: string;
  readonly mode: UploadMode;
  /** False: what is for it waits for a build that is not offline. */
  readonly isReached: (tier: Tier) => boolean;
  /** True: what came from a cache is sent too, as where someone asks for it. */
  readonly others?: boolean;
  readonly refresh: boolean;
  readonly warn: (text: string) => void;
};

type Task = { readonly tier: Tier; readonly key: ActionKey; readonly hit?: Hit };

export class Uploads {
  readonly #parts: UploadsParts;
  readonly #tiers: readonly Tier[];
  readonly #queue: Task[] = [];
  readonly #ending = manyListeners();
  readonly #differing: string[] = [];
  #running = 0;
  #sent = 0;
  /** Bytes read and sent: while they grow something goes on. */
  #moved = 0;
  #idle: () => void = () => {};
  #parcel: { readonly key: ActionKey; readonly value: Promise<Parcel | undefined> } | undefined;
  /** Notes whose results are not sent yet, and all that were ever queued. */
  readonly #left = new Set<string>();
  readonly #queued = new Set<string>();

  constructor(parts: UploadsParts) {
    this.#parts = parts;
    this.#tiers = parts.mode === 'none' ? [] : parts.tiers.filter((tier) => tier.isWritten && this.#mayWrite(tier));
  }

  /** Who takes signed records alone is sent no others. */
  #mayWrite(tier: Tier): boolean {
    const { maker } = this.#parts;
    if (!tier.trust.required || maker.key !== undefined) return true;
    tier.writes.warn('nothing is uploaded: it takes signed results, and there is no key: `lhb cache keygen`');
    return false;
  }

  /** Takes up what earlier builds left. */
  resume(): void {
    for (const tier of this.#tiers.filter((each) => this.#sendsTo(each))) {
      for (const name of notesIn(this.#notesOf(tier))) this.#enqueue({ tier, key: name as ActionKey });
    }
  }

  #sendsTo(tier: Tier): boolean {
    return this.#parts.mode !== 'spool' && this.#parts.isReached(tier);
  }

  /** A result that was just made. */
  add(key: ActionKey): void {
    for (const tier of this.#tiers) {
      this.#note({ tier, key });
      if (this.#sendsTo(tier)) this.#enqueue({ tier, key });
    }
  }

  /** A result of another cache, as it is. */
  copy(tier: Tier, hit: Hit): void {
    if (this.#tiers.includes(tier) && this.#sendsTo(tier)) this.#enqueue({ tier, key: hit.wanted.actionKey, hit });
  }

  #notesOf({ cache: { spec } }: Tier): string {
    return notesFolder(this.#parts.outbox, spec);
  }

  #notePath({ tier, key }: Task): string {
    return join(this.#notesOf(tier), key);
  }

  #note(task: Task): void {
    const path = this.#notePath(task);
    this.#left.add(path);
    mkdirSync(this.#notesOf(task.tier), { recursive: true });
    writeFileSync(path, '');
  }

  #done(task: Task): void {
    const path = this.#notePath(task);
    this.#left.delete(path);
    rmSync(path, { force: true });
  }

  #enqueue(task: Task): void {
    const path = this.#notePath(task);
    // A note of an earlier build may be of a result that is on its way already.
    if (this.#queued.has(path)) return;
    this.#queued.add(path);
    // What another cache has is no one's to wait for.
    if (task.hit === undefined) this.#left.add(path);
    this.#queue.push(task);
    this.#startNext();
  }

  #startNext(): void {
    while (this.#running < WIDTH && this.#queue.length > 0 && !this.#ending.signal.aborted) {
      const task = this.#queue.shift();
      if (task === undefined) return;
      this.#running++;
      void this.#send(task)
        .catch((problem: unknown) => {
          if (problem instanceof CacheError) return;
          const message = problem instanceof Error ? problem.message : String(problem);
          this.#parts.warn(`cache ${task.tier.name}: a result could not be uploaded: ${message}`);
        })
        .then(() => {
          this.#running--;
          this.#startNext();
          if (this.#running === 0) this.#idle();
        });
    }
  }

  async #send(task: Task): Promise<void> {
    const { tier, key, hit } = task;
    if (tier.writes.isOpen) return;
    const { refresh, maker, blobs, traceOf } = this.#parts;
    const more = {
      signal: this.#ending.signal,
      onBytes: (count: number): void => {
        this.#sent += count;
        this.#moved += count;
        tier.counts.sentBytes += count;
      },
    };
    let end: Published;
    if (hit !== undefined) {
      const paths = new Map(hit.record.files.map(({ entry, blob }) => [blob.b3, blobs.path(entry.digest, entry.exec)]));
      end = await publishSealed(hit.record, hit.bytes, paths, tier, false, more);
    } else {
      const trace = traceOf(key);
      const parcel = trace && (this.#parts.others || isOurs(trace)) ? await this.#pack(trace) : undefined;
      // Collected meanwhile: there is nothing to send.
      if (parcel === undefined) return this.#done(task);
      end = await publish(parcel, tier, maker, refresh, more);
      if (end.kind === 'differs') this.#differing.push(`${parcel.trace.rule} ${parcel.trace.jobId}`);
    }
    if (end.kind === 'failed') return;
    this.#done(task);
    if (end.kind === 'stored' && end.fresh && hit === undefined) tier.counts.uploaded++;
  }

  /** Several caches get the same parcel one after the other. */
  #pack(trace: Trace): Promise<Parcel | undefined> {
    if (this.#parcel?.key !== trace.actionKey) {
      this.#parcel = {
        key: trace.actionKey,
        value: packParcel(trace, this.#parts.blobs, (count) => (this.#moved += count)),
      };
    }
    return this.#parcel.value;
  }

  /** Results that are not sent yet. */
  get waiting(): number {
    return this.#left.size;
  }

  /**
   * Waits until all is sent. Ends earlier where `stop` is aborted, and where next to nothing flows.
   * @param onProgress called while bytes flow, with the results that are left and the bytes that were sent
   */
  async finish(stop: AbortSignal, onProgress: (jobs: number, bytes: number) => void): Promise<void> {
    const end = (): void => this.#ending.abort();
    stop.addEventListener('abort', end);
    if (stop.aborted) end();
    const flow = new Flow();
    while (this.#running > 0) {
      const isSlow = flow.isSlow(performance.now(), this.#moved);
      if (isSlow && this.#parts.mode !== 'wait') end();
      await Promise.race([
        new Promise<void>((resolve) => (this.#idle = resolve)),
        delay(PROGRESS_MS, undefined, { ref: false }),
      ]);
      if (this.#running === 0) break;
      onProgress(this.#queue.length + this.#running, this.#sent);
    }
    stop.removeEventListener('abort', end);
  }

  problems(): string[] {
    const list = this.#differing;
    if (list.length === 0) return [];
    const more = list.length > 3 ? ` and ${list.length - 3} more` : '';
    return [
      `${list.slice(0, 3).join(', ')}${more}: the cache has another result for the same inputs, which stays: ` +
        'the job does not make the same bytes each time',
    ];
  }
}

/** Was it made here, by a job? What was touched or carried over is no one's to vouch for, and what came from a cache is there. */
export const isOurs = (trace: Trace): boolean =>
  trace.source === undefined && (trace.origin === 'built' || trace.origin === 'restored');

/** The folder of notes for one cache. */
export const notesFolder = (outbox: string, spec: CacheSpec): string => join(outbox, spec.outbox ?? spec.name);

const notesIn = (folder: string): string[] =>
  (unless(['ENOENT', 'ENOTDIR'], () => readdirSync(folder)) ?? []).filter((name) => /^[0-9a-f]{64}$/.test(name)).sort();
