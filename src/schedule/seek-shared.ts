// Looks beyond the local store without a build: asks the shared caches for what would run, and with what they have looks
// again, as jobs below have keys then.
import type { Hit } from '../cache/tier.ts';
import type { Plan } from '../plan/plan.ts';
import { isShared, type Asked, type SharedResults } from './shared-results.ts';

/**
 * @param planNow plans by what is on record at that time
 * @param take makes a result known to the next plan; false where it cannot be had
 * @returns the plan in the end, and how many results were taken
 */
export async function seekShared(
  planNow: () => Plan,
  shared: SharedResults,
  take: (asked: Asked, hit: Hit) => Promise<boolean> | boolean,
): Promise<{ readonly plan: Plan; readonly taken: number }> {
  const asked = new Set<string>();
  let taken = 0;
  for (;;) {
    const plan = planNow();
    const open = [...plan.steps.values()].flatMap(({ job, action, key, reasons }): Asked[] => {
      if ((action !== 'run' && action !== 'check') || key === undefined || asked.has(key.key)) return [];
      if (!isShared(job) || reasons.some(({ kind }) => kind === 'forced')) return [];
      // One that is checked later has a result for the key that stands on record.
      return action === 'check' && judgementHasResult(plan, job) ? [] : [{ job, key }];
    });
    if (open.length === 0) return { plan, taken };
    for (const { key } of open) asked.add(key.key);
    const hits = await shared.find(open);
    const answers = await Promise.all(
      open.map(async (one) => {
        const hit = hits.get(one.job);
        return hit !== undefined && (await take(one, hit));
      }),
    );
    const came = answers.filter(Boolean).length;
    taken += came;
    if (came === 0) return { plan, taken };
  }
}

const judgementHasResult = (plan: Plan, job: Asked['job']): boolean =>
  plan.steps.get(job)?.judgement.decision !== 'run';
