// lhb why: why a job would run, or last ran, down to config paths and file names.
import { recordedConfig } from '../../graph/plain.ts';
import type { Job } from '../../graph/job.ts';
import { diffConfigs } from '../../key/key-diff.ts';
import { fromDifference, type Reason } from '../../plan/reason.ts';
import type { Step } from '../../plan/plan.ts';
import { reasonJson, reasonText } from '../../report/job-report.ts';
import { formatTime } from '../../report/format.ts';
import type { TraceHead } from '../../store/index-db.ts';
import type { Trace } from '../../store/trace.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import type { CommonOptions, Word } from '../invocation.ts';
import { fail, findKnown, planOf, withWorkspace } from '../query.ts';
import type { Screen } from '../screen.ts';
import type { Workspace } from '../workspace.ts';

export const why = (common: CommonOptions, selector: Word, screen: Screen): Promise<ExitCode> =>
  withWorkspace(common, screen, false, (workspace) => {
    const found = findKnown(workspace, selector);
    if (!found.ok) return fail(screen, found.error);
    if ('record' in found.value) return ofRecord(screen, found.value.record);
    const planned = planOf(workspace, [{ ...selector, text: found.value.job.id }]);
    if (!planned.ok) return fail(screen, planned.error);
    const step = planned.value.plan.steps.get(found.value.job);
    if (step === undefined) return EXIT.ok;
    explain(screen, workspace, step);
    return EXIT.ok;
  });

function explain(screen: Screen, workspace: Workspace, step: Step): void {
  const { job } = step;
  const near = step.reasons.some((r) => r.kind === 'new') ? nearestEarlier(workspace, job) : undefined;
  const reasons: Reason[] = [...step.reasons, ...(near?.reasons ?? [])];
  const last = step.judgement.trace ?? step.judgement.current;
  if (screen.json) {
    screen.document({
      id: job.id,
      rule: job.rule.name,
      status: step.status,
      plan: step.action,
      reasons: reasons.map(reasonJson),
      nearest: near?.head.jobId ?? null,
      last_built_at: last ? new Date(last.usage.finishedAt * 1000).toISOString() : null,
      last_reasons: last?.reasons ?? [],
    });
    return;
  }
  screen.text(`${job.id} (${job.rule.name}${job.label ? ` ${job.label}` : ''}): ${step.status}, plan ${step.action}\n`);
  for (const reason of step.reasons) screen.text(`  ${reasonLine(reason)}\n`);
  if (near !== undefined) {
    screen.text(`  nearest earlier job of the rule: ${near.head.jobId}, built ${formatTime(near.head.recordedAt)}\n`);
    for (const reason of near.reasons) screen.text(`    ${reasonLine(reason)}\n`);
  }
  if (last !== undefined) {
    const because = last.reasons.length > 0 ? `, because: ${last.reasons.join('; ')}` : '';
    screen.text(`  last ran ${formatTime(last.usage.finishedAt)}${because}\n`);
  }
}

/** A reason in a line, with both values where it has two that a reader can use. */
function reasonLine(reason: Reason): string {
  const text = reasonText(reason);
  const digests = [reason.old, reason.new].every((v) => v === undefined || /^[0-9a-f]{64}$/.test(v));
  if (!digests || (reason.old === undefined && reason.new === undefined)) return text;
  return `${text} (${reason.old?.slice(0, 12) ?? 'absent'} → ${reason.new?.slice(0, 12) ?? 'absent'})`;
}

type Near = { readonly head: TraceHead; readonly reasons: Reason[] };

/** The job on record of the same rule whose config differs least, the latest of these. */
function nearestEarlier(workspace: Workspace, job: Job): Near | undefined {
  const config = recordedConfig(job);
  let best: Near | undefined;
  for (const head of workspace.index.headsOfRule(job.rule.name)) {
    if (head.jobId === job.id) continue;
    const reasons = diffConfigs(head.config, config).map(fromDifference);
    // Newest first: of equally near ones the first stays.
    if (best === undefined || reasons.length < best.reasons.length) best = { head, reasons };
  }
  return best;
}

function ofRecord(screen: Screen, trace: Trace): ExitCode {
  if (screen.json) {
    screen.document({ id: trace.jobId, plan: 'none', reasons: [], last_reasons: trace.reasons });
    return EXIT.ok;
  }
  screen.text(`${trace.jobId} (${trace.rule}${trace.label ? ` ${trace.label}` : ''}): no longer in the workflow\n`);
  const because = trace.reasons.length > 0 ? `, because: ${trace.reasons.join('; ')}` : '';
  screen.text(`  last ran ${formatTime(trace.usage.finishedAt)}${because}\n`);
  return EXIT.ok;
}
