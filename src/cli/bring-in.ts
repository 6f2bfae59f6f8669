// Brings results of shared caches into the local store, without building: for `lhb restore` and `lhb cache pull`.
import { ok, type Result } from '../base/result.ts';
import type { Job } from '../graph/job.ts';
import { makePlan } from '../plan/plan.ts';
import { seekShared } from '../schedule/seek-shared.ts';
import { SharedResults } from '../schedule/shared-results.ts';
import type { CacheCounts } from '../cache/tiers.ts';
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
  const caches = await cachesFor(workspace, { ...options, upload: 'none' }, true, warn);
  if (!caches.ok) return caches;
  if (caches.value === undefined) return ok(undefined);
  const { rebuilder, records, scopes, graph } = workspace;
  const shared = new SharedResults({ caches: caches.value, records, scopes });
  const inOrder = graph.jobs.filter((job) => jobs.has(job));
  await seekShared(
    () => makePlan(inOrder, rebuilder),
    shared,
    async (asked, hit) => (await shared.take(asked, hit)) !== undefined,
  );
  const { counts, problems } = await shared.finish(new AbortController().signal, () => {});
  for (const problem of problems) warn(problem);
  caches.value.close();
  return ok(counts);
}
