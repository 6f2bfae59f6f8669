// A build of what is selected, in a workspace that is open and locked: plan, executors, caches, scheduler, and their ends.
import { step } from '../base/step.ts';
import { DiagnosticError, type Diagnostic } from '../base/diagnostic.ts';
import { err, ok, type Result } from '../base/result.ts';
import { clearTemporary } from '../fs/atomic-write.ts';
import type { Job } from '../graph/job.ts';
import { makePlan, type Plan } from '../plan/plan.ts';
import { reasonText } from '../report/job-report.ts';
import { openReporter } from '../report/open-reporter.ts';
import { describeOutcome } from '../report/wording.ts';
import { Allotments } from '../schedule/allotment.ts';
import { JobFolders } from '../schedule/job-folders.ts';
import { JobRunner } from '../schedule/runner.ts';
import { SharedResults } from '../schedule/shared-results.ts';
import type { BuildResult } from '../schedule/schedule-parts.ts';
import { Scheduler } from '../schedule/scheduler.ts';
import { workLayout } from '../store/layout.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { BuildOptions, CommonOptions } from './invocation.ts';
import { openExecutors } from './executors.ts';
import { inherit, orphansOf } from './killed-build.ts';
import { checkProfile, clusterOf, lanesFor, type Lanes } from './lanes.ts';
import { fail } from './query.ts';
import { overridesFrom } from './resource-options.ts';
import type { Screen } from './screen.ts';
import type { BuildWish } from './selection.ts';
import { cachesFor } from './cache-settings.ts';
import type { Locked } from './lock-build.ts';
import { noteResults } from './note-results.ts';
import type { PartWorkspace } from './part-workspace.ts';

export type BuildRequest = BuildWish & { readonly common: CommonOptions };

/** Helper shells that are started before there is work for them. */
const MOST_HELPERS = 64;

/** `known` and `others`: as of a PartWorkspace, where the workspace has some jobs alone. */
export type Opened = Pick<PartWorkspace, 'workspace' | 'selection'> & Partial<Pick<PartWorkspace, 'known' | 'others'>>;

type Prepared = {
  readonly plan: Plan;
  readonly allotments: Allotments;
  readonly lanes: Lanes;
  readonly toRun: readonly Job[];
  readonly warnings: readonly Diagnostic[];
};

/** The plan, and what jobs will ask for; or all that is wrong with these. Changes nothing. */
export async function prepare(
  { workspace, selection, known }: Opened,
  options: BuildOptions,
): Promise<Result<Prepared>> {
  const lanes = await lanesFor(options);
  const overrides = overridesFrom(workspace, options);
  const problems = [lanes, overrides].flatMap((r) => (r.ok ? [] : r.error));
  if (!lanes.ok || !overrides.ok) return err(problems);
  const allotments = new Allotments(workspace.scopes, lanes.value.of, overrides.value);
  let plan: Plan;
  try {
    plan = makePlan(selection.jobs, workspace.rebuilder, selection.forced, selection.selected, known);
  } catch (problem) {
    if (!(problem instanceof DiagnosticError)) throw problem;
    return err([...problem.diagnostics, ...allotments.check(selection.jobs).errors]);
  }
  const toRun = [...plan.steps.values()].filter((s) => s.action === 'run' || s.action === 'check').map((s) => s.job);
  const { errors, warnings } = allotments.check(toRun);
  const lacking = errors.length > 0 ? [] : checkProfile(options, lanes.value, toRun, allotments);
  const wrong = [...errors, ...lacking];
  return wrong.length > 0 ? err(wrong) : ok({ plan, allotments, lanes: lanes.value, toRun, warnings });
}

/** Brings the selected jobs up to date. @param onEnd gets what came out of it, where it came to its end, and the list as of noteResults */
export async function runBuild(
  opened: Opened,
  request: BuildRequest,
  screen: Screen,
  { id, signals }: Locked,
  onEnd: (result: BuildResult, noted: string) => void,
): Promise<ExitCode> {
  const { workspace, selection, others } = opened;
  const { build: options, common } = request;
  const root = workspace.workflow.root;
  const orphans = orphansOf(workspace);
  const prepared = await prepare(opened, options);
  if (!prepared.ok) return fail(screen, prepared.error);
  const { plan, allotments, lanes, toRun, warnings } = prepared.value;
  if (!screen.json) screen.diagnostics(warnings);
  const reporter = openReporter(
    {
      json: common.json,
      verbosity: common.verbosity,
      reasons: options.reason,
      color: screen.colorOn(process.stderr),
    },
    process.env,
  );
  const warn = (text: string): void =>
    reporter.handle({ event: 'message', level: 'warning', text, time: Date.now() / 1000 });
  if (screen.json) for (const { message } of warnings) warn(message);
  if (selection.jobs.length === 0 && options.rerunIncomplete) screen.note('no job failed or was cut off last time');
  const caches = await cachesFor(workspace, options.caches, true, warn);
  if (!caches.ok) {
    reporter.close();
    return fail(screen, caches.error);
  }
  // What a killed build left behind: its processes first, then what they wrote to.
  const inherited = await inherit(workspace, orphans, prepared.value, selection, warn);
  for (const folder of [workLayout(root).tmp, workspace.layout.tmp]) clearTemporary(folder);
  const { adopted, held } = inherited;
  // No more helpers than could ever be busy; and none where caches may bring all: then they are started when one is needed.
  const here = toRun.filter((job) => lanes.of(job).kind === 'local' && !adopted.has(job)).length;
  const slots = lanes.all[0]?.slots ?? 0;
  const helpers = caches.value ? 0 : Math.min(slots, here, MOST_HELPERS);
  const profile = clusterOf(options);
  const executors = openExecutors({ root, work: workLayout(root), slots, helpers, profile, inherited, warn });
  await executors.endUnwanted();
  const words = {
    outcome: describeOutcome,
    reason: reasonText,
    warn,
  };
  const { records, keys, scopes, host, rebuilder } = workspace;
  const running = {
    executorOf: (job: Job) =>
      lanes.of(job).kind === 'cluster' ? (executors.cluster ?? executors.local) : executors.local,
    local: executors.local,
    executorNamed: executors.named,
  };
  const shared = caches.value && new SharedResults({ caches: caches.value, records });
  const runner = new JobRunner({
    folders: new JobFolders(workLayout(root).dir),
    inherited: { ...process.env },
    root,
    records,
    keys,
    scopes,
    host,
    allotments,
    words,
    build: id,
    ...running,
  });
  const scheduler = new Scheduler(
    {
      plan,
      rebuilder,
      runner,
      allotments,
      shared,
      root,
      emit: (event) => reporter.handle(event),
      orphans: adopted,
      held,
      lanes: lanes.all,
      laneOf: lanes.of,
      turns: executors.local,
      isAway: (job) => executors.isAway(job.id),
      packS: options.profile?.packS,
    },
    {
      keepGoing: options.keepGoing,
      forced: selection.forced,
      selected: selection.selected,
      keepTemp: options.noTemp,
      retries: options.retries ?? 0,
      interrupt: signals.signal,
      leave: signals.again,
      detach: options.detach,
      // Their events would not be shown; the count is told at the end.
      ...(others && { others: common.json || common.verbosity !== 'quiet' ? others : { ...others, refs: () => [] } }),
    },
  );
  let leaving = false;
  try {
    const result = await scheduler.run();
    const { counts, changed, interrupted, left } = result;
    leaving = left !== undefined && left.running > 0;
    const ids = selection.jobs.map((job) => job.id);
    const noted = counts.built + counts.restored > 0 ? noteResults(workspace, ids, id) : '';
    const signalled = signals.exitCode();
    // One that came while uploads were waited for ended these alone.
    if (interrupted && signalled !== undefined) return signalled;
    if (left === undefined) onEnd(result, noted);
    if (counts.failed > 0) return EXIT.jobFailed;
    return options.check && changed.length > 0 ? EXIT.jobFailed : EXIT.ok;
  } finally {
    await executors.close(leaving);
    caches.value?.close();
    step('build:end');
    inherited.close(leaving);
    step('launches:closed');
    reporter.close();
  }
}
