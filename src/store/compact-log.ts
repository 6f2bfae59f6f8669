// Trace logs without what is on record no more. After gc; the caller holds the lock of the own work tree, and no build runs
// in any other.
import type { ActionKey, JobId } from '../base/brand.ts';
import type { IndexDb } from './index-db.ts';
import type { StoreLayout } from './layout.ts';
import { attemptLine, currentLine, readRecord } from './log-record.ts';
import { loggedTrees, readLog, TraceLog } from './trace-log.ts';

/**
 * Writes each work tree's log anew, in place of the old one at once, with the lines that still count: the last of each trace
 * that the index has, then what the tree holds where these do not say it, then failed attempts. A kill between log and
 * index is found by the next that opens the index: its log is shorter than noted.
 */
export function compactLogs(index: IndexDb, layout: StoreLayout): void {
  for (const tree of loggedTrees(layout)) compact(index, layout, tree);
}

function compact(index: IndexDb, layout: StoreLayout, tree: string): void {
  const log = new TraceLog(layout, tree);
  const traces = new Map<ActionKey, { readonly line: string; readonly jobId: JobId | undefined }>();
  let before = 0;
  for (const { line } of readLog(log)) {
    before++;
    const record = readRecord(line);
    const key =
      record?.kind === 'trace' ? record.trace.actionKey : record?.kind === 'newer' ? record.actionKey : undefined;
    if (key === undefined) continue;
    // Of two lines of a trace the later counts, and it is the later of the job's.
    traces.delete(key);
    if (index.lineOf(key) === undefined) continue;
    traces.set(key, { line: line.toString(), jobId: record?.kind === 'trace' ? record.trace.jobId : undefined });
  }
  const lines = [...traces.values()].map(({ line }) => line);
  const last = new Map<JobId, ActionKey>();
  for (const [key, { jobId }] of traces) if (jobId !== undefined) last.set(jobId, key);
  for (const { jobId, actionKey } of index.allCurrent(tree)) {
    if (last.get(jobId) !== actionKey && index.getTrace(actionKey)) lines.push(currentLine(jobId, actionKey));
    last.delete(jobId);
  }
  // The tree holds none of these any more.
  for (const jobId of last.keys()) lines.push(currentLine(jobId, undefined));
  for (const attempt of index.allAttempts(tree)) if (attempt.state === 'failed') lines.push(attemptLine(attempt));
  if (lines.length < before - 1) index.replaceLog(log, lines);
}
