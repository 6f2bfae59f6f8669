// What queries share: a workspace opened for reading, and closed whatever happens.
import type { JobId } from '../base/brand.ts';
import { error, type Diagnostic } from '../base/diagnostic.ts';
import { err, ok, type Result } from '../base/result.ts';
import { keyCommand } from '../graph/command.ts';
import type { Job } from '../graph/job.ts';
import { withUpstream } from '../graph/graph.ts';
import { makePlan, type Plan } from '../plan/plan.ts';
import type { Trace } from '../store/trace.ts';
import { exitOf, type ExitCode } from './exit-code.ts';
import type { CommonOptions, Word } from './invocation.ts';
import { knownFresh } from './known-fresh.ts';
import type { Standing } from './quick-build.ts';
import type { Screen } from './screen.ts';
import { loadWorkspace, openWorkspace, type Workspace } from './workspace.ts';

/**
 * Opens the workspace, runs the command, closes it. Errors are printed; the exit code says what kind they are.
 * @param whole reads all of the index first
 */
export async function withWorkspace(
  common: CommonOptions,
  screen: Screen,
  write: boolean,
  command: (workspace: Workspace) => ExitCode | Promise<ExitCode>,
  whole = false,
): Promise<ExitCode> {
  const loaded = loadWorkspace(common);
  if (!loaded.ok) return fail(screen, loaded.error);
  screen.diagnostics(loaded.value.workflow.warnings);
  const opened = openWorkspace(loaded.value, write, undefined, whole);
  if (!opened.ok) return fail(screen, opened.error);
  try {
    return await command(opened.value);
  } finally {
    await opened.value.close();
  }
}

export function fail(screen: Screen, errors: readonly Diagnostic[]): ExitCode {
  screen.diagnostics(errors);
  return exitOf(errors);
}

/**
 * The plan of the selected jobs (none: all) and what they need.
 * @param standing how the work tree stood to its snapshot before the workspace was opened, where that was looked at
 */
export function planOf(
  workspace: Workspace,
  selectors: readonly Word[],
  standing?: Standing,
): Result<{ plan: Plan; jobs: Job[] }> {
  const { graph } = workspace;
  const planned = (jobs: readonly Job[]): Plan =>
    makePlan(jobs, workspace.rebuilder, new Set(), new Set(), knownFresh(workspace, standing));
  if (selectors.length === 0) return ok({ plan: planned(graph.jobs), jobs: [...graph.jobs] });
  const selected = workspace.select(selectors);
  if (!selected.ok) return selected;
  const needed = withUpstream(selected.value);
  const plan = planned(graph.jobs.filter((job) => needed.has(job)));
  return ok({ plan, jobs: graph.jobs.filter((job) => selected.value.has(job)) });
}

/** A job's command for people: as keys have it, with paths as they are on disk; undefined for a rule without one. */
export function shownCommand({ graph, scopes }: Workspace, job: Job): string | undefined {
  const { run } = keyCommand(job, scopes);
  return run && graph.form.actual(run);
}

/** A job of the workflow, or of an earlier one that is still on record. */
export type Known = { readonly job: Job } | { readonly record: Trace };

export function findKnown(workspace: Workspace, selector: Word): Result<Known> {
  const found = workspace.selectOne(selector);
  if (found.ok) return ok({ job: found.value });
  const earlier = earlierJob(workspace, selector, found.error);
  return earlier.ok ? ok({ record: earlier.value }) : earlier;
}

/** How many candidates an error lists. */
const CANDIDATES = 10;

/**
 * The last result of a job that is in the index, though no longer in the workflow: by id, by a unique beginning of it, or
 * by the path of an output.
 * @param errors why the selector finds nothing in the workflow; they stay where it finds nothing here
 */
export function earlierJob(
  { index, records }: Workspace,
  { text, at }: Word,
  errors: readonly Diagnostic[],
): Result<Trace> {
  if (text === '' || errors.some((d) => d.code !== 'select/nothing')) return err([...errors]);
  const last = (id: JobId): Trace | undefined => records.current(id) ?? records.newest(id);
  const ids = index.allJobIds();
  const begun = ids.includes(text as JobId) ? [text as JobId] : ids.filter((id) => id.startsWith(text));
  if (begun.length > 1) {
    const more = begun.length > CANDIDATES ? `, and ${begun.length - CANDIDATES} more` : '';
    const message = `'${text}' is the beginning of ${begun.length} ids of earlier workflows: ${begun.slice(0, CANDIDATES).join(', ')}${more}`;
    return err([error('select/ambiguous', message, { at, hint: 'give more of the id' })]);
  }
  // Paths are in no table of their own; only what looks like one is worth a walk over all records.
  const path = text.replace(/\/+$/, '');
  const byPath = begun.length > 0 || !path.includes('/') ? undefined : ids.find((id) => makes(records, last(id), path));
  const id = begun[0] ?? byPath;
  const trace = id && last(id);
  return trace ? ok(trace) : err([...errors]);
}

const makes = (records: Workspace['records'], trace: Trace | undefined, path: string): boolean =>
  trace !== undefined && records.pathsOf(trace).includes(path);
