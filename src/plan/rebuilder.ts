// Decides for one job: none, restore or run, and says why. It never orders; it changes nothing.
import type { Job } from '../graph/job.ts';
import { recordedConfig } from '../graph/plain.ts';
import { diffParts } from '../key/key-diff.ts';
import type { KeyMaker, KeyParts, ManifestOf } from '../key/key-parts.ts';
import type { DiskState } from '../store/compare.ts';
import type { Manifest } from '../store/manifest.ts';
import { coreOf, type Attempt, type Trace, type TraceCore } from '../store/trace.ts';
import { fromDifference, inActualPaths, reason, upstreamPending, type Reason } from './reason.ts';
import type { Records } from './records.ts';

export type Status = 'RUNNING' | 'FAILED' | 'INCOMPLETE' | 'NEW' | 'MISSING' | 'STALE' | 'FRESH';

export type Decision = 'none' | 'restore' | 'run';

export type Judgement = {
  readonly job: Job;
  /** Undefined where an upstream job has no result. */
  readonly key: KeyParts | undefined;
  readonly status: Status;
  readonly decision: Decision;
  readonly reasons: readonly Reason[];
  /** The result for the key that holds now. */
  readonly trace: TraceCore | undefined;
  /** What the work tree holds of this job, on record; may be the result for another key. Of a fresh job, `trace`. */
  readonly current: TraceCore | undefined;
  /** The last attempt under this key that has no result. */
  readonly attempt: Attempt | undefined;
};

/** A judgement's own words: the others follow from the record. */
type Verdict = Pick<Judgement, 'status' | 'decision' | 'reasons'>;

const FRESH: Verdict = { status: 'FRESH', decision: 'none', reasons: [] };
const NEW: Verdict = { status: 'NEW', decision: 'run', reasons: [reason('new')] };

/** The manifest that counts for jobs below, as it stands on record. */
export function standingManifest(judgement: Judgement): Manifest | undefined {
  if (judgement.status === 'FRESH') return judgement.trace?.manifest;
  return (judgement.current ?? judgement.trace)?.manifest;
}

export class Rebuilder {
  private readonly keys: KeyMaker;
  private readonly records: Records;

  constructor(keys: KeyMaker, records: Records) {
    this.keys = keys;
    this.records = records;
  }

  /**
   * @param manifestOf the outputs of upstream jobs against which the job is judged
   * @param whole its temp outputs are wanted too: where they were dropped they are missing
   */
  judge(job: Job, manifestOf: ManifestOf, whole = false): Judgement {
    const { records } = this;
    const key = this.keys.keyOf(job, manifestOf);
    if (records.isRunningElsewhere(job.id)) return this.whileRunning(job, key);
    if (key === undefined) return this.belowUnknown(job, manifestOf);
    const attempt = records.attempt(job.id, key.key);
    const trace = records.core(key.key);
    if (trace === undefined) {
      const current = records.current(job.id);
      const without = this.withoutTrace(job, key, current, attempt);
      const shared = records.sharedTrace(key.key);
      const verdict: Verdict = shared === undefined ? without : { ...without, decision: 'restore' };
      return judgement(job, key, verdict, shared, current, attempt);
    }
    const disk = records.compare(job, trace.manifest, whole);
    if (disk.state === 'same') return judgement(job, key, FRESH, trace, trace, attempt);
    const currentKey = records.currentKey(job.id);
    const isOther = currentKey !== undefined && currentKey !== key.key;
    const other = isOther ? records.trace(currentKey) : undefined;
    const current = currentKey === key.key ? trace : other;
    return judgement(job, key, this.withTrace(job, key, trace, other, disk), trace, current, attempt);
  }

  /** An upstream job has no result, so there is no key. */
  private belowUnknown(job: Job, manifestOf: ManifestOf): Judgement {
    const current = this.records.current(job.id);
    const last = current ?? this.records.newest(job.id);
    const reasons = last === undefined ? [...NEW.reasons] : [];
    for (const other of job.upstream) {
      if (manifestOf(other) === undefined) reasons.push(upstreamPending(other.id, 'run'));
    }
    const status = last === undefined ? 'NEW' : 'STALE';
    return judgement(job, undefined, { status, decision: 'run', reasons }, undefined, current, undefined);
  }

  /** Another build runs the job at this moment; the reasons are those without that. */
  private whileRunning(job: Job, key: KeyParts | undefined): Judgement {
    const current = this.records.current(job.id);
    const attempt = key && this.records.attempt(job.id, key.key);
    const last = current ?? this.records.newest(job.id);
    const differences = key && last ? this.differences(job, key, last) : [];
    const reasons = last === undefined ? [reason('new')] : differences.length > 0 ? differences : [reason('forced')];
    const trace = key && this.records.core(key.key);
    return judgement(job, key, { status: 'RUNNING', decision: 'run', reasons }, trace, current, attempt);
  }

  private withoutTrace(job: Job, key: KeyParts, current: Trace | undefined, attempt: Attempt | undefined): Verdict {
    const last = current ?? this.records.newest(job.id);
    const differences = last ? this.differences(job, key, last) : [];
    if (attempt !== undefined) {
      const first = reason(attempt.state === 'failed' ? 'failed' : 'incomplete', '', undefined, attempt.reason);
      const status = attempt.state === 'failed' ? 'FAILED' : 'INCOMPLETE';
      return { status, decision: 'run', reasons: [first, ...differences] };
    }
    if (last === undefined) return NEW;
    return { status: 'STALE', decision: 'run', reasons: differences };
  }

  private withTrace(
    job: Job,
    key: KeyParts,
    trace: TraceCore,
    other: Trace | undefined,
    disk: Exclude<DiskState, { state: 'same' }>,
  ): Verdict {
    const missing = disk.state === 'missing';
    const reasons =
      other && !missing
        ? this.differences(job, key, other)
        : disk.paths.map((path) => reason(missing ? 'missing' : 'edited', path));
    if (other && !missing && reasons.length === 0) reasons.push(...disk.paths.map((path) => reason('edited', path)));
    const status = missing ? 'MISSING' : 'STALE';
    const gone = this.records.evicted(job, trace.manifest);
    if (gone.length === 0 || this.records.sharedTrace(key.key)) return { status, decision: 'restore', reasons };
    return { status, decision: 'run', reasons: [...reasons, ...gone.map((path) => reason('evicted', path))] };
  }

  private differences(job: Job, key: KeyParts, last: Trace): Reason[] {
    const differences = diffParts(last, { parts: key.parts, config: recordedConfig(job) }, job.rule.unkeyed);
    return differences.map((difference) => inActualPaths(fromDifference(difference), job.form));
  }
}

/**
 * The judgement of a job that is known to be fresh, by what the work tree holds of it on record, which is then not checked;
 * undefined where there is no such record.
 */
export function freshOnRecord(records: Records, job: Job): Judgement | undefined {
  const trace = records.currentCore(job.id);
  if (trace === undefined) return undefined;
  const { actionKey } = trace;
  const key: KeyParts = {
    key: actionKey,
    get parts() {
      return records.trace(actionKey)?.parts ?? [];
    },
  };
  return judgement(job, key, FRESH, trace, trace, records.attempt(job.id, actionKey));
}

function judgement(
  job: Job,
  key: KeyParts | undefined,
  { status, decision, reasons }: Verdict,
  trace: TraceCore | undefined,
  current: TraceCore | undefined,
  attempt: Attempt | undefined,
): Judgement {
  const held = current && current !== trace ? coreOf(current) : current;
  return { job, key, status, decision, reasons, trace, current: held, attempt };
}
