// lhb build, plan, forcerun: brings jobs up to date, or says what that would take.
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { step } from '../../base/step.ts';
import { DiagnosticError, type Diagnostic } from '../../base/diagnostic.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { untilEnded } from '../../execute/adopted.ts';
import { LaunchLog, linesFor, readLaunches } from '../../execute/launches.ts';
import { endStrays, findOrphans } from '../../execute/orphans.ts';
import { clearTemporary } from '../../fs/atomic-write.ts';
import type { Job } from '../../graph/job.ts';
import { makePlan, type Plan } from '../../plan/plan.ts';
import { reasonText } from '../../report/job-report.ts';
import { openReporter } from '../../report/open-reporter.ts';
import { describeOutcome } from '../../report/wording.ts';
import { Allotments } from '../../schedule/allotment.ts';
import { JobRunner } from '../../schedule/runner.ts';
import { Scheduler } from '../../schedule/scheduler.ts';
import { takeOver, unsettled } from '../../schedule/take-over.ts';
import { workLayout } from '../../store/layout.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import type { BuildOptions, CommonOptions } from '../invocation.ts';
import { openExecutors } from '../executors.ts';
import { checkProfile, clusterOf, lanesFor, type Lanes } from '../lanes.ts';
import { overridesFrom } from '../resource-options.ts';
import type { Screen } from '../screen.ts';
import { selectionOf, type BuildWish, type Selection } from '../selection.ts';
import { lockForBuild } from '../lock-build.ts';
import { loadWorkspace, openWorkspace, type Workspace } from '../workspace.ts';
import { catchSignals } from '../signals.ts';
import { addSources, addWorkflowFiles, buildAgain } from '../watch.ts';
import { printGraph } from './graph.ts';
import { printPlan } from './plan-text.ts';

export type BuildRequest = BuildWish & { readonly common: CommonOptions };

export function build(request: BuildRequest, screen: Screen): Promise<ExitCode> {
  if (!request.build.watch || request.build.dryRun) return buildOnce(request, screen, new Set());
  return buildAgain((watched) => buildOnce(request, screen, watched), screen);
}

/** @param watched takes the files and folders whose change calls for another build */
async function buildOnce(request: BuildRequest, screen: Screen, watched: Set<string>): Promise<ExitCode> {
  const loaded = loadWorkspace(request.common);
  if (!loaded.ok) {
    for (const { at } of loaded.error) if (at !== undefined) watched.add(at.file.name);
    return failed(screen, loaded.error);
  }
  addWorkflowFiles(loaded.value, watched);
  screen.diagnostics(loaded.value.workflow.warnings);
  const dry = request.build.dryRun || request.build.dag;
  // Read only at first: a mistake in the workflow or in a selector leaves nothing behind.
  const reading = openWorkspace(loaded.value, false);
  if (!reading.ok) return failed(screen, reading.error);
  addSources(reading.value, watched);
  const selection = selectionOf(reading.value, request);
  if (!selection.ok || dry) {
    const code = selection.ok
      ? dryRun(reading.value, selection.value, request, screen)
      : failed(screen, selection.error);
    await reading.value.close();
    return code;
  }
  // Where nothing was built yet, a mistake in a command or in what jobs ask for does not leave a store behind either.
  const first = !existsSync(workLayout(loaded.value.workflow.root).dir);
  const prepared = first ? await prepare(reading.value, selection.value, request.build) : undefined;
  await reading.value.close();
  if (prepared?.ok === false) return failed(screen, prepared.error);
  return await locked(request, screen, reading.value);
}

function failed(screen: Screen, errors: readonly Diagnostic[]): ExitCode {
  screen.diagnostics(errors);
  return errors.some((d) => d.code.startsWith('store/')) ? EXIT.storeDamaged : EXIT.usage;
}

function dryRun(workspace: Workspace, selection: Selection, request: BuildRequest, screen: Screen): ExitCode {
  if (request.build.dag) {
    printGraph(screen, workspace.graph, new Set(selection.jobs), { rules: false, format: 'dot' });
    return EXIT.ok;
  }
  printPlan(screen, makePlan(selection.jobs, workspace.rebuilder, selection.forced, selection.selected));
  return EXIT.ok;
}

async function locked(request: BuildRequest, screen: Screen, read: Workspace): Promise<ExitCode> {
  const { root } = read.workflow;
  const id = randomUUID();
  const signals = catchSignals();
  const lock = await lockForBuild(workLayout(root), id, request.build.wait, screen, signals.signal);
  if (!lock.ok) {
    signals.close();
    return lock.error;
  }
  try {
    // Read again where it took a while: files may have changed, and another build has made outputs.
    const { waited } = lock.value;
    const loaded = waited ? loadWorkspace(request.common) : ok(read);
    if (!loaded.ok) return failed(screen, loaded.error);
    const workspace = openWorkspace(loaded.value, true, waited ? undefined : read);
    if (!workspace.ok) return failed(screen, workspace.error);
    try {
      const selection = selectionOf(workspace.value, request);
      if (!selection.ok) return failed(screen, selection.error);
      return await runBuild(workspace.value, selection.value, request, screen, id, signals);
    } finally {
      await workspace.value.close();
    }
  } finally {
    signals.close();
    await lock.value.release();
  }
}

/** Helper shells that are started before there is work for them. */
const MOST_HELPERS = 64;

type Prepared = {
  readonly plan: Plan;
  readonly allotments: Allotments;
  readonly lanes: Lanes;
  readonly toRun: readonly Job[];
  readonly warnings: readonly Diagnostic[];
};

/** The plan, and what jobs will ask for; or all that is wrong with these. Changes nothing. */
async function prepare(workspace: Workspace, selection: Selection, options: BuildOptions): Promise<Result<Prepared>> {
  const lanes = await lanesFor(options);
  const overrides = overridesFrom(workspace, options);
  const problems = [lanes, overrides].flatMap((r) => (r.ok ? [] : r.error));
  if (!lanes.ok || !overrides.ok) return err(problems);
  const allotments = new Allotments(workspace.scopes, lanes.value.of, overrides.value);
  let plan: Plan;
  try {
    plan = makePlan(selection.jobs, workspace.rebuilder, selection.forced, selection.selected);
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
  workspace: Workspace,
  selection: Selection,
  request: BuildRequest,
  screen: Screen,
  id: string,
  signals: ReturnType<typeof catchSignals>,
): Promise<ExitCode> {
  const { build: options, common } = request;
  const root = workspace.workflow.root;
  const work = workLayout(root);
  const earlier = readLaunches(work.launches);
  const orphans = await unsettled(findOrphans(earlier, work.jobs), workspace.records, describeOutcome);
  const prepared = await prepare(workspace, selection, options);
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
  const { adopted, left, ended } = takeOver(orphans, workspace.graph, plan, selection.forced);
  for (const { orphan, because } of ended) {
    const text = `${orphan.launch.rule} ${orphan.launch.jobId}: the run that a killed build left is ended: ${because}`;
    reporter.handle({ event: 'message', level: 'info', text, time: Date.now() / 1000 });
  }
  // What a killed build left behind: its processes first, then what they wrote to.
  const kept = [...adopted.values(), ...left.map(({ orphan }) => orphan)];
  const inUse = kept.filter((orphan) => orphan.state === 'running' || !left.some((l) => l.orphan === orphan));
  await endStrays(
    earlier,
    inUse.map(({ launch }) => launch),
  );
  for (const folder of [work.tmp, workspace.layout.tmp]) clearTemporary(folder);
  const launches = new LaunchLog(
    work.launches,
    linesFor(
      earlier,
      kept.map(({ launch }) => launch),
    ),
  );
  // No more helpers than could ever be busy.
  const here = toRun.filter((job) => lanes.of(job).kind === 'local' && !adopted.has(job)).length;
  const helpers = Math.min(lanes.all[0]?.slots ?? 0, here, MOST_HELPERS);
  const profile = clusterOf(options);
  const told = [...adopted.values(), ...ended.map(({ orphan }) => orphan)];
  const executors = openExecutors({ root, work, helpers, launches, profile, earlier, orphans: told, warn });
  // What a scheduler still runs for an earlier build, and nobody wants now.
  const unwanted = ended.flatMap(
    ({ orphan }) => executors.named(orphan.launch.executor)?.adopt(orphan, undefined) ?? [],
  );
  for (const { cancel } of unwanted) cancel();
  await Promise.all(unwanted.map(({ done }) => done));
  const over = new AbortController();
  const held = left
    .filter(({ orphan }) => orphan.state === 'running')
    .map(({ job, orphan }) => ({
      allotment: allotments.claim(job, orphan.launch.attempt, orphan.launch.gpus),
      ended: untilEnded(orphan, over.signal),
    }));
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
  const runner = new JobRunner({ root, records, keys, scopes, host, allotments, words, build: id, ...running });
  const scheduler = new Scheduler(
    {
      plan,
      rebuilder,
      runner,
      allotments,
      root,
      emit: (event) => reporter.handle(event),
      orphans: adopted,
      held,
      lanes: lanes.all,
      laneOf: lanes.of,
    },
    {
      keepGoing: options.keepGoing,
      forced: selection.forced,
      selected: selection.selected,
      keepTemp: options.noTemp,
      retries: options.retries ?? 0,
      interrupt: signals.signal,
    },
  );
  try {
    const { counts, changed } = await scheduler.run();
    const interrupted = signals.exitCode();
    if (interrupted !== undefined) return interrupted;
    if (counts.failed > 0) return EXIT.jobFailed;
    return options.check && changed.length > 0 ? EXIT.jobFailed : EXIT.ok;
  } finally {
    over.abort();
    await executors.local.close();
    for (const cluster of executors.clusters) await cluster.close();
    step('build:end');
    launches.close(
      linesFor(
        earlier,
        left.map(({ orphan }) => orphan.launch),
      ),
    );
    step('launches:closed');
    reporter.close();
  }
}
