// The index: traces, attempts, what each work tree holds, digests of files. The only file that imports lmdb; import it by
// `await import` where there may be nothing to look up, for loading lmdb takes 50 ms.
//
// Tables (named databases of one LMDB environment):
//   traces    action key                         -> trace (msgpack, trace-codec.ts)
//   byJob     [job id, recorded at, action key]  -> true
//   byRule    [rule, recorded at, action key]    -> [job id, job hash, label, config]
//   current   [tree, job id]                     -> action key of what the work tree holds
//   attempts  [tree, job id, action key]         -> attempt
//   files     "TREE PATH"                        -> size, mtime, ctime, inode as float64, 32 bytes of digest
//   made      "TREE PATH"                        -> true: a job of this work tree once had this output
// A store may be shared by work trees, so what depends on a disk has the work tree's id in its key.
//
// Writes go through transactionSync with a block body: with an expression body lmdb takes put's promise for the transaction's
// end, and close() hangs. Do not open one index twice at a time in one process.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { open, type Database, type Key, type RootDatabase } from 'lmdb';
import type { ActionKey, JobHash, JobId } from '../base/brand.ts';
import { DiagnosticError, error } from '../base/diagnostic.ts';
import { invariant } from '../base/invariant.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { FileTable } from './file-digests.ts';
import { AFTER_TEXT, decodeFile, encodeFile, lastOf, newestFirst, pathKey } from './index-keys.ts';
import { lmdbFileState } from './lmdb-file.ts';
import { decodeAttempt, decodeTrace, encodeAttempt, encodeTrace } from './trace-codec.ts';
import type { Attempt, Trace } from './trace.ts';

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

type Tables = {
  readonly root: RootDatabase<unknown, Key>;
  readonly traces: Table;
  readonly byJob: Table;
  readonly byRule: Table;
  readonly current: Table;
  readonly attempts: Table;
  readonly files: Table;
  readonly made: Table;
};

type Table = Database<unknown, Key>;

type Waiting = { readonly writes: () => void; readonly resolve: () => void; readonly reject: (cause: unknown) => void };

export class IndexDb {
  /** Undefined: nothing is there, or it is closed. LMDB crashes the process where a closed index is used. */
  #tables: Tables | undefined;
  readonly #dir: string;

  #inTransaction = false;
  #waiting: Waiting[] = [];

  private constructor(dir: string, tables: Tables | undefined) {
    this.#dir = dir;
    this.#tables = tables;
  }

  /**
   * Opens the index in a folder. Read only, one that does not exist answers as if empty, and is not made.
   * Errors: not readable as an index, or not to be written.
   */
  static open(dir: string, options: { readonly readOnly: boolean }): Result<IndexDb> {
    try {
      const file = lmdbFileState(join(dir, 'data.mdb'));
      if (file === 'damaged') throw new Error('its file data.mdb is no index, or a part of one');
      if (options.readOnly && file === 'absent') return ok(new IndexDb(dir, undefined));
      if (!options.readOnly) mkdirSync(dir, { recursive: true });
      const root = open<unknown, Key>({ path: dir, maxDbs: 16, readOnly: options.readOnly, noSubdir: false });
      const table = (name: string, encoding: 'msgpack' | 'binary' = 'msgpack'): Table | undefined =>
        root.openDB<unknown, Key>(name, { encoding });
      const traces = table('traces');
      const byJob = table('byJob');
      const byRule = table('byRule');
      const current = table('current');
      const attempts = table('attempts');
      const files = table('files', 'binary');
      const made = table('made');
      // Read only, a table that was never written does not open: the writer was cut off while it made the index.
      if (!traces || !byJob || !byRule || !current || !attempts || !files || !made) {
        void root.close();
        return ok(new IndexDb(dir, undefined));
      }
      return ok(new IndexDb(dir, { root, traces, byJob, byRule, current, attempts, files, made }));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      return err([
        error('store/unreadable', `the index ${dir} cannot be opened: ${why}`, {
          hint: 'everything in the store can be made again: if it is damaged, move the folder away, and build',
        }),
      ]);
    }
  }

  getTrace(key: ActionKey): Trace | undefined {
    return this.#tables && readTrace(this.#tables, key);
  }

  /** All results on record under an id, newest first. */
  tracesOf(jobId: JobId): Trace[] {
    return [...this.#keysOfJob(jobId)].flatMap((key) => this.getTrace(key) ?? []);
  }

  /** The newest of `tracesOf`, without reading the others. */
  newestOf(jobId: JobId): Trace | undefined {
    for (const key of this.#keysOfJob(jobId)) {
      const trace = this.getTrace(key);
      if (trace) return trace;
    }
    return undefined;
  }

  *#keysOfJob(jobId: JobId): Generator<ActionKey> {
    for (const key of this.#tables?.byJob.getKeys(newestFirst(jobId)) ?? []) yield lastOf(key) as ActionKey;
  }

  /** All results on record of a rule, newest first, in what is cheap to read. */
  *headsOfRule(rule: string): Generator<TraceHead> {
    for (const { key, value } of this.#tables?.byRule.getRange(newestFirst(rule)) ?? []) {
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
    for (const key of this.#tables?.byJob.getKeys() ?? []) {
      const id = Array.isArray(key) && typeof key[0] === 'string' ? (key[0] as JobId) : undefined;
      if (id !== undefined && id !== ids.at(-1)) ids.push(id);
    }
    return ids;
  }

  /** Every record of a trace: decoded, or undefined where it is not of the form. In the order of action keys. */
  *allTraces(): Generator<{ readonly actionKey: ActionKey; readonly trace: Trace | undefined }> {
    for (const key of this.#tables?.traces.getKeys() ?? []) {
      const actionKey = String(key) as ActionKey;
      const trace = this.getTrace(actionKey);
      yield { actionKey, trace: trace?.actionKey === actionKey ? trace : undefined };
    }
  }

  /** Puts a trace on record; one under the same action key is replaced. */
  putTrace(trace: Trace): void {
    this.transaction(() => {
      const { traces, byJob, byRule } = this.#writable();
      this.removeTrace(trace.actionKey);
      void traces.put(trace.actionKey, encodeTrace(trace));
      void byJob.put([trace.jobId, trace.recordedAt, trace.actionKey], true);
      const head = [trace.jobId, trace.jobHash, trace.label, trace.config];
      void byRule.put([trace.rule, trace.recordedAt, trace.actionKey], head);
    });
  }

  removeTrace(key: ActionKey): void {
    this.transaction(() => {
      const tables = this.#writable();
      const old = readTrace(tables, key);
      if (old) {
        void tables.byJob.remove([old.jobId, old.recordedAt, key]);
        void tables.byRule.remove([old.rule, old.recordedAt, key]);
      } else if (tables.traces.doesExist(key)) {
        // Not readable, so its places in the other tables are not known.
        for (const table of [tables.byJob, tables.byRule]) {
          const keys = [...table.getKeys()].filter((each) => lastOf(each) === key);
          for (const each of keys) void table.remove(each);
        }
      }
      void tables.traces.remove(key);
    });
  }

  /** The action key of what the work tree holds of a job, as far as lhb put it there. */
  current(tree: string, jobId: JobId): ActionKey | undefined {
    const key = this.#tables?.current.get([tree, jobId]);
    return typeof key === 'string' ? (key as ActionKey) : undefined;
  }

  setCurrent(tree: string, jobId: JobId, key: ActionKey): void {
    this.transaction(() => {
      void this.#writable().current.put([tree, jobId], key);
    });
  }

  clearCurrent(tree: string, jobId: JobId): void {
    this.transaction(() => {
      void this.#writable().current.remove([tree, jobId]);
    });
  }

  /** The last attempt of a job that is on record, under `key` or, without it, under any. */
  attempt(tree: string, jobId: JobId, key?: ActionKey): Attempt | undefined {
    if (key !== undefined) return decodeAttempt(this.#tables?.attempts.get([tree, jobId, key]));
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

  *#attempts(prefix: string[]): Generator<Attempt> {
    for (const { value } of this.#tables?.attempts.getRange({ start: prefix, end: [...prefix, AFTER_TEXT] }) ?? []) {
      const attempt = decodeAttempt(value);
      if (attempt) yield attempt;
    }
  }

  /** Puts an attempt on record; an earlier one of the job under the same action key is replaced. */
  putAttempt(tree: string, attempt: Attempt): void {
    this.transaction(() => {
      void this.#writable().attempts.put([tree, attempt.jobId, attempt.actionKey], encodeAttempt(attempt));
    });
  }

  /** Forgets the attempt under `key`; without it all of the job. */
  clearAttempt(tree: string, jobId: JobId, key?: ActionKey): void {
    this.transaction(() => {
      const { attempts } = this.#writable();
      if (key !== undefined) {
        void attempts.remove([tree, jobId, key]);
        return;
      }
      const keys = [...attempts.getKeys({ start: [tree, jobId], end: [tree, jobId, AFTER_TEXT] })];
      for (const each of keys) void attempts.remove(each);
    });
  }

  /** Notes output paths (from the workflow's folder) as made by jobs of this work tree. */
  putMade(tree: string, paths: readonly string[]): void {
    this.transaction(() => {
      const { made } = this.#writable();
      for (const path of paths) void made.put(pathKey(tree, path), true);
    });
  }

  /** Was this very path ever an output of a job of this work tree? */
  wasMade(tree: string, path: string): boolean {
    return this.#tables?.made.get(pathKey(tree, path)) === true;
  }

  /** Digests by path with stat signatures, of one work tree. */
  fileTable(tree: string): FileTable {
    return {
      getFile: (path) => decodeFile(this.#tables?.files.getBinaryFast(pathKey(tree, path))),
      putFiles: (records) => {
        this.transaction(() => {
          const { files } = this.#writable();
          for (const [path, record] of records) void files.put(pathKey(tree, path), encodeFile(record));
        });
      },
    };
  }

  /** Forgets the digests of all files of a work tree, so that each is read again. */
  forgetFiles(tree: string): void {
    this.transaction(() => {
      const { files } = this.#writable();
      const start = `${tree} `;
      for (const key of [...files.getKeys({ start, end: `${tree}!` })]) void files.remove(key);
    });
  }

  /**
   * Runs synchronous writes as one transaction: all or nothing, on disk when it returns. Inside another it joins that one.
   * Reads inside see the writes. Throws a DiagnosticError where the disk is full or fails.
   */
  transaction(writes: () => void): void {
    const { root } = this.#writable();
    // One inside another is part of it.
    if (this.#inTransaction) {
      writes();
      return;
    }
    this.#inTransaction = true;
    try {
      root.transactionSync(() => {
        writes();
      });
    } catch (cause) {
      // LMDB reports a full disk as EIO (5).
      const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
      if (code !== 5 && code !== 28) throw cause;
      throw new DiagnosticError([
        error('store/write-failed', `the index ${this.#dir} cannot be written: the disk is full, or it fails`, {
          hint: 'free some space, and build again: what is on record stays valid',
        }),
      ]);
    } finally {
      this.#inTransaction = false;
    }
  }

  /**
   * As `transaction`, soon: what is asked for within one turn of the event loop is one transaction, for a commit waits for
   * the disk. Resolves when it is committed; rejects with what `transaction` throws.
   */
  soon(writes: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ writes, resolve, reject });
      if (this.#waiting.length === 1) setImmediate(() => this.#writeWaiting());
    });
  }

  #writeWaiting(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    if (batch.length === 0) return;
    try {
      this.transaction(() => {
        for (const { writes } of batch) writes();
      });
      for (const { resolve } of batch) resolve();
    } catch (cause) {
      for (const { reject } of batch) reject(cause);
    }
  }

  /** Lets reads see what other processes committed since the last turn of the event loop. */
  refresh(): void {
    this.#tables?.root.resetReadTxn();
  }

  /** Waits until all is on disk, and frees the index. It is used no more after. */
  async close(): Promise<void> {
    this.#writeWaiting();
    const tables = this.#tables;
    this.#tables = undefined;
    await tables?.root.flushed;
    await tables?.root.close();
  }

  #writable(): Tables {
    invariant(this.#tables, 'the index was opened to read, or is closed');
    return this.#tables;
  }
}

function readTrace(tables: Tables, key: ActionKey): Trace | undefined {
  try {
    return decodeTrace(tables.traces.get(key));
  } catch (cause) {
    // LMDB's own errors have a code; bytes that are no msgpack give others.
    if (cause instanceof Error && 'code' in cause) throw cause;
    return undefined;
  }
}
