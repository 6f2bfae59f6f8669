// The snapshot at the end of a build, taken while the index is open.
import { takeEvidence, type Evidence } from '../plan/evidence.ts';
import { takeSnapshot, type Taken, type TakeParts } from '../plan/snapshot-take.ts';
import type { Snapshot } from '../plan/snapshot.ts';
import { packDetail } from '../report/detailed-cells.ts';
import { SourceDigests } from '../key/source-digests.ts';
import type { BuildResult } from '../schedule/schedule-parts.ts';
import type { Job } from '../graph/job.ts';
import type { Records } from '../plan/records.ts';
import type { Trace, TraceCore } from '../store/trace.ts';
import { chooseCaches } from './cache-settings.ts';
import { hasTemp } from '../schedule/temp-outputs.ts';
import { isWhole, snapshotsOff, userConfig } from './quick-build.ts';
import { wantedByDefault, type BuildWish } from './selection.ts';
import type { Workspace } from './workspace.ts';

/** What a build leaves behind, as a snapshot without the words that are known only when the index is closed. */
export function takeFor(
  wish: BuildWish,
  workspace: Workspace,
  { results }: BuildResult,
  noted: string,
): Taken | undefined {
  const { graph, workflow, records, files, env } = workspace;
  // What a build says beside its result, only reading the workflow anew tells.
  if (!isWhole(wish) || snapshotsOff(process.env) || workflow.warnings.length + graph.warnings.length > 0)
    return undefined;
  const evidence = (isSource: (path: string) => boolean): Evidence | undefined => {
    const asked = env.asked().map(([name]) => name);
    return takeEvidence({}, process.env, asked, [userConfig(process.env)], isSource);
  };
  const { root } = workflow;
  return takeSnapshot(
    {
      root,
      graph,
      files,
      sources: new SourceDigests(root, files),
      wanted: wantedByDefault(workspace),
      link: linkOf(workspace),
      noted,
      detailOf: detailFrom(records),
      resultOf: (job) => (results.has(job) ? wholeResult(records, job, results.get(job)) : undefined),
    },
    evidence,
  );
}

/** With shared caches a build says at its end what came from where; temp outputs may go when a reader of them comes back. */
function linkOf({ workflow, graph }: Workspace): Snapshot['link'] {
  const caches = chooseCaches(workflow, undefined, process.env);
  const isPlain = caches.ok && caches.value.length === 0 && !graph.jobs.some(hasTemp);
  return isPlain ? workflow.link : undefined;
}

/** A result on record with all that it was made from; without `core` what the work tree holds of the job. */
export const wholeResult = (records: Records, job: Job, core: TraceCore | undefined): Trace | undefined =>
  core ? (isWholeTrace(core) ? core : records.trace(core.actionKey)) : records.current(job.id);

/** One that came from a shared cache is at hand. */
const isWholeTrace = (core: TraceCore): core is Trace => 'parts' in core;

/** Rows of details for keeping; an attempt that is on record beside its job's result may go before the result does. */
export const detailFrom =
  (records: Records): TakeParts['detailOf'] =>
  (job, told, result) =>
    records.attempt(job.id, result.actionKey) ? undefined : packDetail(told, result);
