// Which names each field of a rule may use, by spec "Names in scope".
import type { Expression, Template } from '../expr/types.ts';
import { checkNames, RESERVED, type Visible } from './names.ts';
import type { RuleContext } from './rule-context.ts';
import type { Rule } from './workflow.ts';

/** Adds an issue for every name that an expression of the rule uses before its turn, or that does not exist. */
export function checkRuleNames(rule: Rule, context: RuleContext): void {
  const owner = `rule '${rule.name}'`;
  const known = ['config', 'env', 'output', ...rule.for.map((axis) => axis.name), ...context.ruleNames];
  const all = [...RESERVED, ...known];
  const check = (
    code: Template | Expression | undefined,
    field: string,
    names: readonly string[],
    laterJobFields: readonly string[] = [],
  ): void => {
    if (code === undefined) return;
    const visible = new Set(names);
    const later = new Map(all.filter((name) => !visible.has(name)).map((name) => [name, undefined] as const));
    const scope: Visible = { field, owner, names: visible, rules: context.ruleNames, later, laterJobFields };
    context.issues.add(...checkNames(code, scope));
  };

  rule.for.forEach((axis, i) => {
    const earlier = rule.for.slice(0, i).map((a) => a.name);
    const names = ['config', 'env', 'output', ...earlier, ...context.ruleNames];
    const visible = new Set(names);
    const axes = new Set(rule.for.map((a) => a.name));
    const later = new Map(
      all
        .filter((name) => !visible.has(name))
        .map((name) => [
          name,
          axes.has(name) && name !== axis.name
            ? `\`for\` names are worked out from top to bottom: move '${name}' above '${axis.name}'`
            : undefined,
        ]),
    );
    context.issues.add(
      ...checkNames(axis.value, {
        field: `the \`for\` name '${axis.name}'`,
        owner,
        names: visible,
        rules: context.ruleNames,
        later,
      }),
    );
  });
  check(rule.where, '`where`', known);
  for (const layer of rule.config ?? []) check(layer.value, '`config`', known);
  for (const input of rule.inputs) check(input.value, '`inputs`', known);

  const withJob = [...known, 'job', 'inputs'];
  check(rule.dir, '`dir`', withJob, ['dir', 'outputs', 'log']);
  for (const output of rule.outputs) check(output.path, '`outputs`', withJob, ['outputs', 'log']);
  for (const code of rule.code) check(code, '`code`', withJob);
  const withOutputs = [...withJob, 'outputs'];
  check(rule.log, '`log`', withOutputs, ['log']);
  check(rule.retries, '`retries`', withOutputs);
  check(rule.priority, '`priority`', withOutputs);
  const withAttempt = [...withOutputs, 'attempt'];
  for (const resource of rule.resources) check(resource.value, '`resources`', withAttempt);
  const everything = [...withAttempt, 'resources'];
  check(rule.timeout, '`timeout`', everything);
  check(rule.scratch, '`scratch`', everything);
  for (const variable of rule.env) check(variable.value, '`env`', everything);
  for (const word of rule.shell ?? []) check(word, '`shell`', everything);
  if (rule.run?.kind === 'script') check(rule.run.text, '`run`', everything);
  for (const item of rule.run?.kind === 'argv' ? rule.run.items : []) check(item, '`run`', everything);
}
