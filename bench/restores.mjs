// Bringing back all outputs by hard link, against `cp -al` of the same tree.
import { join } from 'node:path';
import { jobsOf, SAMPLERS, targetsFor, writeConfigs, writeLhb } from './graph.mjs';
import { median, progress, putAside, run } from './measure.mjs';
import { LHB } from './tools.mjs';

const ROUNDS = 5;

/** @param folder empty. @returns `{ jobs, rows }`: what, seconds, ratio to `cp -al` */
export async function restores(folder, wanted) {
  const graph = { targets: targetsFor(wanted), samplers: SAMPLERS };
  writeConfigs(folder, graph);
  writeLhb(folder, graph);
  progress('restores: building');
  await run([...LHB, 'build', '-q', '-j', '2'], { cwd: folder });
  const times = { copy: [], build: [], planned: [] };
  const lhb = async (env) => (await run([...LHB, 'build', '-q'], { cwd: folder, env })).seconds;
  for (let round = 0; round < ROUNDS; round++) {
    times.copy.push((await run(['cp', '-al', 'runs', 'copy'], { cwd: folder })).seconds);
    // Moved away, not deleted: else the one of the two that comes sooner after that is the slower.
    for (const name of ['copy', 'runs']) putAside(join(folder, name));
    times.build.push(await lhb({}));
    putAside(join(folder, 'runs'));
    times.planned.push(await lhb({ LHB_NO_SNAPSHOT: '1' }));
    await lhb({}); // for a snapshot of what is there now
  }
  const copy = median(times.copy);
  const row = (what, seconds) => ({ what, seconds, ratio: seconds / copy });
  const rows = [
    row('cp -al', copy),
    row('lhb build', median(times.build)),
    row('lhb build, with a plan (LHB_NO_SNAPSHOT=1)', median(times.planned)),
  ];
  for (const { what, seconds } of rows) progress(`restores, ${what}: ${seconds.toFixed(3)} s`);
  return { jobs: jobsOf(graph.targets, graph.samplers), rows };
}
