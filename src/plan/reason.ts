// Why a job is not fresh, as data. The sentences are in report/wording.ts.
import type { PathForm } from '../graph/path-form.ts';
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

/** What an upstream job is about to do, so that what it leaves is not known yet. */
export type Pending = 'run' | 'restore' | 'check';

export type Reason = {
  readonly kind: ReasonKind;
  /** A config path, a file, an output, a job: what the reason is about; '' where it is the job itself. */
  readonly path: string;
  readonly old: string | undefined;
  readonly new: string | undefined;
  /** Of an upstream job alone: it has not changed yet, but may. */
  readonly pending?: Pending;
};

export const reason = (kind: ReasonKind, path = '', old?: string, now?: string): Reason => ({
  kind,
  path,
  old,
  new: now,
});

/** A job below one that will run, be restored otherwise than on record, or be checked. */
export function upstreamPending(path: string, pending: Pending): Reason {
  // The jobs below one mostly follow one another.
  if (lastPending?.path !== path || lastPending.pending !== pending)
    lastPending = { kind: 'upstream', path, old: undefined, new: undefined, pending };
  return lastPending;
}

let lastPending: Reason | undefined;

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

/** A reason with paths as they are on disk, where keys have them in the portable form. */
export const inActualPaths = (found: Reason, form: PathForm): Reason => ({
  ...found,
  path: form.actual(found.path),
  old: found.old && form.actual(found.old),
  new: found.new && form.actual(found.new),
});

/** A part of the key that differs, as the reason that it is. */
export const fromDifference = (difference: Difference): Reason =>
  reason(KINDS[difference.kind], difference.path, difference.old, difference.new);
