// What reading a rule needs from around it.
import { DiagnosticError, type SourceRange } from '../base/diagnostic.ts';
import { evaluateText } from '../expr/template.ts';
import type { Scope } from '../expr/types.ts';
import { compileNode, type Compiler } from './compile.ts';
import { checkNames, RESERVED } from './names.ts';
import { fieldOf, textOf, type Node } from './node.ts';

export type RuleContext = Compiler & {
  readonly rule: string;
  readonly ruleAt: SourceRange;
  readonly ruleNames: ReadonlySet<string>;
  /** The text of a field that is the same for all jobs; its expressions see `config`, `env` and `output` alone. */
  readonly staticText: (node: Node | undefined, field: string) => string | undefined;
  /** The same for a list of texts, or one text for a list of one; without those that cannot be read. */
  readonly staticTexts: (node: Node | undefined, field: string) => readonly string[];
};

/**
 * The context of a rule.
 * @param fields the rule's fields; of these its `for` names matter here
 * @param scope `config`, `env` and `output`; undefined where they could not be worked out: then texts with expressions are
 *   checked, and left out
 */
export function ruleContext(
  compiler: Compiler,
  names: Pick<RuleContext, 'rule' | 'ruleAt' | 'ruleNames'>,
  fields: Node,
  scope: Scope | undefined,
): RuleContext {
  const { rule, ruleNames } = names;
  const loops = fieldOf(fields, 'for');
  const axes = loops?.kind === 'map' ? loops.entries.map((entry) => String(entry.key)) : [];
  const owner = `rule '${rule}'`;
  const staticText = (node: Node | undefined, field: string): string | undefined => {
    const text = textOf(node);
    if (node === undefined || text === undefined || !text.includes('${{')) return text;
    const template = compileNode(node, compiler);
    if (template === undefined) return undefined;
    const known = new Set(['config', 'env', 'output']);
    const advice = `\`${field}\` is the same for all jobs of a rule: it may use config, env and output`;
    const later = [...RESERVED, ...axes, ...ruleNames]
      .filter((name) => !known.has(name))
      .map((name) => [name, advice] as const);
    const visible = { field: `\`${field}\``, owner, names: known, later: new Map(later) };
    const problems = checkNames(template, visible).map((d) => (d.hint?.startsWith('did') ? d : { ...d, hint: advice }));
    compiler.issues.add(...problems);
    if (problems.length > 0 || scope === undefined) return undefined;
    try {
      return evaluateText(template, scope);
    } catch (problem) {
      if (!(problem instanceof DiagnosticError)) throw problem;
      compiler.issues.add(...problem.diagnostics);
      return undefined;
    }
  };
  const staticTexts = (node: Node | undefined, field: string): readonly string[] => {
    const items = node?.kind === 'list' ? node.items : node?.kind === 'scalar' ? [node] : [];
    return items.map((item) => staticText(item, field) ?? '').filter((text) => text !== '');
  };
  return { ...compiler, ...names, staticText, staticTexts };
}
