// The index and the trace logs, each made from the other.
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ActionKey } from '../base/brand.ts';
import { ok, type Result } from '../base/result.ts';
import { step } from '../base/step.ts';
import { clearTemporary, temporaryBeside } from '../fs/atomic-write.ts';
import { errno, unless } from '../fs/errno.ts';
import { IndexDb } from './index-db.ts';
import { noteClosed } from './index-state.ts';
import type { StoreLayout } from './layout.ts';
import { attemptLine, currentLine, readRecord } from './log-record.ts';
import { SEAL, unseal } from './sealed-line.ts';
import { loggedTrees, readLog, TraceLog, type LogLine } from './trace-log.ts';

/** How many records are one transaction: it is held in memory. */
const BATCH = 5_000;

/**
 * Makes the index anew from all trace logs of the store, aside, and renames it into place. Where another process was
 * quicker, its index stands.
 * @returns the number of results in it. Throws system errors and DiagnosticErrors where the disk is full
 */
export function rebuildIndex(layout: StoreLayout): Result<number> {
  mkdirSync(dirname(layout.index), { recursive: true });
  clearTemporary(dirname(layout.index));
  const aside = temporaryBeside(layout.index);
  try {
    const opened = IndexDb.open(aside, { readOnly: false, atOnce: true });
    if (!opened.ok) return opened;
    const index = opened.value;
    const removed = new Map<ActionKey, number>();
    for (const tree of loggedTrees(layout)) replayLog(index, new TraceLog(layout, tree), removed);
    const count = index.countTraces();
    index.closeNow();
    noteClosed(aside);
    step('rebuild:made');
    try {
      // An empty folder gives way.
      renameSync(aside, layout.index);
    } catch (cause) {
      if (errno(cause) !== 'ENOTEMPTY' && errno(cause) !== 'EEXIST') throw cause;
    }
    return ok(count);
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

/** Does a log, as far as it can be read, have whole lines that the index has not? */
export function isBehind(index: IndexDb, log: TraceLog): boolean {
  const known = index.logged(log.tree) ?? 0;
  return (
    unless(['ENOTDIR', 'EACCES'], () => {
      if ((log.size() ?? 0) <= known) return false;
      for (const _ of readLog(log, known)) return true;
      return false;
    }) ?? false
  );
}

/**
 * Takes the records of all logs into the index that it lacks. Of a build that runs too: what it writes after changes nothing.
 * @returns how many traces were taken. Throws a DiagnosticError where the disk is full
 */
export function takeRest(index: IndexDb, layout: StoreLayout): number {
  let taken = 0;
  for (const tree of loggedTrees(layout)) {
    const log = new TraceLog(layout, tree);
    if (isBehind(index, log)) taken += replayLog(index, log);
  }
  return taken;
}

/**
 * Takes the records of a log into the index that it lacks.
 * @param removed what earlier logs say was removed, and when
 * @returns how many traces were taken
 */
export function replayLog(index: IndexDb, log: TraceLog, removed = new Map<ActionKey, number>()): number {
  const { tree } = log;
  let taken = 0;
  let read = -1;
  let lines: Iterator<LogLine> = [].values();
  const take = (line: Buffer): void => {
    const record = readRecord(line);
    switch (record?.kind) {
      case undefined:
        return;
      case 'trace': {
        const { trace } = record;
        const known = index.getTrace(trace.actionKey);
        const gone = removed.get(trace.actionKey);
        if (gone !== undefined && gone >= trace.recordedAt) return;
        // Of two trees' records under one key the later stands.
        const stands = !known || known.recordedAt <= trace.recordedAt;
        const paths = trace.manifest.map((output) => join(trace.dir, output.path));
        index.takeResult(tree, trace, stands ? line.toString() : undefined, paths);
        taken++;
        return;
      }
      case 'current':
        if (record.actionKey === undefined) index.clearCurrent(tree, record.jobId);
        else index.setCurrent(tree, record.jobId, record.actionKey);
        return;
      case 'attempt':
        index.putAttempt(tree, record.attempt);
        return;
      case 'removed': {
        removed.set(record.actionKey, Math.max(record.at, removed.get(record.actionKey) ?? 0));
        const known = index.getTrace(record.actionKey);
        if (known && known.recordedAt <= record.at) index.forgetTrace(record.actionKey);
        return;
      }
      case 'newer':
        index.restoreNewer(record.actionKey, line);
    }
  };
  for (let done = false; !done;) {
    index.withoutLog(() => {
      // Within the transaction: another process may have taken them meanwhile.
      const known = index.logged(tree) ?? 0;
      if (known > read) {
        read = known;
        lines = readLog(log, known);
      }
      for (let count = 0; count < BATCH; count++) {
        const next = lines.next();
        if (next.done) {
          done = true;
          break;
        }
        take(next.value.line);
        read = next.value.end;
      }
      index.setLogged(tree, read);
    });
  }
  return taken;
}

/**
 * Adds to a work tree's log what is in the index and in no log: all of it, where there was none.
 * @returns how many results were added. Throws a DiagnosticError where the disk is full
 */
export function completeLog(index: IndexDb, layout: StoreLayout, log: TraceLog): number {
  const missing = missingLines(index, layout);
  const lines = [...missing];
  const size = log.size();
  if (size === undefined || lines.length > 0) {
    // What the tree holds comes last, for the last line of a job says it.
    for (const { jobId, actionKey } of index.allCurrent(log.tree)) lines.push(currentLine(jobId, actionKey));
    for (const attempt of index.allAttempts(log.tree)) if (attempt.state === 'failed') lines.push(attemptLine(attempt));
  }
  if (size === undefined) index.setLogged(log.tree, log.create(lines));
  else index.setLogged(log.tree, lines.length > 0 ? log.append(lines) : size);
  return missing.length;
}

/** The lines of results that are in the index and in no log, the oldest first. */
export function missingLines(index: IndexDb, layout: StoreLayout): string[] {
  const sums = lastSums(layout);
  const missing: { readonly line: string; readonly recordedAt: number }[] = [];
  for (const { actionKey, trace, newer } of index.allTraces()) {
    const line = index.lineOf(actionKey);
    if (line === undefined || (!trace && !newer) || unseal(line) === undefined) continue;
    if (sums.get(actionKey) === line.toString('latin1', 0, SEAL)) continue;
    missing.push({ line: line.toString(), recordedAt: trace?.recordedAt ?? 0 });
  }
  missing.sort((a, b) => a.recordedAt - b.recordedAt);
  return missing.map(({ line }) => line);
}

/** The check sum of the last line of each trace in any log. */
function lastSums(layout: StoreLayout): Map<string, string> {
  const sums = new Map<string, string>();
  for (const tree of loggedTrees(layout)) {
    for (const { line } of readLog(new TraceLog(layout, tree))) {
      const record = readRecord(line);
      const key = record?.kind === 'trace' ? record.trace.actionKey : undefined;
      if (key !== undefined) sums.set(key, line.toString('latin1', 0, SEAL));
      else if (record?.kind === 'newer') sums.set(record.actionKey, line.toString('latin1', 0, SEAL));
    }
  }
  return sums;
}

/** The lines of traces by key, from all logs, read when the first is asked for. */
export function linesByKey(layout: StoreLayout): (key: ActionKey) => Buffer | undefined {
  let lines: Map<ActionKey, Buffer> | undefined;
  return (key) => {
    if (lines === undefined) {
      lines = new Map();
      for (const tree of loggedTrees(layout)) {
        for (const { line } of readLog(new TraceLog(layout, tree))) {
          const record = readRecord(line);
          if (record?.kind === 'trace') lines.set(record.trace.actionKey, line);
        }
      }
    }
    return lines.get(key);
  };
}
