// Brings an index of store format 1 up to format 2: results were msgpack, digests of files had no check sums.
import { decodeFile1, encodeFile } from './index-keys.ts';
import { closeNow, openOldTable, openTables } from './index-tables.ts';
import { traceLine } from './log-record.ts';
import { decodeTrace } from './trace-codec.ts';

/** Format 1 to 2, in one transaction; where it was done before, nothing is left to do. Throws what LMDB throws. */
export function migrateIndex(dir: string): void {
  const tables = openTables(dir, { readOnly: false, atOnce: true });
  if (!tables) return;
  const { root, traces, files } = tables;
  const old = { traces: openOldTable(root, 'traces'), files: openOldTable(root, 'files') };
  root.transactionSync(() => {
    for (const key of Array.from(old.traces.getKeys())) {
      const trace = decodeTrace(old.traces.get(key));
      if (trace) void traces.put(key, traceLine(trace));
      void old.traces.remove(key);
    }
    for (const key of Array.from(old.files.getKeys())) {
      const record = decodeFile1(old.files.getBinary(key));
      if (record) void files.put(key, encodeFile(String(key), record));
      void old.files.remove(key);
    }
  });
  closeNow(tables);
}
