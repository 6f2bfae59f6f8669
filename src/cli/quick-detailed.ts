// `lhb summary --detailed` where all is as the last build left it, told from its snapshot and the details beside it; the
// workflow is not read. What these do not tell, the results on record do.
import { readDetails } from '../plan/details.ts';
import { RESULT_FIELDS, TOLD, type Snapshot } from '../plan/snapshot.ts';
import { unpackDetail } from '../report/detailed-cells.ts';
import { summaryCells } from '../report/summary-cells.ts';
import { workLayout } from '../store/layout.ts';
import type { Standing } from './quick-build.ts';

/** The rows, of jobs that are all fresh and told by their results; undefined where a result cannot be read. */
export async function quickDetailed(standing: Standing): Promise<Iterable<string[]> | undefined> {
  const { root, snapshot } = standing;
  const details = readDetails(workLayout(root).details, snapshot.details);
  const others: number[] = [];
  for (const [number, by] of snapshot.told.entries()) if (!details || by !== TOLD.byDetails) others.push(number);
  if (others.length === 0) return rows(snapshot, (number) => unpackDetail(details?.at(number) ?? ''));
  const { detailsByResult } = await import('./details-by-result.ts');
  const found = await detailsByResult(standing, others);
  return found && rows(snapshot, (number) => found.get(number) ?? unpackDetail(details?.at(number) ?? ''));
}

function* rows({ ids, rules, ruleOf, results }: Snapshot, detail: (job: number) => string[]): Generator<string[]> {
  for (let job = 0; job < ids.count; job++) {
    const [at = 0, seconds = 0, bytes = 0] = results.subarray(job * RESULT_FIELDS, (job + 1) * RESULT_FIELDS);
    const rule = rules[ruleOf[job] ?? -1] ?? '';
    const row = summaryCells(ids.at(job), rule, 'FRESH', 'none', { at, seconds, bytes }, '');
    for (const cell of detail(job)) row.push(cell);
    yield row;
  }
}
