// Which jobs a scheduler is given in packs: those of a group, and those that were short when they last ran.
import type { Pack } from '../execute/executor.ts';
import type { Job } from '../graph/job.ts';

/** Jobs of a pack at the most, however short they are. */
const MOST = 100;

/**
 * The pack that an attempt may go in; undefined: it goes alone.
 * @param expectedS what the job is expected to take (seconds); @param packS how long a pack may take; undefined: only groups are packed
 */
export function packOf(
  job: Job,
  attempt: number,
  expectedS: number | undefined,
  packS: number | undefined,
): Pack | undefined {
  // One that failed may be what spoils a pack.
  if (attempt > 1) return undefined;
  const { group, name } = job.rule;
  if (group !== undefined) return group.size > 1 ? { name: group.name, share: 1 / group.size } : undefined;
  if (packS === undefined || expectedS === undefined || expectedS * 2 > packS) return undefined;
  return { name, share: Math.max(expectedS / packS, 1 / MOST) };
}
