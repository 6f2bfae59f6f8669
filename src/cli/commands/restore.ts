// lhb restore: brings outputs back from the store, also those of jobs that are no longer in the workflow.
import { concurrently } from '../../base/concurrently.ts';
import { error, type Diagnostic } from '../../base/diagnostic.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { withUpstream } from '../../graph/graph.ts';
import type { Job } from '../../graph/job.ts';
import { makePlan } from '../../plan/plan.ts';
import { isSource } from '../../plan/unwanted.ts';
import { formatCount } from '../../report/format.ts';
import type { Trace } from '../../store/trace.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import type { CacheOptions, CommonOptions, Word } from '../invocation.ts';
import { bringIn } from '../bring-in.ts';
import { earlierJob, fail } from '../query.ts';
import type { Screen } from '../screen.ts';
import { sourcesOf } from '../sources.ts';
import { stillRunning, underLock } from '../under-lock.ts';
import type { Workspace } from '../workspace.ts';

export type RestoreRequest = {
  readonly common: CommonOptions;
  readonly selectors: readonly Word[];
  readonly caches: CacheOptions;
};

export const restore = ({ common, selectors, caches }: RestoreRequest, screen: Screen): Promise<ExitCode> =>
  underLock(
    common,
    screen,
    async (workspace) => {
      const wanted = select(workspace, selectors);
      if (!wanted.ok) return fail(screen, wanted.error);
      const { jobs, earlier } = wanted.value;
      const brought = await bringIn(workspace, withUpstream(jobs), caches, screen);
      if (!brought.ok) return fail(screen, brought.error);
      const problems: Diagnostic[] = [];
      const restored = await restoreJobs(workspace, jobs, problems);
      for (const trace of earlier) restored.push(...(await restoreEarlier(workspace, trace, screen, problems)));
      if (problems.length > 0) screen.diagnostics(problems);
      else if (screen.json) screen.document({ restored });
      const asked = jobs.size + earlier.length;
      const left = asked - restored.length - problems.length;
      screen.note(
        `restored ${formatCount(restored.length, 'job')}${left > 0 ? `; ${formatCount(left, 'job')} had all outputs in place` : ''}`,
      );
      return problems.length > 0 ? EXIT.jobFailed : EXIT.ok;
    },
    (workspace) => select(workspace, selectors),
  );

/** As many as one transaction of the index takes up well. */
const JOBS_AT_ONCE = 64;

type Wanted = { readonly jobs: ReadonlySet<Job>; readonly earlier: readonly Trace[] };

/** Jobs of the workflow, and where a selector names none, the job of an earlier one. */
function select(workspace: Workspace, selectors: readonly Word[]): Result<Wanted> {
  const jobs = new Set<Job>();
  const earlier: Trace[] = [];
  const errors: Diagnostic[] = [];
  for (const selector of selectors) {
    const found = workspace.select([selector]);
    if (found.ok) for (const job of found.value) jobs.add(job);
    else {
      const record = earlierJob(workspace, selector, found.error);
      if (record.ok) earlier.push(record.value);
      else errors.push(...record.error);
    }
  }
  return errors.length > 0 ? err(errors) : ok({ jobs, earlier });
}

async function restoreJobs(
  workspace: Workspace,
  selected: ReadonlySet<Job>,
  problems: Diagnostic[],
): Promise<string[]> {
  const needed = withUpstream(selected);
  const plan = makePlan(
    workspace.graph.jobs.filter((job) => needed.has(job)),
    workspace.rebuilder,
    new Set(),
    selected,
  );
  const restored: string[] = [];
  const running = stillRunning(workspace);
  const stale = [...plan.steps.values()].filter(
    ({ job, judgement }) => selected.has(job) && judgement.status !== 'FRESH',
  );
  await concurrently(stale, JOBS_AT_ONCE, async ({ job, judgement: { trace } }) => {
    const runs = running(job.id, job.rule.name);
    if (runs !== undefined) problems.push(runs);
    else if (trace === undefined) {
      problems.push(
        error('restore/no-result', `${job.rule.name} ${job.id} has no result on record for its present state`, {
          hint: `\`lhb why ${job.id}\` says what changed, \`lhb build ${job.id}\` makes it`,
        }),
      );
    } else if (await workspace.records.restore(job, trace)) restored.push(job.id);
    else if (workspace.records.evicted(job, trace.manifest).length === 0) {
      problems.push(
        error('restore/refused', `${job.rule.name} ${job.id}: its outputs cannot be put in place in ${job.dir}`, {
          hint: 'check the permissions of that folder',
        }),
      );
    } else problems.push(evicted(`${job.rule.name} ${job.id}`, `\`lhb build ${job.id}\` makes them again`));
  });
  workspace.records.settle();
  return restored;
}

/** Outputs of a job that the workflow no longer has; says which of them a job of the workflow makes too. */
async function restoreEarlier(
  workspace: Workspace,
  trace: Trace,
  screen: Screen,
  problems: Diagnostic[],
): Promise<string[]> {
  const runs = stillRunning(workspace)(trace.jobId, trace.rule);
  if (runs !== undefined) {
    problems.push(runs);
    return [];
  }
  const place = { root: workspace.workflow.root, sources: sourcesOf(workspace) };
  const source = workspace.records.pathsOf(trace).find((path) => isSource(place, path));
  const done = source
    ? { refused: `${source} is a source of the workflow` }
    : await workspace.records.restoreTrace(trace);
  if (done === 'evicted') problems.push(evicted(`${trace.rule} ${trace.jobId}`, 'it is no longer in the workflow'));
  if (typeof done === 'object') {
    const message = `${trace.rule} ${trace.jobId} is not restored: ${done.refused}`;
    problems.push(
      error('restore/refused', message, { hint: 'look at what is on record: `lhb show ' + trace.jobId + '`' }),
    );
  }
  if (done !== 'restored') return [];
  for (const path of workspace.records.pathsOf(trace)) {
    const { job } = workspace.graph.producers.get(path) ?? {};
    if (job) screen.note(`${path} is also an output of ${job.rule.name} ${job.id}; \`lhb build\` brings that one back`);
  }
  return [trace.jobId];
}

const evicted = (name: string, hint: string): Diagnostic =>
  error('restore/evicted', `${name}: the store no longer has all its bytes`, { hint });
