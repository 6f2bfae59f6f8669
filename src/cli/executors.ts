// What runs the jobs of a build, and what can tell of those that an earlier one handed to a scheduler.
import { ClusterExecutor } from '../execute/cluster/cluster.ts';
import type { ClusterTemplates, Profile } from '../execute/cluster/profile.ts';
import { readProfile, shownProfile } from '../execute/cluster/read-profile.ts';
import type { Executor } from '../execute/executor.ts';
import type { Orphan } from '../execute/orphans.ts';
import { LocalExecutor } from '../execute/local.ts';
import type { WorkLayout } from '../store/layout.ts';
import type { Inheritance } from './killed-build.ts';

export type ClusterProfile = Profile & { readonly cluster: ClusterTemplates };

/** How records and launches call the executor of a profile. */
const executorName = (profile: Profile): string => {
  const shown = shownProfile(profile);
  return shown === 'local' ? 'cluster:local' : shown;
};

export type Executors = {
  readonly local: LocalExecutor;
  /** That of the profile of this build. */
  readonly cluster: ClusterExecutor | undefined;
  /** By name, as launches have it. */
  readonly named: (name: string) => Executor | undefined;
  /**
   * Cancels what a scheduler still runs for an earlier build and nobody wants now; resolves when it is over, with those that
   * ended well nevertheless.
   */
  endUnwanted(): Promise<readonly Orphan[]>;
  /** Is a job with its scheduler, and not over? */
  readonly isAway: (jobId: string) => boolean;
  /** @param leaving what schedulers have goes on without this process */
  close(leaving?: boolean): Promise<void>;
};

/**
 * @param slots local jobs at once; @param helpers shells to start for them; @param profile of this build
 * @param inherited what an earlier build left: some executor must be able to tell of each of its jobs
 */
export function openExecutors(from: {
  readonly root: string;
  readonly work: WorkLayout;
  readonly slots: number;
  readonly helpers: number;
  readonly profile: ClusterProfile | undefined;
  readonly inherited: Pick<Inheritance, 'launches' | 'earlier' | 'adopted' | 'unwanted' | 'kept'>;
  readonly warn: (text: string) => void;
}): Executors {
  const { root, work, profile, inherited, warn } = from;
  const { launches, earlier, adopted, unwanted } = inherited;
  // Its helper shells first, while this process is small.
  const local = new LocalExecutor({ slots: from.slots, helpers: from.helpers, cwd: root, launches });
  const clusters = new Map<string, ClusterExecutor>();
  const open = (of: ClusterProfile): ClusterExecutor => {
    const name = executorName(of);
    const executor = new ClusterExecutor({ profile: of, name, root, ...work, launches, warn }, inherited.kept);
    clusters.set(name, executor);
    launches.addProfile(name, of.file);
    return executor;
  };
  const cluster = profile && open(profile);
  for (const { launch } of [...adopted.values(), ...unwanted]) {
    if (launch.helper !== undefined || clusters.has(launch.executor)) continue;
    const file = earlier.profiles.get(launch.executor);
    const read = file === undefined ? undefined : readProfile(launch.executor, file);
    if (read?.ok && read.value.cluster) open({ ...read.value, cluster: read.value.cluster });
    else warn(`jobs of an earlier build went by the profile ${launch.executor}, which cannot be read: ${file ?? ''}`);
  }
  const named = (name: string): Executor | undefined => (name === local.name ? local : clusters.get(name));
  const endUnwanted = async (): Promise<readonly Orphan[]> => {
    const adoptedNow = unwanted.map((orphan) => ({
      orphan,
      running: named(orphan.launch.executor)?.adopt(orphan, undefined),
    }));
    for (const { running } of adoptedNow) running?.cancel();
    const ends = adoptedNow.map(async ({ orphan, running }) => {
      const completion = await running?.done;
      return completion?.outcome.kind === 'success' ? [orphan] : [];
    });
    return (await Promise.all(ends)).flat();
  };
  const isAway = (jobId: string): boolean => [...clusters.values()].some((each) => each.has(jobId));
  const close = async (leaving = false): Promise<void> => {
    await local.close();
    if (leaving) for (const each of clusters.values()) each.leave();
    else await Promise.all([...clusters.values()].map((each) => each.close()));
  };
  return { local, cluster, named, endUnwanted, isAway, close };
}
