// What a command line loads of lhb and of Node, for tests of how it goes its way.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { cleanEnv } from './env.ts';
import { PROJECT } from './project.ts';

/** The names of the chunks and builtin modules that a command line loads. */
export function loaded(args: readonly string[], env: Readonly<Record<string, string>> = {}): string[] {
  // A file and not `node -e`, which loads modules of its own.
  const folder = mkdtempSync(join(tmpdir(), 'lhb-start-'));
  const script = join(folder, 'loaded.cjs');
  writeFileSync(
    script,
    `const { load, scripts } = require(${JSON.stringify(join(PROJECT, 'bin', 'load.js'))});
    load('main.cjs').main(process.argv.slice(2)).then(() => {
      process._rawDebug(JSON.stringify([...scripts.keys(), ...process.moduleLoadList]));
    });`,
  );
  const run = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8', env: cleanEnv(env) });
  rmSync(folder, { recursive: true });
  assert.is(run.status, 0, run.stderr);
  return JSON.parse(run.stderr.trimEnd().split('\n').at(-1) ?? '') as string[];
}
