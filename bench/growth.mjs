// How the cost grows with the number of jobs: planning from nothing, and finding that all is done. A million jobs would take
// an hour to build, so the finished ones are faked: ten are built, a tree of files as so many jobs would leave is written, and
// the snapshot is written anew to be about these.
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readSnapshot, RESULT_FIELDS, STAT_FIELDS, STATE, writeSnapshot } from '../dist/src/plan/snapshot.js';
import { Texts } from '../dist/src/plan/texts.js';
import { changeLeaf, jobsOf, SAMPLERS, targetsFor, writeConfigs, writeLhb } from './graph.mjs';
import { median, progress, run } from './measure.mjs';
import { LHB } from './tools.mjs';

const ROUNDS = 3;

/** @param folder empty. @returns `{ jobs, rows }` as sweep.mjs, of lhb alone */
export async function faked(folder, wanted) {
  const graph = { targets: targetsFor(wanted), samplers: SAMPLERS };
  const jobs = jobsOf(graph.targets, graph.samplers);
  const [fresh, done] = ['fresh', 'done'].map((name) => join(folder, name));
  for (const own of [fresh, done]) mkdirSync(own);
  const rows = [];
  const measure = async (what, command, cwd) => {
    const results = [];
    for (let round = 0; round < ROUNDS; round++) {
      const result = await run(command, { cwd });
      progress(`${jobs} jobs, ${what}, lhb: ${result.seconds.toFixed(2)} s, ${Math.round(result.peakMb)} MB`);
      results.push(result);
    }
    const of = (field) => ({ lhb: median(results.map((result) => result[field])) });
    rows.push({ what, seconds: of('seconds'), peakMb: of('peakMb') });
  };
  writeConfigs(fresh, graph);
  writeLhb(fresh, graph);
  await measure('first -n, from nothing', [...LHB, 'build', '-n', '-q'], fresh);
  await fake(done, graph);
  await measure('no-op', [...LHB, 'build', '-q', '-j', '2'], done);
  await measure('-n', [...LHB, 'build', '-n', '-q'], done);
  return { jobs, rows };
}

async function fake(folder, graph) {
  const small = { targets: 1, samplers: graph.samplers };
  writeConfigs(folder, small);
  writeLhb(folder, small);
  const file = join(folder, '.lhb', 'snapshot');
  // What is younger than a second proves nothing, and is no part of a snapshot.
  await delay(1100);
  await run([...LHB, 'build', '-q'], { cwd: folder });
  const snapshot = readSnapshot(file);
  const { ids, outputs, leaves } = writeTree(folder, graph);
  const paths = [...outputs, ...leaves];
  const count = outputs.length;
  const perTarget = graph.samplers.length + 1;
  const stats = new Float64Array(paths.length * STAT_FIELDS);
  for (const [i, path] of paths.entries()) {
    const { size, mtimeMs, ctimeMs, ino } = statSync(join(folder, path));
    stats.set([size, mtimeMs, ctimeMs, ino], i * STAT_FIELDS);
  }
  writeSnapshot(file, {
    ...snapshot,
    states: new Uint8Array(count).fill(STATE.wanted | STATE.fresh),
    told: new Uint8Array(count).fill(1),
    results: new Float64Array(count * RESULT_FIELDS),
    ruleOf: numbers(count, (job) => (job % perTarget === 0 ? 0 : 1)),
    ranks: numbers(count, (job) => job),
    places: lists(count, (job) => (job % perTarget === 0 ? [job / perTarget] : [0, job % perTarget])),
    upstream: lists(count, (job) => (job % perTarget === 0 ? [] : [job - (job % perTarget)])),
    sources: lists(count, (job) => (job % perTarget === 0 ? [job / perTarget] : [])),
    pathsOfJob: numbers(count + 1, (job) => job),
    pathsOfSource: numbers(leaves.length + 1, (leaf) => count + leaf),
    ids: Texts.from(ids),
    labels: Texts.from(ids.map(() => '')),
    paths: Texts.from(paths),
    looks: new Uint8Array(paths.length),
    stats,
  });
  let lines = 0;
  await run([...LHB, 'summary'], { cwd: folder, onLine: () => lines++ });
  if (lines !== count + 1) throw new Error(`the snapshot of ${count} faked jobs does not count: ${lines - 1} jobs`);
}

/** Outputs and leaf files where jobs like those of the graph would have them, each target's one after the other. */
function writeTree(folder, { targets, samplers }) {
  const tree = { ids: [], outputs: [], leaves: [] };
  const add = (id, path) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), `${id}\n`);
    tree.ids.push(id);
    tree.outputs.push(path);
  };
  for (let t = 0; t < targets; t++) {
    const hash = (0x9000_0000_0000 + t).toString(16);
    changeLeaf(folder, `x${t}`, `t${t}`);
    tree.leaves.push(`conf/tx${t}.yaml`);
    add(`tgt_${hash}`, `runs/targets/tgt_${hash}/meta.json`);
    for (const [s, name] of samplers.entries()) {
      const own = (0x9000_0000_0000 + t * samplers.length + s).toString(16);
      add(`run_${own}`, `runs/targets/tgt_${hash}/run_${name}_${own.slice(4)}/analysis.json`);
    }
  }
  return tree;
}

const numbers = (count, of) => Int32Array.from({ length: count }, (_unused, i) => of(i));

function lists(count, of) {
  const starts = new Int32Array(count + 1);
  const items = [];
  for (let i = 0; i < count; i++) {
    items.push(...of(i));
    starts[i + 1] = items.length;
  }
  return { starts, items: Int32Array.from(items) };
}
