// The shared caches of a build, asked in their order. What one of them has comes into the local store, and into the caches
// before it that are written.
import type { ActionKey } from '../base/brand.ts';
import { concurrently } from '../base/concurrently.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { fetchResult } from './fetch-result.ts';
import type { RecordKey } from './shared-cache.ts';
import { manyListeners } from './shared-cache.ts';
import type { Hit, Tier, Wanted } from './tier.ts';
import type { Uploads } from './uploads.ts';

/** Look-ups at the same time, and results that are brought in at the same time. */
const LOOKUPS = 32;
const FETCHES = 12;
/** How long results come in before others get a turn (ms). */
const BREATH_MS = 15;

export type CacheGave = {
  readonly name: string;
  readonly jobs: number;
  readonly bytes: number;
  readonly saved_s: number;
};

export type CacheCounts = {
  /** Results that came from the local store. */
  readonly local: number;
  /** Jobs that each cache spared, the bytes that came, and the seconds that these jobs took where they ran. */
  readonly caches: readonly CacheGave[];
  readonly uploaded: number;
  /** Results that wait for the next build to be sent. */
  readonly waiting: number;
};

/** Is there anything to tell of the caches? */
export const hasNews = ({ local, caches, uploaded, waiting }: CacheCounts): boolean =>
  local + uploaded + waiting > 0 || caches.some(({ jobs }) => jobs > 0);

export type TiersParts = {
  readonly tiers: readonly Tier[];
  readonly blobs: BlobStore;
  readonly uploads: Uploads | undefined;
  /** Take no results, and put new ones in the place of those that are there. */
  readonly refresh: boolean;
  /** Give no download up for being slow: it was asked for, and there is no job to run instead. */
  readonly patient?: boolean;
};

export class SharedCaches {
  readonly #parts: TiersParts;
  readonly #used = new Map<Tier, RecordKey[]>();
  readonly #ending = manyListeners();
  #local = 0;
  #fetching = 0;
  readonly #waiting: (() => void)[] = [];
  #breathed = performance.now();
  #breathing: Promise<void> | undefined;

  constructor(parts: TiersParts) {
    this.#parts = parts;
  }

  /** Which results the caches have: all are asked for the first, what it lacks of the next. */
  async find(wanted: readonly Wanted[]): Promise<Map<ActionKey, Hit>> {
    const hits = new Map<ActionKey, Hit>();
    if (this.#parts.refresh || this.#ending.signal.aborted) return hits;
    let left = wanted;
    for (const tier of this.#parts.tiers) {
      if (left.length === 0) break;
      const found = await concurrently(left, LOOKUPS, (one) => tier.look(one, this.#ending.signal));
      for (const hit of found) if (hit !== undefined) hits.set(hit.wanted.actionKey, hit);
      left = left.filter(({ actionKey }) => !hits.has(actionKey));
    }
    return hits;
  }

  /** Brings a result into the local store; false where it did not come, which is a miss. */
  async fetch(hit: Hit): Promise<boolean> {
    await this.#turn();
    // What is in its record takes no waiting at all: timers and signals must get their turn all the same.
    while (performance.now() - this.#breathed > BREATH_MS) await this.#breath();
    try {
      const fetched = await fetchResult(hit, this.#parts.blobs, this.#ending.signal, this.#parts.patient ?? false);
      if (typeof fetched === 'string') return false;
      const { tier, record } = hit;
      tier.counts.jobs++;
      tier.counts.bytes += fetched.bytes;
      tier.counts.savedS += record.wallS;
      const used = this.#used.get(tier);
      if (used) used.push(record.key);
      else this.#used.set(tier, [record.key]);
      this.#fillNearer(hit);
      return true;
    } finally {
      this.#fetching--;
      this.#waiting.shift()?.();
    }
  }

  #breath(): Promise<void> {
    return (this.#breathing ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#breathed = performance.now();
        this.#breathing = undefined;
        resolve();
      });
    }));
  }

  async #turn(): Promise<void> {
    if (this.#fetching >= FETCHES) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#fetching++;
  }

  /** A hit further out goes into the caches before it, as it is, with the signature of its maker. */
  #fillNearer(hit: Hit): void {
    const { tiers, uploads } = this.#parts;
    for (const tier of tiers.slice(0, tiers.indexOf(hit.tier))) {
      if (tier.isWritten && tier.cache.spec.ns === hit.tier.cache.spec.ns) uploads?.copy(tier, hit);
    }
  }

  /** A result came from the local store. */
  countLocal(): void {
    this.#local++;
  }

  /** A job made this: it goes to the caches that are written, in the background. */
  publish(key: ActionKey): void {
    this.#parts.uploads?.add(key);
  }

  /** Ends look-ups and downloads; what did not come is a miss. */
  abort(): void {
    this.#ending.abort();
  }

  /** Waits until all is sent, or `ending` is aborted: then what is left is sent by the next build. */
  async finish(ending: AbortSignal, onProgress: (jobs: number, bytes: number) => void): Promise<void> {
    await this.#parts.uploads?.finish(ending, onProgress);
    for (const [tier, keys] of this.#used) await tier.cache.noteUse?.(keys);
  }

  /** What went wrong and was not told yet: a sentence each. */
  problems(): string[] {
    return [...this.#parts.tiers.flatMap((tier) => tier.ignored()), ...(this.#parts.uploads?.problems() ?? [])];
  }

  counts(): CacheCounts {
    const caches = this.#parts.tiers.map(({ name, counts }) => ({
      name,
      jobs: counts.jobs,
      bytes: counts.bytes,
      saved_s: counts.savedS,
    }));
    const sum = (of: (tier: Tier) => number): number => this.#parts.tiers.reduce((all, tier) => all + of(tier), 0);
    return {
      local: this.#local,
      caches,
      uploaded: sum(({ counts }) => counts.uploaded),
      waiting: this.#parts.uploads?.waiting ?? 0,
    };
  }

  close(): void {
    for (const tier of this.#parts.tiers) tier.cache.close();
  }
}
