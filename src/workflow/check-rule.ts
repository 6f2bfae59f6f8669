// One rule's node -> Rule. Its shape was checked by the schema, which has told what is wrong with it: what has a wrong
// shape is passed over here without a word.
import { error } from '../base/diagnostic.ts';
import type { Template } from '../expr/types.ts';
import { compileCondition, compileNode } from './compile.ts';
import { readLayers } from './check-layers.ts';
import { checkDir, readInputs, readOutputs } from './check-paths.ts';
import { entryOf, fieldOf, textOf, type MapNode, type Node } from './node.ts';
import { nameHint, nameProblem } from './names.ts';
import { checkRuleNames } from './rule-names.ts';
import type { RuleContext } from './rule-context.ts';
import { ruleFields } from './schema.ts';
import type { Axis, NamedTemplate, RetryReason, Rule, RunSpec } from './workflow.ts';

const RETRY_REASONS: readonly RetryReason[] = ['oom', 'timeout', 'node_fail', 'exit'];

/**
 * A rule, as far as it can be read; what is wrong with it goes to the issues of the context.
 * @param node its fields, with `defaults` merged under them
 */
export function readRule(node: MapNode, context: RuleContext): Rule {
  const { rule: name, ruleAt } = context;
  const field = (key: string): Node | undefined => fieldOf(node, key);
  const template = (key: string): Template | undefined => {
    const value = field(key);
    return value && compileNode(value, context);
  };
  const outputs = readOutputs(field('outputs'), context);
  const rule: Rule = {
    name,
    at: ruleAt,
    prefix: context.staticText(field('prefix'), 'prefix') ?? name,
    for: readAxes(field('for'), context),
    where: field('where') && compileCondition(field('where') as Node, context),
    config: readLayers(field('config'), context),
    unkeyed: readDottedPaths(field('unkeyed'), context),
    inputs: readInputs(field('inputs'), context),
    dir: template('dir'),
    outputs: outputs.specs,
    outputsAreList: outputs.areList,
    code: readTexts(field('code'), context),
    env: readNamed(field('env'), context),
    keepEnv: field('keep_env') && context.staticTexts(field('keep_env'), 'keep_env'),
    resources: readNamed(field('resources'), context),
    retries: template('retries'),
    retryOn: readRetryOn(field('retry_on')),
    timeout: template('timeout'),
    priority: template('priority'),
    temp: flag(field('temp'), false),
    cache: flag(field('cache'), true),
    group: readGroup(field('group'), context),
    localrule: flag(field('localrule'), false),
    scratch: template('scratch'),
    log: template('log'),
    shell: field('shell') && readTexts(field('shell'), context),
    run: readRun(field('run'), context),
  };
  checkDir(rule.dir, context);
  checkTimeout(rule, context);
  checkPrefix(rule, node, context);
  checkPurpose(node, context);
  checkRuleNames(rule, context);
  return rule;
}

/** Has the rule something to do? A misspelt field may be what is missing, and is told already. */
function checkPurpose(node: MapNode, { rule, ruleAt, issues }: RuleContext): void {
  const known = ruleFields();
  if (entryOf(node, 'run') !== undefined || node.entries.some((entry) => !known.has(String(entry.key)))) return;
  if (entryOf(node, 'outputs') !== undefined) {
    const hint = 'add the command as `run`; a file that nobody makes is named in `inputs` of the rules that read it';
    issues.add(
      error('workflow/no-run', `rule '${rule}' has outputs, and no \`run\` that makes them`, { at: ruleAt, hint }),
    );
  } else if (entryOf(node, 'inputs') === undefined) {
    const hint = 'add the command as `run`, or `inputs` to make the rule a name for them';
    issues.add(error('workflow/empty-rule', `rule '${rule}' has neither \`run\` nor \`inputs\``, { at: ruleAt, hint }));
  }
}

const flag = (node: Node | undefined, fallback: boolean): boolean =>
  node?.kind === 'scalar' && typeof node.value === 'boolean' ? node.value : fallback;

function readAxes(node: Node | undefined, context: RuleContext): Axis[] {
  if (node?.kind !== 'map') return [];
  return node.entries.flatMap(({ key, keyAt, value }) => {
    const name = String(key);
    const problem = nameProblem(name) ?? (context.ruleNames.has(name) ? "is a rule's name already" : undefined);
    if (problem !== undefined) {
      const message = `rule '${context.rule}': the \`for\` name '${name}' ${problem}`;
      context.issues.add(error('workflow/name', message, { at: keyAt, hint: nameHint(name) }));
    }
    const template = compileNode(value, context);
    if (template === undefined) return [];
    if (template.kind === 'text') {
      const message = `rule '${context.rule}': the \`for\` name '${name}' must be a list, and this is text with an expression in it`;
      const hint = 'write one expression that gives a list, or a list: [a, b]';
      context.issues.add(error('workflow/type', message, { at: template.at, hint }));
    }
    return [{ name, value: template, at: keyAt }];
  });
}

function readNamed(node: Node | undefined, context: RuleContext): NamedTemplate[] {
  if (node?.kind !== 'map') return [];
  return node.entries.flatMap(({ key, keyAt, value }) => {
    const template = compileNode(value, context);
    return template === undefined ? [] : [{ name: String(key), value: template, at: keyAt }];
  });
}

/** A list of texts, or one text for a list of one. */
function readTexts(node: Node | undefined, context: RuleContext): Template[] {
  const items = node?.kind === 'list' ? node.items : node?.kind === 'scalar' ? [node] : [];
  return items.flatMap((item) => compileNode(item, context) ?? []);
}

function readDottedPaths(node: Node | undefined, context: RuleContext): readonly string[] {
  return context.staticTexts(node, 'unkeyed').filter((path, i) => {
    if (path.split('.').every((segment) => segment !== '')) return true;
    const at = node?.kind === 'list' ? (node.items[i]?.at ?? node.at) : node?.at;
    const message = `rule '${context.rule}': '${path}' in \`unkeyed\` is no dotted path`;
    context.issues.add(error('workflow/dotted-path', message, { at, hint: 'write it as a.b.c' }));
    return false;
  });
}

function readRetryOn(node: Node | undefined): readonly RetryReason[] {
  if (node?.kind !== 'list') return RETRY_REASONS;
  return RETRY_REASONS.filter((reason) => node.items.some((item) => textOf(item) === reason));
}

/** Jobs of a pack where a group has no size. */
const PACK_SIZE = 10;

function readGroup(node: Node | undefined, context: RuleContext): Rule['group'] {
  const name = context.staticText(node?.kind === 'map' ? fieldOf(node, 'name') : node, 'group');
  if (name === undefined) return undefined;
  const size = fieldOf(node, 'size');
  return { name, size: size?.kind === 'scalar' && typeof size.value === 'bigint' ? Number(size.value) : PACK_SIZE };
}

function readRun(node: Node | undefined, context: RuleContext): RunSpec | undefined {
  if (node?.kind === 'list') return { kind: 'argv', items: readTexts(node, context), at: node.at };
  if (node?.kind !== 'scalar') return undefined;
  const text = compileNode(node, context);
  return text && { kind: 'script', text, at: node.at };
}

const CLOCK = /^(?:\d+-)?\d+(?::\d\d?){0,2}$/;
const WITH_UNITS = /^(?:\d+(?:\.\d*)?\s*(?:s|sec|second|m|min|minute|h|hr|hour|d|day|w|week)?s?\s*)+$/i;

/** Seconds, `HH:MM:SS`, `1-02:00`, `90m`, `1h30m`: what is written out is checked here, expressions when they run. */
function checkTimeout({ timeout }: Rule, { rule, issues }: RuleContext): void {
  if (timeout?.kind !== 'constant' || typeof timeout.value !== 'string') return;
  const text = timeout.value.trim();
  if (CLOCK.test(text) || WITH_UNITS.test(text)) return;
  const message = `\`timeout\` of rule '${rule}' must be a time, found the text '${text}'`;
  const hint = 'write seconds as a number, or 90m, 6h, 02:00:00, 1-02:00';
  issues.add(error('workflow/value', message, { at: timeout.at, hint }));
}

function checkPrefix(rule: Rule, node: MapNode, { issues, ruleAt }: RuleContext): void {
  if (/^[A-Za-z][A-Za-z0-9_]*$/.test(rule.prefix)) return;
  // A name that is none was told.
  if (nameProblem(rule.prefix) !== undefined && rule.prefix === rule.name) return;
  const given = entryOf(node, 'prefix');
  // A prefix that is written out was judged by the schema.
  if (given !== undefined && !(textOf(given.value) ?? '').includes('${{')) return;
  const message = given
    ? `\`prefix\` of rule '${rule.name}' must be a letter, then letters, digits and _, found '${rule.prefix}'`
    : `rule '${rule.name}' needs a \`prefix\`: its name does not begin with a letter, as ids must`;
  issues.add(error('workflow/prefix', message, { at: given?.value.at ?? ruleAt }));
}
