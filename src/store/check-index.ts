// A program of its own, `node check-index.js FOLDER`: reads all of an index, for LMDB may crash on one that is damaged.
// Exit code 0 if it is sound, 3 with one sentence on stdout if it is not; anything else is a crash of the reader.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { bytesOf, openTables, type Tables } from './index-tables.ts';
import { unseal } from './sealed-line.ts';

/** What is wrong with the tables, or undefined. */
function problemIn({ root: _root, traces, ...others }: Tables): string | undefined {
  let count = 0;
  for (const key of traces.getKeys()) {
    count++;
    const line = bytesOf(traces, key);
    if (line === undefined) return 'a result in it cannot be found by its key';
    if (unseal(line) === undefined) return 'the check sum of a result in it is wrong';
  }
  if (count !== entries(traces)) return 'it has more results, or fewer, than it says';
  for (const [name, table] of Object.entries(others)) {
    let rows = 0;
    for (const { key, value } of table.getRange()) {
      if (key === undefined || value === undefined) return `its table ${name} has a row that cannot be read`;
      rows++;
    }
    if (rows !== entries(table)) return `its table ${name} has more rows, or fewer, than it says`;
  }
  return undefined;
}

const entries = (table: Tables['traces']): number =>
  Number((table.getStats() as { readonly entryCount?: number }).entryCount);

/** LMDB's two pages about the file itself, at the page size that it has everywhere but on few machines. */
const FIRST_PAGES = 2 * 4096;

const [, , dir = ''] = process.argv;
let problem: string | undefined;
try {
  const tables = openTables(dir, { readOnly: true });
  // Beyond its two first pages an index has tables.
  if (tables !== undefined) problem = problemIn(tables);
  else if (statSync(join(dir, 'data.mdb')).size > FIRST_PAGES) problem = 'its tables cannot be found';
} catch (cause) {
  problem = `it cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`;
}
if (problem !== undefined) process.stdout.write(`${problem}\n`);
process.exitCode = problem === undefined ? 0 : 3;
