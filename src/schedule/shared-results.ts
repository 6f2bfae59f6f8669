// Results of jobs in shared caches: looked for before a job runs, brought into the store, sent when one was made.
import type { ActionKey } from '../base/brand.ts';
import type { Hit, Wanted } from '../cache/tier.ts';
import { hasNews, type CacheCounts, type SharedCaches } from '../cache/tiers.ts';
import type { Job } from '../graph/job.ts';
import type { KeyParts } from '../key/key-parts.ts';
import { declared, type Records } from '../plan/records.ts';
import type { Trace } from '../store/trace.ts';
import { subjectOf } from '../plan/subject.ts';
import type { Announcer } from './announcer.ts';

export type Asked = { readonly job: Job; readonly key: KeyParts };

export type SharedResultsParts = {
  readonly caches: SharedCaches;
  readonly records: Records;
};

/** May the result of a job be shared? One without outputs is run for what it does. */
export const isShared = (job: Job): boolean => job.rule.cache && job.outputs.length > 0;

const wanted = ({ job, key }: Asked): Wanted => ({ actionKey: key.key, declared: declared(job) });

/** When the end of a build that waits for uploads first says so, and how often (ms). */
const FIRST_PROGRESS_MS = 2000;
const PROGRESS_MS = 10_000;

export class SharedResults {
  readonly #parts: SharedResultsParts;

  constructor(parts: SharedResultsParts) {
    this.#parts = parts;
  }

  /** The jobs whose results some cache has. */
  async find(asked: readonly Asked[]): Promise<Map<Job, Hit>> {
    const hits = await this.#parts.caches.find(asked.map(wanted));
    return new Map(
      asked.flatMap(({ job, key }) => {
        const hit = hits.get(key.key);
        return hit ? [[job, hit]] : [];
      }),
    );
  }

  /** Brings the bytes of a result into the store; undefined where they did not come. Nothing is on record of it yet. */
  async fetch(asked: Asked, hit: Hit): Promise<Trace | undefined> {
    return (await this.#parts.caches.fetch(hit)) ? sharedTrace(asked, hit) : undefined;
  }

  /** As fetch, and puts it on record. */
  async take(asked: Asked, hit: Hit): Promise<Trace | undefined> {
    const trace = await this.fetch(asked, hit);
    if (trace !== undefined) this.#parts.records.putTrace(trace);
    return trace;
  }

  /** A job made this result. */
  made(job: Job, key: ActionKey): void {
    if (isShared(job)) this.#parts.caches.publish(key);
  }

  countLocal(): void {
    this.#parts.caches.countLocal();
  }

  /** Ends what is under way. */
  abort(): void {
    this.#parts.caches.abort();
  }

  /** Waits for uploads; then what the caches gave, and what went wrong with them. */
  async finish(
    stop: AbortSignal,
    onProgress: (jobs: number, bytes: number) => void,
  ): Promise<{ readonly counts: CacheCounts; readonly problems: readonly string[] }> {
    await this.#parts.caches.finish(stop, onProgress);
    return { counts: this.#parts.caches.counts(), problems: this.#parts.caches.problems() };
  }
}

/** Waits for uploads at the end of a build, and tells of them. @returns what the caches gave, if that is worth a word */
export async function finishSharing(
  shared: SharedResults,
  stop: AbortSignal,
  announce: Announcer,
): Promise<CacheCounts | undefined> {
  let told = Date.now() - PROGRESS_MS + FIRST_PROGRESS_MS;
  const { counts, problems } = await shared.finish(stop, (jobs, bytes) => {
    if (Date.now() < told + PROGRESS_MS) return;
    told = Date.now();
    const sent = `${(bytes / 1e6).toFixed(1)} MB sent`;
    announce.note(`uploading: ${jobs} left, ${sent}; Ctrl-C leaves the rest to the next build`);
  });
  for (const problem of problems) announce.warn(problem);
  return hasNews(counts) ? counts : undefined;
}

/** A result of a cache as a trace of this work tree: what it is about is known here, what came out was said there. */
export function sharedTrace({ job, key }: Asked, { record, tier, keyId }: Hit): Trace {
  return Object.assign(subjectOf(job, key), {
    manifest: record.manifest,
    origin: 'restored' as const,
    source: { cache: tier.name, keyId, user: record.producer.user, at: Date.now() / 1000 },
    usage: {
      startedAt: record.startedAt,
      finishedAt: record.finishedAt,
      wallS: record.wallS,
      cpuS: record.cpuS,
      maxRssMb: record.maxRssMb,
    },
    recordedAt: Date.now() / 1000,
    attempts: 1,
    resources: {},
    host: record.producer.host,
    executor: 'cache',
    executorJob: undefined,
    reasons: [],
  });
}
