// What happened in a build, as a union: the scheduler emits these, a reporter prints them. Field names are those of the
// NDJSON stream (store-schema/events.schema.json); times are seconds since the epoch, durations seconds.
import type { CacheCounts } from '../cache/tiers.ts';
import type { Outcome } from '../execute/executor.ts';

export type Counts = {
  readonly built: number;
  readonly restored: number;
  readonly fresh: number;
  readonly failed: number;
  readonly skipped: number;
  readonly cancelled: number;
};

export type JobRef = { readonly id: string; readonly rule: string; readonly label: string };

export type BuildEvent =
  /** `jobs`: all that are looked at; `work_s`: expected seconds of work by past durations, undefined where unknown. */
  | {
      readonly event: 'build-started';
      readonly jobs: number;
      readonly slots: number;
      readonly work_s?: number | undefined;
      readonly time: number;
    }
  | ({
      readonly event: 'job-started';
      readonly attempt: number;
      readonly log: string;
      readonly reasons: readonly string[];
      readonly expected_s: number | undefined;
      /** An earlier build, that was killed, started it: it runs on, or has ended since. Absent otherwise, as `since`. */
      readonly adopted?: 'running' | 'ended';
      /** When an adopted one began. */
      readonly since?: number;
      readonly time: number;
    } & JobRef)
  | ({
      readonly event: 'job-finished';
      readonly result: 'built' | 'restored' | 'fresh';
      /** A rerun that made the same bytes as before. */
      readonly unchanged: boolean;
      /** A rerun that made other bytes than before. */
      readonly changed: boolean;
      readonly duration_s: number;
      readonly max_rss_mb: number | undefined;
      readonly time: number;
    } & JobRef)
  | ({
      readonly event: 'job-failed';
      readonly attempt: number;
      readonly outcome: Outcome;
      readonly message: string;
      readonly will_retry: boolean;
      readonly log: string;
      readonly log_tail: readonly string[];
      readonly duration_s: number;
      readonly time: number;
    } & JobRef)
  | ({ readonly event: 'job-skipped'; readonly because: string; readonly time: number } & JobRef)
  | ({ readonly event: 'job-cancelled'; readonly time: number } & JobRef)
  | {
      readonly event: 'message';
      readonly level: 'info' | 'warning' | 'error';
      readonly text: string;
      readonly time: number;
    }
  | {
      readonly event: 'build-finished';
      readonly counts: Counts;
      /** What the shared caches gave; undefined where there is nothing to tell. */
      readonly cache?: CacheCounts | undefined;
      /** What goes on without the build; undefined where nothing does. */
      readonly left?: Left | undefined;
      readonly duration_s: number;
      readonly time: number;
    };

/** Jobs that are left with a scheduler, and those that were still to be begun. */
export type Left = { readonly running: number; readonly to_begin: number };
