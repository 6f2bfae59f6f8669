// What a build that was killed left behind: what commands see of it, and what the next build makes of it.
import { hostname } from 'node:os';
import type { JobId } from '../base/brand.ts';
import { step } from '../base/step.ts';
import { untilEnded } from '../execute/adopted.ts';
import { LaunchLog, linesFor, readLaunches, type Earlier } from '../execute/launches.ts';
import { endStrays, findOrphans, findRunning, machineWasDown, notedAttempt, type Orphan } from '../execute/orphans.ts';
import type { Job } from '../graph/job.ts';
import type { Plan } from '../plan/plan.ts';
import { describeOutcome } from '../report/wording.ts';
import type { Allotments } from '../schedule/allotment.ts';
import type { ScheduleParts } from '../schedule/schedule-parts.ts';
import { takeOver, unsettled } from '../schedule/take-over.ts';
import { placeOf } from '../store/holder.ts';
import { workLayout, type WorkLayout } from '../store/layout.ts';
import { readHolder } from '../store/lock.ts';
import type { Attempt } from '../store/trace.ts';
import type { Selection } from './selection.ts';
import type { Workspace } from './workspace.ts';

export type Launches = {
  /** The build that runs now; undefined for the one who asks. */
  readonly runningBuild: string | undefined;
  /** Jobs that run, of that build or of one that was killed; none for a writer, who finds out for himself. */
  readonly runningJobs: ReadonlySet<string>;
  /** What a killed build's last attempt of a job came to, as far as it is not on record. */
  readonly noted: (id: JobId) => Attempt | undefined;
  /** The machine went down during a build: what was written then may not be what it was. */
  readonly wasDown: boolean;
};

/** What the file of launches tells a command. @param write the command holds the lock */
export function launchesSeen(work: WorkLayout, write: boolean): Launches {
  const runningBuild = write ? undefined : readHolder(work)?.build;
  const earlier = readLaunches(work.launches);
  const running = write ? [] : findRunning(earlier, work);
  const runningJobs = new Set(running.map(({ launch }) => launch.jobId));
  // The file of a build that is on tells nothing that its records do not.
  if (runningBuild !== undefined) return { runningBuild, runningJobs, noted: () => undefined, wasDown: false };
  const orphans = new Map(findOrphans(earlier, work).map((orphan) => [orphan.launch.jobId, orphan]));
  const noted = (id: JobId): Attempt | undefined => {
    const orphan = orphans.get(id);
    return orphan && notedAttempt(orphan, describeOutcome);
  };
  return { runningBuild, runningJobs, noted, wasDown: machineWasDown(earlier) };
}

/** What a build takes over of one that was killed, and how it notes its own launches. */
export type Inheritance = {
  readonly adopted: ScheduleParts['orphans'];
  readonly held: ScheduleParts['held'];
  readonly launches: LaunchLog;
  /** Those that a scheduler runs and nobody wants any more: they are still to be cancelled. */
  readonly unwanted: readonly Orphan[];
  /** Tokens of launches that are not settled. */
  readonly kept: ReadonlySet<string>;
  readonly earlier: Earlier;
  /** To be called when the build's own jobs have ended; `leaving`: but for those of a scheduler. */
  close(leaving?: boolean): void;
};

/** What ran when an earlier build was killed, as far as it is not settled. Before the plan is made. */
export function orphansOf({ workflow, records }: Workspace): Orphan[] {
  const work = workLayout(workflow.root);
  return unsettled(findOrphans(readLaunches(work.launches), work), records);
}

/**
 * Ends what must not run on of an earlier build, and takes over the rest.
 * @param orphans those of `orphansOf`; @param tell says what is ended, and why
 */
export async function inherit(
  { workflow, graph }: Workspace,
  orphans: readonly Orphan[],
  { plan, allotments }: { readonly plan: Plan; readonly allotments: Allotments },
  selection: Selection,
  tell: (text: string) => void,
): Promise<Inheritance> {
  const work = workLayout(workflow.root);
  const earlier = readLaunches(work.launches);
  const { adopted, left, ended } = takeOver(orphans, graph, plan, selection.forced);
  for (const { orphan, because } of ended) {
    tell(`${orphan.launch.rule} ${orphan.launch.jobId}: the run that a killed build left is ended: ${because}`);
  }
  for (const { launch, state } of orphans) {
    const { rule, jobId, helper } = launch;
    if (state !== 'gone' || !helper || helper.host === hostname() || helper.place === placeOf()) continue;
    tell(
      `${rule} ${jobId} was started on ${helper.host} by a build that was killed: see to it that it runs there no more`,
    );
  }
  const isRunning = ({ orphan }: { orphan: Orphan }): boolean => orphan.state === 'running';
  const launchesOf = (kept: Iterable<{ orphan: Orphan }>): Orphan['launch'][] => [...kept].map((k) => k.orphan.launch);
  const taken = [...adopted].map(([job, orphan]): { job: Job; orphan: Orphan } => ({ job, orphan }));
  step('strays:before');
  await endStrays(earlier, launchesOf([...taken, ...left.filter(isRunning)]));
  const unwanted = ended.map(({ orphan }) => orphan).filter(({ launch }) => launch.helper === undefined);
  step('strays:after');
  const open = [...launchesOf([...taken, ...left]), ...unwanted.map(({ launch }) => launch)];
  const launches = new LaunchLog(work.launches, linesFor(earlier, open));
  step('launches:kept');
  const over = new AbortController();
  const held = left.filter(isRunning).map(({ job, orphan }) => ({
    allotment: allotments.claim(job, orphan.launch.attempt, orphan.launch.gpus),
    ended: untilEnded(orphan, over.signal),
  }));
  const close = (leaving = false): void => {
    over.abort();
    if (leaving) launches.leave();
    else launches.close(linesFor(earlier, launchesOf(left)));
  };
  return { adopted, held, launches, unwanted, kept: new Set(open.map(({ token }) => token)), earlier, close };
}
