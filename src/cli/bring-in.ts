// Brings results of shared caches into the local store, without building: for `lhb restore` and `lhb cache pull`.
import { ok, type Result } from '../base/result.ts';
import type { Job } from '../graph/job.ts';
import { makePlan } from '../plan/plan.ts';
import { seekShared } from '../schedule/seek-shared.ts';
import { SharedResults, sharedTrace } from '../schedule/shared-results.ts';
import type { Hit } from '../cache/tier.ts';
import type { CacheCounts, SharedCaches } from '../cache/tiers.ts';
import { cachesFor } from './cache-settings.ts';
import type { CacheOptions } from './invocation.ts';
import type { Screen } from './screen.ts';
import type { Workspace } from './workspace.ts';

/** What came; undefined where there are no caches. The jobs must hold all their upstream. */
export async function bringIn(
  workspace: Workspace,
  jobs: ReadonlySet<Job>,
  options: CacheOptions,
  screen: Screen,
): Promise<Result<CacheCounts | undefined>> {
  const warn = (text: string): void => screen.note(`warning: ${text}`);
  const caches = await cachesFor(workspace, { ...options, upload: 'none' }, true, warn, true);
  if (!caches.ok) return caches;
  if (caches.value === undefined) return ok(undefined);
  return ok(await bringInFrom(workspace, jobs, caches.value, warn));
}

/** As bringIn, from these caches, which are closed after. */
export async function bringInFrom(
  workspace: Workspace,
  jobs: ReadonlySet<Job>,
  caches: SharedCaches,
  warn: (text: string) => void,
): Promise<CacheCounts> {
  const { rebuilder, records, graph } = workspace;
  const shared = new SharedResults({ caches, records });
  const inOrder = graph.jobs.filter((job) => jobs.has(job));
  await seekShared(
    () => makePlan(inOrder, rebuilder),
    shared,
    async (asked, hit) => (await shared.take(asked, hit)) !== undefined,
  );
  const { counts, problems } = await shared.finish(new AbortController().signal, () => {});
  for (const problem of problems) warn(problem);
  caches.close();
  return counts;
}

/** What the caches have of these jobs that would run; nothing is brought in. */
export async function hitsFor(workspace: Workspace, jobs: ReadonlySet<Job>, caches: SharedCaches): Promise<Hit[]> {
  const { rebuilder, records, graph } = workspace;
  const hits: Hit[] = [];
  const inOrder = graph.jobs.filter((job) => jobs.has(job));
  await seekShared(
    () => makePlan(inOrder, rebuilder),
    new SharedResults({ caches, records }),
    (asked, hit) => {
      records.noteShared(sharedTrace(asked, hit));
      hits.push(hit);
      return true;
    },
  );
  records.forgetShared();
  return hits;
}
