// Keeps a cache out of the way: it may cost a build so many seconds in failures and no more. The circuit breaker is open
// after three failures in a row, and asks once more after a minute; after a refusal, or once the sum of lost time is used
// up, it stays open. What was lost is counted by the clock: requests that fail side by side lose their time once.
import { CacheError, type Limits, type SharedCache, type Transfer } from './shared-cache.ts';

/** What failures of one cache may cost a build in all (ms). */
export const BUDGET_MS = 10_000;
export const LIMITS: Limits = { connectMs: 2000, firstByteMs: 5000, idleMs: 15_000 };
const FAILURES = 3;
const REOPEN_MS = 60_000;
/** A record takes no longer than this, however it trickles. */
const RECORD_MS = 10_000;
/** How far back the rate of transfers is measured. */
const RATE_WINDOW_MS = 3000;
/** Transfers that would take less are never given up. */
const PATIENCE_S = 10;

/** Time that failures of one cache took, by the clock. */
export class Losses {
  ms = 0;
  #until = 0;

  add(since: number, now: number): void {
    this.ms += Math.max(0, now - Math.max(since, this.#until));
    this.#until = now;
  }
}

/** One for reading and one for writing: who may not write may still read. */
export class CacheGuard {
  readonly cache: SharedCache;
  readonly #losses: Losses;
  readonly #warn: (text: string) => void;
  readonly #clock: () => number;
  #inRow = 0;
  #openUntil = 0;
  #probing = false;
  #warned = false;
  #recent: { readonly at: number; readonly bytes: number }[] = [];
  #rate: number | undefined;

  /** @param warn says something of the cache */
  constructor(
    cache: SharedCache,
    losses: Losses,
    warn: (text: string) => void,
    clock: () => number = () => performance.now(),
  ) {
    this.cache = cache;
    this.#losses = losses;
    this.#warn = warn;
    this.#clock = clock;
  }

  get isOpen(): boolean {
    return this.#probing || this.#clock() < this.#openUntil;
  }

  /** Is it given up for the rest of this run? */
  get isGivenUp(): boolean {
    return this.#openUntil === Infinity;
  }

  /**
   * Asks the cache for something; undefined where it failed or is not asked for now. 'aborted' and 'bytes' are thrown on.
   * @param whole for small answers: the most that all of it may take
   */
  async ask<T>(
    work: (cache: SharedCache, transfer: Transfer) => Promise<T>,
    more: Partial<Transfer> = {},
    whole?: 'record',
  ): Promise<{ readonly value: T } | undefined> {
    const now = this.#clock();
    if (this.isOpen) return undefined;
    if (this.#openUntil > 0) this.#probing = true;
    const left = Math.max(50, BUDGET_MS - this.#losses.ms);
    const limits = {
      connectMs: Math.min(LIMITS.connectMs, left),
      firstByteMs: Math.min(LIMITS.firstByteMs, left),
      idleMs: Math.min(LIMITS.idleMs, left),
      ...(whole && { wholeMs: Math.min(RECORD_MS, left) }),
    };
    try {
      const answer = await work(this.cache, { limits, ...more });
      this.#inRow = 0;
      this.#openUntil = 0;
      this.#probing = false;
      return { value: answer };
    } catch (problem) {
      this.#probing = false;
      if (!(problem instanceof CacheError)) throw problem;
      if (problem.kind === 'aborted' || problem.kind === 'bytes') throw problem;
      this.#failed(problem, now);
      return undefined;
    }
  }

  #failed(failure: CacheError, since: number): void {
    this.lose(since);
    this.#inRow++;
    const forGood = failure.kind === 'denied' || failure.kind === 'full' || this.#losses.ms >= BUDGET_MS - 50;
    if (forGood) this.#openUntil = Infinity;
    else if (this.#inRow >= FAILURES) this.#openUntil = Math.max(this.#openUntil, this.#clock() + REOPEN_MS);
    this.warn(`${failure.message}${this.isOpen ? '; lhb goes on without it' : ''}`);
  }

  /** Time since `since` (by `now`) was lost. */
  lose(since: number): void {
    this.#losses.add(since, this.#clock());
  }

  /** One warning a cache and run: what follows is counted elsewhere. */
  warn(text: string): void {
    if (this.#warned) return;
    this.#warned = true;
    this.#warn(text);
  }

  /** Bytes that have come: what the rate of the cache is measured by, over all its transfers together. */
  received(bytes: number): void {
    const now = this.#clock();
    this.#recent.push({ at: now, bytes });
    if (this.#recent.length > 200) this.#recent = this.#thinned(now);
  }

  #thinned(now: number): { at: number; bytes: number }[] {
    const kept = this.#recent.filter(({ at }) => at > now - RATE_WINDOW_MS);
    const half: { at: number; bytes: number }[] = [];
    for (const [i, item] of kept.entries()) {
      const last = half.at(-1);
      if (i % 2 === 1 && last) half[half.length - 1] = { at: last.at, bytes: last.bytes + item.bytes };
      else half.push(item);
    }
    return half;
  }

  /**
   * Bytes a second, as they came during a transfer that began at `since`.
   * @param since by this guard's clock (`now`)
   */
  rateSince(since: number): number {
    const now = this.#clock();
    const from = Math.max(since, now - RATE_WINDOW_MS);
    const bytes = this.#recent.reduce((sum, item) => (item.at >= from ? sum + item.bytes : sum), 0);
    return (this.#rate = bytes / Math.max(0.001, (now - from) / 1000));
  }

  now(): number {
    return this.#clock();
  }

  /** Would this take longer than computing it, by the last rate that was measured? What is done in 10 s is always taken. */
  isSlowerThan(bytes: number, costS: number, spentS = 0, rate = this.#rate): boolean {
    if (rate === undefined) return false;
    const takes = spentS + bytes / Math.max(1, rate);
    return takes > PATIENCE_S && takes > costS;
  }
}
