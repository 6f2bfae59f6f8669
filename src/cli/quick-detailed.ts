// `lhb summary --detailed` where all is as the last build left it, told from its snapshot and the results on record: the
// workflow is not read.
import { PathForm } from '../graph/path-form.ts';
import { RESULT_FIELDS } from '../plan/snapshot.ts';
import { toldByTrace } from '../plan/told.ts';
import { detailedCells } from '../report/detailed-cells.ts';
import { summaryCells } from '../report/summary-cells.ts';
import type { JobId } from '../base/brand.ts';
import type { IndexDb } from '../store/index-db.ts';
import { openIndex } from '../store/open-index.ts';
import { storeLayout } from '../store/layout.ts';
import { treeIdAt } from '../store/trees.ts';
import type { Standing } from './quick-build.ts';
import { sayOnce } from './say-once.ts';

/** The rows, of jobs that are all fresh and told by their results; undefined where a result cannot be read. */
export async function quickDetailed(standing: Standing): Promise<string[][] | undefined> {
  const { root, snapshot } = standing;
  const { store = '', index: dir = '' } = snapshot.evidence.words;
  const tree = treeIdAt(root);
  if (tree === undefined) return undefined;
  const index = openIndex({ layout: storeLayout(store, dir), tree, write: false, tell: sayOnce });
  if (!index.ok) return undefined;
  try {
    return rowsOf(standing, index.value, tree);
  } finally {
    await index.value.close();
  }
}

function rowsOf({ snapshot }: Standing, index: IndexDb, tree: string): string[][] | undefined {
  const { ids, rules, ruleOf, results, output } = snapshot;
  const form = new PathForm(output);
  const attempted = new Set(index.attemptedJobs(tree));
  const outputs = new Map<string, readonly string[]>();
  const rows: string[][] = [];
  for (let number = 0; number < ids.count; number++) {
    const id = ids.at(number) as JobId;
    const key = index.current(tree, id);
    const trace = key && index.getTrace(key);
    if (trace === undefined) return undefined;
    // Who is read from has a lower number.
    const job = toldByTrace(trace, form, (other) => outputs.get(other));
    outputs.set(
      id,
      job.outputs.map(({ path }) => path),
    );
    const [at = 0, seconds = 0, bytes = 0] = results.subarray(number * RESULT_FIELDS, (number + 1) * RESULT_FIELDS);
    const rule = rules[ruleOf[number] ?? -1] ?? '';
    rows.push(
      detailedCells({
        summary: summaryCells(id, rule, 'FRESH', 'none', { at, seconds, bytes }, ''),
        job,
        key,
        result: trace,
        attempt: attempted.has(id) ? index.attempt(tree, id, key) : undefined,
        configDiff: '',
      }),
    );
  }
  return rows;
}
