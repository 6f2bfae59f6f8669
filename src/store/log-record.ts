// What stands in a trace log, a record a line: a trace; which result the work tree holds of a job, where that is not the
// last trace of it; a failed attempt; that a trace was removed.
import type { ActionKey, JobId } from '../base/brand.ts';
import { seal, unseal, unsealBytes } from './sealed-line.ts';
import { decodeAttempt, decodeTrace, encodeAttempt, encodeTrace, isNewer, readCore } from './trace-codec.ts';
import type { Attempt, Trace, TraceCore } from './trace.ts';

export type LogRecord =
  | { readonly kind: 'trace'; readonly trace: Trace }
  /** Without a key: the work tree holds none any more. */
  | { readonly kind: 'current'; readonly jobId: JobId; readonly actionKey: ActionKey | undefined }
  | { readonly kind: 'attempt'; readonly attempt: Attempt }
  /** `at`: seconds since the epoch; a trace recorded later stands. */
  | { readonly kind: 'removed'; readonly actionKey: ActionKey; readonly at: number }
  /** A trace of a newer lhb, which is kept as it is. */
  | { readonly kind: 'newer'; readonly actionKey: ActionKey };

const FORMAT = 1;

/** The line of a trace, in the log as in the index. */
export const traceLine = (trace: Trace): string => seal(JSON.stringify(encodeTrace(trace)));

const ORIGIN = '"origin":';
const BUILT = `${ORIGIN}"built"`;
const RESTORED = `${ORIGIN}"restored"`;

/**
 * A trace's line as it is when the result was restored; undefined where it came here in another way than by being built, or
 * the line is damaged. The text is changed, not read: strings in JSON have no bare quotes, and nothing but the manifest, a
 * list, stands before the trace's own origin.
 */
export function restoredLine(line: Buffer): string | undefined {
  const json = unseal(line);
  return json !== undefined && json.includes(BUILT) && json.indexOf(BUILT) === json.indexOf(ORIGIN)
    ? seal(json.replace(BUILT, RESTORED))
    : undefined;
}

export const currentLine = (jobId: JobId, actionKey: ActionKey | undefined): string =>
  seal(JSON.stringify({ format: FORMAT, kind: 'current', jobId, actionKey: actionKey ?? null }));

export const attemptLine = (attempt: Attempt): string =>
  seal(JSON.stringify({ kind: 'attempt', ...encodeAttempt(attempt) }));

export const removedLine = (actionKey: ActionKey, at: number): string =>
  seal(JSON.stringify({ format: FORMAT, kind: 'removed', actionKey, at }));

/** The record in a line; undefined where the line was cut off or damaged, or is none of these. */
export function readRecord(line: Buffer): LogRecord | undefined {
  const fields = fieldsOf(line);
  if (fields === undefined) return undefined;
  const { kind, actionKey, jobId, at } = fields;
  const key = typeof actionKey === 'string' ? (actionKey as ActionKey) : undefined;
  switch (kind) {
    case undefined: {
      if (isNewer(fields)) return key === undefined ? undefined : { kind: 'newer', actionKey: key };
      const trace = decodeTrace(fields);
      return trace && { kind: 'trace', trace };
    }
    case 'current':
      return typeof jobId === 'string' ? { kind, jobId: jobId as JobId, actionKey: key } : undefined;
    case 'attempt': {
      const attempt = decodeAttempt(fields);
      return attempt && { kind, attempt };
    }
    case 'removed':
      return key !== undefined && typeof at === 'number' ? { kind, actionKey: key, at } : undefined;
    default:
      return undefined;
  }
}

/** The fields of a whole line, whatever they are. */
export function fieldsOf(line: Buffer): Readonly<Record<string, unknown>> | undefined {
  const json = unseal(line);
  if (json === undefined) return undefined;
  try {
    const fields: unknown = JSON.parse(json);
    return typeof fields === 'object' && fields !== null ? (fields as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** The core of the trace in a whole line, without reading the rest; undefined where only the rest tells. */
export function coreIn(line: Buffer): TraceCore | undefined {
  const json = unsealBytes(line);
  return json && readCore(json);
}
