// lhb show: one job's record. lhb ls: outputs by path.
import { toJsonText } from '../../base/value.ts';
import { inputPaths } from '../../graph/inputs.ts';
import { plainConfig } from '../../graph/plain.ts';
import { originText } from '../../report/detailed-cells.ts';
import { jobJson, reasonsText } from '../../report/job-report.ts';
import { formatBytes, formatDuration, formatTime } from '../../report/format.ts';
import type { Step } from '../../plan/plan.ts';
import { manifestSize } from '../../store/manifest.ts';
import type { Trace } from '../../store/trace.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import type { CommonOptions, Word } from '../invocation.ts';
import { fail, findKnown, planOf, shownCommand, withWorkspace } from '../query.ts';
import type { Screen } from '../screen.ts';
import type { Workspace } from '../workspace.ts';

export const show = (common: CommonOptions, selector: Word, screen: Screen): Promise<ExitCode> =>
  withWorkspace(common, screen, false, (workspace) => {
    const found = findKnown(workspace, selector);
    if (!found.ok) return fail(screen, found.error);
    if ('record' in found.value) {
      const { record } = found.value;
      const command = workspace.graph.form.actual(record.command);
      if (screen.json) screen.document({ id: record.jobId, ...record, command });
      else printFields(screen, [...recordFields({ ...record, command }), ['workflow', 'no longer has this job']]);
      return EXIT.ok;
    }
    const { job } = found.value;
    const planned = planOf(workspace, [{ ...selector, text: job.id }]);
    if (!planned.ok) return fail(screen, planned.error);
    const step = planned.value.plan.steps.get(job);
    if (step === undefined) return EXIT.ok;
    if (screen.json) {
      const { trace } = step.judgement;
      screen.document({
        ...jobJson(step),
        command: shownCommand(workspace, job) ?? null,
        parts: step.judgement.key?.parts ?? [],
        manifest: trace?.manifest ?? null,
        last_attempt: step.judgement.attempt ?? null,
      });
    } else printFields(screen, jobFields(workspace, step));
    return EXIT.ok;
  });

type Field = readonly [name: string, value: string];

function jobFields(workspace: Workspace, step: Step): Field[] {
  const { job, judgement } = step;
  const result = judgement.trace ?? judgement.current;
  const trace = result && workspace.records.trace(result.actionKey);
  const reasons = reasonsText(step.reasons);
  return [
    ['id', job.id],
    ['rule', job.rule.name],
    ['label', job.label],
    ['status', step.status + (reasons === '' ? '' : `: ${reasons}`)],
    ['plan', step.action],
    ['dir', job.dir],
    ['command', shownCommand(workspace, job) ?? ''],
    ['inputs', inputPaths(job).join('\n')],
    ['code', job.code.join('\n')],
    ['outputs', job.outputs.map((o) => job.pathOf(o) + (o.tree ? '/' : '')).join('\n')],
    ['upstream', job.upstream.map((other) => `${other.id} (${other.rule.name})`).join('\n')],
    ['config', toJsonText(plainConfig(job), 2)],
    ['log', job.log],
    ['job hash', job.hash],
    ['action key', judgement.key?.key ?? ''],
    ...(trace ? recordFields(trace).filter(([name]) => RESULT_FIELDS.has(name)) : []),
    ...(judgement.attempt ? ([['last attempt', attemptText(judgement.attempt)]] as const) : []),
  ];
}

const RESULT_FIELDS = new Set([
  'built',
  'duration',
  'used',
  'size',
  'resources',
  'attempts',
  'host',
  'executor',
  'origin',
  'files',
]);

const attemptText = (attempt: { attempt: number; state: string; reason: string; host: string }): string =>
  `number ${attempt.attempt} on ${attempt.host}: ${attempt.state === 'failed' ? attempt.reason : 'begun and not ended'}`;

function recordFields(trace: Trace): Field[] {
  const { usage } = trace;
  const used = [
    usage.cpuS === undefined ? '' : `cpu ${formatDuration(usage.cpuS)}`,
    usage.maxRssMb === undefined ? '' : `memory ${usage.maxRssMb.toFixed(0)} MB`,
  ];
  const files = trace.manifest.flatMap((output) =>
    output.entries.map((e) => {
      const path = [output.path, e.path].filter((p) => p !== '').join('/');
      if (e.type === 'file')
        return `${e.digest.slice(0, 12)}  ${formatBytes(e.size)}  ${path}${e.exec ? ' (executable)' : ''}`;
      return e.type === 'link' ? `link to ${e.target}  ${path}` : `folder  ${path}/`;
    }),
  );
  return [
    ['id', trace.jobId],
    ['rule', trace.rule],
    ['label', trace.label],
    ['built', formatTime(usage.finishedAt)],
    ['duration', formatDuration(usage.wallS)],
    ['used', used.filter((u) => u !== '').join(', ')],
    ['size', formatBytes(manifestSize(trace.manifest))],
    [
      'resources',
      Object.entries(trace.resources)
        .map(([n, v]) => `${n}=${v}`)
        .join(' '),
    ],
    ['attempts', String(trace.attempts)],
    ['host', trace.host],
    ['executor', trace.executor + (trace.executorJob ? ` ${trace.executorJob}` : '')],
    ['origin', originText(trace)],
    ['command', trace.command],
    ['config', trace.config],
    ['log', trace.log],
    ['action key', trace.actionKey],
    ['files', files.join('\n')],
  ];
}

function printFields(screen: Screen, fields: readonly Field[]): void {
  const width = Math.max(...fields.map(([name]) => name.length));
  for (const [name, value] of fields) {
    if (value === '') continue;
    value
      .trimEnd()
      .split('\n')
      .forEach((line, i) => screen.line(`${(i === 0 ? name : '').padEnd(width)}  ${line}`));
  }
}

export const ls = (common: CommonOptions, selectors: readonly Word[], screen: Screen): Promise<ExitCode> =>
  withWorkspace(common, screen, false, (workspace) => {
    const { graph } = workspace;
    const selected = selectors.length > 0 ? workspace.select(selectors) : undefined;
    if (selected?.ok === false) return fail(screen, selected.error);
    const rows = graph.jobs
      .filter((job) => selected === undefined || selected.value.has(job))
      .flatMap((job) =>
        job.outputs.map((o) => ({
          path: job.pathOf(o) + (o.tree ? '/' : ''),
          id: job.id,
          rule: job.rule.name,
          name: o.name,
        })),
      );
    if (screen.json) screen.document({ outputs: rows });
    else screen.paths(rows.map((row) => row.path));
    return EXIT.ok;
  });
