// What is asked of the index; what is put into it: index-db.ts.
import type { ActionKey, JobHash, JobId } from '../base/brand.ts';
import { AFTER_TEXT, lastOf, newestFirst, pathKey } from './index-keys.ts';
import { bytesOf, type Tables } from './index-tables.ts';
import { coreIn, fieldsOf } from './log-record.ts';
import { decodeAttempt, decodeTold, decodeTrace, isNewer } from './trace-codec.ts';
import { coreOf, type Attempt, type Trace, type TraceCore, type TraceTold } from './trace.ts';

/** What is cheap to know of a trace. */
export type TraceHead = {
  readonly actionKey: ActionKey;
  readonly jobId: JobId;
  readonly jobHash: JobHash;
  readonly label: string;
  readonly recordedAt: number;
  /** As Trace.config. */
  readonly config: string;
};

export type ReadOptions = {
  /** A trace's line from elsewhere, where the index has it damaged. */
  readonly recover?: ((key: ActionKey) => Buffer | undefined) | undefined;
  /** Called once, when a record of a newer lhb is met. */
  readonly onNewer?: (() => void) | undefined;
};

export abstract class IndexReads {
  readonly #options: ReadOptions;
  #newer = false;
  /** Lines that were found damaged here and whole in a log. */
  protected readonly recovered = new Map<ActionKey, Buffer>();

  protected constructor(options: ReadOptions) {
    this.#options = options;
  }

  /** The tables, up to date in what is said of an id or a key; without one, of all. */
  protected abstract read(about?: string): Tables | undefined;

  getTrace(key: ActionKey): Trace | undefined {
    const tables = this.read(key);
    const fields = tables && this.#fieldsOf(tables, key);
    if (fields === undefined) return undefined;
    if (isNewer(fields)) {
      if (!this.#newer) this.#options.onNewer?.();
      this.#newer = true;
      return undefined;
    }
    const trace = decodeTrace(fields);
    // Under a key whose bytes are damaged stands another's record.
    return trace?.actionKey === key ? trace : undefined;
  }

  /** As getTrace, of what a plan keeps: it takes a third of the time. */
  getCore(key: ActionKey): TraceCore | undefined {
    const tables = this.read(key);
    const line = tables && bytesOf(tables.traces, key);
    const core = line && coreIn(line);
    if (core?.actionKey === key) return core;
    const trace = line && this.getTrace(key);
    return trace && coreOf(trace);
  }

  /** As getTrace, of what a detailed summary shows. */
  getTold(key: ActionKey): TraceTold | undefined {
    const tables = this.read(key);
    const line = tables && bytesOf(tables.traces, key);
    const told = line && decodeTold(fieldsOf(line));
    return told?.actionKey === key ? told : this.getTrace(key);
  }

  /** The fields of a trace's record; where it is damaged, those of its line in the log. */
  #fieldsOf(tables: Tables, key: ActionKey): Readonly<Record<string, unknown>> | undefined {
    const line = bytesOf(tables.traces, key);
    if (line === undefined) return undefined;
    const fields = fieldsOf(line);
    if (fields !== undefined) return fields;
    const whole = this.recovered.get(key) ?? this.#options.recover?.(key);
    if (whole === undefined) return undefined;
    this.recovered.set(key, whole);
    return fieldsOf(whole);
  }

  /** A trace's sealed line as it stands. */
  lineOf(key: ActionKey): Buffer | undefined {
    const tables = this.read(key);
    const line = tables && bytesOf(tables.traces, key);
    return line && Buffer.from(line);
  }

  /** All results on record under an id, newest first. */
  tracesOf(jobId: JobId): Trace[] {
    return [...this.#keysOfJob(jobId)].flatMap((key) => this.#traceOf(jobId, key) ?? []);
  }

  /** The newest of `tracesOf`, without reading the others. */
  newestOf(jobId: JobId): Trace | undefined {
    for (const key of this.#keysOfJob(jobId)) {
      const trace = this.#traceOf(jobId, key);
      if (trace) return trace;
    }
    return undefined;
  }

  #traceOf(jobId: JobId, key: ActionKey): Trace | undefined {
    const trace = this.getTrace(key);
    return trace?.jobId === jobId ? trace : undefined;
  }

  *#keysOfJob(jobId: JobId): Generator<ActionKey> {
    for (const key of this.read(jobId)?.byJob.getKeys(newestFirst(jobId)) ?? []) yield lastOf(key) as ActionKey;
  }

  /** All results on record of a rule, newest first, in what is cheap to read. */
  *headsOfRule(rule: string): Generator<TraceHead> {
    for (const { key, value } of this.read()?.byRule.getRange(newestFirst(rule)) ?? []) {
      if (!Array.isArray(key) || !Array.isArray(value)) continue;
      const [jobId, jobHash, label, config] = value as unknown[];
      if (
        typeof jobId !== 'string' ||
        typeof jobHash !== 'string' ||
        typeof label !== 'string' ||
        typeof config !== 'string'
      )
        continue;
      yield {
        actionKey: lastOf(key) as ActionKey,
        jobId: jobId as JobId,
        jobHash: jobHash as JobHash,
        label,
        recordedAt: Number(key[1]),
        config,
      };
    }
  }

  /** Every id with a result on record, sorted. */
  allJobIds(): JobId[] {
    const ids: JobId[] = [];
    for (const key of this.read()?.byJob.getKeys() ?? []) {
      const id = Array.isArray(key) && typeof key[0] === 'string' ? (key[0] as JobId) : undefined;
      if (id !== undefined && id !== ids.at(-1)) ids.push(id);
    }
    return ids;
  }

  /**
   * Every record of a trace: decoded, or undefined where it is not of the form, or `newer`, of a newer lhb. In the order of
   * action keys.
   */
  *allTraces(): Generator<{
    readonly actionKey: ActionKey;
    readonly trace: Trace | undefined;
    readonly newer: boolean;
  }> {
    const tables = this.read();
    for (const key of tables?.traces.getKeys() ?? []) {
      const actionKey = String(key) as ActionKey;
      const trace = this.getTrace(actionKey);
      const newer = !trace && tables !== undefined && isNewer(this.#fieldsOf(tables, actionKey));
      yield { actionKey, trace, newer };
    }
  }

  /** The action key of what the work tree holds of a job, as far as lhb put it there. */
  current(tree: string, jobId: JobId): ActionKey | undefined {
    const key = this.read(jobId)?.current.get([tree, jobId]);
    return typeof key === 'string' ? (key as ActionKey) : undefined;
  }

  /** What a work tree holds of each job. */
  *allCurrent(tree: string): Generator<{ readonly jobId: JobId; readonly actionKey: ActionKey }> {
    for (const { key, value } of this.read()?.current.getRange({ start: [tree], end: [tree, AFTER_TEXT] }) ?? []) {
      if (typeof value === 'string') yield { jobId: lastOf(key) as JobId, actionKey: value as ActionKey };
    }
  }

  /** The last attempt of a job that is on record, under `key` or, without it, under any. */
  attempt(tree: string, jobId: JobId, key?: ActionKey): Attempt | undefined {
    if (key !== undefined) return decodeAttempt(this.read(jobId)?.attempts.get([tree, jobId, key]));
    let last: Attempt | undefined;
    for (const attempt of this.#attempts([tree, jobId])) {
      if (!last || attempt.startedAt > last.startedAt) last = attempt;
    }
    return last;
  }

  /** Every attempt of a work tree that is on record. */
  allAttempts(tree: string): Attempt[] {
    return [...this.#attempts([tree])];
  }

  /** The jobs of a work tree that have an attempt on record; a job may come more than once. */
  *attemptedJobs(tree: string): Generator<JobId> {
    for (const key of this.read()?.attempts.getKeys({ start: [tree], end: [tree, AFTER_TEXT] }) ?? [])
      if (Array.isArray(key)) yield key[1] as JobId;
  }

  *#attempts(prefix: string[]): Generator<Attempt> {
    for (const { value } of this.read(prefix[1])?.attempts.getRange({ start: prefix, end: [...prefix, AFTER_TEXT] }) ??
      []) {
      const attempt = decodeAttempt(value);
      if (attempt) yield attempt;
    }
  }

  /** Was this very path ever an output of a job of this work tree? */
  wasMade(tree: string, path: string): boolean {
    return this.read()?.made.get(pathKey(tree, path)) === true;
  }

  /** Is no result on record? */
  isEmpty(): boolean {
    for (const _key of this.read()?.traces.getKeys({ limit: 1 }) ?? []) return false;
    return true;
  }

  /** How many results are on record. */
  countTraces(): number {
    return this.read()?.traces.getKeysCount() ?? 0;
  }
}
