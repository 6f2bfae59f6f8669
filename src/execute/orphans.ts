// What a driver that was killed left: jobs that run on, jobs that ended since, and processes and folders of which nothing
// good can come. (A helper shell whose driver is gone finishes its job, writes the exit marker, and ends.)
import { join } from 'node:path';
import { placeOf } from '../store/holder.ts';
import type { Usage } from '../store/trace.ts';
import { readExitMarker, type ExitMarker } from './exit-marker.ts';
import { lives, readLaunches, type Earlier, type Launched } from './launches.ts';
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

/** Has the machine been started again since? Then no process lives, and bytes may not have reached the disk. */
export function machineWasDown({ helpers, scratches }: Earlier): boolean {
  const boot = (place: string): string => place.split(' ')[0] ?? '';
  const here = boot(placeOf());
  return [...helpers, ...scratches].some(({ place }) => boot(place) !== here);
}

/** @param jobs the folder with the jobs' folders, absolute */
export function findOrphans(earlier: Earlier, jobs: string): Orphan[] {
  const lastOfJob = new Map(earlier.launches.map((launch) => [launch.jobId, launch]));
  // A helper has one job after the other, and runs none but the last.
  const lastOfHelper = new Map(earlier.launches.map((launch) => [launch.helper, launch]));
  const wasDown = machineWasDown(earlier);
  return [...lastOfJob.values()].map((launch) => {
    const jobDir = join(jobs, launch.jobId);
    const { helper } = launch;
    if (helper && wasDown) return { launch, jobDir, state: 'gone', marker: undefined };
    // In this order: a marker is written before the helper ends. Of a job of a scheduler only that one can say more.
    const alive = helper ? lastOfHelper.get(helper) === launch && lives(helper) : launch.submitted !== undefined;
    const marker = readExitMarker(jobDir, launch.token);
    return { launch, jobDir, state: marker ? 'ended' : alive ? 'running' : 'gone', marker };
  });
}

/** What runs of a work tree's launches: jobs of the build that is on, or of one that was killed. */
export function runningLaunches(work: { readonly launches: string; readonly jobs: string }): Orphan[] {
  return findOrphans(readLaunches(work.launches), work.jobs).filter(({ state }) => state === 'running');
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
