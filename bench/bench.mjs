// npm run bench -- [N …] [--only PART,…] [--write]
//
// How fast lhb is, beside ninja, make and Snakemake where they are installed: all tools in turns in one run. Figures are for
// reading: nothing fails on a clock. The machine may be busy, so compare within a run. N: sizes of the graph, default 1000;
// from 1 000 000 on lhb alone, with faked jobs. --write puts the tables into docs/benchmarks.md.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bigOutput } from './big-output.mjs';
import { mainThread } from './main-thread.mjs';
import { progress } from './measure.mjs';
import { faked } from './million.mjs';
import { restores } from './restores.mjs';
import { startup } from './startup.mjs';
import { sweep } from './sweep.mjs';
import {
  bigOutputTable,
  mainThreadTable,
  restoresTable,
  scaling,
  setting,
  startupTable,
  sweepTable,
  writeSections,
} from './tables.mjs';
import { installed, PROJECT } from './tools.mjs';

const FAKED_FROM = 1_000_000;
const MANY = 10_000;

const root = mkdtempSync(join(tmpdir(), 'lhb-bench-'));
const tools = installed();
const sections = [['setting', setting(tools, root)]];

const PARTS = {
  sweep: async (folder, sizes) => {
    const results = [];
    for (const size of sizes) {
      const own = join(folder, String(size));
      mkdirSync(own);
      if (size >= FAKED_FROM) results.push(await faked(own, size));
      else {
        const result = await sweep(own, size, tools);
        results.push(result);
        show(`${result.jobs} jobs`, sweepTable(result, tools));
      }
      rmSync(own, { recursive: true });
    }
    if (results.some(({ jobs }) => jobs >= 5_000)) show('scaling', scaling(results));
  },
  startup: async (folder) => show('start-up', startupTable(await startup(folder))),
  big: async (folder) => show('big output', bigOutputTable(await bigOutput(folder))),
  restores: async (folder) => show('restores', restoresTable(await restores(folder, MANY))),
  main: async (folder) => show('main thread', mainThreadTable(await mainThread(folder, MANY))),
};

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
    const folder = join(root, part);
    mkdirSync(folder);
    await PARTS[part](folder, sizes);
    rmSync(folder, { recursive: true });
  }
  if (write) writeSections(join(PROJECT, 'docs', 'benchmarks.md'), sections);
} catch (error) {
  progress(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
} finally {
  rmSync(root, { recursive: true, force: true });
}
