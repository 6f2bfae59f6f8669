// Tests that need a program which not every machine has. They are skipped by name where it is missing, and uvu counts
// them; .ci/run installs the programs and takes a skip for a failure.
import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import { cleanEnv } from './env.ts';
import { rigTest, type Rig } from './rig.ts';

/** Whether a command can be run and exits with 0. */
export function works(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore', env: cleanEnv() }).status === 0;
}

/** A Python that has PyYAML, if there is one. */
export const PYTHON = ['python3', '/usr/bin/python3'].find((python) => works(python, '-c', 'import yaml'));

/** Graphviz. */
export const DOT = works('dot', '-V') ? 'dot' : undefined;

/** A `rigTest` that is skipped, by name, where `tool` is undefined. */
export function toolTest(
  tool: string | undefined,
  what: string,
  name: string,
  body: (rig: Rig, tool: string) => Promise<void>,
): void {
  if (tool !== undefined) rigTest(name, (rig) => body(rig, tool));
  else {
    process.stdout.write(`skipped, since there is no ${what}: ${name}\n`);
    test.skip(name, () => {});
  }
}
