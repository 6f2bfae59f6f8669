// Why a job is not fresh, as data. The sentences are in report/wording.ts.
import type { PartKind } from '../store/trace.ts';
import type { Difference } from '../key/key-diff.ts';

export type ReasonKind =
  | 'config'
  | 'command'
  | 'env'
  | 'code'
  | 'input'
  | 'upstream'
  | 'outputs'
  | 'new'
  | 'missing'
  | 'edited'
  | 'evicted'
  | 'failed'
  | 'incomplete'
  | 'forced';

export type Reason = {
  readonly kind: ReasonKind;
  /** A config path, a file, an output, a job: what the reason is about; '' where it is the job itself. */
  readonly path: string;
  readonly old: string | undefined;
  readonly new: string | undefined;
};

export const reason = (kind: ReasonKind, path = '', old?: string, now?: string): Reason => ({
  kind,
  path,
  old,
  new: now,
});

const KINDS: Readonly<Record<PartKind, ReasonKind>> = {
  job: 'config',
  config: 'config',
  command: 'command',
  env: 'env',
  outputs: 'outputs',
  code: 'code',
  input: 'input',
  upstream: 'upstream',
};

/** A part of the key that differs, as the reason that it is. */
export const fromDifference = (difference: Difference): Reason =>
  reason(KINDS[difference.kind], difference.path, difference.old, difference.new);
