// Where jobs run side by side within one set of limits: this machine, or a cluster.
import type { GpuPool } from '../execute/gpus.ts';
import type { Job } from '../graph/job.ts';
import type { ResourcePool } from './resources.ts';

export type Lane = {
  readonly kind: 'local' | 'cluster';
  /** Jobs at once; on a cluster: handed over at once. */
  readonly slots: number;
  /** What there is, or what `--resources` allows. */
  readonly pool: ResourcePool;
  /** Those that are handed out here; a scheduler hands out its own. */
  readonly gpus: GpuPool | undefined;
};

/** Which lane a job runs in. */
export type LaneOf = (job: Job) => Lane;
