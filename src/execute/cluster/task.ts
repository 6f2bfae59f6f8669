// A job on its way through a scheduler.
import type { Completion, Launch, Outcome } from '../executor.ts';
import type { ClusterState } from './profile.ts';

/** Jobs that were handed over by one call, this driver's or an earlier one's. */
export type Submission = {
  /** In the comment or name of its jobs, so that they are known again. */
  readonly key: string;
  /** Undefined until the scheduler has told it. */
  id: string | undefined;
  readonly tasks: Task[];
  readonly array: boolean;
  /** An earlier driver's: of its tasks only those that this build wants are here. */
  readonly adopted: boolean;
  /** When it was handed over or taken over, on the clock of `performance.now()`. */
  readonly atMs: number;
};

export type Task = {
  /** Names the launch. */
  token: string;
  readonly jobId: string;
  /** Absolute. */
  readonly jobDir: string;
  readonly rule: string;
  /** Absolute; it is there once the job has begun. */
  readonly log: string;
  /** Undefined for one that an earlier driver submitted. */
  readonly launch: Launch | undefined;
  readonly timeoutS: number | undefined;
  /** Seconds since the epoch. */
  readonly startedAt: number;
  /** It ended while no build watched. */
  unseen: boolean;
  submission: Submission | undefined;
  /** Its number in an array. */
  index: number | undefined;
  /** The tokens of the jobs, it among them, that the scheduler has as one job and runs in this order; undefined: it has one of its own. */
  pack: readonly string[] | undefined;
  state: ClusterState | undefined;
  reason: string;
  /** When it was first seen running. */
  runningSinceMs: number | undefined;
  /** Since when the scheduler says that it is over, or knows it no more, while its marker is missing. */
  overSinceMs: number | undefined;
  /** How often in a row it was not among the jobs that the scheduler listed. */
  missed: number;
  /** How often in a row the scheduler said that it can never start. */
  stuck: number;
  /** Why it is to end before its time. */
  stopped: Outcome | undefined;
  stopAsked: boolean;
  over: boolean;
  readonly settle: (completion: Completion) => void;
};

export type NewTask = Pick<Task, 'token' | 'jobId' | 'jobDir' | 'rule' | 'log' | 'launch' | 'timeoutS' | 'startedAt'>;

const BEGINNING = {
  submission: undefined,
  index: undefined,
  pack: undefined,
  state: undefined,
  reason: '',
  runningSinceMs: undefined,
  overSinceMs: undefined,
  missed: 0,
  stuck: 0,
} as const;

/** A task at its beginning, and what its end resolves. */
export function newTask(from: NewTask): { readonly task: Task; readonly done: Promise<Completion> } {
  let settle: (completion: Completion) => void = () => undefined;
  const done = new Promise<Completion>((resolve) => (settle = resolve));
  const task: Task = {
    ...from,
    ...BEGINNING,
    unseen: false,
    stopped: undefined,
    stopAsked: false,
    over: false,
    settle,
  };
  return { task, done };
}

/** A task as it was before it was handed over, under another token. */
export function renew(task: Task, token: string): void {
  Object.assign(task, { ...BEGINNING, token });
}

/** Is it over, by the scheduler's word? */
export const isOver = (state: ClusterState | undefined): boolean =>
  state !== undefined && state !== 'pending' && state !== 'running';
