// `lhb build`, or `-n`, where nothing is to be done, told from the snapshot of the last build. It loads nothing that it does
// not need: neither the workflow nor the index is read.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { configFolder } from '../base/user-folders.ts';
import { changedPaths, startHelper } from '../plan/changed-paths.ts';
import { evidenceHolds, type Evidence } from '../plan/evidence.ts';
import { lossOf, type Loss } from '../plan/lost-paths.ts';
import { inOrder, jobRef, wantedJobs } from '../plan/snapshot-jobs.ts';
import { readSnapshot, STATE, type Snapshot } from '../plan/snapshot.ts';
import { openReporter } from '../report/open-reporter.ts';
import { describePlan } from '../report/wording.ts';
import { Announcer } from '../schedule/announcer.ts';
import { lmdbMark } from '../store/lmdb-file.ts';
import { wasClosed } from '../store/index-state.ts';
import { storeLayout, workLayout, type WorkLayout } from '../store/layout.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { findWorkflow } from './find-workflow.ts';
import type { BuildOptions, CommonOptions } from './invocation.ts';
import type { Screen } from './screen.ts';
import type { BuildWish } from './selection.ts';
import { version } from './version.ts';

type Request = BuildWish & { readonly common: CommonOptions };

/** A snapshot whose workflow, in the folder `root`, is as it was; `changed`: the numbers of paths that are not. */
export type Standing = {
  readonly root: string;
  readonly snapshot: Snapshot;
  readonly changed: readonly number[];
};

/** Is a build about all that is wanted by default, whatever else is asked of it? Only such ones take snapshots. */
export const isWhole = ({ selectors, forcerun, only, build }: BuildWish): boolean =>
  selectors.length === 0 &&
  forcerun.length === 0 &&
  !only &&
  build.until.length === 0 &&
  build.omitFrom.length === 0 &&
  !build.rerunIncomplete;

/** Options without a part in a build where everything is fresh. One that is not named here may have one. */
const IDLE = new Set<string>([
  'dryRun',
  'jobs',
  'keepGoing',
  'noTemp',
  'reason',
  'retries',
  'wait',
  'caches',
] as const satisfies (keyof BuildOptions)[]);

const isPlain = (build: BuildOptions): boolean =>
  build.caches.choice === undefined &&
  Object.entries(build).every(
    ([name, value]) => IDLE.has(name) || !value || (Array.isArray(value) && value.length === 0),
  );

/** LHB_NO_SNAPSHOT=1: as if there were none, and none is written. */
export const snapshotsOff = (env: NodeJS.ProcessEnv): boolean => (env['LHB_NO_SNAPSHOT'] ?? '') !== '';

/**
 * The exit code of a build, or of `-n`, that finds, and says, that there is nothing to do; else undefined, with nothing said,
 * or how the work tree stands to its snapshot.
 */
export function quickBuild(request: Request, screen: Screen): ExitCode | Standing | undefined {
  if (!isWhole(request) || !isPlain(request.build)) return undefined;
  const standing = standingOf(request.common);
  if (standing === undefined || standing.changed.length > 0) return standing;
  if (standing.snapshot.states.includes(STATE.wanted)) return standing;
  if (!request.build.dryRun) nothingToDo(standing.snapshot, request, screen);
  else if (screen.json || screen.verbose) return standing;
  else screen.note(describePlan({ none: wantedJobs(standing.snapshot), restore: 0, run: 0, check: 0 }));
  return EXIT.ok;
}

/** A work tree where nothing is to be done but to bring back what is gone. */
export type Incomplete = Standing & { readonly loss: Loss };

/** @param standing as of quickBuild */
export function incompleteOf(standing: Standing, { build }: Request): Incomplete | undefined {
  const { snapshot, changed, root } = standing;
  const loss = build.dryRun ? undefined : lossOf(snapshot, changed, root);
  return loss && { ...standing, loss };
}

/** How the work tree stands to the snapshot of its last build; undefined where there is none that counts. */
export function standingOf(common: CommonOptions): Standing | undefined {
  if (snapshotsOff(process.env)) return undefined;
  const found = findWorkflow(common);
  if (!found.ok) return undefined;
  try {
    return compare(common, found.value, workLayout(dirname(found.value)));
  } catch (problem) {
    // No permission, a file that went away just now: the slow way meets it too, and says what it is.
    if (problem instanceof Error && 'code' in problem) return undefined;
    throw problem;
  }
}

function compare(common: CommonOptions, file: string, work: WorkLayout): Standing | undefined {
  const root = dirname(file);
  const size = statSync(work.snapshot, { throwIfNoEntry: false })?.size;
  // Someone builds, or did and was killed.
  if (size === undefined || [work.lock, work.launches].some((path) => existsSync(path))) return undefined;
  const helper = availableParallelism() > 1 ? startHelper(size) : undefined;
  const snapshot = readSnapshot(work.snapshot);
  if (
    snapshot === undefined ||
    // Results wait to be sent to a shared cache.
    isWaiting(work.outbox) ||
    // A gc removes something from the store: no build begins.
    existsSync(storeLayout(snapshot.evidence.words['store'] ?? '').collecting) ||
    // Someone wrote to the index who is no lhb, or did not get to close it: it is looked through first.
    !wasClosed(snapshot.evidence.words['index'] ?? '') ||
    !evidenceHolds(snapshot.evidence, currentWords(snapshot.evidence.words, common, file, work), process.env, root)
  ) {
    helper?.end();
    return undefined;
  }
  return { root, snapshot, changed: changedPaths(snapshot, root, helper) };
}

/** What must be the same word by word for the snapshot to count. */
export function snapshotWords(
  common: CommonOptions,
  file: string,
  work: WorkLayout,
  store: { readonly root: string; readonly index: string },
): Evidence['words'] {
  // In an installed lhb its version says it all; where it is worked on, each compilation is another program.
  const program = statSync(fileURLToPath(import.meta.url), { throwIfNoEntry: false });
  return {
    lhb: version(),
    node: process.version,
    program: `${program?.mtimeMs} ${program?.ino}`,
    workflow: file,
    config: JSON.stringify([
      common.configfiles.map(({ text }) => text),
      common.configfiles.length > 0 ? process.cwd() : '',
      common.config.map(({ name, value }) => [name, value]),
    ]),
    tree: textOf(work.tree),
    store: store.root,
    format: textOf(join(store.root, 'format')),
    index: store.index,
    mark: lmdbMark(join(store.index, 'data.mdb')) ?? '',
    // A name that is no cache's is an error.
    caches: process.env['LHB_CACHE'] ?? '',
  };
}

export const currentWords = (
  then: Evidence['words'],
  common: CommonOptions,
  file: string,
  work: WorkLayout,
): Evidence['words'] => snapshotWords(common, file, work, { root: then['store'] ?? '', index: then['index'] ?? '' });

function textOf(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

const isWaiting = (outbox: string): boolean =>
  existsSync(outbox) && readdirSync(outbox).some((cache) => readdirSync(join(outbox, cache)).length > 0);

/** The user's own config. */
export const userConfig = (env: NodeJS.ProcessEnv): string => join(configFolder(env), 'config.yaml');

/** As a build with a plan of fresh jobs says it. */
function nothingToDo(snapshot: Snapshot, { common, build }: Request, screen: Screen): void {
  const { verbosity, json } = common;
  const options = { json, verbosity, reasons: build.reason, color: screen.colorOn(process.stderr) };
  const reporter = openReporter(options, process.env);
  try {
    const jobs = wantedJobs(snapshot);
    const announce = new Announcer((event) => reporter.handle(event), { describe: () => '', logTail: () => [] });
    announce.buildStarted(jobs, build.jobs ?? availableParallelism());
    if (json || verbosity === 'verbose') {
      for (const job of inOrder(snapshot)) announce.settled(jobRef(snapshot, job), 'fresh', 0);
    }
    announce.buildFinished({ built: 0, restored: 0, fresh: jobs, failed: 0, skipped: 0, cancelled: 0 });
  } finally {
    reporter.close();
  }
}
