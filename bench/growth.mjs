// Graphs of which the largest would take an hour to build: planning them from nothing, and finding that all is done. The
// finished jobs are faked as cheaply as lhb itself can: their outputs are written directly, and `lhb touch` puts them on record.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { jobsOf, SAMPLERS, targetsFor, writeConfigs, writeLhb } from './graph.mjs';
import { median, progress, run } from './measure.mjs';
import { LHB } from './tools.mjs';

const ROUNDS = 3;
/** Node's own limit of the heap, some GB, is too little for `touch`, which is not what is measured. */
const ROOMY = [LHB[0], '--max-old-space-size=12000', LHB[1]];

/** @param folder empty. @returns `{ jobs, rows }` as sweep.mjs, of lhb alone */
export async function faked(folder, wanted) {
  const graph = { targets: targetsFor(wanted), samplers: SAMPLERS };
  const jobs = jobsOf(graph.targets, graph.samplers);
  writeConfigs(folder, graph);
  writeLhb(folder, graph);
  const rows = [];
  const measure = async (what, command, rounds) => {
    const results = [];
    for (let round = 0; round < rounds; round++) {
      const result = await run(command, { cwd: folder });
      progress(`${jobs} jobs, ${what}, lhb: ${result.seconds.toFixed(2)} s, ${Math.round(result.peakMb)} MB`);
      results.push(result);
    }
    const of = (field) => ({ lhb: median(results.map((result) => result[field])) });
    rows.push({ what, seconds: of('seconds'), peakMb: of('peakMb') });
  };
  await measure('first -n, from nothing', [...LHB, 'build', '-n', '-q'], ROUNDS);
  await fake(folder);
  // The first build takes the snapshot.
  await run([...ROOMY, 'build', '-q'], { cwd: folder });
  await measure('no-op', [...LHB, 'build', '-q', '-j', '2'], ROUNDS);
  await measure('-n', [...LHB, 'build', '-n', '-q'], ROUNDS);
  return { jobs, rows };
}

async function fake(folder) {
  const list = join(folder, 'outputs.txt');
  await run([...ROOMY, 'ls'], { cwd: folder, stdout: list });
  for (const path of readFileSync(list, 'utf8').split('\n')) {
    if (path === '') continue;
    const [, , target] = path.split('/');
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), `${target}\n`);
  }
  progress('outputs are written; lhb touch puts them on record');
  await run([...ROOMY, 'touch', '-q', 'build_target', 'run_sampler'], { cwd: folder });
}
