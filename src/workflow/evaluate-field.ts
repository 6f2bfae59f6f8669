// Fields of the workflow itself that are worked out once: `output`, `store`.
import { DiagnosticError } from '../base/diagnostic.ts';
import { evaluateText } from '../expr/template.ts';
import type { Scope } from '../expr/types.ts';
import { compileNode, type Compiler } from './compile.ts';
import { checkNames, RESERVED } from './names.ts';
import { textOf, type Node } from './node.ts';

/**
 * The text of a field, its expressions evaluated; `fallback` without it. Undefined where it is wrong (told in the issues)
 * or cannot be known because `scope` could not be.
 * @param scope what its expressions may use
 */
export function evaluateField(
  node: Node | undefined,
  field: string,
  compiler: Compiler,
  scope: Scope | undefined,
  fallback: string,
): string | undefined {
  if (node === undefined) return fallback;
  const text = textOf(node);
  if (text === undefined || !text.includes('${{')) return text;
  const template = compileNode(node, compiler);
  if (template === undefined || scope === undefined) return undefined;
  const names = new Set(scope.keys());
  const later = new Map(RESERVED.filter((name) => !names.has(name)).map((name) => [name, undefined]));
  const problems = checkNames(template, { field: `\`${field}\``, owner: 'the workflow', names, later });
  compiler.issues.add(...problems);
  if (problems.length > 0) return undefined;
  try {
    return evaluateText(template, scope);
  } catch (problem) {
    if (!(problem instanceof DiagnosticError)) throw problem;
    compiler.issues.add(...problem.diagnostics);
    return undefined;
  }
}
