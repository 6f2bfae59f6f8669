// What a driver that was killed left: jobs that run on, jobs that ended since, and processes and folders of which nothing
// good can come. (A helper shell whose driver is gone finishes its job, writes the exit marker, and ends.)
import { join } from 'node:path';
import type { ActionKey, JobId } from '../base/brand.ts';
import { placeOf } from '../store/holder.ts';
import type { Attempt, Usage } from '../store/trace.ts';
import { readExitMarker, readMarker, type ExitMarker } from './exit-marker.ts';
import type { Outcome } from './executor.ts';
import { lives, readLaunches, type Earlier, type Launched } from './launches.ts';
import { outcomeOfStatus } from './outcome.ts';
import { hasProc, processIds, readStat, variableFrom } from './proc.ts';
import { endProcesses, GRACE_MS, sendSignal } from './process-group.ts';
import { removeScratch } from './scratch.ts';

/** The last launch of a job by an earlier driver. */
export type Orphan = {
  readonly launch: Launched;
  /** Absolute; the job's folder, with the marker. */
  readonly jobDir: string;
  /** `gone`: it does not run, and left no word of how it ended. */
  readonly state: 'running' | 'ended' | 'gone';
  /** Of an ended one. */
  readonly marker: ExitMarker | undefined;
};

/** Where jobs' folders are, and the markers of those of a scheduler; absolute. */
type Folders = { readonly jobs: string; readonly ended: string };

/** Has the machine been started again since? Then no process lives, and bytes may not have reached the disk. */
export function machineWasDown({ helpers, scratches }: Earlier): boolean {
  const boot = (place: string): string => place.split(' ')[0] ?? '';
  const here = boot(placeOf());
  return [...helpers, ...scratches].some(({ place }) => boot(place) !== here);
}

export function findOrphans(earlier: Earlier, { jobs, ended }: Folders): Orphan[] {
  return lastLaunches(earlier).map(({ launch, isLastOfHelper }) => {
    const jobDir = join(jobs, launch.jobId);
    const { helper } = launch;
    if (helper && machineWasDown(earlier)) return { launch, jobDir, state: 'gone', marker: undefined };
    // In this order: a marker is written before the helper ends. Of a job of a scheduler only that one can say more.
    const alive = helper ? isLastOfHelper && lives(helper) : launch.submitted !== undefined;
    const { token } = launch;
    const marker = helper ? readExitMarker(jobDir, token) : readMarker(join(ended, token), token);
    // By whom such a one was ended, its scheduler may know.
    if (!helper && marker && marker.code > 128) return { launch, jobDir, state: 'running', marker: undefined };
    return { launch, jobDir, state: marker ? 'ended' : alive ? 'running' : 'gone', marker };
  });
}

/** Those that run, which is found out faster: jobs of the build that is on, or of one that was killed. */
export function findRunning(earlier: Earlier, folders: Folders): Orphan[] {
  const last = lastLaunches(earlier).filter(({ launch, isLastOfHelper }) => isLastOfHelper || !launch.helper);
  const launches = last.map(({ launch }) => launch);
  return findOrphans({ ...earlier, launches }, folders).filter(({ state }) => state === 'running');
}

/** The last launch of each job. A helper has one job after the other, and runs none but the last. */
function lastLaunches({ launches }: Earlier): { launch: Launched; isLastOfHelper: boolean }[] {
  const ofHelper = new Map(launches.map((launch) => [launch.helper, launch]));
  const ofJob = new Map(launches.map((launch) => [launch.jobId, launch]));
  return [...ofJob.values()].map((launch) => ({ launch, isLastOfHelper: ofHelper.get(launch.helper) === launch }));
}

/** What runs of a work tree's launches. */
export const runningLaunches = (work: Folders & { readonly launches: string }): Orphan[] =>
  findRunning(readLaunches(work.launches), work);

/** An attempt as its launch and its marker tell of it, for what is not on record; undefined of one that never began. @param describe says an outcome */
export function notedAttempt(
  { launch, state, marker }: Orphan,
  describe: (outcome: Outcome) => string,
): Attempt | undefined {
  if (!launch.begun && state === 'gone') return undefined;
  const { jobId, rule, actionKey, attempt, startedAt, log, resources, helper } = launch;
  const failed = marker !== undefined && marker.code !== 0;
  return {
    jobId: jobId as JobId,
    rule,
    actionKey: actionKey as ActionKey,
    attempt,
    state: failed ? 'failed' : 'begun',
    reason: failed ? describe(outcomeOfStatus(marker.code)) : 'cut off',
    usage: failed ? usageOf(launch, marker, undefined) : undefined,
    host: marker?.host ?? helper?.host ?? launch.executor,
    log,
    resources,
    build: '',
    // What it is compared with are records of the same launch, of its beginning or its end.
    startedAt: failed ? Math.max(startedAt, marker.finishedAt) : startedAt,
  };
}

/** What an orphan used, by its marker; without one until now. */
export function usageOf(
  { startedAt, cpuBefore }: Launched,
  marker: ExitMarker | undefined,
  maxRssMb: number | undefined,
): Usage {
  const finishedAt = Math.max(startedAt, marker?.finishedAt ?? Date.now() / 1000);
  const cpuS = marker?.cpuS === undefined || cpuBefore === undefined ? undefined : Math.max(0, marker.cpuS - cpuBefore);
  return { startedAt, finishedAt, wallS: finishedAt - startedAt, cpuS, maxRssMb };
}

/**
 * Ends what an earlier driver left running, but for the jobs that are `kept`, and removes its temporary folders. To be
 * called by the one who holds the build lock, before anything is started. Gives how many processes there were.
 */
export async function endStrays(
  earlier: Earlier,
  kept: readonly Launched[],
  graceMs: number = GRACE_MS,
): Promise<number> {
  const keptHelpers = new Set(kept.flatMap(({ helper }) => helper?.pid ?? []));
  const keptFolders = new Set(kept.map(({ tmpdir }) => tmpdir).filter((tmpdir) => tmpdir !== ''));
  // only while a helper lives is it certain that the session is still its own
  const helpers = new Set(earlier.helpers.filter((h) => !keptHelpers.has(h.pid) && lives(h)).map(({ pid }) => pid));
  const here = placeOf();
  const marks = earlier.scratches.filter(({ place }) => place === here).map((s) => `TMPDIR=${s.beginning}`);
  const isMarked = (pid: number): boolean =>
    marks.some((mark) => {
      const folder = variableFrom(pid, mark)?.slice('TMPDIR='.length);
      return (
        folder !== undefined && ![...keptFolders].some((kept_) => folder === kept_ || folder.startsWith(`${kept_}/`))
      );
    });
  const seen = new Set<number>();
  const find = (): number[] => {
    const pids = processIds().filter((pid) => {
      const stat = readStat(pid);
      if (stat === undefined || stat.state === 'Z' || pid === process.pid || keptHelpers.has(stat.session))
        return false;
      return helpers.has(stat.session) || isMarked(pid);
    });
    for (const pid of pids) seen.add(pid);
    return pids;
  };
  // Without /proc a group is all that is known.
  if (!hasProc) for (const pid of helpers) sendSignal(-pid, 'SIGTERM');
  else if (helpers.size > 0 || marks.length > 0) await endProcesses(find, () => true, graceMs);
  for (const { beginning } of earlier.scratches) await removeScratch(beginning, keptFolders);
  return seen.size;
}
