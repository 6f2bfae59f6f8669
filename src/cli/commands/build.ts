// lhb build, plan, forcerun: brings jobs up to date, or says what that would take.
import { existsSync } from 'node:fs';
import { step } from '../../base/step.ts';
import { DiagnosticError, type Diagnostic } from '../../base/diagnostic.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { shownProfile } from '../../execute/cluster/read-profile.ts';
import { clearTemporary } from '../../fs/atomic-write.ts';
import type { Job } from '../../graph/job.ts';
import { makePlan, type Plan } from '../../plan/plan.ts';
import type { Taken } from '../../plan/snapshot-take.ts';
import { reasonText } from '../../report/job-report.ts';
import { openReporter } from '../../report/open-reporter.ts';
import { describeOutcome } from '../../report/wording.ts';
import { Allotments } from '../../schedule/allotment.ts';
import { JobFolders } from '../../schedule/job-folders.ts';
import { JobRunner } from '../../schedule/runner.ts';
import { seekShared } from '../../schedule/seek-shared.ts';
import { SharedResults, sharedTrace } from '../../schedule/shared-results.ts';
import type { BuildResult } from '../../schedule/schedule-parts.ts';
import { Scheduler } from '../../schedule/scheduler.ts';
import { untilCollected } from '../../store/collecting.ts';
import { workLayout } from '../../store/layout.ts';
import { EXIT, exitOf, type ExitCode } from '../exit-code.ts';
import type { BuildOptions, CommonOptions } from '../invocation.ts';
import { openExecutors } from '../executors.ts';
import { inherit, orphansOf } from '../killed-build.ts';
import { checkProfile, clusterOf, lanesFor, type Lanes } from '../lanes.ts';
import { overridesFrom } from '../resource-options.ts';
import type { Screen } from '../screen.ts';
import { selectionOf, type BuildWish, type Selection } from '../selection.ts';
import { cachesFor, chooseCaches } from '../cache-settings.ts';
import { underBuildLock, type Locked } from '../lock-build.ts';
import { noteResults } from '../note-results.ts';
import { keepSnapshot } from '../keep-snapshot.ts';
import { knownFresh } from '../known-fresh.ts';
import { openPart, type PartWorkspace } from '../part-workspace.ts';
import { takeFor } from '../snapshot-of-build.ts';
import type { Standing } from '../quick-build.ts';
import { loadWorkspace, openWorkspace, type Workspace } from '../workspace.ts';
import { addSources, addWorkflowFiles, buildAgain } from '../watch.ts';
import { printGraph } from './graph.ts';
import { printPlan } from './plan-text.ts';

/** Helper shells that are started before there is work for them. */
const MOST_HELPERS = 64;

export type BuildRequest = BuildWish & { readonly common: CommonOptions };

/** @param standing how the work tree stands to the snapshot of the last build, where that counts */
export async function build(request: BuildRequest, screen: Screen, standing?: Standing): Promise<ExitCode> {
  const ofPart = request.build.dryRun ? planPart : part;
  const code = standing && (await ofPart(request, screen, standing));
  if (code !== undefined) return code;
  const { profile } = request.build;
  if (profile && profile.ignored.length > 0)
    screen.note(`${shownProfile(profile)}: ${profile.ignored.join(', ')} mean nothing to lhb and are ignored`);
  if (!request.build.watch || request.build.dryRun) return buildOnce(request, screen, new Set(), standing);
  return buildAgain((watched) => buildOnce(request, screen, watched), screen);
}

/**
 * @param watched takes the files and folders whose change calls for another build
 * @param standing as for `build`; for a dry run
 */
async function buildOnce(
  request: BuildRequest,
  screen: Screen,
  watched: Set<string>,
  standing?: Standing,
): Promise<ExitCode> {
  const loaded = loadWorkspace(request.common);
  if (!loaded.ok) {
    for (const { at } of loaded.error) if (at !== undefined) watched.add(at.file.name);
    return failed(screen, loaded.error);
  }
  addWorkflowFiles(loaded.value, watched);
  screen.diagnostics(loaded.value.workflow.warnings);
  const dry = request.build.dryRun || request.build.dag;
  const specs = chooseCaches(loaded.value.workflow, request.build.caches.choice, process.env);
  if (!specs.ok) return failed(screen, specs.error);
  // Read only at first: a mistake in the workflow or in a selector leaves nothing behind.
  const reading = openWorkspace(loaded.value, false);
  if (!reading.ok) return failed(screen, reading.error);
  if (request.build.watch) addSources(reading.value, watched);
  const selection = selectionOf(reading.value, request);
  if (!selection.ok || dry) {
    const code = selection.ok
      ? await dryRun(reading.value, selection.value, request, screen, knownFresh(reading.value, standing))
      : failed(screen, selection.error);
    await reading.value.close();
    return code;
  }
  // Where nothing was built yet, a mistake in a command or in what jobs ask for does not leave a store behind either.
  const first = !existsSync(workLayout(loaded.value.workflow.root).dir);
  const prepared = first
    ? await prepare({ workspace: reading.value, selection: selection.value }, request.build)
    : undefined;
  await reading.value.close();
  if (prepared?.ok === false) return failed(screen, prepared.error);
  return await whole(request, screen, reading.value);
}

function failed(screen: Screen, errors: readonly Diagnostic[]): ExitCode {
  screen.diagnostics(errors);
  return exitOf(errors);
}

/** @param known as for makePlan; @param others how many jobs beside the selected ones are fresh */
async function dryRun(
  workspace: Workspace,
  { jobs, forced, selected }: Selection,
  request: BuildRequest,
  screen: Screen,
  known: PartWorkspace['known'],
  others = 0,
): Promise<ExitCode> {
  if (request.build.dag) {
    printGraph(screen, workspace.graph, new Set(jobs), { rules: false, format: 'dot' });
    return EXIT.ok;
  }
  const { rebuilder, records } = workspace;
  const planNow = (): Plan => makePlan(jobs, rebuilder, forced, selected, known);
  const caches = await cachesFor(workspace, request.build.caches, false, (text) => screen.note(`warning: ${text}`));
  if (!caches.ok) return failed(screen, caches.error);
  if (caches.value === undefined) {
    printPlan(screen, planNow(), others);
    return EXIT.ok;
  }
  const shared = new SharedResults({ caches: caches.value, records });
  const { plan } = await seekShared(planNow, shared, (asked, hit) => {
    records.noteShared(sharedTrace(asked, hit));
    return true;
  });
  for (const problem of caches.value.problems()) screen.note(`warning: ${problem}`);
  caches.value.close();
  printPlan(screen, plan, others);
  return EXIT.ok;
}

function whole(request: BuildRequest, screen: Screen, read: Workspace): Promise<ExitCode> {
  return underBuildLock(read.workflow.root, request.build.wait, screen, async (locked) => {
    if (request.build.wait) await untilCollected(read.layout, locked.signals.signal);
    // Read again where it took a while: files may have changed, and another build has made outputs.
    const loaded = locked.waited ? loadWorkspace(request.common) : ok(read);
    if (!loaded.ok) return failed(screen, loaded.error);
    const workspace = openWorkspace(loaded.value, true, locked.waited ? undefined : () => ok(read));
    if (!workspace.ok) return failed(screen, workspace.error);
    const selection = selectionOf(workspace.value, request);
    if (!selection.ok) {
      await workspace.value.close();
      return failed(screen, selection.error);
    }
    const opened = { workspace: workspace.value, selection: selection.value };
    return toTheEnd(opened, request, screen, locked, (result) => takeFor(request, workspace.value, result));
  });
}

/** Says what would be done about what a change concerns; undefined, with nothing said, where that is not enough. */
async function planPart(request: BuildRequest, screen: Screen, standing: Standing): Promise<ExitCode | undefined> {
  // They tell of every job.
  if (screen.json || screen.verbose) return undefined;
  const opened = await openPart(request.common, standing, false);
  if (opened === undefined) return undefined;
  const { workspace, selection, known, others } = opened;
  try {
    return await dryRun(workspace, selection, request, screen, known, others.count);
  } finally {
    await workspace.close();
  }
}

/** Builds what a change concerns, without making the other jobs; undefined, with nothing done, where that cannot be. */
function part(request: BuildRequest, screen: Screen, standing: Standing): Promise<ExitCode | undefined> {
  const { root } = standing;
  return underBuildLock(root, request.build.wait, screen, async (locked) => {
    const opened = locked.waited ? undefined : await openPart(request.common, standing, true);
    return opened && toTheEnd(opened, request, screen, locked, opened.patched);
  });
}

/** Runs the build, closes the workspace, and keeps the snapshot that is taken between. */
async function toTheEnd(
  opened: Opened,
  request: BuildRequest,
  screen: Screen,
  locked: Locked,
  take: (result: BuildResult) => Taken | undefined,
): Promise<ExitCode> {
  const { workspace } = opened;
  let taken: Taken | undefined;
  let code: ExitCode;
  try {
    code = await runBuild(opened, request, screen, locked, (result) => void (taken = take(result)));
  } finally {
    await workspace.close();
  }
  if (taken) {
    const { file, root } = workspace.workflow;
    keepSnapshot(taken, request.common, { file: file.name, root }, workspace.layout);
  }
  return code;
}

/** `known` and `others`: as of a PartWorkspace, where the workspace has some jobs alone. */
type Opened = Pick<PartWorkspace, 'workspace' | 'selection'> & Partial<Pick<PartWorkspace, 'known' | 'others'>>;

type Prepared = {
  readonly plan: Plan;
  readonly allotments: Allotments;
  readonly lanes: Lanes;
  readonly toRun: readonly Job[];
  readonly warnings: readonly Diagnostic[];
};

/** The plan, and what jobs will ask for; or all that is wrong with these. Changes nothing. */
async function prepare({ workspace, selection, known }: Opened, options: BuildOptions): Promise<Result<Prepared>> {
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

async function runBuild(
  opened: Opened,
  request: BuildRequest,
  screen: Screen,
  { id, signals }: Locked,
  onEnd: (result: BuildResult) => void,
): Promise<ExitCode> {
  const { workspace, selection, others } = opened;
  const { build: options, common } = request;
  const root = workspace.workflow.root;
  const orphans = orphansOf(workspace);
  const prepared = await prepare(opened, options);
  if (!prepared.ok) return failed(screen, prepared.error);
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
    return failed(screen, caches.error);
  }
  // What a killed build left behind: its processes first, then what they wrote to.
  const inherited = await inherit(workspace, orphans, prepared.value, selection, warn);
  for (const folder of [workLayout(root).tmp, workspace.layout.tmp]) clearTemporary(folder);
  const { adopted, held } = inherited;
  // No more helpers than could ever be busy.
  const here = toRun.filter((job) => lanes.of(job).kind === 'local' && !adopted.has(job)).length;
  const helpers = Math.min(lanes.all[0]?.slots ?? 0, here, MOST_HELPERS);
  const profile = clusterOf(options);
  const executors = openExecutors({ root, work: workLayout(root), helpers, profile, inherited, warn });
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
    if (counts.built + counts.restored > 0) noteResults(workspace, selection.jobs, id);
    const signalled = signals.exitCode();
    // One that came while uploads were waited for ended these alone.
    if (interrupted && signalled !== undefined) return signalled;
    if (left === undefined) onEnd(result);
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
