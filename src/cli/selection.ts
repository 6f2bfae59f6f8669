// Which jobs a build is about, and which it reruns.
import type { Diagnostic } from '../base/diagnostic.ts';
import { err, ok, type Result } from '../base/result.ts';
import { withDownstream, withUpstream } from '../graph/graph.ts';
import type { Job } from '../graph/job.ts';
import { throughNames } from '../graph/resolve.ts';
import type { BuildOptions, Word } from './invocation.ts';
import type { Workspace } from './workspace.ts';

/** What a command line asks of a build. */
export type BuildWish = {
  readonly build: BuildOptions;
  readonly selectors: readonly Word[];
  /** Selectors to rerun: those of `forcerun` or of `-R`. */
  readonly forcerun: readonly Word[];
  /** `forcerun --only`. */
  readonly only: boolean;
};

/** What a build is about; `jobs` in topological order, with all that they need. */
export type Selection = {
  readonly jobs: readonly Job[];
  readonly forced: ReadonlySet<Job>;
  readonly selected: ReadonlySet<Job>;
};

/** Which jobs are wanted, in topological order, and which are to be rerun. */
export function selectionOf(workspace: Workspace, { build, selectors, forcerun, only }: BuildWish): Result<Selection> {
  const errors: Diagnostic[] = [];
  const take = (words: readonly Word[]): Set<Job> => {
    const found = workspace.select(words);
    if (found.ok) return found.value;
    errors.push(...found.error);
    return new Set();
  };
  const selected = take(selectors);
  const rerun = take(forcerun);
  const until = take(build.until);
  const omitted = withDownstream(take(build.omitFrom));
  if (errors.length > 0) return err(errors);

  const follow = only ? rerun : withDownstream(rerun);
  // Without selectors everything that follows is brought up to date, also what is not among the defaults.
  const followed = selectors.length === 0 ? withDownstream(rerun) : rerun;
  const asked = selectors.length > 0 ? [...selected] : onlyForcerun(build, forcerun) ? [] : defaultJobs(workspace);
  let wanted = withUpstream([...asked, ...followed]);
  if (build.until.length > 0) wanted = intersect(withUpstream(until), wanted);
  for (const job of omitted) wanted.delete(job);
  if (build.rerunIncomplete) wanted = intersect(withUpstream(incomplete(workspace, wanted)), wanted);
  // What is checked are the selected jobs, not what they need.
  const checked = build.check && selectors.length > 0 ? selected : build.check ? wanted : new Set<Job>();
  const forced = build.forceAll ? wanted : intersect(new Set([...follow, ...checked]), wanted);
  const jobs = workspace.graph.jobs.filter((job) => wanted.has(job));
  return ok({ jobs, forced, selected: new Set([...selected, ...rerun]) });
}

/** The command `forcerun` is about its selectors alone; `build -R` also builds what it would without. */
const onlyForcerun = (build: BuildOptions, forcerun: readonly Word[]): boolean =>
  forcerun.length > 0 && build.forcerun.length === 0;

/** All jobs that a build without selectors is about. */
export const wantedByDefault = (workspace: Workspace): ReadonlySet<Job> => withUpstream(defaultJobs(workspace));

function defaultJobs(workspace: Workspace): Job[] {
  const { graph } = workspace;
  const names = graph.workflow.default;
  if (names === undefined) return [...graph.jobs];
  return names.flatMap(({ name }) => (graph.byRule.get(name) ?? []).flatMap(throughNames));
}

/** The jobs whose last attempt failed or was cut off, and that have no later result. */
function incomplete({ records }: Workspace, wanted: ReadonlySet<Job>): Job[] {
  return [...wanted].filter((job) => {
    const attempt = records.attempt(job.id);
    return attempt !== undefined && attempt.startedAt > (records.current(job.id)?.recordedAt ?? 0);
  });
}

const intersect = (jobs: Set<Job>, others: ReadonlySet<Job>): Set<Job> =>
  new Set([...jobs].filter((j) => others.has(j)));
