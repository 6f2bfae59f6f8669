// Names that expressions use, and which of them each field may use: they become known in the order in which a job is
// worked out (for, where, config, inputs, job hash, dir, outputs, log, resources, env, run).
import { error, type Diagnostic, type SourceRange } from '../base/diagnostic.ts';
import { nearest } from '../base/nearest.ts';
import { expressionsOf } from '../expr/template.ts';
import type { Expression, Template } from '../expr/types.ts';

/** Names that expressions have of themselves; nothing in a workflow may be called so. */
export const RESERVED = ['config', 'env', 'output', 'job', 'inputs', 'outputs', 'resources', 'attempt'] as const;

/** Words that CEL keeps for itself, or may one day (cel-spec, "Syntax"). */
const CEL_WORDS = new Set(
  (
    'true false null in as break const continue else for function if import let loop package namespace return var void ' +
    'while'
  ).split(' '),
);

/** Why a name cannot be given to a rule, a `for` name, an input or an output; undefined if it can. */
export function nameProblem(name: string): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return 'must be letters, digits and _, and not begin with a digit';
  if ((RESERVED as readonly string[]).includes(name)) return 'is a name that expressions have already';
  return CEL_WORDS.has(name) ? 'is a reserved word of CEL' : undefined;
}

/** A name near to one that is none: with `_` for what may not stand in it. */
export function nameHint(name: string): string | undefined {
  const near = name.replace(/[^A-Za-z0-9_]+/g, '_').replace(/^(?=\d)/, '_');
  return near === name || /^_*$/.test(near) ? undefined : `write it as ${near}`;
}

/** What the expressions of one field may use. */
export type Visible = {
  /** The field as messages name it: `` `inputs` ``, `` `for` name `target` ``. */
  readonly field: string;
  /** `rule 'train'`, or `the workflow`. */
  readonly owner: string;
  readonly names: ReadonlySet<string>;
  /** Those of `names` that are rules: hints do not list them. */
  readonly rules?: ReadonlySet<string>;
  /** Names that exist, but become known later; with what to do about it where there is something. */
  readonly later: ReadonlyMap<string, string | undefined>;
  /** Fields of `job` that become known later. */
  readonly laterJobFields?: readonly string[];
};

/** All uses, in a template or expression, of names that the field may not use. */
export function checkNames(code: Template | Expression, visible: Visible): Diagnostic[] {
  const expressions = 'kind' in code ? expressionsOf(code) : [code];
  return expressions.flatMap((expression) => [
    ...[...expression.names].flatMap((name) => checkName(name, expression, visible) ?? []),
    ...(visible.laterJobFields ?? [])
      .filter((field) => usesPath(expression, `job.${field}`))
      .map((field) => notYet(`job.${field}`, expression, visible, undefined)),
  ]);
}

const usesPath = (expression: Expression, path: string): boolean =>
  [...expression.paths].some((used) => used === path || used.startsWith(`${path}.`));

function checkName(name: string, expression: Expression, visible: Visible): Diagnostic | undefined {
  if (visible.names.has(name)) return undefined;
  if (visible.later.has(name)) return notYet(name, expression, visible, visible.later.get(name));
  const near = nearest(name, [...visible.names, ...visible.later.keys()]);
  return error('workflow/unknown-name', `${visible.owner}: there is no \`${name}\`, which ${visible.field} uses`, {
    at: placeOf(name, expression),
    hint: near === undefined ? mayUse(visible) : `did you mean '${near}'?`,
  });
}

function notYet(name: string, expression: Expression, visible: Visible, advice: string | undefined): Diagnostic {
  const message = `${visible.owner}: \`${name}\` is not known yet in ${visible.field}`;
  return error('workflow/not-yet-known', message, { at: placeOf(name, expression), hint: advice ?? mayUse(visible) });
}

function mayUse({ field, names, rules = new Set() }: Visible): string {
  const known: readonly string[] = RESERVED;
  const shown = [...names].filter((name) => !rules.has(name) || known.includes(name));
  return `${field} may use ${shown.join(', ')}${rules.size > 0 ? " and rules' names" : ''}`;
}

/** Where a name stands in its expression: the first place where it does not follow a point. */
export function placeOf(name: string, expression: Expression): SourceRange {
  const { at } = expression;
  const text = at.file.text.slice(at.start, at.end);
  const found = new RegExp(`(?<![\\w.'"])${name.replaceAll('.', '\\s*\\.\\s*')}(?!\\w)`).exec(text);
  return found ? { file: at.file, start: at.start + found.index, end: at.start + found.index + found[0].length } : at;
}
