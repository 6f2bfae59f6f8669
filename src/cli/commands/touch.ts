// lhb touch: accepts the outputs on disk as current.
import { hostname } from 'node:os';
import { error, type Diagnostic } from '../../base/diagnostic.ts';
import { outcomeOf } from '../../execute/output-problem.ts';
import type { Job } from '../../graph/job.ts';
import { withUpstream } from '../../graph/graph.ts';
import type { Step } from '../../plan/plan.ts';
import { formatCount } from '../../report/format.ts';
import { describeOutcome } from '../../report/wording.ts';
import type { Manifest } from '../../store/manifest.ts';
import type { Trace, TraceCore } from '../../store/trace.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import type { CommonOptions, Word } from '../invocation.ts';
import { fail } from '../query.ts';
import type { Screen } from '../screen.ts';
import { stillRunning, underLock } from '../under-lock.ts';
import type { Workspace } from '../workspace.ts';
import { subjectOf } from '../../plan/subject.ts';

export const touch = (common: CommonOptions, selectors: readonly Word[], screen: Screen): Promise<ExitCode> =>
  underLock(
    common,
    screen,
    async (workspace) => {
      const selected = workspace.select(selectors);
      if (!selected.ok) return fail(screen, selected.error);
      const problems: Diagnostic[] = [];
      const touched: string[] = [];
      const made = new Map<Job, Manifest>();
      const needed = withUpstream(selected.value);
      const running = stillRunning(workspace);
      // In topological order, so that a job below sees what was just accepted above it.
      for (const job of workspace.graph.jobs.filter((j) => needed.has(j))) {
        const manifestOf = (other: Job): Manifest | undefined => made.get(other);
        const judgement = workspace.rebuilder.judge(job, manifestOf);
        const standing = judgement.status === 'FRESH' ? judgement.trace : (judgement.current ?? judgement.trace);
        if (standing !== undefined) made.set(job, standing.manifest);
        if (!selected.value.has(job) || judgement.status === 'FRESH') continue;
        const runs = running(job.id, job.rule.name);
        if (runs !== undefined) {
          problems.push(runs);
          continue;
        }
        const result = await accept(workspace, job, judgement.key, standing);
        if (typeof result === 'string') {
          problems.push(error('touch/not-possible', `${job.rule.name} ${job.id}: ${result}`));
          continue;
        }
        made.set(job, result);
        touched.push(job.id);
      }
      if (problems.length > 0) screen.diagnostics(problems);
      else if (screen.json) screen.document({ touched });
      const fresh = selected.value.size - touched.length - problems.length;
      const rest = fresh > 0 ? `; ${formatCount(fresh, 'job')} fresh already` : '';
      screen.note(`touched ${formatCount(touched.length, 'job')}${rest}`);
      return problems.length > 0 ? EXIT.jobFailed : EXIT.ok;
    },
    (workspace) => workspace.select(selectors),
  );

/** Puts what is on disk on record for the key that holds now; a text says why that cannot be. */
async function accept(
  workspace: Workspace,
  job: Job,
  key: Step['judgement']['key'],
  standing: TraceCore | undefined,
): Promise<Manifest | string> {
  if (key === undefined) return 'a job that it reads from has no result yet';
  const captured = await workspace.records.capture(job);
  if (!captured.ok) return describeOutcome(outcomeOf(captured.error));
  const now = Date.now() / 1000;
  const trace: Trace = {
    ...subjectOf(job, key),
    manifest: captured.value.manifest,
    origin: 'touched',
    usage: standing?.usage ?? { startedAt: now, finishedAt: now, wallS: 0, cpuS: undefined, maxRssMb: undefined },
    recordedAt: now,
    attempts: standing?.attempts ?? 0,
    resources: standing?.resources ?? {},
    host: standing?.host ?? hostname(),
    executor: standing?.executor ?? 'local',
    executorJob: standing?.executorJob,
    reasons: ['touched'],
    before: workspace.records.lastKey(job.id),
  };
  workspace.records.commit(job, trace);
  return trace.manifest;
}
