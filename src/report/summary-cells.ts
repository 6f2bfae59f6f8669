// A row of `lhb summary`, apart from what else is told of jobs: it may be all that a command needs.
import { formatBytes, formatDuration, formatTime } from './format.ts';
import type { Column } from './table.ts';

const STATUS_TONES = {
  FRESH: 'green',
  STALE: 'yellow',
  MISSING: 'yellow',
  NEW: 'cyan',
  RUNNING: 'blue',
  FAILED: 'red',
  INCOMPLETE: 'red',
} as const;

const statusTone = (cell: string): (typeof STATUS_TONES)[keyof typeof STATUS_TONES] | undefined =>
  STATUS_TONES[cell as keyof typeof STATUS_TONES];

export const SUMMARY_COLUMNS: readonly Column[] = [
  { title: 'id' },
  { title: 'rule' },
  { title: 'status', tone: statusTone },
  { title: 'plan' },
  { title: 'built' },
  { title: 'duration', align: 'right' },
  { title: 'size', align: 'right' },
  { title: 'reason' },
];

/** @param finished the result that the row speaks of: when its run ended (seconds since the epoch), how long it took */
export const summaryCells = (
  id: string,
  rule: string,
  status: string,
  plan: string,
  finished: { readonly at: number; readonly seconds: number; readonly bytes: number } | undefined,
  reasons: string,
): string[] => [
  id,
  rule,
  status,
  plan,
  finished ? formatTime(finished.at) : '-',
  finished ? formatDuration(finished.seconds) : '-',
  finished ? formatBytes(finished.bytes) : '-',
  reasons || '-',
];
