// What runs a job: local processes, or a scheduler. An executor knows nothing of rules, keys or the store.
import type { JobEnvironment } from './environment.ts';
import type { Usage } from '../store/trace.ts';
import type { Orphan } from './orphans.ts';

export type Command =
  /** Text for a shell, run from a file as the last argument of `shell`. */
  | { readonly kind: 'script'; readonly shell: readonly string[]; readonly text: string }
  /** Words, run without a shell, after the words of `wrapper` (often none). */
  | { readonly kind: 'argv'; readonly wrapper: readonly string[]; readonly argv: readonly string[] };

/** Short jobs that a scheduler is given as one: it runs them one after the other. */
export type Pack = {
  /** Jobs of one name may be packed together. */
  readonly name: string;
  /** How much of a pack the job fills; a full one has 1. */
  readonly share: number;
};

/** Its environment is without TMPDIR and CUDA_VISIBLE_DEVICES, which the executor adds. */
export type Launch = JobEnvironment & {
  readonly jobId: string;
  readonly rule: string;
  readonly attempt: number;
  /** The folder, from the workflow's, in which this attempt makes the outputs, if not where they are declared. */
  readonly place: string | undefined;
  /** The job's label, for people; may be empty. */
  readonly label: string;
  /** Kept with the launch, for a later driver to know what it is the launch of. */
  readonly actionKey: string;
  readonly resources: Readonly<Record<string, string | number>>;
  readonly command: Command;
  /** Absolute; the workflow's folder. */
  readonly cwd: string;
  /** Absolute. stdout and stderr go there, as they are written. Its folder exists. */
  readonly log: string;
  /** The same from the workflow's folder, for people. */
  readonly logName: string;
  /** Absolute; holds the job's script and exit marker. It exists. */
  readonly jobDir: string;
  readonly timeoutS: number | undefined;
  /** The folder below which the job's own TMPDIR is made; removed after the job. */
  readonly scratch: string;
  /** GPUs granted, as CUDA_VISIBLE_DEVICES names them; undefined where none were asked for. */
  readonly gpus: readonly string[] | undefined;
  /** Undefined: a scheduler is given it alone. */
  readonly pack?: Pack | undefined;
};

/** How a job ended. A reporter's switch over it has no default. */
export type Outcome =
  | { readonly kind: 'success' }
  | { readonly kind: 'exit-code'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: string }
  | { readonly kind: 'timed-out'; readonly limitS: number }
  | { readonly kind: 'spawn-failed'; readonly message: string }
  /** A scheduler refused it, in its own words. */
  | { readonly kind: 'submit-failed'; readonly message: string }
  /** A scheduler would let it wait for ever; `reason` is its word for why, `message` what that means. */
  | { readonly kind: 'never-starts'; readonly reason: string; readonly message: string }
  | { readonly kind: 'out-of-memory' }
  /** Over the time that it asked its scheduler for. */
  | { readonly kind: 'over-time' }
  | { readonly kind: 'node-failed' }
  /** Someone else cancelled it. */
  | { readonly kind: 'cancelled-outside' }
  /** A scheduler could not run it, or says no more than that. */
  | { readonly kind: 'scheduler-failed'; readonly reason: string }
  /** Its scheduler knows it no more, and it left no word of how it ended. */
  | { readonly kind: 'vanished' }
  | { readonly kind: 'cancelled' }
  /** It was handed over before its turn, and that did not come. */
  | { readonly kind: 'called-off' }
  /** Gone, and nothing tells how it ended. */
  | { readonly kind: 'lost' }
  | { readonly kind: 'output-missing'; readonly paths: readonly string[] }
  | { readonly kind: 'output-invalid'; readonly message: string }
  | { readonly kind: 'inputs-changed'; readonly paths: readonly string[] }
  | { readonly kind: 'capture-failed'; readonly message: string };

export type Completion = {
  readonly outcome: Outcome;
  readonly usage: Usage;
  readonly host: string;
  readonly executorJob: string | undefined;
};

export interface Running {
  /** Settles once, never rejects. */
  readonly done: Promise<Completion>;
  /** TERM to the job's processes, KILL after 5 s; `done` then gives `cancelled`. Idempotent. */
  cancel(): void;
}

export interface Executor {
  readonly name: string;
  /** How long files may take to be seen here that a job has written (seconds). */
  readonly latencyS: number;
  /** Whether each attempt makes its outputs in a folder of its own: one that was given up may still run somewhere. */
  readonly apart: boolean;
  /** @param begun is called once, before the job begins */
  start(launch: Launch, begun: () => void): Running;
  /**
   * Watches on what an earlier driver started and could not see end. Its outcome is `lost` where nothing tells how it ended.
   * Undefined where it is not this executor's.
   * @param timeoutS from its start
   */
  adopt(orphan: Orphan, timeoutS: number | undefined): Running | undefined;
  /** Ends what still runs and frees all processes. */
  close(): Promise<void>;
}
