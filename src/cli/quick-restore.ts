// `lhb build` where outputs are gone and nothing else has changed since the last one: they come back as the snapshot has
// them. The workflow is not read. What is met that takes a plan is left to the whole way.
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { JobId } from '../base/brand.ts';
import { step } from '../base/step.ts';
import { clearTemporary } from '../fs/atomic-write.ts';
import { errno } from '../fs/errno.ts';
import { makeFolder } from '../fs/make-folder.ts';
import { makeDetails, readDetails } from '../plan/details.ts';
import { sameWords } from '../plan/evidence.ts';
import { LostOutputs } from '../plan/lost-outputs.ts';
import type { Loss } from '../plan/lost-paths.ts';
import { inOrder, jobRef, wantedJobs } from '../plan/snapshot-jobs.ts';
import type { Taken } from '../plan/snapshot-take.ts';
import { STATE, TOLD, type Snapshot } from '../plan/snapshot.ts';
import { restoredDetail } from '../report/detailed-cells.ts';
import { openReporter } from '../report/open-reporter.ts';
import { Announcer } from '../schedule/announcer.ts';
import { BlobStore } from '../store/blob-store.ts';
import { collector } from '../store/collecting.ts';
import { FileDigests } from '../store/file-digests.ts';
import type { IndexDb } from '../store/index-db.ts';
import { readBuilds } from '../store/build-lists.ts';
import { wasClosed } from '../store/index-state.ts';
import { storeLayout, workLayout, type StoreLayout } from '../store/layout.ts';
import { openIndex } from '../store/open-index.ts';
import { treeIdAt } from '../store/trees.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { findWorkflow } from './find-workflow.ts';
import type { BuildOptions, CommonOptions } from './invocation.ts';
import { keepSnapshot } from './keep-snapshot.ts';
import { underBuildLock, type Locked } from './lock-build.ts';
import { noteResults } from './note-results.ts';
import { currentWords, type Incomplete } from './quick-build.ts';
import { sayOnce } from './say-once.ts';
import type { Screen } from './screen.ts';

type Request = { readonly common: CommonOptions; readonly build: BuildOptions };

/** How long it may go on before signals and the screen get a turn (ms). */
const TURN_MS = 15;

/**
 * The exit code of a build that brought back all that was missing; undefined, with nothing said and nothing done, where that
 * is for the whole way.
 * @param request about all jobs, with no option that has a part in it
 */
export function quickRestore(request: Request, screen: Screen, incomplete: Incomplete): Promise<ExitCode | undefined> {
  const { root } = incomplete;
  return underBuildLock<ExitCode | undefined>(root, request.build.wait, screen, async (locked) => {
    if (locked.waited) return undefined;
    try {
      return await underLock(request, screen, incomplete, locked);
    } catch (problem) {
      // No space, no permission, something in the way just now: the whole way meets it too, and says what it is.
      if (errno(problem) === undefined) throw problem;
      return undefined;
    }
  });
}

async function underLock(
  request: Request,
  screen: Screen,
  { root, snapshot, loss }: Incomplete,
  locked: Locked,
): Promise<ExitCode | undefined> {
  const found = findWorkflow(request.common);
  const tree = treeIdAt(root);
  if (!found.ok || tree === undefined) return undefined;
  const work = workLayout(root);
  const { words } = snapshot.evidence;
  const layout = storeLayout(words['store'] ?? '', words['index']);
  const isAsItWas =
    sameWords(words, currentWords(words, request.common, found.value, work)) &&
    wasClosed(layout.index) &&
    !existsSync(work.launches) &&
    collector(layout) === undefined;
  if (!isAsItWas) return undefined;
  makeFolder(work.tmp, work.dir);
  for (const folder of [work.tmp, layout.tmp]) clearTemporary(folder);
  const blobs = new BlobStore(layout, { link: snapshot.link ?? 'auto', workTmp: work.tmp });
  const outputs = new LostOutputs(root, snapshot, blobs);
  if (!(await areSound(outputs, loss))) return undefined;
  const index = openIndex({ layout, tree, write: true, tell: sayOnce });
  if (!index.ok) return undefined;
  const files = new FileDigests(root, index.value.fileTable(tree));
  const { gone } = loss;
  let end: End | undefined;
  try {
    end = await bringBack(
      { request, screen, snapshot, details: work.details, gone, outputs, files, index: index.value, tree, layout },
      locked,
    );
  } finally {
    await index.value.close();
  }
  if (end?.taken) keepSnapshot(end.taken, request.common, { file: found.value, root }, layout);
  return end?.code;
}

/** Lets signals and timers have their turn now and then. */
function turns(): () => Promise<void> | undefined {
  let begun = performance.now();
  return () => {
    if (performance.now() - begun < TURN_MS) return undefined;
    return new Promise((resolve) =>
      setImmediate(() => {
        begun = performance.now();
        resolve();
      }),
    );
  };
}

/** Has the store the bytes of all that is gone, and are the others what they were? */
async function areSound(outputs: LostOutputs, { gone, relinked }: Loss): Promise<boolean> {
  const turn = turns();
  for (const paths of gone.values()) {
    if (!paths.every((path) => outputs.canReturn(path))) return false;
    await turn();
  }
  for (const path of relinked) {
    if (!outputs.isLinked(path)) return false;
    await turn();
  }
  return true;
}

type Parts = {
  readonly request: Request;
  readonly screen: Screen;
  readonly snapshot: Snapshot;
  /** The file of details. */
  readonly details: string;
  /** As of lossOf. */
  readonly gone: ReadonlyMap<number, readonly number[]>;
  readonly outputs: LostOutputs;
  readonly files: FileDigests;
  readonly index: IndexDb;
  readonly tree: string;
  readonly layout: StoreLayout;
};

/** `taken`: the snapshot after it, where all came back. */
type End = { readonly code: ExitCode; readonly taken?: Taken };

async function bringBack(parts: Parts, { id, signals }: Locked): Promise<End | undefined> {
  const { snapshot, gone, outputs, files, index, tree, layout } = parts;
  const begun = Date.now() / 1000;
  // Nothing is said before it is certain that the whole way is not needed.
  const seconds = await linkAll(parts);
  if (seconds === undefined) return undefined;
  const standing = outputs.settled(gone, files);
  const built = [...gone.keys()].filter((job) => snapshot.built[job] === 1);
  for (const job of built) noteRestored(parts, job);
  files.flush();
  index.settle();
  const isNoted =
    gone.size === 0 || (snapshot.noted !== '' && readBuilds(layout, tree).at(-1)?.list === snapshot.noted);
  const noted = isNoted ? snapshot.noted : noteResults({ index, layout, tree }, wantedIds(snapshot), id);
  tell(parts, begun, seconds);
  const interrupted = signals.exitCode();
  return interrupted === undefined
    ? { code: EXIT.ok, taken: afterwards(parts, built, { ...standing, noted }) }
    : { code: interrupted };
}

const wantedIds = ({ ids, states }: Snapshot): JobId[] =>
  (ids.all() as JobId[]).filter((_, job) => ((states[job] ?? 0) & STATE.wanted) !== 0);

/** Seconds that each job took; undefined, and all is as before, where one could not be brought back. */
async function linkAll({ snapshot, gone, outputs }: Parts): Promise<Map<number, number> | undefined> {
  const seconds = new Map<number, number>();
  const turn = turns();
  let isWhole = false;
  try {
    for (const job of inOrder(snapshot)) {
      const begun = performance.now();
      const paths = gone.get(job);
      if (paths === undefined) continue;
      for (const path of paths) if (!outputs.link(path) && !(await outputs.bringBack(path))) return undefined;
      step('restore:linked');
      seconds.set(job, (performance.now() - begun) / 1000);
      await turn();
    }
    isWhole = true;
    return seconds;
  } finally {
    if (!isWhole) outputs.undo();
  }
}

/** @param begun seconds since the epoch; @param restored seconds by job */
function tell({ request, screen, snapshot }: Parts, begun: number, restored: ReadonlyMap<number, number>): void {
  const { verbosity, json } = request.common;
  const color = screen.colorOn(process.stderr);
  const reporter = openReporter({ json, verbosity, reasons: request.build.reason, color }, process.env);
  try {
    const announce = new Announcer((event) => reporter.handle(event), { describe: () => '', logTail: () => [] });
    const jobs = wantedJobs(snapshot);
    announce.buildStarted(jobs, request.build.jobs ?? availableParallelism(), begun);
    const counts = { built: 0, restored: 0, fresh: 0, failed: 0, skipped: 0, cancelled: 0 };
    for (const job of inOrder(snapshot)) {
      const seconds = restored.get(job);
      counts[seconds === undefined ? 'fresh' : 'restored']++;
      if (seconds !== undefined) announce.settled(jobRef(snapshot, job), 'restored', seconds);
      else if (json || verbosity !== 'quiet') announce.settled(jobRef(snapshot, job), 'fresh', 0);
    }
    announce.buildFinished(counts);
  } finally {
    reporter.close();
  }
}

/** A result that was built here counts as restored from now on. */
function noteRestored({ snapshot, index, tree }: Parts, job: number): void {
  const { ids, paths, pathsOfJob } = snapshot;
  const id = ids.at(job) as JobId;
  const key = index.current(tree, id);
  const made: string[] = [];
  for (let path = pathsOfJob[job] ?? 0; path < (pathsOfJob[job + 1] ?? 0); path++) made.push(paths.at(path));
  if (key !== undefined) index.recordRestored(tree, id, key, made, undefined);
}

/** @param built jobs that were on record as built here */
function afterwards({ snapshot, details }: Parts, built: readonly number[], standing: Partial<Snapshot>): Taken {
  if (built.length === 0) return { snapshot: { ...snapshot, ...standing } };
  const marks = snapshot.built.slice();
  for (const job of built) marks[job] = 0;
  const rows = readDetails(details, snapshot.details)?.all();
  if (rows === undefined) return { snapshot: { ...snapshot, ...standing, built: marks, details: '' } };
  for (const job of built) if (snapshot.told[job] === TOLD.byDetails) rows[job] = restoredDetail(rows[job] ?? '');
  const made = makeDetails(rows);
  return { snapshot: { ...snapshot, ...standing, built: marks, details: made.id }, details: made };
}
