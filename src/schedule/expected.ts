// How long jobs will take, by what they and others of their rule took before.
import type { Job } from '../graph/job.ts';
import type { Plan } from '../plan/plan.ts';

/** Expected seconds of a job's run, undefined where no job of its rule has run before. */
export type Expected = {
  readonly seconds: (job: Job) => number | undefined;
  /** From the job's start to the end of the longest chain below it; what is unknown counts as a second. */
  readonly path: (job: Job) => number;
};

export function expectedDurations(plan: Plan): Expected {
  const means = new Map<string, { sum: number; count: number }>();
  for (const { job, judgement } of plan.steps.values()) {
    const took = (judgement.trace ?? judgement.current)?.usage.wallS;
    if (took === undefined) continue;
    const mean = means.get(job.rule.name) ?? { sum: 0, count: 0 };
    mean.sum += took;
    mean.count++;
    means.set(job.rule.name, mean);
  }
  const seconds = (job: Job): number | undefined => {
    const judgement = plan.steps.get(job)?.judgement;
    const took = (judgement?.current ?? judgement?.trace)?.usage.wallS;
    if (took !== undefined) return took;
    const mean = means.get(job.rule.name);
    return mean && mean.sum / mean.count;
  };
  const paths = new Map<Job, number>();
  for (const { job, action } of [...plan.steps.values()].reverse()) {
    let below = 0;
    for (const next of job.downstream) below = Math.max(below, paths.get(next) ?? 0);
    paths.set(job, below + (action === 'run' || action === 'check' ? (seconds(job) ?? 1) : 0));
  }
  return { seconds, path: (job) => paths.get(job) ?? 0 };
}
