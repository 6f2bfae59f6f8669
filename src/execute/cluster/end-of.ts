// How a job that left no word of its own ended, in the words of its scheduler.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Outcome } from '../executor.ts';
import type { ClusterState, EndPatterns } from './profile.ts';

/** What is read of the scheduler's log. */
const TAIL_BYTES = 16_384;

/**
 * The outcome for a state of the scheduler's, or for what its own log of the job says; undefined where neither tells.
 * @param log the scheduler's log of the job, absolute
 */
export function endOf(
  state: ClusterState | undefined,
  reason: string,
  log: string | undefined,
  patterns: EndPatterns,
): Outcome | undefined {
  const named = state && outcomeOfState(state);
  if (named) return named;
  const text = log === undefined || patterns.size === 0 ? '' : tailOf(log);
  // What ended it comes first: a job over its memory is told as cancelled too.
  for (const kind of ['oom', 'timeout', 'node_fail', 'cancelled'] as const) {
    if (text !== '' && patterns.get(kind)?.test(text)) return outcomeOfState(kind);
  }
  if (state === 'failed') return { kind: 'scheduler-failed', reason };
  return undefined;
}

function outcomeOfState(state: ClusterState): Outcome | undefined {
  switch (state) {
    case 'oom':
      return { kind: 'out-of-memory' };
    case 'timeout':
      return { kind: 'over-time' };
    case 'node_fail':
      return { kind: 'node-failed' };
    case 'cancelled':
      return { kind: 'cancelled-outside' };
    case 'pending':
    case 'running':
    case 'ended':
    case 'failed':
    case 'lost':
      return undefined;
  }
}

function tailOf(path: string): string {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    const { size } = fstatSync(fd);
    const buffer = Buffer.alloc(Math.min(size, TAIL_BYTES));
    readSync(fd, buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString('latin1');
  } catch {
    return '';
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
