// lhb build, plan, forcerun: brings jobs up to date, or says what that would take.
import { existsSync } from 'node:fs';
import { ok } from '../../base/result.ts';
import { unless } from '../../fs/errno.ts';
import { shownProfile } from '../../execute/cluster/read-profile.ts';
import { makePlan, type Plan } from '../../plan/plan.ts';
import type { Taken } from '../../plan/snapshot-take.ts';
import { seekShared } from '../../schedule/seek-shared.ts';
import { SharedResults, sharedTrace } from '../../schedule/shared-results.ts';
import type { BuildResult } from '../../schedule/schedule-parts.ts';
import { untilCollected } from '../../store/collecting.ts';
import { workLayout } from '../../store/layout.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import type { Screen } from '../screen.ts';
import { selectionOf, type Selection } from '../selection.ts';
import { prepare, runBuild, type BuildRequest, type Opened } from '../run-build.ts';
import { cachesFor, chooseCaches } from '../cache-settings.ts';
import { underBuildLock, type Locked } from '../lock-build.ts';
import { keepSnapshot } from '../keep-snapshot.ts';
import { knownFresh } from '../known-fresh.ts';
import { openPart, type PartWorkspace } from '../part-workspace.ts';
import { takeFor } from '../snapshot-of-build.ts';
import { fail } from '../query.ts';
import type { Standing } from '../quick-build.ts';
import { loadWorkspace, openWorkspace, type Workspace } from '../workspace.ts';
import { addSources, addWorkflowFiles, buildAgain } from '../watch.ts';
import { printGraph } from './graph.ts';
import { printPlan } from './plan-text.ts';

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
    return fail(screen, loaded.error);
  }
  addWorkflowFiles(loaded.value, watched);
  screen.diagnostics(loaded.value.workflow.warnings);
  const dry = request.build.dryRun || request.build.dag;
  const specs = chooseCaches(loaded.value.workflow, request.build.caches.choice, process.env);
  if (!specs.ok) return fail(screen, specs.error);
  // Read only at first: a mistake in the workflow or in a selector leaves nothing behind.
  const reading = openWorkspace(loaded.value, false);
  if (!reading.ok) return fail(screen, reading.error);
  if (request.build.watch) addSources(reading.value, watched);
  const selection = selectionOf(reading.value, request);
  if (!selection.ok || dry) {
    const code = selection.ok
      ? await dryRun(reading.value, selection.value, request, screen, knownFresh(reading.value, standing))
      : fail(screen, selection.error);
    await reading.value.close();
    return code;
  }
  // Where nothing was built yet, a mistake in a command or in what jobs ask for does not leave a store behind either.
  const first = !existsSync(workLayout(loaded.value.workflow.root).dir);
  const prepared = first
    ? await prepare({ workspace: reading.value, selection: selection.value }, request.build)
    : undefined;
  await reading.value.close();
  if (prepared?.ok === false) return fail(screen, prepared.error);
  return await whole(request, screen, reading.value);
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
  if (!caches.ok) return fail(screen, caches.error);
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
    if (!loaded.ok) return fail(screen, loaded.error);
    const workspace = openWorkspace(loaded.value, true, locked.waited ? undefined : () => ok(read));
    if (!workspace.ok) return fail(screen, workspace.error);
    const selection = selectionOf(workspace.value, request);
    if (!selection.ok) {
      await workspace.value.close();
      return fail(screen, selection.error);
    }
    const opened = { workspace: workspace.value, selection: selection.value };
    return toTheEnd(opened, request, screen, locked, (result, noted) =>
      takeFor(request, workspace.value, result, noted),
    );
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
  take: (result: BuildResult, noted: string) => Taken | undefined,
): Promise<ExitCode> {
  const { workspace } = opened;
  let taken: Taken | undefined;
  let code: ExitCode;
  try {
    code = await runBuild(opened, request, screen, locked, (result, noted) => {
      // Where something cannot be read any more there is no snapshot; the next build says what it is.
      taken = unless(['EACCES'], () => take(result, noted));
    });
  } finally {
    await workspace.close();
  }
  if (taken) {
    const { file, root } = workspace.workflow;
    keepSnapshot(taken, request.common, { file: file.name, root }, workspace.layout);
  }
  return code;
}
