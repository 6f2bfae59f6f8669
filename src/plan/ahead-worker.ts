// The other thread of ahead.ts. It reads the index by a handle of its own: LMDB takes as many threads that read as there are.
import type { ActionKey } from '../base/brand.ts';
import { compareOutputs } from '../store/compare.ts';
import { FileDigests } from '../store/file-digests.ts';
import { IndexDb } from '../store/index-db.ts';
import { stateOf, type AheadFound, type AheadWork } from './ahead.ts';

/** Jobs that are told of at once. */
const AT_ONCE = 256;

export async function lookAhead({ dir, root, tree, port, stop }: AheadWork): Promise<void> {
  const opened = IndexDb.open(dir, { readOnly: true });
  if (!opened.ok) return;
  const index = opened.value;
  const files = new FileDigests(root, index.fileTable(tree), false);
  let ids: string[] = [];
  let states: string[] = [];
  const tell = (): void => {
    port.postMessage({ ids, states } satisfies AheadFound);
    ids = [];
    states = [];
  };
  const look = (id: string, key: ActionKey): void => {
    const result = index.getTold(key);
    if (result === undefined || compareOutputs(root, result.dir, result.manifest, files).state !== 'same') return;
    ids.push(id);
    states.push(stateOf(key, result.dir));
    if (ids.length >= AT_ONCE) tell();
  };
  try {
    for (const { jobId, actionKey } of index.allCurrent(tree)) {
      if (Atomics.load(stop, 0) === 1) return;
      look(jobId, actionKey);
    }
    tell();
  } finally {
    await index.close();
    port.close();
  }
}
