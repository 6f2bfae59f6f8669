// What queries share: a workspace opened for reading, and closed whatever happens.
import type { Diagnostic } from '../base/diagnostic.ts';
import type { Result } from '../base/result.ts';
import type { Job } from '../graph/job.ts';
import { withUpstream } from '../graph/graph.ts';
import { makePlan, type Plan } from '../plan/plan.ts';
import type { Trace } from '../store/trace.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { CommonOptions, Word } from './invocation.ts';
import type { Screen } from './screen.ts';
import { loadWorkspace, openWorkspace, type Workspace } from './workspace.ts';

/** Opens the workspace, runs the command, closes it. Errors are printed; the exit code says what kind they are. */
export async function withWorkspace(
  common: CommonOptions,
  screen: Screen,
  write: boolean,
  command: (workspace: Workspace) => ExitCode | Promise<ExitCode>,
): Promise<ExitCode> {
  const loaded = loadWorkspace(common);
  if (!loaded.ok) return fail(screen, loaded.error);
  screen.diagnostics(loaded.value.workflow.warnings);
  const opened = openWorkspace(loaded.value, write);
  if (!opened.ok) return fail(screen, opened.error);
  try {
    return await command(opened.value);
  } finally {
    await opened.value.close();
  }
}

export function fail(screen: Screen, errors: readonly Diagnostic[]): ExitCode {
  screen.diagnostics(errors);
  return errors.some((d) => d.code.startsWith('store/')) ? EXIT.storeDamaged : EXIT.usage;
}

/** The plan of the selected jobs (none: all) and what they need. */
export function planOf(workspace: Workspace, selectors: readonly Word[]): Result<{ plan: Plan; jobs: Job[] }> {
  const { graph } = workspace;
  if (selectors.length === 0) {
    return { ok: true, value: { plan: makePlan(graph.jobs, workspace.rebuilder), jobs: [...graph.jobs] } };
  }
  const selected = workspace.select(selectors);
  if (!selected.ok) return selected;
  const needed = withUpstream(selected.value);
  const plan = makePlan(
    graph.jobs.filter((job) => needed.has(job)),
    workspace.rebuilder,
  );
  return { ok: true, value: { plan, jobs: graph.jobs.filter((job) => selected.value.has(job)) } };
}

/** A job of the workflow, or of an earlier one that is still on record. */
export type Known = { readonly job: Job } | { readonly record: Trace };

export function findKnown(workspace: Workspace, selector: Word): Result<Known> {
  const found = workspace.selectOne(selector);
  if (found.ok) return { ok: true, value: { job: found.value } };
  if (found.error.some((d) => d.code !== 'select/nothing')) return found;
  const ids = workspace.index.allJobIds().filter((id) => id.startsWith(selector.text));
  const exact = ids.find((id) => id === selector.text) ?? (ids.length === 1 ? ids[0] : undefined);
  const record = exact && workspace.records.newest(exact);
  return record ? { ok: true, value: { record } } : found;
}
