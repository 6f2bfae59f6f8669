// How long lhb's main thread is at work in a clean build, a job, with a small heap and with 1 GB of it; and how long a program
// is that does the same file operations and nothing else (floor.mjs).
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { jobsOf, SAMPLERS, targetsFor, writeConfigs, writeLhb } from './graph.mjs';
import { progress, run } from './measure.mjs';
import { LHB, PROJECT } from './tools.mjs';

/**
 * @param root an empty folder
 * @returns `{ jobs, rows, floorS }`: what, milliseconds a job in all, without planning, heap in MB; seconds that floor.mjs took
 */
export async function mainThread(root, wanted) {
  const graph = { targets: targetsFor(wanted), samplers: SAMPLERS };
  const jobs = jobsOf(graph.targets, graph.samplers);
  const rows = [];
  for (const ballastMb of [0, 1000]) {
    const cwd = join(root, `ballast${ballastMb}`);
    mkdirSync(cwd);
    writeConfigs(cwd, graph);
    writeLhb(cwd, graph);
    const plan = await busy(cwd, ballastMb, ['build', '-n', '-q']);
    const build = await busy(cwd, ballastMb, ['build', '-q', '-j', '2']);
    const what = ballastMb === 0 ? 'as it is' : 'with 1 GB more of heap';
    const row = { what, all: build.cpuMs / jobs, running: (build.cpuMs - plan.cpuMs) / jobs, heapMb: build.heapMb };
    progress(`main thread, ${what}: ${row.all.toFixed(3)} ms a job, ${row.running.toFixed(3)} ms without planning`);
    rows.push(row);
  }
  const cwd = join(root, 'floor');
  mkdirSync(cwd);
  const floor = await busy(cwd, 0, [cwd, String(wanted)], join(PROJECT, 'bench', 'floor.mjs'));
  const each = floor.cpuMs / jobs;
  const what = 'the same file operations, nothing else';
  progress(`main thread, ${what}: ${each.toFixed(3)} ms a job, ${floor.seconds.toFixed(1)} s`);
  rows.push({ what, all: each, running: Number.NaN, heapMb: floor.heapMb });
  return { jobs, rows, floorS: floor.seconds };
}

async function busy(cwd, ballastMb, args, program = LHB[1]) {
  const [node] = LHB;
  const file = join(cwd, 'busy.json');
  const env = { LHB_BENCH_BALLAST_MB: String(ballastMb), LHB_BENCH_BUSY: file };
  const { seconds } = await run([node, '--require', join(PROJECT, 'bench', 'busy.cjs'), program, ...args], {
    cwd,
    env,
  });
  return { ...JSON.parse(readFileSync(file, 'utf8')), seconds };
}
