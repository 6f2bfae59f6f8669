// Where the jobs of a build run: on this machine, or on the cluster of its profile.
import { availableParallelism } from 'node:os';
import type { Diagnostic } from '../base/diagnostic.ts';
import { err, ok, type Result } from '../base/result.ts';
import { checkTemplates } from '../execute/cluster/submission.ts';
import { GpuPool } from '../execute/gpus.ts';
import type { Job } from '../graph/job.ts';
import { plainRequest, type Allotments } from '../schedule/allotment.ts';
import type { Lane, LaneOf } from '../schedule/lane.ts';
import { machineLimits, ResourcePool } from '../schedule/resources.ts';
import type { BuildOptions } from './invocation.ts';
import { gpusFor, limitsFrom } from './resource-options.ts';

/** Jobs that are handed to a scheduler at once where nobody says. */
const CLUSTER_JOBS = 100;

export type Lanes = { readonly all: readonly Lane[]; readonly of: LaneOf };

/** The lanes of a build. Errors: limits that are none. */
export async function lanesFor(options: BuildOptions): Promise<Result<Lanes>> {
  const gpus = new GpuPool(await gpusFor(options.resources));
  const limits = limitsFrom(machineLimits(gpus.size), options.resources);
  const given = limitsFrom(new Map([['gpus', Infinity]]), options.resources);
  if (!limits.ok || !given.ok) return err(limits.ok ? [] : limits.error);
  const onCluster = clusterOf(options) !== undefined;
  const slots = onCluster ? availableParallelism() : (options.jobs ?? availableParallelism());
  const local: Lane = { kind: 'local', slots, pool: new ResourcePool(limits.value), gpus };
  if (!onCluster) return ok({ all: [local], of: () => local });
  const cluster: Lane = {
    kind: 'cluster',
    slots: options.jobs ?? CLUSTER_JOBS,
    pool: new ResourcePool(given.value),
    gpus: undefined,
  };
  return ok({ all: [local, cluster], of: (job) => (job.rule.localrule ? local : cluster) });
}

/** The templates by which jobs are handed over; undefined: they run here. */
export const clusterOf = ({ profile, executor }: BuildOptions) =>
  executor === 'local' || profile?.cluster === undefined ? undefined : { ...profile, cluster: profile.cluster };

/** What the profile's templates lack for jobs of a cluster, each rule once. */
export function checkProfile(
  options: BuildOptions,
  lanes: Lanes,
  jobs: readonly Job[],
  allotments: Allotments,
): Diagnostic[] {
  const profile = clusterOf(options);
  if (profile === undefined) return [];
  const seen = new Set<string>();
  return jobs.flatMap((job) => {
    const { name } = job.rule;
    if (seen.has(name) || lanes.of(job).kind === 'local') return [];
    seen.add(name);
    const resources = plainRequest(allotments.requestOf(job, 1));
    const checked = checkTemplates(
      { rule: name, label: job.label, jobId: job.id, log: job.log, attempt: 1, resources },
      profile.cluster,
    );
    return checked.ok ? [] : checked.error;
  });
}
