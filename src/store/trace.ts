// The record of a finished job, and of an attempt that did not finish well.
import type { ActionKey, JobHash, JobId } from '../base/brand.ts';
import type { Manifest } from './manifest.ts';

/**
 * One part of an action key. `path` says which: a config path, a file, an input's or output's name.
 * `value` is the text or the digest that counts.
 */
export type KeyPart = { readonly kind: PartKind; readonly path: string; readonly value: string };

export type PartKind = 'job' | 'config' | 'command' | 'env' | 'outputs' | 'code' | 'input' | 'upstream';

export type Origin = 'built' | 'restored' | 'touched' | 'rekeyed';

/** Where a result came from that was not made here. */
export type Source = {
  /** The name of the cache, or of the file that was imported. */
  readonly cache: string;
  /** Who signed it; undefined: nobody. */
  readonly keyId: string | undefined;
  readonly user: string;
  /** Seconds since the epoch: when it came. */
  readonly at: number;
};

export type Usage = {
  /** Seconds since the epoch, with fractions. */
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly wallS: number;
  /** CPU seconds and peak resident memory (MB, 10^6 bytes) of the whole process tree; undefined where unknown. */
  readonly cpuS: number | undefined;
  readonly maxRssMb: number | undefined;
};

export type Trace = {
  readonly actionKey: ActionKey;
  readonly jobHash: JobHash;
  readonly jobId: JobId;
  readonly rule: string;
  readonly label: string;
  /** The job's folder, from the workflow's: what the manifest's paths are relative to. */
  readonly dir: string;
  readonly parts: readonly KeyPart[];
  readonly manifest: Manifest;
  readonly origin: Origin;
  readonly source?: Source;
  readonly usage: Usage;
  /** When the trace was committed, seconds since the epoch. */
  readonly recordedAt: number;
  readonly attempts: number;
  readonly resources: Readonly<Record<string, string | number>>;
  readonly host: string;
  readonly executor: string;
  readonly executorJob: string | undefined;
  /** Relative to the workflow's folder. */
  readonly log: string;
  /** Why it ran, in the words of that build. */
  readonly reasons: readonly string[];
  /** The key of the result that stood when it began; undefined where there was none, or an earlier lhb did not note it. */
  readonly before?: ActionKey | undefined;
  /** The job's config as it was handed to the job (JSON text that keeps ints and floats apart). */
  readonly config: string;
  /** The command as the action key has it. */
  readonly command: string;
};

/** A trace without what explains it: what a plan of a hundred thousand jobs keeps of each. */
export type TraceCore = Pick<
  Trace,
  | 'actionKey'
  | 'manifest'
  | 'origin'
  | 'source'
  | 'usage'
  | 'recordedAt'
  | 'attempts'
  | 'resources'
  | 'host'
  | 'executor'
  | 'executorJob'
>;

/** A trace without what only `why` asks for; of its parts those that are inputs. */
export type TraceTold = TraceCore & Pick<Trace, 'jobId' | 'label' | 'dir' | 'parts' | 'log' | 'command'>;

/** Kinds of parts that are a job's inputs: what it reads of other jobs, and files. */
export const isInput = (kind: unknown): boolean => kind === 'upstream' || kind === 'input';

export function coreOf(trace: TraceCore): TraceCore {
  const core = {
    actionKey: trace.actionKey,
    manifest: trace.manifest,
    origin: trace.origin,
    usage: trace.usage,
    recordedAt: trace.recordedAt,
    attempts: trace.attempts,
    resources: trace.resources,
    host: trace.host,
    executor: trace.executor,
    executorJob: trace.executorJob,
  };
  return trace.source === undefined ? core : { ...core, source: trace.source };
}

/** The last attempt of a job that did not end in a trace, or has not ended. */
export type Attempt = {
  readonly jobId: JobId;
  readonly rule: string;
  readonly actionKey: ActionKey;
  readonly attempt: number;
  /** Seconds since the epoch. */
  readonly startedAt: number;
  /** Id of the build that began it: an attempt of the build that holds the lock is running, any other was cut off. */
  readonly build: string;
  /** `begun`: written before the start; found after a build that died, it means "cut off". */
  readonly state: 'begun' | 'failed';
  /** One line in the user's words: `exit code 3`, `timed out after 60 s`. */
  readonly reason: string;
  readonly usage: Usage | undefined;
  readonly host: string;
  readonly log: string;
  readonly resources: Readonly<Record<string, string | number>>;
};
