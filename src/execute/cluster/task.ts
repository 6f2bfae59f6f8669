// A job on its way through a scheduler.
import type { Completion, Launch, Outcome } from '../executor.ts';
import type { ClusterState } from './profile.ts';

/** Jobs that were handed over by one call. */
export type Submission = {
  /** In the comment or name of its jobs, so that they are known again. */
  readonly key: string;
  /** Undefined until the scheduler has told it. */
  id: string | undefined;
  readonly tasks: readonly Task[];
  readonly array: boolean;
  /** On the clock of `performance.now()`. */
  readonly atMs: number;
};

export type Task = {
  readonly token: string;
  readonly jobId: string;
  /** Absolute; holds the exit marker. */
  readonly jobDir: string;
  readonly rule: string;
  /** Undefined for one that an earlier driver submitted. */
  readonly launch: Launch | undefined;
  readonly timeoutS: number | undefined;
  /** Seconds since the epoch. */
  readonly startedAt: number;
  submission: Submission | undefined;
  /** Its number in an array. */
  index: number | undefined;
  state: ClusterState | undefined;
  reason: string;
  /** When it was first seen running. */
  runningSinceMs: number | undefined;
  /** Since when the scheduler says that it is over, or knows it no more, while its marker is missing. */
  overSinceMs: number | undefined;
  /** How often in a row it was not among the jobs that the scheduler listed. */
  missed: number;
  /** Why it is to end before its time. */
  stopped: Outcome | undefined;
  stopAsked: boolean;
  told: boolean;
  over: boolean;
  readonly settle: (completion: Completion) => void;
};
