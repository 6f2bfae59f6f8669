// `lhb build` where outputs are gone and nothing else has changed since the last one: they come back as the snapshot has
// them. The workflow is not read. What is met that takes a plan is left to the whole way.
import { availableParallelism } from 'node:os';
import type { JobId } from '../base/brand.ts';
import { step } from '../base/step.ts';
import { errno } from '../fs/errno.ts';
import { makeFolder } from '../fs/make-folder.ts';
import { makeDetails, readDetails } from '../plan/details.ts';
import { sameWords } from '../plan/evidence.ts';
import { LostOutputs } from '../plan/lost-outputs.ts';
import { inOrder, jobRef, wantedJobs } from '../plan/snapshot-jobs.ts';
import type { Taken } from '../plan/snapshot-take.ts';
import { TOLD, type Snapshot } from '../plan/snapshot.ts';
import { restoredDetail } from '../report/detailed-cells.ts';
import { openReporter } from '../report/open-reporter.ts';
import { Announcer } from '../schedule/announcer.ts';
import { BlobStore } from '../store/blob-store.ts';
import { collector } from '../store/collecting.ts';
import { FileDigests } from '../store/file-digests.ts';
import type { IndexDb } from '../store/index-db.ts';
import { storeLayout, workLayout } from '../store/layout.ts';
import { openIndex } from '../store/open-index.ts';
import { treeIdAt } from '../store/trees.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { findWorkflow } from './find-workflow.ts';
import type { BuildOptions, CommonOptions } from './invocation.ts';
import { keepSnapshot } from './keep-snapshot.ts';
import { underBuildLock, type Locked } from './lock-build.ts';
import { currentWords, type Incomplete } from './quick-build.ts';
import { sayOnce } from './say-once.ts';
import type { Screen } from './screen.ts';

type Request = { readonly common: CommonOptions; readonly build: BuildOptions };

/** How long it may go on before signals and the screen get a turn (ms). */
const TURN_MS = 15;

/**
 * The exit code of a build that brought back all that was missing; undefined where that is for the whole way.
 * @param request about all jobs, with no option that has a part in it
 */
export async function quickRestore(
  request: Request,
  screen: Screen,
  { root, snapshot, loss }: Incomplete,
): Promise<ExitCode | undefined> {
  return underBuildLock<ExitCode | undefined>(root, request.build.wait, screen, async (locked) => {
    const found = findWorkflow(request.common);
    const tree = treeIdAt(root);
    if (locked.waited || !found.ok || tree === undefined) return undefined;
    const work = workLayout(root);
    const { words } = snapshot.evidence;
    const layout = storeLayout(words['store'] ?? '', words['index']);
    const isAsItWas = sameWords(words, currentWords(words, request.common, found.value, work));
    if (!isAsItWas || collector(layout) !== undefined) return undefined;
    makeFolder(work.tmp, work.dir);
    const blobs = new BlobStore(layout, { link: snapshot.link ?? 'auto', workTmp: work.tmp });
    const outputs = new LostOutputs(root, snapshot, blobs);
    const { gone, relinked } = loss;
    const isWhole = [...gone.values()].every((paths) => paths.every((path) => outputs.canReturn(path)));
    if (!isWhole || !relinked.every((path) => outputs.isLinked(path))) return undefined;
    const index = openIndex({ layout, tree, write: true, tell: sayOnce });
    if (!index.ok) return undefined;
    const parts = { request, screen, snapshot, details: work.details, gone, outputs, index: index.value, tree };
    let end: End | undefined;
    try {
      end = await bringBack({ ...parts, files: new FileDigests(root, index.value.fileTable(tree)) }, locked);
    } finally {
      await index.value.close();
    }
    if (end?.taken) keepSnapshot(end.taken, request.common, { file: found.value, root }, layout);
    return end?.code;
  });
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
};

/** `taken`: the snapshot after it, where all came back. */
type End = { readonly code: ExitCode; readonly taken?: Taken };

async function bringBack(parts: Parts, { signals }: Locked): Promise<End | undefined> {
  const { request, screen, snapshot, gone, outputs, files, index } = parts;
  const { verbosity, json } = request.common;
  const color = screen.colorOn(process.stderr);
  const reporter = openReporter({ json, verbosity, reasons: request.build.reason, color }, process.env);
  const announce = new Announcer((event) => reporter.handle(event), { describe: () => '', logTail: () => [] });
  const counts = { built: 0, restored: 0, fresh: 0, failed: 0, skipped: 0, cancelled: 0 };
  const restored: number[] = [];
  try {
    announce.buildStarted(wantedJobs(snapshot), request.build.jobs ?? availableParallelism());
    let turn = performance.now();
    for (const job of inOrder(snapshot)) {
      const begun = performance.now();
      const paths = gone.get(job);
      if (paths === undefined) {
        counts.fresh++;
        if (json || verbosity !== 'quiet') announce.settled(jobRef(snapshot, job), 'fresh', 0);
      } else if (signals.signal.aborted) {
        counts.skipped++;
        announce.passedOver(jobRef(snapshot, job), 'interrupted');
      } else {
        for (const path of paths) if (!outputs.link(path) && !(await outputs.bringBack(path))) return undefined;
        step('restore:linked');
        counts.restored++;
        restored.push(job);
        announce.settled(jobRef(snapshot, job), 'restored', (performance.now() - begun) / 1000);
      }
      if (performance.now() - turn < TURN_MS) continue;
      await new Promise((resolve) => setImmediate(resolve));
      turn = performance.now();
    }
    const standing = outputs.settled(new Set(restored), files);
    const built = restored.filter((job) => snapshot.built[job] === 1);
    for (const job of built) noteRestored(parts, job);
    files.flush();
    index.settle();
    announce.buildFinished(counts);
    const interrupted = signals.exitCode();
    if (interrupted !== undefined) return { code: interrupted };
    return { code: EXIT.ok, taken: afterwards(parts, built, standing) };
  } catch (problem) {
    // No space, no permission, something in the way just now: the whole way meets it too, and says what it is.
    if (errno(problem) === undefined) throw problem;
    return undefined;
  } finally {
    reporter.close();
  }
}

/** A result that was built here counts as restored from now on. (Which results a build looked at is on record of the one before.) */
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
