// lhb.yaml and all that it names -> Workflow. Collects what is wrong in all files and never stops at the first.
import { homedir } from 'node:os';
import * as path from 'node:path';
import { error, type Diagnostic, type SourceRange } from '../base/diagnostic.ts';
import { didYouMean } from '../base/nearest.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { Engine, Scope } from '../expr/types.ts';
import { parseRelPath } from '../fs/rel-path.ts';
import type { Compiler } from './compile.ts';
import { evaluateField } from './evaluate-field.ts';
import type { EnvRecord } from './env-record.ts';
import { readIncludes } from './includes.ts';
import { Issues } from './issues.ts';
import { nameHint, nameProblem } from './names.ts';
import { entryOf, fieldOf, textOf, type MapNode, type Node } from './node.ts';
import { readYamlToCheck } from './read.ts';
import { readCaches } from './check-caches.ts';
import { ruleContext } from './rule-context.ts';
import { readRule } from './check-rule.ts';
import { checkShape } from './schema.ts';
import { readWorkflowConfig, type ConfigAssignment, type ConfigFile } from './workflow-config.ts';
import type { Rule, Workflow } from './workflow.ts';

/** The format of lhb.yaml that this version reads: `lhb: 1`. */
export const FORMAT_VERSION = 1n;

export type LoadOptions = {
  /** The workflow file, absolute. Its folder is the workflow's. */
  readonly file: string;
  /** `--configfile`, in order: absolute paths, and where they stand on the command line. */
  readonly configFiles?: readonly ConfigFile[];
  /** `--config a.b=1`, in order. */
  readonly configSets?: readonly ConfigAssignment[];
  /** Compiles expressions; its host answers glob() and load() in them. */
  readonly engine: Engine;
  /** `env` in expressions; keeps which variables were asked for. */
  readonly env: EnvRecord;
};

/**
 * Reads and checks a workflow: lhb.yaml, what it includes, its config files, and `--configfile` and `--config` on top.
 * Nothing is expanded, and rules that name each other in a circle are found by the graph.
 * @returns the workflow, or everything that is wrong with it
 */
export function loadWorkflow(options: LoadOptions): Result<Workflow> {
  const { file, engine, env } = options;
  const root = path.dirname(file);
  const read = readYamlToCheck(file, { shown: path.basename(file) });
  if (!read.ok) return read;
  const { file: source, node } = read.value;
  const issues = new Issues();
  issues.add(...read.value.errors);
  const compiler: Compiler = { engine, issues };
  const versionProblem = checkVersion(node);
  // A file of another format, or none of ours, would be wrong in every line.
  if (versionProblem?.code === 'workflow/version' || node.kind !== 'map') return err([versionProblem ?? notAMap(node)]);
  const shape = checkShape(node, 'workflow');
  const misspelt = shape.some((d) => d.hint === didYouMean('lhb', ['lhb']));
  if (versionProblem && !misspelt) issues.add(versionProblem);
  issues.add(...shape);

  const filesRead = new Set<string>([path.basename(file)]);
  const included = readIncludes(fieldOf(node, 'include'), root, issues, filesRead);
  const rules = collectRules([node, ...included], issues);
  if (rules.size === 0 && !issues.any) issues.add(noRules(node));

  const config = readWorkflowConfig(fieldOf(node, 'config'), { ...options, root, compiler, filesRead });
  const scope =
    config &&
    new Map<string, unknown>([
      ['config', config],
      ['env', env],
    ]);
  const output = readOutput(node, compiler, scope);
  const scopeWithOutput = scope && output !== undefined ? new Map(scope).set('output', output) : undefined;
  const ruleNames = new Set(rules.keys());
  const checked = new Map<string, Rule>();
  for (const [name, rule] of rules) {
    if (rule.node === undefined) continue;
    const fields = mergeDefaults(fieldOf(node, 'defaults'), rule.node);
    checked.set(
      name,
      readRule(fields, ruleContext(compiler, { rule: name, ruleAt: rule.at, ruleNames }, fields, scopeWithOutput)),
    );
  }
  checkPrefixes(checked, issues);
  const defaultRules = readDefault(fieldOf(node, 'default'), ruleNames, issues);
  const store = readStore(node, compiler, scopeWithOutput, root);
  const cacheProblems: Diagnostic[] = [];
  const caches = readCaches(fieldOf(node, 'caches'), root, cacheProblems);
  issues.add(...cacheProblems);
  if (issues.any || config === undefined || output === undefined || store === undefined) return err(issues.all());
  return ok({
    file: source,
    root,
    config,
    output,
    store,
    link: (textOf(fieldOf(node, 'link')) ?? 'auto') as Workflow['link'],
    caches,
    default: defaultRules,
    rules: checked,
    filesRead: [...filesRead],
    warnings: [],
  });
}

const start = (node: Node): SourceRange => ({ ...node.at, end: node.at.start });

function notAMap(node: Node): Diagnostic {
  const empty = node.kind === 'scalar' && node.value === null;
  const message = empty ? 'the workflow is empty' : 'the workflow must be a map with `lhb` and `rules`';
  return error('workflow/type', message, { at: start(node), hint: "begin with the line 'lhb: 1'" });
}

function checkVersion(root: Node): Diagnostic | undefined {
  const entry = entryOf(root, 'lhb');
  if (root.kind !== 'map') return undefined;
  if (entry === undefined) {
    const message = 'the workflow does not say its format version';
    return error('workflow/missing-version', message, { at: start(root), hint: "add the line 'lhb: 1' at the top" });
  }
  const { value, keyAt } = entry;
  if (value.kind === 'scalar' && value.value === FORMAT_VERSION) return undefined;
  const shown = value.at.file.text.slice(value.at.start, value.at.end).split('\n', 1)[0] ?? '';
  if (value.kind === 'scalar' && typeof value.value === 'bigint' && value.value > FORMAT_VERSION) {
    const message = `the workflow has format ${value.value}, and this lhb reads format ${FORMAT_VERSION}`;
    return error('workflow/version', message, { at: value.at, hint: 'a newer lhb is needed' });
  }
  const at = shown === '' ? keyAt : { ...value.at, end: value.at.start + shown.length };
  const message = `\`lhb\`, the format version, must be ${FORMAT_VERSION}, found ${shown === '' ? 'nothing' : `'${shown}'`}`;
  return error('workflow/version', message, { at, hint: `write 'lhb: ${FORMAT_VERSION}'` });
}

const noRules = (node: Node): Diagnostic =>
  error('workflow/missing-field', 'the workflow has no rules', { at: start(node), hint: 'add one below `rules:`' });

/** `node` is undefined where the rule is no map, which the schema has told. */
type RuleNode = { readonly node: MapNode | undefined; readonly at: SourceRange };

function collectRules(files: readonly Node[], issues: Issues): Map<string, RuleNode> {
  const rules = new Map<string, RuleNode>();
  for (const file of files) {
    const node = fieldOf(file, 'rules');
    if (node?.kind !== 'map') continue;
    for (const { key, keyAt, value } of node.entries) {
      const name = String(key);
      const first = rules.get(name);
      const problem = nameProblem(name);
      if (first !== undefined) {
        const related = [{ message: 'first defined here', at: first.at }];
        issues.add(error('workflow/duplicate-rule', `the rule '${name}' is defined twice`, { at: keyAt, related }));
        continue;
      }
      if (problem !== undefined) {
        const message = `the rule name '${name}' ${problem}`;
        issues.add(error('workflow/name', message, { at: keyAt, hint: nameHint(name) }));
      }
      rules.set(name, { node: value.kind === 'map' ? value : undefined, at: keyAt });
    }
  }
  return rules;
}

/** `rule` on top of `defaults`, deeply; the fields of `defaults` come first. */
function mergeDefaults(defaults: Node | undefined, rule: MapNode): MapNode {
  if (defaults?.kind !== 'map') return rule;
  const merged = new Map(defaults.entries.map((entry) => [entry.key, entry]));
  for (const entry of rule.entries) {
    const before = merged.get(entry.key)?.value;
    const deep = before?.kind === 'map' && entry.value.kind === 'map';
    merged.set(entry.key, deep ? { ...entry, value: mergeDefaults(before, entry.value as MapNode) } : entry);
  }
  return { kind: 'map', entries: [...merged.values()], at: rule.at };
}

function checkPrefixes(rules: ReadonlyMap<string, Rule>, issues: Issues): void {
  const first = new Map<string, Rule>();
  for (const rule of rules.values()) {
    const other = first.get(rule.prefix);
    if (other === undefined) {
      first.set(rule.prefix, rule);
      continue;
    }
    const message = `rule '${rule.name}' has the prefix '${rule.prefix}', which rule '${other.name}' has already`;
    const related = [{ message: `rule '${other.name}'`, at: other.at }];
    issues.add(error('workflow/prefix', message, { at: rule.at, related, hint: 'give one of them another `prefix`' }));
  }
}

function readDefault(node: Node | undefined, known: ReadonlySet<string>, issues: Issues): Workflow['default'] {
  if (node === undefined) return undefined;
  const items = node.kind === 'list' ? node.items : [node];
  return items.flatMap((item) => {
    const name = textOf(item);
    if (name === undefined) return [];
    if (known.has(name)) return [{ name, at: item.at }];
    const rules = [...known].slice(0, 8).join(', ');
    const hint = didYouMean(name, known) ?? (known.size > 0 && known.size <= 8 ? `the rules are ${rules}` : undefined);
    issues.add(
      error('workflow/unknown-rule', `\`default\` names the rule '${name}', which does not exist`, {
        at: item.at,
        hint,
      }),
    );
    return [];
  });
}

function readOutput(root: Node, compiler: Compiler, scope: Scope | undefined): string | undefined {
  const node = fieldOf(root, 'output');
  const text = evaluateField(node, 'output', compiler, scope, 'runs');
  if (text === undefined) return undefined;
  const parsed = parseRelPath(text);
  if (parsed.ok) return parsed.value;
  const hint = "outputs lie below the workflow's folder";
  compiler.issues.add(error('workflow/value', `\`output\`: ${parsed.error}`, { at: node?.at, hint }));
  return undefined;
}

function readStore(root: Node, compiler: Compiler, scope: Scope | undefined, folder: string): string | undefined {
  const text = evaluateField(fieldOf(root, 'store'), 'store', compiler, scope, '.lhb');
  if (text === undefined) return undefined;
  return path.resolve(folder, text === '~' || text.startsWith('~/') ? homedir() + text.slice(1) : text);
}
