// Bringing back all outputs by hard link, against `cp -al` of the same tree.
import { join } from 'node:path';
import { jobsOf, SAMPLERS, targetsFor, writeConfigs, writeLhb } from './graph.mjs';
import { median, progress, putAside, run } from './measure.mjs';
import { LHB } from './tools.mjs';

const ROUNDS = 3;

/** @param folder empty. @returns `{ jobs, rows }`: what, seconds, ratio to `cp -al` */
export async function restores(folder, wanted) {
  const graph = { targets: targetsFor(wanted), samplers: SAMPLERS };
  writeConfigs(folder, graph);
  writeLhb(folder, graph);
  progress('restores: building');
  await run([...LHB, 'build', '-q', '-j', '2'], { cwd: folder });
  const times = { copy: [], plan: [], all: [] };
  for (let round = 0; round < ROUNDS; round++) {
    times.copy.push((await run(['cp', '-al', 'runs', 'copy'], { cwd: folder })).seconds);
    // Moved away, not deleted: else the one of the two that comes sooner after that is the slower.
    for (const name of ['copy', 'runs']) putAside(join(folder, name));
    times.plan.push((await run([...LHB, 'build', '-n', '-q'], { cwd: folder })).seconds);
    times.all.push((await run([...LHB, 'build', '-q'], { cwd: folder })).seconds);
  }
  const [copy, plan, all] = [median(times.copy), median(times.plan), median(times.all)];
  const row = (what, seconds) => ({ what, seconds, ratio: seconds / copy });
  const rows = [
    row('cp -al', copy),
    row('lhb build, all of it', all),
    row('lhb build -n, planning alone', plan),
    row('the restores: the difference', all - plan),
  ];
  for (const { what, seconds } of rows) progress(`restores, ${what}: ${seconds.toFixed(3)} s`);
  return { jobs: jobsOf(graph.targets, graph.samplers), rows };
}
