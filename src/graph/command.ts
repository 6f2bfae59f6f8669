// The command and environment of a job, filled in: once for its key, once for running it.
import { toJsonText } from '../base/value.ts';
import { renderArgv, renderScript, Verbatim } from '../expr/command.ts';
import { evaluateText } from '../expr/template.ts';
import type { Expression, Scope, Template } from '../expr/types.ts';
import type { Job } from './job.ts';
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

/** Does the expression stay in keys as it is written, so that laptop and cluster agree? */
const staysAsWritten = (expression: Expression): boolean =>
  KEPT_NAMES.some((name) => expression.names.has(name)) || KEPT_PATHS.some((path) => expression.paths.has(path));

const asWritten = (expression: Expression): string => `\${{ ${expression.source} }}`;

/** The command with portable paths; `resources`, `attempt`, `job.log`, `job.config_file`, `job.file` as written. */
export function keyCommand(job: Job, scopes: Scopes): KeyCommand {
  const { rule } = job;
  if (rule.run === undefined) return { run: undefined, shell: undefined, env: [] };
  const { run } = rule;
  return job.form.inPortable(() => {
    const scope = scopes.ofResources(job, 1);
    const valueOf = (expression: Expression): unknown =>
      staysAsWritten(expression) ? new Verbatim(asWritten(expression)) : expression.evaluate(scope);
    const words = (items: readonly Template[]): string => toJsonText([...renderArgv(items, valueOf)]);
    return {
      run: run.kind === 'script' ? renderScript(run.text, valueOf) : words(run.items),
      shell: rule.shell && words(rule.shell),
      env: rule.env.map(({ name, value }) => ({ name, value: keyText(value, scope) })),
    };
  });
}

function keyText(template: Template, scope: Scope): string {
  if (template.kind === 'expression' && staysAsWritten(template.expression)) return asWritten(template.expression);
  if (template.kind !== 'text') return evaluateText(template, scope);
  const parts = template.parts.map((part) => {
    if (typeof part === 'string') return part;
    return keyText({ kind: 'expression', expression: part, at: part.at }, scope);
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
