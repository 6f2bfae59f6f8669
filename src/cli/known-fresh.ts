// What the snapshot of the last build spares a query: judging the jobs that nothing has concerned since.
import type { Job } from '../graph/job.ts';
import { seenAsThen } from '../plan/evidence.ts';
import { freshOnRecord, type Judgement } from '../plan/rebuilder.ts';
import { concernedBy } from '../plan/snapshot-jobs.ts';
import { STATE } from '../plan/snapshot.ts';
import type { Standing } from './quick-build.ts';
import type { Workspace } from './workspace.ts';

const NOTHING = (): undefined => undefined;

/**
 * The judgements of jobs that are surely as fresh as they were, as the rebuilder would give them.
 * @param standing how the work tree stood to the snapshot before the workflow was read
 */
export function knownFresh(
  { graph, records }: Workspace,
  standing: Standing | undefined,
): (job: Job) => Judgement | undefined {
  if (standing === undefined) return NOTHING;
  const { snapshot, changed } = standing;
  // What was read since then, the snapshot must be about.
  if (!seenAsThen(snapshot.evidence) || graph.jobs.length !== snapshot.states.length) return NOTHING;
  const concerned = concernedBy(snapshot, changed).jobs;
  const both = STATE.wanted | STATE.fresh;
  return (job) => {
    const isKnown =
      snapshot.states[job.index] === both && !concerned.has(job.index) && snapshot.ids.at(job.index) === job.id;
    return isKnown ? freshOnRecord(records, job) : undefined;
  };
}
