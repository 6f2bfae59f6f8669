// lhb why: why a job would run, or last ran, down to config paths and file names.
import { diffParts } from '../../key/key-diff.ts';
import { fromDifference, inActualPaths, type Reason } from '../../plan/reason.ts';
import type { Step } from '../../plan/plan.ts';
import { reasonJson, reasonText } from '../../report/job-report.ts';
import { formatTime } from '../../report/format.ts';
import type { Trace } from '../../store/trace.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import type { CommonOptions, Word } from '../invocation.ts';
import { nearestEarlier, unkeyedOf, type Near } from '../nearest-job.ts';
import { fail, findKnown, planOf, withWorkspace } from '../query.ts';
import type { Screen } from '../screen.ts';
import type { Workspace } from '../workspace.ts';

export const why = (common: CommonOptions, selector: Word, screen: Screen): Promise<ExitCode> =>
  withWorkspace(common, screen, false, (workspace) => {
    const found = findKnown(workspace, selector);
    if (!found.ok) return fail(screen, found.error);
    if ('record' in found.value) return ofRecord(screen, workspace, found.value.record);
    const planned = planOf(workspace, [{ ...selector, text: found.value.job.id }]);
    if (!planned.ok) return fail(screen, planned.error);
    const step = planned.value.plan.steps.get(found.value.job);
    if (step === undefined) return EXIT.ok;
    explain(screen, workspace, step);
    return EXIT.ok;
  });

function explain(screen: Screen, workspace: Workspace, step: Step): void {
  const { job } = step;
  const near = step.reasons.some((r) => r.kind === 'new') ? nearestEarlier(workspace, { job }) : undefined;
  const result = step.judgement.trace ?? step.judgement.current;
  const last = result && workspace.records.trace(result.actionKey);
  if (screen.json) {
    screen.document({
      id: job.id,
      rule: job.rule.name,
      status: step.status,
      plan: step.action,
      reasons: [...step.reasons, ...(near?.reasons ?? [])].map(reasonJson),
      nearest: near?.head.jobId ?? null,
      ...lastRunJson(workspace, last),
    });
    return;
  }
  screen.line(`${job.id} (${job.rule.name}${job.label ? ` ${job.label}` : ''}): ${step.status}, plan ${step.action}`);
  for (const reason of step.reasons) screen.line(`  ${reasonLine(reason)}`);
  if (near !== undefined) printNear(screen, near, '  ');
  if (last !== undefined) printLastRun(screen, workspace, last);
}

/** The job that comes nearest, and each difference on a line of its own. */
function printNear(screen: Screen, near: Near, indent: string): void {
  const built = formatTime(near.head.recordedAt);
  const label = near.head.label === '' ? '' : ` ${near.head.label}`;
  const end = near.reasons.length > 0 ? '; from there to here:' : ', with the same config, below other jobs';
  screen.line(`${indent}nearest earlier job of the rule: ${near.head.jobId}${label}, built ${built}${end}`);
  for (const reason of near.reasons) screen.line(`${indent}  ${reasonLine(reason)}`);
}

/** Why the result on record was made: the parts of its key that the result before it had otherwise. */
type LastRun = { readonly reasons: readonly Reason[]; readonly near: Near | undefined };

function lastRun(workspace: Workspace, last: Trace): LastRun {
  const { records, index, graph } = workspace;
  const unkeyed = unkeyedOf(workspace, last.rule);
  const since = (before: Trace | undefined): Reason[] =>
    before ? diffParts(before, last, unkeyed).map((found) => inActualPaths(fromDifference(found), graph.form)) : [];
  if (last.before !== undefined) return { reasons: since(records.trace(last.before)), near: undefined };
  // Where it is not noted what stood before: mostly what was made before, under another key. `tracesOf` is newest first.
  const older = index
    .tracesOf(last.jobId)
    .find((trace) => trace.recordedAt < last.recordedAt && trace.actionKey !== last.actionKey);
  if (older === undefined)
    return { reasons: [], near: nearestEarlier(workspace, { record: last }, last.usage.startedAt) };
  const reasons = since(older);
  const fits = last.reasons.length === 0 || reasons.every((reason) => last.reasons.includes(reasonText(reason)));
  return { reasons: fits ? reasons : [], near: undefined };
}

function lastRunJson(workspace: Workspace, last: Trace | undefined): Record<string, unknown> {
  if (last === undefined) return { last_built_at: null, last_reasons: [], last_differences: [], last_nearest: null };
  const { reasons, near } = lastRun(workspace, last);
  return {
    last_built_at: new Date(last.usage.finishedAt * 1000).toISOString(),
    last_reasons: last.reasons,
    last_differences: [...reasons, ...(near?.reasons ?? [])].map(reasonJson),
    last_nearest: near?.head.jobId ?? null,
  };
}

function printLastRun(screen: Screen, workspace: Workspace, last: Trace): void {
  const { reasons, near } = lastRun(workspace, last);
  const because = last.reasons.length > 0 ? `, because: ${last.reasons.join('; ')}` : '';
  screen.line(`  last ran ${formatTime(last.usage.finishedAt)}${because}`);
  for (const reason of reasons) {
    const line = reasonLine(reason);
    if (!last.reasons.includes(line)) screen.line(`    ${line}`);
  }
  if (near !== undefined) printNear(screen, near, '    ');
}

/** A reason in a line, with both values where it has two that a reader can use. */
function reasonLine(reason: Reason): string {
  const text = reasonText(reason);
  const digests = [reason.old, reason.new].every((v) => v === undefined || /^[0-9a-f]{64}$/.test(v));
  if (!digests || (reason.old === undefined && reason.new === undefined)) return text;
  return `${text} (${reason.old?.slice(0, 12) ?? 'absent'} → ${reason.new?.slice(0, 12) ?? 'absent'})`;
}

function ofRecord(screen: Screen, workspace: Workspace, trace: Trace): ExitCode {
  if (screen.json) {
    const { jobId: id, rule } = trace;
    screen.document({
      id,
      rule,
      status: null,
      plan: 'none',
      reasons: [],
      nearest: null,
      ...lastRunJson(workspace, trace),
    });
    return EXIT.ok;
  }
  screen.line(`${trace.jobId} (${trace.rule}${trace.label ? ` ${trace.label}` : ''}): no longer in the workflow`);
  printLastRun(screen, workspace, trace);
  return EXIT.ok;
}
