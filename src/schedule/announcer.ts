// Says what happens in a build, as events.
import type { CacheCounts } from '../cache/tiers.ts';
import type { Outcome } from '../execute/executor.ts';
import type { Orphan } from '../execute/orphans.ts';
import type { Job } from '../graph/job.ts';
import type { BuildEvent, Counts, JobRef, Left } from './event.ts';

/** What only a job's runner knows: how an outcome is said, and the end of a log. */
export type Witness = {
  describe(outcome: Outcome): string;
  logTail(job: Job): string[];
};

/** What a run made: peak memory, and whether the bytes are those of before. */
export type RunFacts = {
  readonly maxRssMb: number | undefined;
  readonly unchanged: boolean;
  readonly changed: boolean;
};

const NOT_RUN: RunFacts = { maxRssMb: undefined, unchanged: false, changed: false };

export class Announcer {
  private readonly emit: (event: BuildEvent) => void;
  private readonly witness: Witness;
  private begun = 0;

  constructor(emit: (event: BuildEvent) => void, witness: Witness) {
    this.emit = emit;
    this.witness = witness;
  }

  /** @param begun when, seconds since the epoch, where that is told later */
  buildStarted(jobs: number, slots: number, begun = now()): void {
    this.begun = begun;
    this.emit({ event: 'build-started', jobs, slots, time: this.begun });
  }

  buildFinished(counts: Counts, cache?: CacheCounts, left?: Left): void {
    const time = now();
    const more = { ...(cache && { cache }), ...(left && { left }) };
    this.emit({ event: 'build-finished', counts, ...more, duration_s: time - this.begun, time });
  }

  /** @param adopted of an attempt that an earlier build started: how it was found, and when it began */
  started(
    job: Job,
    attempt: number,
    reasons: readonly string[],
    expectedS: number | undefined,
    adopted?: { readonly state: Orphan['state']; readonly since: number },
  ): void {
    this.emit({
      event: 'job-started',
      id: job.id,
      rule: job.rule.name,
      label: job.label,
      attempt,
      log: job.log,
      reasons,
      expected_s: expectedS,
      time: now(),
      ...(adopted && { adopted: adopted.state === 'ended' ? 'ended' : 'running', since: adopted.since }),
    });
  }

  finished(job: Job, result: 'built' | 'restored' | 'fresh', durationS: number, run: RunFacts = NOT_RUN): void {
    this.end(ref(job), result, durationS, run);
  }

  /** As `finished`, of a job that is known without being made. */
  settled(job: JobRef, result: 'restored' | 'fresh', durationS: number): void {
    this.end(job, result, durationS, NOT_RUN);
  }

  private end(job: JobRef, result: 'built' | 'restored' | 'fresh', durationS: number, run: RunFacts): void {
    this.emit({
      event: 'job-finished',
      id: job.id,
      rule: job.rule,
      label: job.label,
      result,
      unchanged: run.unchanged,
      changed: run.changed,
      duration_s: durationS,
      max_rss_mb: run.maxRssMb,
      time: now(),
    });
  }

  failed(job: Job, attempt: number, outcome: Outcome, durationS: number, willRetry: boolean): void {
    this.emit({
      event: 'job-failed',
      ...ref(job),
      attempt,
      outcome,
      message: this.witness.describe(outcome),
      will_retry: willRetry,
      log: job.log,
      log_tail: this.witness.logTail(job),
      duration_s: durationS,
      time: now(),
    });
  }

  skipped(job: Job, because: string): void {
    this.emit({ event: 'job-skipped', ...ref(job), because, time: now() });
  }

  cancelled(job: Job): void {
    this.emit({ event: 'job-cancelled', ...ref(job), time: now() });
  }

  warn(text: string): void {
    this.emit({ event: 'message', level: 'warning', text, time: now() });
  }

  note(text: string): void {
    this.emit({ event: 'message', level: 'info', text, time: now() });
  }
}

const now = (): number => Date.now() / 1000;

const ref = (job: Job): JobRef => ({ id: job.id, rule: job.rule.name, label: job.label });
