// One cache of a build with what is known of it: whom it trusts, how it fares, what it holds that is wrong.
import type { ActionKey } from '../base/brand.ts';
import { CacheGuard, Losses } from './guard.ts';
import { decodeRecord, recordKey, undeclared, type SharedRecord } from './record.ts';
import { CacheError, type RecordKey, type SharedCache, type Transfer } from './shared-cache.ts';
import { openSealed, type KeyId } from './signature.ts';
import type { Trust } from './trust.ts';
import type { Declared } from '../store/manifest.ts';

/** What is looked for: the key, and what a result must hold. */
export type Wanted = { readonly actionKey: ActionKey; readonly declared: readonly Declared[] };

/** A record that is taken. */
type Opened = {
  readonly record: SharedRecord;
  /** As it is stored. */
  readonly bytes: Uint8Array;
  /** Who signed it; undefined: nobody. */
  readonly keyId: KeyId | undefined;
};

/** A result that a cache has, checked but for its bytes. */
export type Hit = Opened & { readonly tier: Tier; readonly wanted: Wanted };

export type TierCounts = { jobs: number; bytes: number; savedS: number; uploaded: number; sentBytes: number };

export class Tier {
  readonly cache: SharedCache;
  readonly trust: Trust;
  readonly reads: CacheGuard;
  readonly writes: CacheGuard;
  readonly counts: TierCounts = { jobs: 0, bytes: 0, savedS: 0, uploaded: 0, sentBytes: 0 };
  /** Records that a writer replaces. */
  readonly badRecords = new Set<RecordKey>();
  /** BLAKE3 of blobs whose bytes are wrong there. */
  readonly badBlobs = new Set<string>();
  /** Records that are not there. */
  readonly missing = new Set<RecordKey>();
  readonly #ignored = new Map<string, number>();

  /** @param warn tells a sentence, the cache's name in front */
  constructor(cache: SharedCache, trust: Trust, warn: (text: string) => void) {
    this.cache = cache;
    this.trust = trust;
    const losses = new Losses();
    const named = (text: string): void => warn(`cache ${cache.spec.name}: ${text}`);
    this.reads = new CacheGuard(cache, losses, named);
    this.writes = new CacheGuard(cache, losses, named);
  }

  get name(): string {
    return this.cache.spec.name;
  }

  get isWritten(): boolean {
    return this.cache.spec.mode === 'rw';
  }

  keyFor(actionKey: ActionKey): RecordKey {
    return recordKey(this.cache.spec.ns, actionKey);
  }

  /** The result for a key, if the cache has one that is taken. */
  async look(wanted: Wanted, signal?: AbortSignal): Promise<Hit | undefined> {
    const key = this.keyFor(wanted.actionKey);
    const answer = await this.read(key, { ...(signal && { signal }) }).catch(whereEnded);
    if (answer === undefined) return undefined;
    const opened = answer.value;
    if (opened === undefined) {
      this.missing.add(key);
      return undefined;
    }
    if (typeof opened === 'string') return this.ignore(key, opened);
    const wrong = undeclared(opened.record.manifest, wanted.declared);
    if (wrong !== undefined) return this.ignore(key, wrong);
    return { tier: this, wanted, ...opened };
  }

  /** What there is under a key: a record, why it is none, or nothing. Undefined where the cache failed. */
  async read(
    key: RecordKey,
    more: Partial<Transfer> = {},
  ): Promise<{ readonly value: Opened | string | undefined } | undefined> {
    try {
      const answer = await this.reads.ask((cache, transfer) => cache.getRecord(key, transfer), more, 'record');
      return answer && { value: answer.value && this.open(key, answer.value) };
    } catch (problem) {
      if (problem instanceof CacheError && problem.kind === 'bytes') return { value: problem.message };
      throw problem;
    }
  }

  /** A record that was read, or why it is none. */
  open(key: RecordKey, bytes: Uint8Array): Opened | string {
    const sealed = openSealed(bytes);
    if (sealed === undefined) return 'damaged';
    const verdict = this.trust.judge(sealed);
    if (verdict.kind === 'refused') return verdict.why;
    const record = decodeRecord(sealed.line, key, this.cache.spec.ns);
    return record.ok ? { record: record.value, bytes, keyId: verdict.keyId } : record.error;
  }

  /** Notes that a record is not to be used; a writer replaces it. */
  ignore(key: RecordKey, why: string): undefined {
    this.badRecords.add(key);
    this.#ignored.set(why, (this.#ignored.get(why) ?? 0) + 1);
  }

  /** A sentence for each reason why records were ignored. */
  ignored(): string[] {
    return [...this.#ignored].map(
      ([why, count]) => `cache ${this.name}: ${count === 1 ? '1 record is' : `${count} records are`} ignored: ${why}`,
    );
  }
}

/** What was ended by the caller is a miss. */
function whereEnded(problem: unknown): undefined {
  if (problem instanceof CacheError && problem.kind === 'aborted') return undefined;
  throw problem;
}
