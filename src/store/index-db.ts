// The index: traces, attempts, what each work tree holds, digests of files. What is asked of it: index-reads.ts; its tables:
// index-tables.ts; how it is found, checked and made again: open-index.ts.
//
// Writes go through transactionSync with a block body: with an expression body lmdb takes put's promise for the transaction's
// end, and close() hangs. Do not open one index twice at a time in one process.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ActionKey, JobId } from '../base/brand.ts';
import { DiagnosticError, error } from '../base/diagnostic.ts';
import { invariant } from '../base/invariant.ts';
import { err, ok, type Result } from '../base/result.ts';
import { step } from '../base/step.ts';
import type { FileTable } from './file-digests.ts';
import { AFTER_TEXT, decodeFile, encodeFile, lastOf, pathKey } from './index-keys.ts';
import { bytesOf, closeNow, openTables, type Tables } from './index-tables.ts';
import { lmdbFileState } from './lmdb-file.ts';
import { attemptLine, currentLine, fieldsOf, removedLine, restoredLine, traceLine } from './log-record.ts';
import { decodeTrace, encodeAttempt } from './trace-codec.ts';
import type { TraceLog } from './trace-log.ts';
import type { Attempt, Trace } from './trace.ts';
import { IndexReads, type ReadOptions } from './index-reads.ts';
import { IndexWrites } from './index-writes.ts';
import { isFullDisk, writeFailed } from './write-failed.ts';

export type { TraceHead } from './index-reads.ts';

export type IndexOptions = ReadOptions & {
  readonly readOnly: boolean;
  /** Where each batch is appended before it is committed; without one, as for an index that is made, nowhere. */
  readonly log?: TraceLog | undefined;
  /** Called when the index was closed. */
  readonly onClosed?: (() => void) | undefined;
  /** For an index that is made or changed as a whole: see openTables. */
  readonly atOnce?: boolean;
};

/** Of a trace what stands in the tables beside its line. */
type TraceHead = Pick<Trace, 'actionKey' | 'jobId' | 'jobHash' | 'rule' | 'label' | 'config' | 'recordedAt'>;

/** What waits for a commit outlives the young ones of V8's heap, which costs as much as to make it: the less of it the better. */
const headOf = ({ actionKey, jobId, jobHash, rule, label, config, recordedAt }: Trace): TraceHead => ({
  actionKey,
  jobId,
  jobHash,
  rule,
  label,
  config,
  recordedAt,
});

/** How long what was restored waits: a commit waits for the disk, and who makes files meanwhile with it. */
const RESTORED_WITHIN_MS = 500;

const NOTHING = Buffer.alloc(0);

const OPENED_TO_READ = 'the index was opened to read, or is closed';

export class IndexDb extends IndexReads {
  /** Undefined: nothing is there, or it is closed. LMDB crashes the process where a closed index is used. */
  #tables: Tables | undefined;
  readonly #options: IndexOptions;
  /** Undefined where it was opened to read. */
  readonly #writes: IndexWrites | undefined;
  /** Attempts that have begun and wait to be written: of one whose result waits behind it nothing is. */
  readonly #begun = new Map<ActionKey, { isOver: boolean }>();

  private constructor(dir: string, tables: Tables | undefined, options: IndexOptions) {
    super(options);
    this.#tables = tables;
    this.#options = options;
    this.#writes = tables && !options.readOnly ? new IndexWrites(dir, tables, options.log) : undefined;
  }

  /**
   * Opens the index in a folder. Read only, one that does not exist answers as if empty, and is not made.
   * Errors: not readable as an index, or not to be written.
   */
  static open(dir: string, options: IndexOptions): Result<IndexDb> {
    try {
      const file = lmdbFileState(join(dir, 'data.mdb'));
      if (file === 'damaged') throw new Error('its file data.mdb is no index, or a part of one');
      if (options.readOnly && file === 'absent') return ok(new IndexDb(dir, undefined, options));
      if (!options.readOnly) mkdirSync(dir, { recursive: true });
      return ok(new IndexDb(dir, openTables(dir, options), options));
    } catch (cause) {
      const failed = writeFailed('the index', dir, cause);
      if (failed !== undefined && isFullDisk(cause, dir)) return err([...failed.diagnostics]);
      const why = cause instanceof Error ? cause.message : String(cause);
      return err([
        error('store/unreadable', `the index ${dir} cannot be opened: ${why}`, {
          hint: 'check the permissions of the folder and its files: who reads the index writes to its lock.mdb',
        }),
      ]);
    }
  }

  /**
   * Puts a job's result on record as what a work tree holds. When this returns the log has it; the index follows.
   * @param made the paths of its outputs, from the workflow's folder; @param alongside writes for the same transaction
   * Throws as `transaction`.
   */
  record(tree: string, trace: Trace, made: readonly string[], alongside: () => void): void {
    const line = traceLine(trace);
    const head = headOf(trace);
    this.#writer().record([trace.jobId, trace.actionKey], [line], () => {
      alongside();
      this.takeResult(tree, head, line, made);
    });
    const attempt = this.#begun.get(trace.actionKey);
    if (attempt !== undefined) attempt.isOver = true;
  }

  /** As `record`, of a result that came from elsewhere: the work tree does not hold it yet. */
  recordTrace(trace: Trace): void {
    const line = traceLine(trace);
    this.#writer().record([trace.jobId, trace.actionKey], [line], () => this.restoreTrace(trace, line));
  }

  /** As `record`, of a result whose line the log has; without the line, one that is on record already. */
  takeResult(tree: string, trace: TraceHead, line: string | undefined, made: readonly string[]): void {
    if (line !== undefined) this.restoreTrace(trace, line);
    void this.#writable().current.put([tree, trace.jobId], trace.actionKey);
    this.clearAttempt(tree, trace.jobId, trace.actionKey);
    this.putMade(tree, made);
  }

  /**
   * Puts on record, some time later, that a work tree holds a result: a kill before may take it back.
   * @param trace the result, where it is to be put on record too; else the one that is there counts as restored from now on
   */
  recordRestored(tree: string, jobId: JobId, key: ActionKey, made: readonly string[], trace: Trace | undefined): void {
    const known = trace ? undefined : this.lineOf(key);
    const line = trace ? traceLine(trace) : known && restoredLine(known);
    const lines = line === undefined ? [currentLine(jobId, key)] : [line];
    const write = (): void => {
      if (trace && line !== undefined) this.restoreTrace(trace, line);
      // Another work tree may have put its own there meanwhile.
      else if (line !== undefined && known?.equals(this.lineOf(key) ?? NOTHING))
        void this.#writable().traces.put(key, line);
      void this.#writable().current.put([tree, jobId], key);
      this.putMade(tree, made);
    };
    this.#writer().later([jobId, key], lines, write, RESTORED_WITHIN_MS);
  }

  /** Puts an attempt on record: one that failed at once, one that has begun with the next commit. */
  recordAttempt(tree: string, attempt: Attempt): void {
    const write = (): void => this.#putAttempt(tree, attempt);
    if (attempt.state === 'failed') return this.#writer().record([attempt.jobId], [attemptLine(attempt)], write);
    const begun = { isOver: false };
    this.#begun.set(attempt.actionKey, begun);
    this.#writer().later([attempt.jobId], [], () => {
      if (this.#begun.get(attempt.actionKey) === begun) this.#begun.delete(attempt.actionKey);
      if (!begun.isOver) write();
    });
  }

  /** Brings the index up to what is on record. Throws as `transaction`. */
  settle(): void {
    this.transaction(() => {});
  }

  /** Puts a trace on record; one under the same action key is replaced. */
  putTrace(trace: Trace): void {
    const line = traceLine(trace);
    this.transaction(() => {
      this.#writer().addLine(line);
      this.restoreTrace(trace, line);
    });
  }

  /** As putTrace, of a trace whose line the log has. */
  restoreTrace(trace: TraceHead, line: string): void {
    this.transaction(() => {
      const { traces, byJob, byRule } = this.#writable();
      this.#forget(trace.actionKey);
      void traces.put(trace.actionKey, line);
      void byJob.put([trace.jobId, trace.recordedAt, trace.actionKey], true);
      const head = [trace.jobId, trace.jobHash, trace.label, trace.config];
      void byRule.put([trace.rule, trace.recordedAt, trace.actionKey], head);
    });
  }

  /** Keeps the line of a newer lhb, unless something is there. */
  restoreNewer(key: ActionKey, line: Buffer): void {
    const { traces } = this.#writable();
    if (!traces.doesExist(key)) void traces.put(key, line.toString());
  }

  removeTrace(key: ActionKey): void {
    this.transaction(() => {
      this.#writer().addLine(removedLine(key, Date.now() / 1000));
      this.#forget(key);
    });
  }

  /** As removeTrace, of what the log says is removed. */
  forgetTrace(key: ActionKey): void {
    this.transaction(() => {
      this.#forget(key);
    });
  }

  #forget(key: ActionKey): void {
    const tables = this.#writable();
    this.recovered.delete(key);
    const line = bytesOf(tables.traces, key);
    if (line === undefined) return;
    const fields = fieldsOf(line);
    const old = fields && decodeTrace(fields);
    if (old) {
      void tables.byJob.remove([old.jobId, old.recordedAt, key]);
      void tables.byRule.remove([old.rule, old.recordedAt, key]);
    } else {
      // Not readable, so its places in the other tables are not known.
      for (const table of [tables.byJob, tables.byRule]) {
        const keys = [...table.getKeys()].filter((each) => lastOf(each) === key);
        for (const each of keys) void table.remove(each);
      }
    }
    void tables.traces.remove(key);
  }

  setCurrent(tree: string, jobId: JobId, key: ActionKey): void {
    this.transaction(() => {
      if (this.current(tree, jobId) === key) return;
      this.#writer().addLine(currentLine(jobId, key));
      void this.#writable().current.put([tree, jobId], key);
    });
  }

  clearCurrent(tree: string, jobId: JobId): void {
    this.transaction(() => {
      this.#writer().addLine(currentLine(jobId, undefined));
      void this.#writable().current.remove([tree, jobId]);
    });
  }

  /** How much of a work tree's log is in the tables. */
  logged(tree: string): number | undefined {
    const bytes = this.#tables?.logs.get(tree);
    return typeof bytes === 'number' ? bytes : undefined;
  }

  setLogged(tree: string, bytes: number): void {
    this.transaction(() => {
      void this.#writable().logs.put(tree, bytes);
    });
  }

  /** Puts a log with these lines in the place of a work tree's. Throws a DiagnosticError where the disk is full. */
  replaceLog(log: TraceLog, lines: readonly string[]): void {
    this.settle();
    if (log.tree === this.#options.log?.tree) this.#options.log.close();
    const size = log.create(lines);
    step('log:replaced');
    this.setLogged(log.tree, size);
  }

  /** Forgets all that is on record of a work tree alone; results stay. */
  forgetTree(tree: string): void {
    this.transaction(() => {
      const { current, attempts, files, made, logs } = this.#writable();
      for (const table of [current, attempts]) {
        const keys = [...table.getKeys({ start: [tree], end: [tree, AFTER_TEXT] })];
        for (const key of keys) void table.remove(key);
      }
      for (const table of [files, made]) {
        const keys = [...table.getKeys({ start: `${tree} `, end: `${tree}!` })];
        for (const key of keys) void table.remove(key);
      }
      void logs.remove(tree);
    });
  }

  /** Puts an attempt on record; an earlier one of the job under the same action key is replaced. */
  putAttempt(tree: string, attempt: Attempt): void {
    this.transaction(() => {
      if (attempt.state === 'failed') this.#writer().addLine(attemptLine(attempt));
      this.#putAttempt(tree, attempt);
    });
  }

  #putAttempt(tree: string, attempt: Attempt): void {
    void this.#writable().attempts.put([tree, attempt.jobId, attempt.actionKey], encodeAttempt(attempt));
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

  /** Digests by path with stat signatures, of one work tree. */
  fileTable(tree: string): FileTable {
    return {
      getFile: (path) => {
        const key = pathKey(tree, path);
        return decodeFile(key, this.#tables && bytesOf(this.#tables.files, key));
      },
      putFiles: (records) => {
        if (this.#writer().hasFailed) return; // told already; digests can be made again
        this.transaction(() => {
          const { files } = this.#writable();
          for (const [path, record] of records) {
            const key = pathKey(tree, path);
            void files.put(key, encodeFile(key, record));
          }
        });
      },
    };
  }

  /** Forgets the digests of all files of a work tree, so that each is read again. */
  forgetFiles(tree: string): void {
    this.transaction(() => {
      const { files } = this.#writable();
      const keys = [...files.getKeys({ start: `${tree} `, end: `${tree}!` })];
      for (const key of keys) void files.remove(key);
    });
  }

  /** As IndexWrites.transaction: what is recorded inside it is all or nothing. */
  transaction(writes: () => void): void {
    this.#writer().transaction(writes);
  }

  /** Lets reads see what other processes committed since the last turn of the event loop. */
  refresh(): void {
    this.#tables?.root.resetReadTxn();
  }

  /** Waits until all is on disk, and frees the index. It is used no more after. */
  async close(): Promise<void> {
    const isWhole = this.#catchUpAtLast();
    this.#writes?.stop();
    if (this.#writes?.hasFailed) {
      // Not closed: the next who opens it reads all of it first.
      this.#tables = undefined;
      this.#options.log?.close();
      return;
    }
    if (this.#tables && !this.#options.readOnly) this.#writeRecovered();
    const tables = this.#tables;
    this.#tables = undefined;
    await tables?.root.flushed;
    await tables?.root.close();
    this.#options.log?.close();
    if (isWhole) this.#options.onClosed?.();
  }

  /** @returns false: the log has more, which the next who opens the index takes up */
  #catchUpAtLast(): boolean {
    try {
      this.#writes?.catchUp();
      return true;
    } catch (cause) {
      if (!(cause instanceof DiagnosticError)) throw cause;
      return false;
    }
  }

  /** Closes an index that was opened with `atOnce`, or to read. */
  closeNow(): void {
    const tables = this.#tables;
    this.#writes?.stop();
    this.#tables = undefined;
    // As in close().
    if (tables && !this.#writes?.hasFailed) closeNow(tables);
  }

  /** As `transaction`, of what the log has already. */
  withoutLog(writes: () => void): void {
    this.transaction(() => {
      writes();
      this.#writer().dropLines();
    });
  }

  /** Puts lines that were damaged right. */
  #writeRecovered(): void {
    if (this.recovered.size === 0) return;
    this.transaction(() => {
      for (const [key, line] of this.recovered) void this.#writable().traces.put(key, line.toString());
    });
  }

  #writable(): Tables {
    this.#writer();
    invariant(this.#tables, OPENED_TO_READ);
    return this.#tables;
  }

  #writer(): IndexWrites {
    invariant(this.#writes && this.#tables, OPENED_TO_READ);
    return this.#writes;
  }

  protected read(about?: string): Tables | undefined {
    this.#writes?.catchUp(about);
    return this.#tables;
  }
}
