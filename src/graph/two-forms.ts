// Values in which paths of outputs may stand are worked out twice: as they are on disk for the job, portable for its
// keys. Where no such path can come in, once.
import { DiagnosticError } from '../base/diagnostic.ts';
import { isList, isMap, type Value } from '../base/value.ts';
import { namesOf } from '../expr/template.ts';
import type { Template } from '../expr/types.ts';
import { composeConfig } from '../workflow/layers.ts';
import type { Layer, Rule } from '../workflow/workflow.ts';
import type { Expander } from './expand.ts';
import type { PathForm, TwoForms } from './path-form.ts';

/** What expressions see while a rule is expanded. */
export type BothScopes = TwoForms<Map<string, unknown>>;

/**
 * Whether a template of a rule may give a path of an output: it names `output`, a rule, or a `for` name that may itself.
 * @param named the rules that the rule's expressions name
 */
export function pathHolder(rule: Rule, named: ReadonlySet<string>): (template: Template) => boolean {
  const sources = new Set(['output', ...named]);
  const holds = (template: Template): boolean => [...namesOf(template)].some((name) => sources.has(name));
  for (const axis of rule.for) if (holds(axis.value)) sources.add(axis.name);
  return holds;
}

/**
 * `actual`, and what `work` gives while expressions see portable paths; the same where that fails, as where an expression
 * takes a path apart.
 */
export function withPortable<T>(form: PathForm, actual: T, work: () => T): TwoForms<T> {
  try {
    return { actual, portable: form.inPortable(work) };
  } catch (problem) {
    if (!(problem instanceof DiagnosticError)) throw problem;
    return { actual, portable: actual };
  }
}

/** The values of the `for` names at this moment. */
export function bindingsOf(rule: Rule, scope: BothScopes): TwoForms<ReadonlyMap<string, unknown>> {
  const actual = new Map<string, unknown>();
  let alike = true;
  for (const { name } of rule.for) {
    const value = scope.actual.get(name);
    actual.set(name, value);
    if (scope.portable.get(name) !== value) alike = false;
  }
  if (alike) return { actual, portable: actual };
  return { actual, portable: new Map(rule.for.map(({ name }) => [name, scope.portable.get(name)])) };
}

/** What `make` gives for both forms; once where they are one. */
export const eachForm = <T, R>({ actual, portable }: TwoForms<T>, make: (value: T) => R): TwoForms<R> => {
  const made = make(actual);
  return { actual: made, portable: portable === actual ? made : make(portable) };
};

/** The config of a job from its layers. @throws DiagnosticError as composeConfig */
export function layeredConfig(
  { form, readConfig }: Expander,
  layers: readonly Layer[],
  scope: BothScopes,
  holdsPaths: (template: Template) => boolean,
): TwoForms<Value> {
  const actual: Value = composeConfig(layers, scope.actual, readConfig);
  if (!layers.some((layer) => holdsPaths(layer.value))) return { actual, portable: actual };
  const again = (): Value => composeConfig(layers, scope.portable, (path) => readConfig(form.actual(path)));
  const config = withPortable(form, actual, again);
  return sameValue(config.portable, actual) ? { actual, portable: actual } : config;
}

/** Equal values; jobs are equal where they are the same. */
function sameValue(a: Value | undefined, b: Value | undefined): boolean {
  if (a === b) return true;
  if (isList(a) && isList(b)) return a.length === b.length && a.every((item, i) => sameValue(item, b[i]));
  if (isMap(a) && isMap(b)) return a.size === b.size && [...a].every(([key, item]) => sameValue(item, b.get(key)));
  return Object.is(a, b);
}
