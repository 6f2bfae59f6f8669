// Some of a workflow's jobs, expanded without the rest.
import type { RuleName } from '../base/brand.ts';
import { namesOf } from '../expr/template.ts';
import type { RecordObject, Template } from '../expr/types.ts';
import { templatesOf } from '../workflow/references.ts';
import type { Rule, Workflow } from '../workflow/workflow.ts';
import type { Expansion } from './expand.ts';
import { PathForm } from './path-form.ts';
import { Scopes } from './scope.ts';

/** Some of a rule's jobs, in their order. */
export type SomeOfRule = {
  /** How many jobs the rule has in all. */
  readonly total: number;
  /** Positions in the list of the rule's jobs. */
  readonly ranks: readonly number[];
  /** As Job.place. */
  readonly places: readonly (readonly number[])[];
};

export type Some = ReadonlyMap<RuleName, SomeOfRule>;

/**
 * The rules of which a rule's expressions may look at all jobs. Of one that is only iterated over (`for: { x: ${{ rule }} }`)
 * a job sees no more than the one that it is bound to.
 */
export function rulesSeenWhole(rule: Rule, isRule: (name: string) => boolean): Set<string> {
  const iterated = new Set<Template>(rule.for.map(({ value }) => value).filter(isBareName));
  const seen = templatesOf(rule).filter((template) => !iterated.has(template));
  const names = [...(rule.where?.names ?? []), ...seen.flatMap((template) => [...namesOf(template)])];
  return new Set(names.filter(isRule));
}

const isBareName = (template: Template): boolean =>
  template.kind === 'expression' && template.expression.names.has(template.expression.source);

/** The list of a rule's jobs in which only some are there; to ask for another one is a bug. */
export function listOfSome(values: readonly unknown[], { total, ranks }: SomeOfRule): readonly unknown[] {
  const list = Array.from({ length: total });
  if (values.length === total) return values;
  const there = new Set<string>();
  for (const [i, rank] of ranks.entries()) {
    list[rank] = values[i];
    there.add(String(rank));
  }
  return new Proxy(list, {
    get(target, key, receiver): unknown {
      if (typeof key === 'string' && /^\d/.test(key) && !there.has(key)) throw new Error(`job ${key} was not expanded`);
      return Reflect.get(target, key, receiver);
    },
  });
}

/** No jobs at all. */
export function emptyExpansion(workflow: Workflow, env: RecordObject): Expansion {
  const form = new PathForm(workflow.output);
  const graph = { workflow, form, jobs: [], byId: new Map(), byRule: new Map(), producers: new Map(), warnings: [] };
  return { graph, scopes: new Scopes(workflow, env, form) };
}
