// Which names a rule's expressions use, field by field.
import type { SourceRange } from '../base/diagnostic.ts';
import { expressionsOf, namesOf } from '../expr/template.ts';
import { placeOf } from './names.ts';
import type { Template } from '../expr/types.ts';
import type { Rule } from './workflow.ts';

/** Every template of a rule except `where`, which is an expression by itself. */
export function templatesOf(rule: Rule): Template[] {
  const { dir, retries, timeout, priority, scratch, log, shell, run } = rule;
  return [
    ...rule.for.map((axis) => axis.value),
    ...(rule.config ?? []).map((layer) => layer.value),
    ...rule.inputs.map((input) => input.value),
    ...rule.outputs.map((output) => output.path),
    ...rule.code,
    ...[...rule.env, ...rule.resources].map((named) => named.value),
    ...[dir, retries, timeout, priority, scratch, log].filter((template) => template !== undefined),
    ...(shell ?? []),
    ...(run === undefined ? [] : run.kind === 'script' ? [run.text] : run.items),
  ];
}

/**
 * The rules that a rule's expressions name, itself included where it does (a circle of one).
 * @param ruleNames all rules of the workflow
 */
export function ruleReferences(rule: Rule, ruleNames: Iterable<string>): Set<string> {
  const known = new Set(ruleNames);
  const used = new Set<string>(rule.where?.names);
  for (const template of templatesOf(rule)) for (const name of namesOf(template)) used.add(name);
  return new Set([...used].filter((name) => known.has(name)));
}

/** Where a rule's expressions first name another rule. */
export function referencePlace(rule: Rule, name: string): SourceRange | undefined {
  const all = [...(rule.where ? [rule.where] : []), ...templatesOf(rule).flatMap(expressionsOf)];
  const using = all.filter((expression) => expression.names.has(name)).sort((a, b) => a.at.start - b.at.start);
  return using[0] && placeOf(name, using[0]);
}
