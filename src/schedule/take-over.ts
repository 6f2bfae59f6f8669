// What becomes of the jobs that an earlier build started, and could not see end since it was killed.
import type { ActionKey, JobId } from '../base/brand.ts';
import type { Orphan } from '../execute/orphans.ts';
import type { JobGraph } from '../graph/graph.ts';
import type { Job } from '../graph/job.ts';
import type { Plan } from '../plan/plan.ts';
import type { Records } from '../plan/records.ts';

export type TakeOver = {
  /** What this build takes over: it runs on, or ended well and is still to be recorded. */
  readonly adopted: ReadonlyMap<Job, Orphan>;
  /** Jobs that this build is not about; they stay for a later one. */
  readonly left: readonly { readonly job: Job; readonly orphan: Orphan }[];
  /** Jobs that run and must not run on, with why. */
  readonly ended: readonly { readonly orphan: Orphan; readonly because: string }[];
};

/**
 * Decides for each. A job is taken over where it is to run now under the very key that it was started under, and nothing
 * above it changes meanwhile: what it reads is then what the key says.
 * @param orphans without those that are settled (`unsettled`)
 */
export function takeOver(orphans: readonly Orphan[], graph: JobGraph, plan: Plan, forced: ReadonlySet<Job>): TakeOver {
  const adopted = new Map<Job, Orphan>();
  const left: { job: Job; orphan: Orphan }[] = [];
  const ended: { orphan: Orphan; because: string }[] = [];
  for (const orphan of orphans) {
    const end = (because: string): void => {
      if (orphan.state === 'running') ended.push({ orphan, because });
    };
    if (orphan.state === 'gone') continue;
    const job = graph.byId.get(orphan.launch.jobId as JobId);
    if (job === undefined) {
      end('the workflow has no such job any more');
      continue;
    }
    const step = plan.steps.get(job);
    const above = job.upstream.find((other) => (plan.steps.get(other)?.action ?? 'none') !== 'none');
    if (above !== undefined) end(`${above.rule.name} ${above.id}, which it reads from, is not as it was`);
    else if (step === undefined) left.push({ job, orphan });
    else if (forced.has(job)) end('it is forced');
    else if (step.action === 'none' || step.action === 'restore') end('there is a result already');
    else if (step.judgement.key?.key !== orphan.launch.actionKey) end('what it is made from is not as it was');
    else adopted.set(job, orphan);
  }
  return { adopted, left, ended };
}

/**
 * Leaves out what is settled: what has a result or a failure on record since, or ended badly, which is put on record here
 * and now; the job is then run anew as any that failed.
 */
export function unsettled(orphans: readonly Orphan[], records: Records): Orphan[] {
  const open: Orphan[] = [];
  for (const orphan of orphans) {
    const { launch, state, marker } = orphan;
    const key = launch.actionKey as ActionKey;
    const recorded = records.attempt(launch.jobId as JobId, key);
    const hasFailed = recorded?.state === 'failed' && recorded.startedAt >= launch.startedAt;
    const hasResult = (records.trace(key)?.recordedAt ?? 0) >= launch.startedAt;
    if (state !== 'running' && hasResult) continue;
    // How one ended that was ended from outside is asked of its scheduler; not again where that is on record.
    if (launch.helper === undefined && (hasResult || hasFailed)) continue;
    // Noted by the killed build or by its marker: now it is on record for good.
    if (state !== 'running' && hasFailed) records.putAttempt(recorded);
    else if (marker === undefined || marker.code === 0) open.push(orphan);
  }
  return open;
}
