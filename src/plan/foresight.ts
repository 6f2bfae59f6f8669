// Below a job that will be restored: what that brings is on record, so how the jobs below will stand is known before.
import type { Job } from '../graph/job.ts';
import type { ManifestOf } from '../key/key-parts.ts';
import type { Manifest } from '../store/manifest.ts';
import type { Step } from './plan.ts';
import type { Judgement } from './rebuilder.ts';

export type Foreseen = {
  readonly judgement: Judgement;
  /** Nothing above has to run first, or to be looked at again. */
  readonly sure: boolean;
};

/** Looks ahead where a plan asks it to, which it seldom does. */
export class Foresight {
  private readonly judge: (job: Job, manifestOf: ManifestOf) => Judgement;
  private readonly standing: ManifestOf;
  /** Steps that may leave other outputs than those on record, in topological order, as far as they were not looked at. */
  private open: Step[] = [];
  /** What such steps will leave; undefined where only a run can tell. */
  private readonly left = new Map<Job, Manifest | undefined>();

  /** @param standing the outputs of a job as they stand on record */
  constructor(judge: (job: Job, manifestOf: ManifestOf) => Judgement, standing: ManifestOf) {
    this.judge = judge;
    this.standing = standing;
  }

  /** Takes a step that may leave other outputs than those on record. */
  note(step: Step): void {
    this.open.push(step);
  }

  /** How a job will stand; undefined where nothing above it is known to be restored. */
  below(job: Job): Foreseen | undefined {
    for (const step of this.open) this.left.set(step.job, step.action === 'run' ? undefined : this.manifestAfter(step));
    this.open = [];
    return job.upstream.some((other) => this.left.get(other) !== undefined) ? this.foresee(job) : undefined;
  }

  private manifestAfter({ job }: Step): Manifest | undefined {
    const { judgement, sure } = this.foresee(job);
    return sure && judgement.decision !== 'run' ? judgement.trace?.manifest : undefined;
  }

  private foresee(job: Job): Foreseen {
    const { left } = this;
    const sure = job.upstream.every((other) => !left.has(other) || left.get(other) !== undefined);
    return { judgement: this.judge(job, (other) => left.get(other) ?? this.standing(other)), sure };
  }
}
