// Warnings that a command says once, however often it comes by: a build opens its store twice.
import type { Diagnostic } from '../base/diagnostic.ts';
import { printDiagnostics } from '../report/diagnostic.ts';

const said = new Set<string>();

/** Prints a warning to stderr, with --json and -q too, for what it tells of happens once. */
export function sayOnce(warning: Diagnostic): void {
  if (said.has(warning.message)) return;
  said.add(warning.message);
  process.stderr.write(printDiagnostics([warning], { color: process.stderr.isTTY === true, cwd: process.cwd() }));
}
