// Where the project is, found from the compiled test: dist/test, .build/NAME/test, wherever.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder whose package.json has the name "lhb", absolute. */
export const PROJECT = findProject(dirname(fileURLToPath(import.meta.url)));

/** The program that the tests drive. */
export const PROGRAM = join(PROJECT, 'bin', 'lhb.js');

/** The folder with the compiled tests that run now (`test` inside the output folder of tsc). */
export const COMPILED_TESTS = dirname(dirname(fileURLToPath(import.meta.url)));

function findProject(from: string): string {
  const file = join(from, 'package.json');
  if (existsSync(file)) {
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof parsed === 'object' && parsed !== null && 'name' in parsed && parsed.name === 'lhb') return from;
  }
  const parent = dirname(from);
  if (parent === from) throw new Error(`no package.json named "lhb" above ${fileURLToPath(import.meta.url)}`);
  return findProject(parent);
}
