// Warnings about a workflow that is right but may not mean what its author thinks.
import * as path from 'node:path';
import { warning, type Diagnostic } from '../base/diagnostic.ts';
import { expressionsOf } from '../expr/template.ts';
import { lintScalars } from './lint-scalars.ts';
import { readYaml, readYamlFile } from './read.ts';
import type { Rule, Workflow } from './workflow.ts';

/** What job objects have besides their `for` names, and wins over these in `x.NAME`. */
const JOB_FIELDS: ReadonlySet<string> = new Set([
  'id',
  'hash',
  'hash8',
  'label',
  'rule',
  'dir',
  'log',
  'file',
  'config_file',
]);

/**
 * Warnings for: scalars that YAML 1.1 reads otherwise, in lhb.yaml and all YAML files it names outright; expressions in a
 * command that make an empty word; `for` names that a job's own field hides. Reads the files again.
 */
export function lintWorkflow(workflow: Workflow): Diagnostic[] {
  const rules = [...workflow.rules.values()];
  return [...lintFiles(workflow), ...rules.flatMap(lintCommand), ...rules.flatMap(lintAxes)];
}

function lintFiles(workflow: Workflow): Diagnostic[] {
  const main = readYaml(workflow.file);
  const layers = [...workflow.rules.values()]
    .flatMap((rule) => rule.config ?? [])
    .flatMap(({ kind, value }) =>
      kind === 'file' && value.kind === 'constant' && typeof value.value === 'string' ? [value.value] : [],
    );
  const others = new Set([...workflow.filesRead.slice(1), ...layers].filter((name) => /\.ya?ml$/i.test(name)));
  const found = main.ok ? lintScalars(main.value) : [];
  for (const name of others) {
    const read = readYamlFile(path.resolve(workflow.root, name), { shown: name });
    if (read.ok) found.push(...lintScalars(read.value.node));
  }
  return found;
}

/** `cond ? '-s' : ''` gives the command an empty argument. */
function lintCommand({ name, run }: Rule): Diagnostic[] {
  const templates = run === undefined ? [] : run.kind === 'script' ? [run.text] : run.items;
  return templates.flatMap(expressionsOf).flatMap(({ source, at }) => {
    if (!/\?[^?]*:\s*(?:''|"")\s*$|\?\s*(?:''|"")\s*:/.test(source)) return [];
    const message = `rule '${name}': this expression can make an empty word in the command`;
    const hint = "write [] for no word at all: cond ? ['-s'] : []";
    return [warning('workflow/empty-word', message, { at, hint })];
  });
}

function lintAxes(rule: Rule): Diagnostic[] {
  return rule.for.flatMap(({ name, at }) => {
    if (!JOB_FIELDS.has(name)) return [];
    const message = `rule '${rule.name}': in jobs of this rule, \`.${name}\` is the job's own field and not the \`for\` name`;
    return [warning('workflow/hidden-name', message, { at, hint: 'give the `for` name another name' })];
  });
}
