// What runs the jobs of a build, and what can tell of those that an earlier one handed to a scheduler.
import { ClusterExecutor } from '../execute/cluster/cluster.ts';
import type { ClusterTemplates, Profile } from '../execute/cluster/profile.ts';
import { readProfile } from '../execute/cluster/read-profile.ts';
import type { Executor } from '../execute/executor.ts';
import type { Earlier, LaunchLog } from '../execute/launches.ts';
import { LocalExecutor } from '../execute/local.ts';
import type { Orphan } from '../execute/orphans.ts';
import type { WorkLayout } from '../store/layout.ts';

export type Executors = {
  readonly local: LocalExecutor;
  /** That of the profile of this build. */
  readonly cluster: ClusterExecutor | undefined;
  /** By name, as launches have it. */
  named(name: string): Executor | undefined;
  /** Every one that asks a scheduler. */
  readonly clusters: readonly ClusterExecutor[];
};

/**
 * @param profile of this build; @param earlier what an earlier build launched
 * @param orphans those of which some executor must be able to tell
 */
export function openExecutors(from: {
  readonly root: string;
  readonly work: WorkLayout;
  readonly helpers: number;
  readonly launches: LaunchLog;
  readonly profile: (Profile & { readonly cluster: ClusterTemplates }) | undefined;
  readonly earlier: Earlier;
  readonly orphans: readonly Orphan[];
  readonly warn: (text: string) => void;
}): Executors {
  const { root, work, launches, profile, warn } = from;
  // Its helper shells first, while this process is small.
  const local = new LocalExecutor({ slots: from.helpers, cwd: root, launches });
  const clusters = new Map<string, ClusterExecutor>();
  const open = (of: Profile & { readonly cluster: ClusterTemplates }): ClusterExecutor => {
    const executor = new ClusterExecutor({ profile: of, root, work: work.dir, launches, warn });
    clusters.set(of.name, executor);
    launches.addProfile(of.name, of.file);
    return executor;
  };
  const cluster = profile && open(profile);
  for (const { launch } of from.orphans) {
    if (launch.helper !== undefined || clusters.has(launch.executor)) continue;
    const file = from.earlier.profiles.get(launch.executor);
    const read = file === undefined ? undefined : readProfile(launch.executor, file);
    if (read?.ok && read.value.cluster) open({ ...read.value, cluster: read.value.cluster });
    else warn(`jobs of an earlier build went by the profile ${launch.executor}, which cannot be read: ${file ?? ''}`);
  }
  const named = (name: string): Executor | undefined => (name === local.name ? local : clusters.get(name));
  return { local, cluster, named, clusters: [...clusters.values()] };
}
