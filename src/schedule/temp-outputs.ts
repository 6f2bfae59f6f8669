// Temp outputs go when the last job of this build that reads them is on record.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { step } from '../base/step.ts';
import type { Job, JobOutput } from '../graph/job.ts';
import type { Plan } from '../plan/plan.ts';

/** Is this output dropped after use? */
const isTemp = (job: Job, output: JobOutput): boolean => output.spec.temp || job.rule.temp;

/** Has the job outputs that are dropped after use? */
export const hasTemp = (job: Job): boolean => job.outputs.some((output) => isTemp(job, output));

/** Does a job read this output of another? */
function reads(reader: Job, job: Job, output: JobOutput): boolean {
  return (
    reader.boundJobs.includes(job) ||
    reader.inputs.some(({ sources }) =>
      sources.some((s) => (s.kind === 'job' && s.job === job) || (s.kind === 'output' && s.output === output)),
    )
  );
}

/** Counts who still has to read the outputs of each job of a build, and drops what is temp when nobody has. */
export class TempOutputs {
  private readonly root: string;
  private readonly plan: Plan;
  private readonly stays: (job: Job) => boolean;
  private readonly readersLeft = new Map<Job, number>();

  /** @param stays are the job's temp outputs to be left alone? */
  constructor(root: string, plan: Plan, stays: (job: Job) => boolean) {
    this.root = root;
    this.plan = plan;
    this.stays = stays;
    for (const { job } of plan.steps.values()) this.readersLeft.set(job, this.readersOf(job).length);
  }

  private readersOf(job: Job): Job[] {
    return job.downstream.filter((other) => this.plan.steps.has(other));
  }

  /** A job is on record: it reads its upstream no more, and its own outputs may be wanted by nobody. */
  done(job: Job, acted: ReadonlySet<Job>): void {
    for (const other of job.upstream) {
      this.readersLeft.set(other, (this.readersLeft.get(other) ?? 0) - 1);
      this.dropUnread(other, acted);
    }
    this.dropUnread(job, acted);
  }

  /** The job makes its outputs once more, for a reader that lacks them. */
  again(job: Job): void {
    this.readersLeft.set(job, Math.max(1, this.readersLeft.get(job) ?? 0));
  }

  private dropUnread(job: Job, acted: ReadonlySet<Job>): void {
    if ((this.readersLeft.get(job) ?? 0) > 0 || this.stays(job) || !hasTemp(job)) return;
    const readers = this.readersOf(job);
    if (acted.has(job) || readers.some((reader) => acted.has(reader))) this.drop(job, readers);
  }

  /** Takes what some reader reads out of the work tree; the store keeps the bytes. What nobody reads stays. */
  private drop(job: Job, readers: readonly Job[]): void {
    for (const output of job.outputs) {
      if (!isTemp(job, output) || !readers.some((reader) => reads(reader, job, output))) continue;
      rmSync(join(this.root, job.pathOf(output)), { recursive: output.tree, force: true });
      step('temp:dropped');
    }
  }
}
