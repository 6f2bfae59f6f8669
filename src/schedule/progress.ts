// How far a build is: which jobs are done, how, with what outputs, and which ones may be looked at next.
import type { Job } from '../graph/job.ts';
import type { Plan } from '../plan/plan.ts';
import { standingManifest } from '../plan/rebuilder.ts';
import { sameForKeys, type Manifest } from '../store/manifest.ts';
import type { TraceCore } from '../store/trace.ts';
import type { Counts } from './event.ts';
import type { End } from './schedule-parts.ts';

export class Progress {
  /** What the work tree holds of each job that is done well; undefined for one that was built: it is on record. */
  readonly results = new Map<Job, TraceCore | undefined>();
  readonly #plan: Plan;
  readonly #ends = new Map<Job, End>();
  readonly #manifests = new Map<Job, Manifest>();
  /** Jobs whose outputs are now other than on record when the build began. */
  readonly #moved = new Set<Job>();
  /** How many upstream jobs are not done. */
  readonly #waitingFor = new Map<Job, number>();
  /** All upstream jobs are done: to be looked at, the last first. */
  readonly #ready: Job[] = [];

  constructor(plan: Plan) {
    this.#plan = plan;
    for (const { job } of plan.steps.values()) {
      this.#waitingFor.set(job, job.upstream.length);
      if (job.upstream.length === 0) this.#ready.push(job);
    }
    this.#ready.reverse();
  }

  get hasReady(): boolean {
    return this.#ready.length > 0;
  }

  /** How many jobs have come to an end, of whatever kind. */
  get ended(): number {
    return this.#ends.size;
  }

  hasEnded(job: Job): boolean {
    return this.#ends.has(job);
  }

  /** What a job that is done made. */
  manifestOf(job: Job): Manifest | undefined {
    return this.#manifests.get(job);
  }

  /** Is what stands above the job other than it was on record? */
  hasMovedAbove(job: Job): boolean {
    return job.upstream.some((other) => this.#moved.has(other));
  }

  takeReady(): Job | undefined {
    return this.#ready.pop();
  }

  /** To be looked at once more, if nothing above it is missing. */
  lookAgain(job: Job): void {
    if (this.#waitingFor.get(job) === 0) this.#ready.push(job);
  }

  /** A job is done well: the ones below it may be ready. @param core as of `results` */
  settle(job: Job, end: End, manifest: Manifest, core: TraceCore | undefined): void {
    this.results.set(job, core);
    this.#manifests.set(job, manifest);
    const step = this.#plan.steps.get(job);
    const before = step && standingManifest(step.judgement);
    if (before === undefined || !sameForKeys(before, manifest)) this.#moved.add(job);
    this.end(job, end);
    for (const next of job.downstream) {
      const left = this.#waitingFor.get(next);
      if (left === undefined) continue;
      this.#waitingFor.set(next, left - 1);
      if (left === 1) this.#ready.push(next);
    }
  }

  end(job: Job, end: End): void {
    if (end === 'failed' || end === 'skipped' || end === 'cancelled') this.results.delete(job);
    this.#ends.set(job, end);
  }

  /** `job` waits once more for `maker`, which is done no more; false where that was so already. */
  undo(maker: Job, job: Job): boolean {
    this.#waitingFor.set(job, (this.#waitingFor.get(job) ?? 0) + 1);
    return this.#ends.delete(maker);
  }

  /** @param others jobs that the plan is not about, and that are fresh */
  count(others: number): Counts {
    const counts = { built: 0, restored: 0, fresh: others, failed: 0, skipped: 0, cancelled: 0 };
    for (const end of this.#ends.values()) counts[end]++;
    return counts;
  }
}
