// `inputs:` and `outputs:` of a rule.
import { error, type SourceRange } from '../base/diagnostic.ts';
import { parseRelPath } from '../fs/rel-path.ts';
import type { Template } from '../expr/types.ts';
import { compileNode } from './compile.ts';
import { entryOf, fieldOf, type Node } from './node.ts';
import { nameHint, nameProblem } from './names.ts';
import type { RuleContext } from './rule-context.ts';
import type { InputSpec, OutputSpec } from './workflow.ts';

function checkName(what: string, name: string, at: SourceRange, { rule, issues }: RuleContext): void {
  // `inputs.env` is what a set-up job is often called, and cannot be taken for the environment.
  const problem = what === 'input' && name === 'env' ? undefined : nameProblem(name);
  if (problem !== undefined)
    issues.add(
      error('workflow/name', `rule '${rule}': the ${what} name '${name}' ${problem}`, { at, hint: nameHint(name) }),
    );
}

export function readInputs(node: Node | undefined, context: RuleContext): InputSpec[] {
  if (node?.kind !== 'map') return [];
  return node.entries.flatMap(({ key, keyAt, value }) => {
    const name = String(key);
    checkName('input', name, keyAt, context);
    const path = value.kind === 'map' ? fieldOf(value, 'path') : value;
    const template = path && compileNode(path, context);
    if (template === undefined) return [];
    const keyed = fieldOf(value, 'keyed');
    return [{ name, value: template, at: keyAt, keyed: keyed?.kind !== 'scalar' || keyed.value !== false }];
  });
}

export function readOutputs(
  node: Node | undefined,
  context: RuleContext,
): { readonly specs: OutputSpec[]; readonly areList: boolean } {
  if (node?.kind === 'list') {
    const specs = node.items.flatMap((item, i) => readOutput(String(i), item, item.at, context) ?? []);
    return { specs, areList: true };
  }
  if (node?.kind !== 'map') return { specs: [], areList: false };
  const specs = node.entries.flatMap(({ key, keyAt, value }) => {
    checkName('output', String(key), keyAt, context);
    return readOutput(String(key), value, keyAt, context) ?? [];
  });
  return { specs, areList: false };
}

function readOutput(name: string, node: Node, at: SourceRange, context: RuleContext): OutputSpec | undefined {
  const field = (key: string): Node | undefined => entryOf(node, key)?.value;
  const pathNode = node.kind === 'map' ? field('path') : node;
  const path = pathNode && compilePath(pathNode, context);
  if (path === undefined) return undefined;
  checkOutputPath(name, path, context);
  const temp = field('temp');
  return {
    name,
    path,
    ignore: readPointers(name, field('ignore'), context),
    temp: temp?.kind === 'scalar' && temp.value === true,
    at,
  };
}

/** A list of paths stays a list of templates, also without expressions: each is a path of its own. */
function compilePath(node: Node, context: RuleContext): Template | undefined {
  if (node.kind !== 'list') return compileNode(node, context);
  const items = node.items.map((item) => compileNode(item, context));
  return items.includes(undefined) ? undefined : { kind: 'list', items: items as Template[], at: node.at };
}

/** Paths that are written out are checked here, with all other mistakes of the file; the others when they are known. */
function checkOutputPath(name: string, path: Template, context: RuleContext): void {
  if (path.kind === 'list') return path.items.forEach((item) => checkOutputPath(name, item, context));
  if (path.kind !== 'constant' || typeof path.value !== 'string' || path.value === '') return;
  const parsed = parseRelPath(path.value);
  if (parsed.ok && parsed.value !== '.') return;
  const problem = parsed.ok ? `'${path.value}' is the job's folder itself` : parsed.error;
  const message = `rule '${context.rule}': output '${name}': ${problem}`;
  const hint = "output paths lie below the job's folder, `dir`";
  context.issues.add(error('workflow/value', message, { at: path.at, hint }));
}

/** The same for `dir`. */
export function checkDir(dir: Template | undefined, context: RuleContext): void {
  if (dir?.kind !== 'constant' || typeof dir.value !== 'string' || dir.value === '') return;
  const parsed = parseRelPath(dir.value);
  if (parsed.ok) return;
  const hint = "job folders lie below the workflow's folder";
  const message = `rule '${context.rule}': \`dir\`: ${parsed.error}`;
  context.issues.add(error('workflow/value', message, { at: dir.at, hint }));
}

function readPointers(name: string, node: Node | undefined, context: RuleContext): readonly string[] {
  const items = node?.kind === 'list' ? node.items : node === undefined ? [] : [node];
  return items.flatMap((item) => {
    const pointer = context.staticText(item, 'ignore');
    if (pointer === undefined) return [];
    if (pointer.startsWith('/')) return [pointer];
    const message = `rule '${context.rule}': '${pointer}' in \`ignore\` of output '${name}' is no JSON pointer`;
    const hint = `write '/${pointer.replaceAll('.', '/')}'`;
    context.issues.add(error('workflow/value', message, { at: item.at, hint }));
    return [];
  });
}
