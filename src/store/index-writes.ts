// Writes to the index: the log at once, the index behind it. What is on record stands in the log, which a kill does not take
// back; the index is a view of it that may be some moments old, for a commit waits for the disk and rewrites twenty pages,
// and one of fifty results hardly more. Who opens the index where its writer was killed takes up the rest of the log
// (open-index.ts); in this process IndexDb has the view brought up to date before it looks at what is waiting.
import { join } from 'node:path';
import { DiagnosticError, error } from '../base/diagnostic.ts';
import { step } from '../base/step.ts';
import type { Tables } from './index-tables.ts';
import type { TraceLog } from './trace-log.ts';
import { codeOf, freeBytes, NoSpace, writeHint } from './write-failed.ts';

/** How far the index may be behind the log: a commit makes the file system flush all that was made meanwhile (2 to 10 ms). */
export const BEHIND_MS = 200;

/** And how much, in the log's bytes: it is held in memory. */
const MOST_WAITING_BYTES = 8 * 1024 * 1024;

/** What a commit may take besides what is in the log: pages that are split, digests of files. */
const COMMIT_BYTES = 256 * 1024;

/** With so much more space than that, it is looked for again only after some time: each record asks. */
const AMPLE_BYTES = 1024 ** 3;
const AMPLE_MS = 10;

const DISK_FAILURES = new Set(['EIO', 'ENOSPC', 'EDQUOT', 'EROFS']);

export class IndexWrites {
  readonly #dir: string;
  readonly #tables: Tables;
  readonly #log: TraceLog | undefined;
  #inTransaction = false;
  /** Set once lmdb has failed to write: it may bring the process down where it is asked again, or closed. */
  #failed: DiagnosticError | undefined;
  /** What the index is behind by; the log has its lines, or they stand first in #lines. */
  #waiting: (() => void)[] = [];
  /** What these are about: ids of jobs, action keys. */
  readonly #about = new Set<string>();
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer fires. */
  #due = Infinity;
  /** Until then there is space enough. */
  #ampleUntil = 0;
  /** What goes into the log next. */
  #lines: string[] = [];
  /** The bytes of the log that the next commit brings the index up to; undefined: it is there. */
  #logged: number | undefined;

  constructor(dir: string, tables: Tables, log: TraceLog | undefined) {
    this.#dir = dir;
    this.#tables = tables;
    this.#log = log;
  }

  get hasFailed(): boolean {
    return this.#failed !== undefined;
  }

  /** Adds a line to the log, within a transaction. */
  addLine(line: string): void {
    this.#lines.push(line);
  }

  /** Drops the lines of a transaction: the log has them. */
  dropLines(): void {
    this.#lines = [];
  }

  /**
   * Runs synchronous writes as one transaction, after all that waits: all or nothing. Inside another it joins that one.
   * Reads inside see the writes. What belongs into the log is appended to it before the transaction is committed.
   * Throws a DiagnosticError where the disk is full or fails, and each time after that.
   */
  transaction(writes: () => void): void {
    // One inside another is part of it.
    if (this.#inTransaction) return writes();
    if (this.#failed !== undefined) throw this.#failed;
    const waiting = this.#waiting;
    const begun = this.#lines.length;
    clearTimeout(this.#timer);
    this.#due = Infinity;
    this.#inTransaction = true;
    try {
      this.#tables.root.transactionSync(() => {
        for (const write of waiting) write();
        writes();
        this.#checkSpace();
        this.#appendLines();
        if (this.#log && this.#logged !== undefined) void this.#tables.logs.put(this.#log.tree, this.#logged);
        step('transaction:before');
      });
      this.#waiting = [];
      this.#waitingBytes = 0;
      this.#logged = undefined;
      this.#about.clear();
      step('transaction:after');
    } catch (cause) {
      // What waits goes with the next one, or is taken up from the log.
      this.#lines.length = Math.min(begun, this.#lines.length);
      throw this.#told(cause);
    } finally {
      this.#inTransaction = false;
    }
  }

  /**
   * Puts something on record: when this returns it is in the log, and the index follows.
   * @param about ids and keys under which it is found
   * Throws as `transaction`.
   */
  record(about: readonly string[], lines: readonly string[], writes: () => void): void {
    if (this.#failed !== undefined) throw this.#failed;
    this.#wait(about, lines, writes, BEHIND_MS);
    try {
      this.#checkSpace();
      this.#appendLines();
    } catch (cause) {
      this.#waiting.pop();
      this.#lines.splice(-lines.length, lines.length);
      for (const line of lines) this.#waitingBytes -= line.length;
      throw this.#told(cause);
    }
    // Who never comes back to the event loop has no timer.
    if (this.#waitingBytes > MOST_WAITING_BYTES) this.#catchUpOrFail();
  }

  /** As `record`, with the next transaction, within some time: for what a kill may take. */
  later(about: readonly string[], lines: readonly string[], writes: () => void, withinMs = BEHIND_MS): void {
    this.#wait(about, lines, writes, withinMs);
  }

  /** Brings the index up to date where something about this waits; without `about`, whatever waits. */
  catchUp(about?: string): void {
    if (this.#waiting.length === 0 || this.#inTransaction || this.#failed !== undefined) return;
    if (about === undefined || this.#about.has(about)) this.transaction(() => {});
  }

  /** Before the index is closed: what waits still is in the log, or may be lost. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(about: readonly string[], lines: readonly string[], writes: () => void, withinMs: number): void {
    this.#waiting.push(writes);
    for (const each of about) this.#about.add(each);
    for (const line of lines) {
      this.#lines.push(line);
      this.#waitingBytes += line.length;
    }
    const due = performance.now() + withinMs;
    if (due >= this.#due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => this.#catchUpOrFail(), withinMs);
  }

  /** Who needs the index asks again, and is told. */
  #catchUpOrFail(): void {
    try {
      this.transaction(() => {});
    } catch (cause) {
      if (!(cause instanceof DiagnosticError)) throw cause;
    }
  }

  /** lmdb 3.5.6 writes over the end of a buffer when the disk fills up under it: so it is not asked when that is near. */
  #checkSpace(): void {
    const now = performance.now();
    if (now < this.#ampleUntil) return;
    const free = freeBytes(this.#dir);
    const needed = COMMIT_BYTES + 8 * this.#waitingBytes;
    if (free < needed) throw new NoSpace();
    if (free > needed + AMPLE_BYTES) this.#ampleUntil = now + AMPLE_MS;
  }

  #appendLines(): void {
    if (this.#lines.length === 0) return;
    if (this.#log) this.#logged = this.#log.append(this.#lines);
    this.#lines = [];
  }

  #told(cause: unknown): unknown {
    if (!DISK_FAILURES.has(codeOf(cause) ?? '')) return cause;
    const failed = new DiagnosticError([
      error('store/write-failed', `the index ${this.#dir} cannot be written: the disk is full, or it fails`, {
        hint: writeHint(join(this.#dir, 'data.mdb'), 'ENOSPC'),
      }),
    ]);
    if (!(cause instanceof NoSpace)) this.#failed = failed;
    return failed;
  }
}
