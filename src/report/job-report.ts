// A job's standing as a row for people and as JSON for scripts.
import { toJsonText } from '../base/value.ts';
import { inputPaths } from '../graph/inputs.ts';
import type { Job } from '../graph/job.ts';
import { plainConfig } from '../graph/plain.ts';
import type { Reason } from '../plan/reason.ts';
import type { Step } from '../plan/plan.ts';
import { toldByJob } from '../plan/told.ts';
import { manifestSize, outputSize, type Manifest } from '../store/manifest.ts';
import type { TraceCore } from '../store/trace.ts';
import { detailedCells } from './detailed-cells.ts';
import { summaryCells } from './summary-cells.ts';
import { describeReason, describeReasons } from './wording.ts';

export type ReasonJson = {
  readonly kind: string;
  readonly detail: string;
  readonly path: string;
  readonly old: string | null;
  readonly new: string | null;
};

export const reasonText = (reason: Reason): string =>
  describeReason(reason.kind, reason.path, reason.old, reason.new, reason.pending);

/** All reasons of a job in a line; many of one kind are counted. */
export const reasonsText = (reasons: readonly Reason[]): string => describeReasons(reasons);

export const reasonJson = (reason: Reason): ReasonJson => ({
  kind: reason.kind,
  detail: reasonText(reason),
  path: reason.path,
  old: reason.old ?? null,
  new: reason.new ?? null,
});

/** The result that a row speaks of: the one for the key that holds, else what is on record. */
const resultOf = ({ trace, current }: Step['judgement']): TraceCore | undefined => trace ?? current;

export function summaryRow({ job, status, action, judgement, reasons }: Step): string[] {
  const result = resultOf(judgement);
  const finished = result && {
    at: result.usage.finishedAt,
    seconds: result.usage.wallS,
    bytes: manifestSize(result.manifest),
  };
  return summaryCells(job.id, job.rule.name, status, action, finished, reasonsText(reasons));
}

/** @param command the job's command as it would run now */
export function detailedRow(step: Step, command: string): string[] {
  const { job, judgement } = step;
  return detailedCells({
    summary: summaryRow(step),
    job: toldByJob(job, command),
    key: judgement.key?.key,
    result: resultOf(judgement),
    attempt: judgement.attempt,
    configDiff: step.reasons
      .filter((r) => r.kind === 'config')
      .map(reasonText)
      .join('; '),
  });
}

function sourceJson({ source, host }: TraceCore): Record<string, unknown> | null {
  if (source === undefined) return null;
  const { cache, keyId, user, at } = source;
  return { cache, key: keyId ?? null, user, host, at: new Date(at * 1000).toISOString() };
}

/** Everything about a job for scripts; `summary --json` and `build -n --json` are lists of these. */
export function jobJson(step: Step): Record<string, unknown> {
  const { job, judgement } = step;
  const result = resultOf(judgement);
  const { attempt } = judgement;
  return {
    id: job.id,
    rule: job.rule.name,
    label: job.label,
    status: step.status,
    plan: step.action,
    reasons: step.reasons.map(reasonJson),
    outputs: outputsJson(job, result?.manifest),
    inputs: inputPaths(job),
    upstream: job.upstream.map((other) => other.id),
    dir: job.dir,
    log: job.log,
    built_at: result ? new Date(result.usage.finishedAt * 1000).toISOString() : null,
    duration_s: result?.usage.wallS ?? null,
    cpu_s: result?.usage.cpuS ?? null,
    max_rss_mb: result?.usage.maxRssMb ?? null,
    size: result ? manifestSize(result.manifest) : null,
    hash: job.hash,
    action_key: judgement.key?.key ?? null,
    config: JSON.parse(toJsonText(plainConfig(job))) as unknown,
    resources: result?.resources ?? attempt?.resources ?? {},
    attempts: attempt?.attempt ?? result?.attempts ?? 0,
    host: result?.host ?? attempt?.host ?? null,
    executor: result?.executor ?? null,
    executor_job: result?.executorJob ?? null,
    origin: result?.origin ?? null,
    source: result ? sourceJson(result) : null,
  };
}

/** Declared outputs with size and digest of what is on record; a tree is one row, its digest that of its list. */
function outputsJson(job: Job, manifest: Manifest | undefined): unknown[] {
  return job.outputs.map((output) => {
    const recorded = manifest?.find((o) => o.path === output.inDir);
    const first = recorded?.entries[0];
    const digest = output.tree ? recorded?.keyDigest : first?.type === 'file' ? first.digest : undefined;
    return {
      name: output.name,
      path: job.pathOf(output) + (output.tree ? '/' : ''),
      size: recorded ? outputSize(recorded) : null,
      digest: digest ?? null,
    };
  });
}

/** `{"FRESH": 12, …}`: how many jobs have each status. */
export function countStatuses(steps: Iterable<Step>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status } of steps) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}
