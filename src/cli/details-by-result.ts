// Details of fresh jobs from their results on record.
import type { ActionKey } from '../base/brand.ts';
import { PathForm } from '../graph/path-form.ts';
import { toldByTrace } from '../plan/told.ts';
import { detailedCells } from '../report/detailed-cells.ts';
import type { IndexDb } from '../store/index-db.ts';
import { openIndex } from '../store/open-index.ts';
import { storeLayout } from '../store/layout.ts';
import type { TraceTold } from '../store/trace.ts';
import { treeIdAt } from '../store/trees.ts';
import type { Standing } from './quick-build.ts';
import { sayOnce } from './say-once.ts';

/**
 * The cells that follow those of a row that is not detailed, of jobs that are told by their results.
 * @param jobs their numbers
 * @returns by number; undefined where a result cannot be read
 */
export async function detailsByResult(
  standing: Standing,
  jobs: readonly number[],
): Promise<ReadonlyMap<number, string[]> | undefined> {
  const { root, snapshot } = standing;
  const { store = '', index: dir = '' } = snapshot.evidence.words;
  const tree = treeIdAt(root);
  if (tree === undefined) return undefined;
  const index = openIndex({ layout: storeLayout(store, dir), tree, write: false, tell: sayOnce });
  if (!index.ok) return undefined;
  try {
    return cellsOf(standing, jobs, index.value, tree);
  } finally {
    await index.value.close();
  }
}

function cellsOf(
  { snapshot }: Standing,
  jobs: readonly number[],
  index: IndexDb,
  tree: string,
): ReadonlyMap<number, string[]> | undefined {
  const form = new PathForm(snapshot.output);
  const attempted = new Set(index.attemptedJobs(tree));
  const keys = new Map<string, ActionKey>();
  for (const { jobId, actionKey } of index.allCurrent(tree)) keys.set(jobId, actionKey);
  const results = new Map<string, TraceTold | undefined>();
  const resultOf = (id: string): TraceTold | undefined => {
    const key = keys.get(id);
    if (key !== undefined && !results.has(id)) results.set(id, index.getTold(key));
    return results.get(id);
  };
  const outputsOf = (id: string): readonly string[] | undefined => {
    const result = resultOf(id);
    return result && toldByTrace(result, form, () => []).outputs.map(({ path }) => path);
  };
  const cells = new Map<number, string[]>();
  for (const number of jobs) {
    const id = snapshot.ids.at(number);
    const result = resultOf(id);
    if (result === undefined) return undefined;
    const { actionKey: key, jobId } = result;
    const job = toldByTrace(result, form, outputsOf);
    const attempt = attempted.has(jobId) ? index.attempt(tree, jobId, key) : undefined;
    cells.set(number, detailedCells({ summary: [], job, key, result, attempt, configDiff: '' }));
  }
  return cells;
}
