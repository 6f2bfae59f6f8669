// The program as on a terminal, by `script` of util-linux, which gives it a pseudo-terminal.
import { spawnSync } from 'node:child_process';
import { cleanEnv } from './env.ts';
import { PROGRAM } from './project.ts';
import type { Rig } from './rig.ts';
import { works } from './tools.ts';

/** util-linux. */
export const SCRIPT = works('script', '-qec', 'true', '/dev/null') ? 'script' : undefined;

const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/** What a run of the program writes to its terminal, results and messages together. */
export function onTerminal(rig: Rig, ...args: string[]): string {
  const command = [process.execPath, PROGRAM, ...args].map(quoted).join(' ');
  const env = cleanEnv({ HOME: rig.home, TERM: 'xterm' });
  const ended = spawnSync('script', ['-qec', command, '/dev/null'], {
    cwd: rig.dir,
    env,
    input: '',
    encoding: 'latin1',
  });
  return Buffer.from(ended.stdout, 'latin1').toString('utf8');
}
