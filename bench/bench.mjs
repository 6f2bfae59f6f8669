// npm run bench -- [N …] [--only PART,…] [--write]
//
// How fast lhb is, beside ninja, make and Snakemake where they are installed: all tools in turns in one run. Figures are for
// reading: nothing fails on a clock. The machine may be busy, so compare within a run. N: sizes of the graph, default 1000.
// `growth` is about sizes from 10 000 on, of lhb alone, with faked jobs; from 1 000 000 on it is the only part, for the others
// build. --write puts the tables into docs/benchmarks.md.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bigOutput } from './big-output.mjs';
import { caches } from './caches.mjs';
import { mainThread } from './main-thread.mjs';
import { faked } from './growth.mjs';
import { progress } from './measure.mjs';

import { restores } from './restores.mjs';
import { startup } from './startup.mjs';
import { sweep } from './sweep.mjs';
import {
  bigOutputTable,
  cachesTable,
  growthTable,
  mainThreadTable,
  restoresTable,
  setting,
  startupTable,
  sweepTable,
  writeSections,
} from './tables.mjs';
import { installed, PROJECT } from './tools.mjs';

/** Sizes that are not built, and those that are large enough to tell how the cost grows. */
const TOO_MANY = 1_000_000;
const MANY = 10_000;
/** How many jobs are restored from shared caches. */
const FEW = 1000;

const root = mkdtempSync(join(tmpdir(), 'lhb-bench-'));
const tools = installed();
const sections = [['setting', setting(tools, root)]];

const PARTS = {
  sweep: async (folder, sizes) => {
    for (const size of sizes.filter((n) => n < TOO_MANY)) {
      const result = await inFolder(join(folder, String(size)), (own) => sweep(own, size, tools));
      show(`${result.jobs} jobs`, sweepTable(result, tools));
    }
  },
  growth: async (folder, sizes) => {
    const results = [];
    for (const size of sizes.filter((n) => n >= MANY)) {
      results.push(await inFolder(join(folder, String(size)), (own) => faked(own, size)));
    }
    if (results.length > 0) show('growth', growthTable(results));
  },
  startup: async (folder) => show('start-up', startupTable(await startup(folder))),
  big: async (folder) => show('big output', bigOutputTable(await bigOutput(folder))),
  restores: async (folder) => show('restores', restoresTable(await restores(folder, MANY))),
  caches: async (folder) => show('shared caches', cachesTable(await caches(folder, FEW), FEW)),
  main: async (folder) => show('main thread', mainThreadTable(await mainThread(folder, MANY))),
};

/** The folder stays till the end: see putAside. */
function inFolder(folder, work) {
  mkdirSync(folder);
  return work(folder);
}

function show(name, text) {
  console.log(`${text}\n`);
  sections.push([name, text]);
}

function readArguments(words) {
  const wanted = { sizes: [], parts: Object.keys(PARTS), write: false };
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if (word === '--write') wanted.write = true;
    else if (word === '--only') wanted.parts = (words[++i] ?? '').split(',');
    else if (/^\d+$/.test(word)) wanted.sizes.push(Number(word));
    else throw new Error(`unknown argument ${word}: expected sizes, --only PART,… or --write`);
  }
  const unknown = wanted.parts.find((part) => !(part in PARTS));
  if (unknown !== undefined) throw new Error(`no part '${unknown}': there are ${Object.keys(PARTS).join(', ')}`);
  if (wanted.sizes.length === 0) wanted.sizes.push(1000);
  return wanted;
}

try {
  const { sizes, parts, write } = readArguments(process.argv.slice(2));
  progress(sections[0][1]);
  for (const part of parts) {
    await inFolder(join(root, part), (folder) => PARTS[part](folder, sizes));
  }
  if (write) writeSections(join(PROJECT, 'docs', 'benchmarks.md'), sections);
} catch (error) {
  progress(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
} finally {
  rmSync(root, { recursive: true, force: true });
}
