// What a build is given to do, what it does it with, and what comes out of it.
import type { Orphan } from '../execute/orphans.ts';
import type { Job } from '../graph/job.ts';
import type { Plan } from '../plan/plan.ts';
import type { Rebuilder } from '../plan/rebuilder.ts';
import type { TraceCore } from '../store/trace.ts';
import type { TakesTurns } from './ahead.ts';
import type { Allotment, Allotments } from './allotment.ts';
import type { BuildEvent, Counts, JobRef, Left } from './event.ts';
import type { Lane, LaneOf } from './lane.ts';
import type { JobRunner } from './runner.ts';
import type { SharedResults } from './shared-results.ts';

export type ScheduleOptions = {
  readonly keepGoing: boolean;
  readonly forced: ReadonlySet<Job>;
  /** Jobs that were asked for by name: their temp outputs stay. */
  readonly selected: ReadonlySet<Job>;
  readonly keepTemp: boolean;
  /** Retries where the rule says none. */
  readonly retries: number;
  /** Jobs that the plan is not about, and that are known to be fresh. */
  readonly others?: { readonly count: number; readonly refs: () => Iterable<JobRef> };
  /** Says when to stop: running jobs are cancelled. */
  readonly interrupt: AbortSignal;
  /** Says when to wait no more for jobs that go on without this process. */
  readonly leave?: AbortSignal;
  /** Leave as soon as nothing else is to be done. */
  readonly detach?: boolean;
};

export type ScheduleParts = {
  readonly plan: Plan;
  readonly rebuilder: Rebuilder;
  readonly runner: JobRunner;
  readonly allotments: Allotments;
  readonly lanes: readonly Lane[];
  readonly laneOf: LaneOf;
  readonly turns?: TakesTurns;
  /** Does a running job go on without this process? */
  readonly isAway?: (job: Job) => boolean;
  /** How long jobs of a cluster may take that are packed together by their recorded times (seconds); undefined: none are. */
  readonly packS?: number | undefined;
  /** Undefined: no shared caches. */
  readonly shared?: SharedResults | undefined;
  readonly root: string;
  readonly emit: (event: BuildEvent) => void;
  /** What an earlier build started, and this one takes over. */
  readonly orphans: ReadonlyMap<Job, Orphan>;
  /** What jobs hold that run and are not this build's; given back at `ended`. */
  readonly held: readonly { readonly allotment: Allotment; readonly ended: Promise<void> }[];
};

/** How it went with a job. */
export type End = 'fresh' | 'restored' | 'built' | 'failed' | 'skipped' | 'cancelled';

export type BuildResult = {
  readonly counts: Counts;
  /** Jobs whose forced rerun made other bytes than before. */
  readonly changed: readonly Job[];
  /** What the work tree holds of each job that is done well; undefined for one that was built: it is on record. */
  readonly results: ReadonlyMap<Job, TraceCore | undefined>;
  /** Was it interrupted before all was done? */
  readonly interrupted: boolean;
  readonly left: Left | undefined;
};
