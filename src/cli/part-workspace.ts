// A workspace with the jobs alone that something changed concerns, from the snapshot of the last build.
import { dirname } from 'node:path';
import { ok } from '../base/result.ts';
import { expandSome } from '../graph/expand.ts';
import { emptyExpansion } from '../graph/some.ts';
import type { Job } from '../graph/job.ts';
import { SourceDigests } from '../key/source-digests.ts';
import { sameWords, seenAsThen } from '../plan/evidence.ts';
import { choosePart, concernedPart, numbersOf, type Part } from '../plan/part.ts';
import { freshOnRecord, type Judgement } from '../plan/rebuilder.ts';
import { jobRef, wantedJobs } from '../plan/snapshot-jobs.ts';
import { withRows } from '../plan/details.ts';
import { patchSnapshot } from '../plan/snapshot-patch.ts';
import type { Taken } from '../plan/snapshot-take.ts';
import { STATE, type Snapshot } from '../plan/snapshot.ts';
import type { BuildResult, ScheduleOptions } from '../schedule/schedule-parts.ts';
import { workLayout } from '../store/layout.ts';
import { findWorkflow } from './find-workflow.ts';
import type { CommonOptions } from './invocation.ts';
import { detailFrom, wholeResult } from './snapshot-of-build.ts';
import { currentWords, type Standing } from './quick-build.ts';
import type { Selection } from './selection.ts';
import { loadWorkspace, openWorkspace, type Workspace } from './workspace.ts';

export type PartWorkspace = {
  readonly workspace: Workspace;
  readonly selection: Selection;
  /** What is known of a job that nothing concerns. */
  readonly known: (job: Job) => Judgement | undefined;
  readonly others: NonNullable<ScheduleOptions['others']>;
  /** The snapshot after the build, still with the words of before. */
  readonly patched: (result: BuildResult) => Taken;
};

/**
 * Opens it; undefined, with all closed, where the workflow is better expanded in full: much is concerned, or something is
 * not as the snapshot has it.
 * @param write under the lock; false for a dry run
 */
export async function openPart(
  common: CommonOptions,
  { snapshot, changed }: Standing,
  write: boolean,
): Promise<PartWorkspace | undefined> {
  const found = findWorkflow(common);
  if (!found.ok) return undefined;
  const work = workLayout(dirname(found.value));
  const { words } = snapshot.evidence;
  if (!sameWords(words, currentWords(words, common, found.value, work))) return undefined;
  const concerned = concernedPart(snapshot, changed);
  const loaded = concerned && loadWorkspace(common);
  if (concerned === undefined || !loaded?.ok) return undefined;
  const { workflow, host, env } = loaded.value;
  const part = choosePart(snapshot, workflow, concerned);
  if (part === undefined) return undefined;
  let numbers: Map<Job, number> | undefined;
  const opened = openWorkspace(loaded.value, write, (before) => {
    const expansion = expandSome(workflow, host, env, before, part.some);
    numbers = expansion.ok ? numbersOf(snapshot, part, expansion.value.graph) : undefined;
    // An index that is opened is closed before it may be opened again.
    return numbers !== undefined && expansion.ok ? expansion : ok(emptyExpansion(workflow, env));
  });
  if (!opened.ok) return undefined;
  const workspace = opened.value;
  const judgements = numbers && seenAsThen(snapshot.evidence) ? standing(workspace, numbers, part) : undefined;
  if (numbers === undefined || judgements === undefined) {
    await workspace.close();
    return undefined;
  }
  return partOf(workspace, snapshot, part, numbers, judgements);
}

function partOf(
  workspace: Workspace,
  snapshot: Snapshot,
  { concerned }: Part,
  numbers: ReadonlyMap<Job, number>,
  judgements: ReadonlyMap<Job, Judgement>,
): PartWorkspace {
  const { root } = workspace.workflow;
  const { files, records } = workspace;
  const rank = (job: Job): number => numbers.get(job) ?? -1;
  const wanted = workspace.graph.jobs.filter((job) => isWanted(snapshot, rank(job)));
  // As they stand in the whole graph.
  const jobs = wanted.sort((a, b) => rank(a) - rank(b));
  const made = new Set(jobs.map((job) => numbers.get(job)));
  const refs = function* () {
    for (let job = 0; job < snapshot.states.length; job++) {
      if (isWanted(snapshot, job) && !made.has(job)) yield jobRef(snapshot, job);
    }
  };
  return {
    workspace,
    selection: { jobs, forced: new Set(), selected: new Set() },
    known: (job) => judgements.get(job),
    others: { count: wantedJobs(snapshot) - jobs.length, refs },
    patched: ({ results }) => ({
      snapshot: withRows(workLayout(root).details, (rowOf) =>
        patchSnapshot(snapshot, {
          root,
          files,
          sources: new SourceDigests(root, files),
          jobs: new Map([...numbers].filter(([, number]) => concerned.jobs.has(number))),
          changed: concerned.sources,
          resultOf: (job) => (results.has(job) ? wholeResult(records, job, results.get(job)) : undefined),
          detailOf: detailFrom(records),
          rowOf,
        }),
      ),
    }),
  };
}

const isWanted = ({ states }: Snapshot, job = -1): boolean => ((states[job] ?? 0) & STATE.wanted) !== 0;

/** Judgements of the jobs that nothing concerns: what is on record holds. Undefined where there is no record. */
function standing(
  { records }: Workspace,
  numbers: ReadonlyMap<Job, number>,
  { concerned }: Part,
): Map<Job, Judgement> | undefined {
  const found = new Map<Job, Judgement>();
  for (const [job, number] of numbers) {
    if (concerned.jobs.has(number)) continue;
    const judgement = freshOnRecord(records, job);
    if (judgement === undefined) return undefined;
    found.set(job, judgement);
  }
  return found;
}
