// The lines that an event is told in, the same on a terminal and elsewhere.
import type { BuildEvent, JobRef } from '../schedule/event.ts';
import { formatCount, formatDuration, safeLines, safeLogLine, safeText } from './format.ts';
import type { FailedEvent, Progress, StartedEvent } from './progress.ts';
import type { ReportOptions } from './reporter.ts';
import type { Tone } from './style.ts';
import type { Line } from './text-width.ts';
import { describeCaches, describeCounts, describeLeft, describeOutcome, jobName } from './wording.ts';

const INDENT = '    ';
/** Failed jobs listed again at the end, and reasons of one job; more are counted. */
const MOST_FAILED = 20;
const MOST_REASONS = 8;

/** Is it a start that tells more than that one more job runs: of a job that an earlier build started? */
export const isAdoption = (event: BuildEvent): boolean => event.event === 'job-started' && event.adopted !== undefined;

/** How far the build was at an event. */
export type At = Pick<Progress, 'done' | 'total'>;

/** Does this verbosity show the event at all? */
export function isShown(event: BuildEvent, { verbosity }: ReportOptions): boolean {
  switch (event.event) {
    case 'build-started':
      return false;
    case 'job-started':
      return verbosity !== 'quiet';
    case 'job-finished':
      return verbosity === 'verbose' || (verbosity === 'normal' && event.result === 'built');
    case 'job-failed':
      return verbosity !== 'quiet' || !event.will_retry;
    case 'job-skipped':
    case 'job-cancelled':
      return verbosity === 'verbose';
    case 'message':
      return verbosity !== 'quiet' || event.level !== 'info';
    case 'build-finished':
      return true;
  }
}

/** The lines for an event that is shown. `at` counts the event already. */
export function eventLines(event: BuildEvent, at: At, options: ReportOptions): Line[] {
  switch (event.event) {
    case 'build-started':
      return [];
    case 'job-started':
      return startedLines(event, at, options.reasons);
    case 'job-finished': {
      if (event.result === 'fresh') return [jobLine(at, 'dim', 'fresh', event, '')];
      const isVerbose = options.verbosity === 'verbose';
      const memory = event.max_rss_mb === undefined || !isVerbose ? '' : `, ${Math.round(event.max_rss_mb)} MB`;
      const bytes = event.unchanged ? ', same bytes as before' : event.changed ? ', other bytes than before' : '';
      return [jobLine(at, 'green', event.result, event, ` in ${formatDuration(event.duration_s)}${memory}${bytes}`)];
    }
    case 'job-failed':
      return failedLines(event, at);
    case 'job-skipped':
      return [jobLine(at, 'dim', 'skipped', event, `: ${safeText(event.because)}`)];
    case 'job-cancelled':
      return [jobLine(at, 'dim', 'cancelled', event, '')];
    case 'message':
      return messageLines(event.level, event.text);
    case 'build-finished': {
      const { counts } = event;
      const tone = counts.failed > 0 ? 'red' : counts.cancelled > 0 ? 'yellow' : 'green';
      const caches = event.cache && describeCaches(event.cache);
      const left = event.left && describeLeft(event.left);
      const all = left === undefined || Object.values(counts).some((count) => count > 0);
      return [
        ...(all ? [[[tone, describeCounts(counts, event.duration_s)] satisfies Line[number]]] : []),
        ...(caches === undefined ? [] : [[caches]]),
        ...(left === undefined ? [] : [[left]]),
      ];
    }
  }
}

function jobLine(at: At, tone: Tone, word: string, job: JobRef, rest: string): Line {
  const total = String(at.total);
  const counter = `[${String(at.done).padStart(total.length)}/${total}] `;
  return [['dim', counter], [tone, word.padEnd('restored'.length)], ` ${jobName(job)}`, rest];
}

function startedLines(event: StartedEvent, at: At, reasons: boolean): Line[] {
  const attempt = event.attempt > 1 ? `, attempt ${event.attempt}` : '';
  const shown = reasons ? event.reasons.slice(0, MOST_REASONS) : [];
  const more = reasons ? event.reasons.length - shown.length : 0;
  const since = event.since ?? event.time;
  const ran =
    event.adopted === 'ended'
      ? ', which ended while no lhb watched'
      : event.adopted === 'running'
        ? `, running for ${formatDuration(Math.max(0, event.time - since))}`
        : '';
  return [
    jobLine(at, 'cyan', event.adopted === undefined ? 'started' : 'adopted', event, attempt + ran),
    ...shown.map((reason): Line => [['dim', `${INDENT}${safeText(reason)}`]]),
    ...(more > 0 ? [[['dim', `${INDENT}and ${formatCount(more, 'more reason')}`] as const]] : []),
  ];
}

/** Of a time-out it is said how long it took already, and of the others nothing was begun. */
const TIMELESS = new Set<FailedEvent['outcome']['kind']>([
  'timed-out',
  'spawn-failed',
  'submit-failed',
  'never-starts',
]);

/** What to do where nobody can tell which of two contents a job has read. */
const touchLine = ({ id }: FailedEvent): Line => [
  [
    'dim',
    `${INDENT}it may have read what was there before, or after; \`lhb touch ${safeText(id)}\` takes its outputs all the same`,
  ],
];

function failedLines(event: FailedEvent, at: At): Line[] {
  const attempt = event.attempt > 1 || event.will_retry ? `, attempt ${event.attempt}` : '';
  const retry = event.will_retry ? '; it is tried again' : '';
  const took = TIMELESS.has(event.outcome.kind) ? '' : ` after ${formatDuration(event.duration_s)}`;
  const how = `: ${describeOutcome(event.outcome)}${took}${attempt}${retry}`;
  const line = jobLine(at, event.will_retry ? 'yellow' : 'red', 'failed', event, how);
  // Of an attempt that is not the last one the log is kept, and is worth no screenful.
  const tail = event.will_retry ? [] : event.log_tail;
  const isMixed = event.outcome.kind === 'inputs-changed';
  return [
    line,
    ...(isMixed ? [touchLine(event)] : []),
    ...tail.map((text): Line => [['dim', `${INDENT}| `], safeLogLine(text)]),
    [['dim', `${INDENT}log: ${safeText(event.log)}${event.log_tail.length === 0 ? ' (empty)' : ''}`]],
  ];
}

function messageLines(level: 'info' | 'warning' | 'error', text: string): Line[] {
  const [first = '', ...rest] = safeLines(text).split('\n');
  const tone = level === 'error' ? 'red' : 'yellow';
  const line: Line = level === 'info' ? [first] : [[tone, `${level}:`], ` ${first}`];
  // So that no line of it passes for one of lhb's own.
  return [line, ...rest.map((more): Line => [INDENT + more])];
}

/** The jobs that failed for good, once more, for the end of a build. */
export function failureList(failed: readonly FailedEvent[]): Line[] {
  if (failed.length === 0) return [];
  const shown = failed.slice(0, MOST_FAILED);
  const more = failed.length - shown.length;
  return [
    [['red', `${formatCount(failed.length, 'job')} failed:`]],
    ...shown.map((event): Line => [
      `${INDENT}${jobName(event)}: ${describeOutcome(event.outcome)}, log ${safeText(event.log)}`,
    ]),
    ...(more > 0 ? [[`${INDENT}and ${more} more: lhb summary`]] : []),
  ];
}
