// The command and environment of a job, filled in: once for its key, once for running it.
import { DiagnosticError } from '../base/diagnostic.ts';
import { isMap, toJsonText } from '../base/value.ts';
import { renderArgv, renderScript, Verbatim } from '../expr/command.ts';
import { each, evaluateText } from '../expr/template.ts';
import { RecordObject, type Expression, type Scope, type Template } from '../expr/types.ts';
import { canonicalTyped } from '../hash/encode.ts';
import { EnvRecord } from '../workflow/env-record.ts';
import { NONE, type Job } from './job.ts';
import { jobLeaf } from './job-hash.ts';
import type { Scopes } from './scope.ts';

/** The command as keys see it. */
export type KeyCommand = {
  readonly run: string | undefined;
  readonly shell: string | undefined;
  readonly env: readonly { readonly name: string; readonly value: string }[];
};

/** The command as it is run. */
export type JobCommand = {
  readonly run:
    | { readonly kind: 'script'; readonly text: string }
    | { readonly kind: 'argv'; readonly argv: readonly string[] }
    | undefined;
  readonly shell: readonly string[] | undefined;
  readonly env: Readonly<Record<string, string>>;
};

const KEPT_NAMES = ['resources', 'attempt'];
const KEPT_PATHS = ['job.log', 'job.config_file', 'job.file'];

/** By expression, for each is asked about once a job. */
const kept = new WeakMap<Expression, boolean>();

/** Does the expression stay in keys as it is written, so that laptop and cluster agree? */
function staysAsWritten(expression: Expression, job: Job): boolean {
  let always = kept.get(expression);
  if (always === undefined) {
    const { names, paths } = expression;
    always = KEPT_NAMES.some((name) => names.has(name)) || KEPT_PATHS.some((path) => paths.has(path));
    kept.set(expression, always);
  }
  return always || (job.inputs.length > 0 && showsOutside(expression, job));
}

/** Is it about inputs alone, one of which lies outside the workflow's folder? Such a one counts by name and content. */
function showsOutside({ names, paths }: Expression, job: Job): boolean {
  if (!names.has('inputs') || names.size > 1) return false;
  const outside = job.inputs.filter(({ sources }) => sources.some((s) => 'outside' in s && s.outside));
  return outside.some(({ name }) => [...paths].some((path) => `${path}.`.startsWith(`inputs.${name}.`)));
}

/** The expression's text; what else it sees besides the names that keep it as written counts by value. */
function asWritten(expression: Expression, scope: Scope): string {
  const text = `\${{ ${expression.source} }}`;
  const others = [...expression.paths].filter((path) => {
    const [root = ''] = path.split('.');
    return root !== 'inputs' && !KEPT_NAMES.includes(root) && !KEPT_PATHS.includes(path);
  });
  const seen = others.sort().flatMap((path) => {
    const value = lookUp(path, scope);
    return value === undefined ? [] : [`${path}=${canonicalTyped(value, jobLeaf)}`];
  });
  return seen.length === 0 ? text : `${text} (${seen.join(', ')})`;
}

function lookUp(path: string, scope: Scope): unknown {
  const [root = '', ...fields] = path.split('.');
  let value = scope.get(root);
  for (const field of fields) {
    if (value instanceof RecordObject) value = value.has(field) ? value.get(field) : undefined;
    else value = isMap(value) ? value.get(field) : undefined;
  }
  return value instanceof EnvRecord ? undefined : value;
}

/** The command with portable paths; `resources`, `attempt`, `job.log`, `job.config_file`, `job.file` and inputs from outside as written. */
export function keyCommand(job: Job, scopes: Scopes): KeyCommand {
  const { rule } = job;
  if (rule.run === undefined) return { run: undefined, shell: undefined, env: NONE };
  const { run } = rule;
  return job.form.inPortable(() => {
    const scope = scopes.ofResources(job, 1);
    const valueOf = (expression: Expression): unknown =>
      staysAsWritten(expression, job) ? new Verbatim(asWritten(expression, scope)) : expression.evaluate(scope);
    const words = (items: readonly Template[]): string => toJsonText([...renderArgv(items, valueOf)]);
    const runText = (): string => (run.kind === 'script' ? renderScript(run.text, valueOf) : words(run.items));
    try {
      if (rule.shell === undefined && rule.env.length === 0) return { run: runText(), shell: undefined, env: NONE };
      // All that is wrong with any of the three is told at once.
      const made: { run?: string; shell?: string; env?: KeyCommand['env'] } = {};
      const envTexts = (): KeyCommand['env'] =>
        each(rule.env, ({ name, value }) => ({ name, value: keyText(value, scope, job) }));
      each(
        [
          () => (made.run = runText()),
          () => rule.shell && (made.shell = words(rule.shell)),
          () => (made.env = envTexts()),
        ],
        (make) => make(),
      );
      return { run: made.run, shell: made.shell, env: made.env ?? NONE };
    } catch (problem) {
      throw ofRule(job, problem);
    }
  });
}

/** What was found wrong, with the rule's name in front. */
function ofRule(job: Job, problem: unknown): unknown {
  if (!(problem instanceof DiagnosticError)) return problem;
  const owner = `rule '${job.rule.name}'`;
  const named = problem.diagnostics.map((d) => ({
    ...d,
    message: d.message.includes(owner) ? d.message : `${owner}: ${d.message}`,
  }));
  return new DiagnosticError(named);
}

function keyText(template: Template, scope: Scope, job: Job): string {
  if (template.kind === 'expression' && staysAsWritten(template.expression, job))
    return asWritten(template.expression, scope);
  if (template.kind !== 'text') return evaluateText(template, scope);
  const parts = each(template.parts, (part) => {
    if (typeof part === 'string') return part;
    return keyText({ kind: 'expression', expression: part, at: part.at }, scope, job);
  });
  return parts.join('');
}

/** The command as it is run: actual paths, this attempt's resources. */
export function jobCommand(
  job: Job,
  scopes: Scopes,
  attempt: number,
  resources: ReadonlyMap<string, unknown>,
): JobCommand {
  const { rule } = job;
  const scope = scopes.ofCommand(job, attempt, resources);
  const valueOf = (expression: Expression): unknown => expression.evaluate(scope);
  const env = Object.fromEntries(rule.env.map(({ name, value }) => [name, evaluateText(value, scope)]));
  const shell = rule.shell && renderArgv(rule.shell, valueOf);
  if (rule.run === undefined) return { run: undefined, shell, env };
  if (rule.run.kind === 'script') {
    return { run: { kind: 'script', text: renderScript(rule.run.text, valueOf) }, shell, env };
  }
  return { run: { kind: 'argv', argv: renderArgv(rule.run.items, valueOf) }, shell, env };
}
