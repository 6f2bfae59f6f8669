// Every sentence about jobs, outcomes, reasons and counts. Text that comes from elsewhere is made safe for a terminal.
import { unreachable } from '../base/invariant.ts';
import type { CacheCounts } from '../cache/tiers.ts';
import type { Outcome } from '../execute/executor.ts';
import type { ReasonKind } from '../plan/reason.ts';
import type { Counts, JobRef, Left } from '../schedule/event.ts';
import { formatBytes, formatCount, formatDuration, safeText } from './format.ts';
import { changedWords } from './word-diff.ts';

/** `run_sampler n=5,mu=0.1 (run_3f9a0c55d1e2)`; without a label just rule and id. */
export function jobName(job: JobRef): string {
  const label = job.label === '' || job.label === job.id ? '' : ` ${safeText(job.label)}`;
  return `${safeText(job.rule)}${label} (${safeText(job.id)})`;
}

/** How a job ended, in a few words that follow `JOB: `. */
export function describeOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'success':
      return 'done';
    case 'exit-code':
      return `exit code ${outcome.code}`;
    case 'signal':
      return `killed by ${safeText(outcome.signal)}`;
    case 'timed-out':
      return `timed out after ${formatDuration(outcome.limitS)}`;
    case 'spawn-failed':
      return `could not be started: ${safeText(outcome.message)}`;
    case 'submit-failed':
      return `could not be submitted: ${safeText(outcome.message)}`;
    case 'never-starts':
      return `never starts (${safeText(outcome.reason)}): ${safeText(outcome.message)}`;
    case 'out-of-memory':
      return 'out of memory (OOM): it needs more than it asked for; raise mem_mb, or let retries do it with `attempt`';
    case 'over-time':
      return 'over its time limit (TIMEOUT): raise its time, or let retries do it with `attempt`';
    case 'node-failed':
      return 'its node failed (NODE_FAIL)';
    case 'cancelled-outside':
      return 'cancelled (CANCELLED) by someone, not by lhb';
    case 'scheduler-failed':
      return `failed (FAILED) before it could say why${outcome.reason === '' ? '' : `: ${safeText(outcome.reason)}`}`;
    case 'vanished':
      return 'LOST: the scheduler knows it no more, and it left no word of how it ended';
    case 'cancelled':
      return 'cancelled';
    case 'called-off':
      return 'not begun';
    case 'lost':
      return 'gone without a word of how it ended';
    case 'output-missing':
      return `${list(outcome.paths, 'output')} not made`;
    case 'output-invalid':
      return safeText(outcome.message);
    case 'inputs-changed':
      return `inputs changed while running: ${outcome.paths.map(safeText).join(', ')}`;
    case 'capture-failed':
      return `outputs could not be recorded: ${safeText(outcome.message)}`;
    default:
      return unreachable(outcome);
  }
}

function list(paths: readonly string[], what: string): string {
  return `${paths.length === 1 ? what : `${what}s`} ${paths.map(safeText).join(', ')}`;
}

/** Old and new values longer than this are told by the words that differ. */
const LONG_VALUE = 60;

/** What an upstream job is about to do, behind its id. */
const PENDING = { run: 'will run', restore: 'will be restored', check: 'may change' } as const;

/**
 * One reason why a job would run, or ran, in a line. `path`: the config path, file, variable or output; `old` and `new`:
 * values or digests, undefined where there is none on that side (something was added or removed); `pending`: of an upstream
 * job that has not changed yet, what it is about to do.
 */
export function describeReason(
  kind: ReasonKind,
  path: string | undefined,
  old: string | undefined,
  now: string | undefined,
  pending?: 'run' | 'restore' | 'check',
): string {
  const name = path === undefined || path === '' ? '' : ` ${safeText(path)}`;
  switch (kind) {
    case 'config':
    case 'env':
      return `${kind}${name}${change(old, now)}`;
    case 'command':
      return `command${change(old, now) || ' changed'}`;
    case 'outputs':
      return `outputs${name}${change(old, now) || ' changed'}`;
    case 'code':
    case 'input':
      // What changed is told by digests, which say nothing to a reader.
      return `${kind}${name} ${verb(old, now)}`;
    case 'upstream':
      return `upstream${name} ${pending === undefined ? verb(old, now) : PENDING[pending]}`;
    case 'new':
      return 'new: no result on record';
    case 'missing':
      return `missing:${name || ' outputs are gone from disk'}`;
    case 'edited':
      return `edited:${name || ' outputs on disk are not the ones on record'}`;
    case 'evicted':
      return `evicted:${name || ' the result is no longer in the store'}`;
    case 'failed':
      return `failed last time${now === undefined ? '' : `: ${safeText(now)}`}`;
    case 'incomplete':
      return 'incomplete: begun and cut off last time';
    case 'forced':
      return 'forced';
    default:
      return unreachable(kind);
  }
}

/** The reasons of one job as `describeReasons` takes them. */
export type ReasonWords = {
  readonly kind: ReasonKind;
  readonly path: string;
  readonly old: string | undefined;
  readonly new: string | undefined;
  readonly pending?: 'run' | 'restore' | 'check';
};

/** Of each kind this many reasons are told, the rest counted; a config path is worth more room than a file. */
const TOLD = 3;
const TOLD_SETTINGS = 8;

/**
 * All reasons of one job in a line: `code train.sh changed; upstream a, b, c and 7 more will run`. Of each kind the first
 * few are told and the others counted.
 */
export function describeReasons(reasons: readonly ReasonWords[]): string {
  const [first, second] = reasons;
  if (first === undefined) return '';
  if (second === undefined) return describeOne(first);
  // The usual cases without the lists that the others take: a plan may be told of a hundred thousand jobs.
  if (reasons.length === 2 && first.kind !== second.kind) return `${describeOne(first)}; ${describeOne(second)}`;
  const groups = new Map<string, ReasonWords[]>();
  for (const reason of reasons) {
    const name = `${reason.kind} ${reason.pending ?? ''}`;
    const group = groups.get(name);
    if (group) group.push(reason);
    else groups.set(name, [reason]);
  }
  return [...groups.values()].map(describeGroup).join('; ');
}

const describeOne = (r: ReasonWords): string => describeReason(r.kind, r.path, r.old, r.new, r.pending);

function describeGroup(group: readonly ReasonWords[]): string {
  const [first] = group;
  if (first === undefined) return '';
  const { kind, pending } = first;
  const told = group.slice(0, kind === 'config' || kind === 'env' ? TOLD_SETTINGS : TOLD);
  const more = group.length > told.length ? ` and ${group.length - told.length} more` : '';
  if (pending !== undefined)
    return `upstream ${told.map((r) => safeText(r.path)).join(', ')}${more} ${PENDING[pending]}`;
  return told.map((r) => describeReason(r.kind, r.path, r.old, r.new)).join('; ') + more;
}

function verb(old: string | undefined, now: string | undefined): string {
  if (old === undefined && now !== undefined) return 'added';
  if (old !== undefined && now === undefined) return 'removed';
  return 'changed';
}

/** `: 0.1 → 0.2`, `: added, 0.2`, `: removed, was 0.1`; '' where neither side is known. */
function change(old: string | undefined, now: string | undefined): string {
  if (old === undefined && now === undefined) return '';
  if (old === undefined) return `: added, ${short(now ?? '')}`;
  if (now === undefined) return `: removed, was ${short(old)}`;
  if (old.length <= LONG_VALUE && now.length <= LONG_VALUE) return `: ${safeText(old)} → ${safeText(now)}`;
  const [from, to] = changedWords(old, now);
  return `: ${safeText(from)} → ${safeText(to)}`;
}

const short = (text: string): string => safeText(text.length > LONG_VALUE ? `${text.slice(0, LONG_VALUE)}…` : text);

/**
 * The last line of a build: `built 12, fresh 100, failed 1 in 3 m 04 s`, with the counts that are not zero, or
 * `nothing to do: 115 jobs fresh`.
 */
export function describeCounts(counts: Counts, durationS: number): string {
  const names = ['built', 'restored', 'fresh', 'failed', 'skipped', 'cancelled'] as const;
  const parts = names.filter((name) => counts[name] > 0).map((name) => `${name} ${counts[name]}`);
  if (parts.length === 0) return 'nothing to do: no jobs';
  if (parts.length === 1 && counts.fresh > 0) return `nothing to do: ${formatCount(counts.fresh, 'job')} fresh`;
  return `${parts.join(', ')} in ${formatDuration(durationS)}`;
}

/** Of jobs that go on without a build: how to come back to them. */
export function describeLeft({ running, to_begin: toBegin }: Left): string {
  const more = toBegin === 0 ? '' : `, ${formatCount(toBegin, 'job')} still to begin`;
  const what = running === 0 ? 'nothing is' : `${formatCount(running, 'job')} left`;
  return `${what} with the scheduler${more}: lhb build comes back to them, lhb jobs lists them, lhb cancel ends them`;
}

/**
 * What shared caches gave: `cache: 12 local, 3 lab (2.1 GB, saved 5 h 12 m), 1 uploaded`; undefined where there is nothing
 * to tell.
 */
export function describeCaches(counts: CacheCounts): string | undefined {
  const gave = counts.caches
    .filter(({ jobs }) => jobs > 0)
    .map((c) => `${c.jobs} ${safeText(c.name)} (${formatBytes(c.bytes)}, saved ${formatDuration(c.saved_s)})`);
  const parts = [
    ...(counts.local > 0 || gave.length > 0 ? [`${counts.local} local`] : []),
    ...gave,
    ...(counts.uploaded > 0 ? [`${counts.uploaded} uploaded`] : []),
    ...(counts.waiting > 0 ? [`${counts.waiting} to upload later`] : []),
  ];
  return parts.length === 0 ? undefined : `cache: ${parts.join(', ')}`;
}

export type PlanCounts = {
  readonly run: number;
  readonly check: number;
  readonly restore: number;
  readonly none: number;
};

/** The last line of a dry run: `would run 12, check 3, restore 2; 100 jobs fresh`. */
export function describePlan(counts: PlanCounts): string {
  const verbs = ['run', 'check', 'restore'] as const;
  const parts = verbs.filter((verb_) => counts[verb_] > 0).map((verb_) => `${verb_} ${counts[verb_]}`);
  const fresh = `${formatCount(counts.none, 'job')} fresh`;
  if (parts.length === 0) return counts.none === 0 ? 'nothing to do: no jobs' : `nothing to do: ${fresh}`;
  return `would ${parts.join(', ')}${counts.none > 0 ? `; ${fresh}` : ''}`;
}
