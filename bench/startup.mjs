// How long it takes to start: against Node with nothing to do.
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { median, progress, run } from './measure.mjs';
import { LHB, PROJECT } from './tools.mjs';

const ROUNDS = 15;

/** @param root an empty folder. @returns rows: what, median milliseconds, ratio to the first */
export async function startup(root) {
  const fixture = join(root, 'fixture');
  mkdirSync(fixture);
  cpSync(join(PROJECT, 'fixtures', 'lambda-hat'), fixture, { recursive: true });
  progress('start-up: building the fixture');
  await run([...LHB, 'build', '-q'], { cwd: fixture });
  const commands = [
    ['node -e 0', [process.execPath, '-e', '0']],
    ['lhb --version', [...LHB, '--version']],
    ['lhb --help', [...LHB, '--help']],
    ['lhb summary, fixture', [...LHB, 'summary']],
    ['lhb build, fixture, nothing to do', [...LHB, 'build']],
  ];
  const times = new Map(commands.map(([what]) => [what, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [what, command] of commands) {
      times.get(what).push((await run(command, { cwd: fixture })).seconds * 1000);
    }
  }
  const base = median(times.get('node -e 0'));
  return commands.map(([what]) => {
    const ms = Number(median(times.get(what)));
    progress(`start-up, ${String(what)}: ${ms.toFixed(1)} ms`);
    return { what, ms, ratio: ms / base };
  });
}
