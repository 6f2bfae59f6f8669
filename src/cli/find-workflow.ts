// Which file is the workflow.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { error } from '../base/diagnostic.ts';
import { err, ok, type Result } from '../base/result.ts';
import { nearestPath } from '../graph/nearest-path.ts';
import type { CommonOptions } from './invocation.ts';

const WORKFLOW_FILE = 'lhb.yaml';

/** Finds lhb.yaml from `-C`/`-f` or in a parent folder; its absolute path. */
export function findWorkflow(options: CommonOptions): Result<string> {
  const start = resolve(options.directory?.text ?? '.');
  if (statSync(start, { throwIfNoEntry: false })?.isDirectory() !== true) {
    const { text = '.', at } = options.directory ?? {};
    const what = existsSync(start) ? `${text} is no folder` : `there is no folder ${text}`;
    return err([error('cli/no-workflow', what, { at, hint: nearestPath(process.cwd(), text) })]);
  }
  if (options.file !== undefined) {
    const { text, at } = options.file;
    const file = resolve(start, text);
    const stat = statSync(file, { throwIfNoEntry: false });
    if (stat?.isDirectory()) {
      const hint = `a folder is named with -C: -C ${text}`;
      return err([error('cli/no-workflow', `${text} is a folder, expected a workflow file`, { at, hint })]);
    }
    if (stat) return ok(file);
    return err([error('cli/no-workflow', `there is no file ${text}`, { at, hint: nearestPath(start, text) })]);
  }
  for (let folder = start; ; folder = dirname(folder)) {
    const file = join(folder, WORKFLOW_FILE);
    if (existsSync(file)) return ok(file);
    if (folder === dirname(folder)) break;
  }
  const other = readdirSync(start).find((name) => /^lhb\.ya?ml$/i.test(name));
  const hint = other
    ? `there is ${other}: rename it to ${WORKFLOW_FILE}, or name it with -f`
    : 'go to the folder of your workflow, or name it with -C';
  return err([error('cli/no-workflow', `there is no ${WORKFLOW_FILE} in ${start} or a folder above it`, { hint })]);
}
