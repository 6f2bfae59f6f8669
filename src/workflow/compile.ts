// Nodes -> templates: where texts of the workflow hold expressions.
import { error } from '../base/diagnostic.ts';
import { compileText } from '../expr/template.ts';
import type { Engine, Expression, Template, TemplateEntry } from '../expr/types.ts';
import type { Issues } from './issues.ts';
import { nodeToValue, type Node, type ScalarNode } from './node.ts';
import { locateIn } from './scalar-place.ts';

export type Compiler = { readonly engine: Engine; readonly issues: Issues };

/** A node as a template; a part without expressions is one constant. Errors are added to the issues (then undefined). */
export function compileNode(node: Node, compiler: Compiler): Template | undefined {
  switch (node.kind) {
    case 'scalar':
      return compileScalar(node, compiler);
    case 'list': {
      const items = node.items.map((item) => compileNode(item, compiler));
      if (items.includes(undefined)) return undefined;
      const known = items as Template[];
      if (known.every((item) => item.kind === 'constant'))
        return { kind: 'constant', value: nodeToValue(node), at: node.at };
      return { kind: 'list', items: known, at: node.at };
    }
    case 'map': {
      const entries: TemplateEntry[] = [];
      let failed = false;
      for (const { key, keyAt, value } of node.entries) {
        if (typeof key === 'string' && key.includes('${{')) {
          const hint = 'let one expression give the whole map: ${{ {name: value} }}';
          compiler.issues.add(error('workflow/value', 'expressions stand in values, not in keys', { at: keyAt, hint }));
        }
        const inner = compileNode(value, compiler);
        if (inner === undefined) failed = true;
        else entries.push({ key, keyAt, value: inner });
      }
      if (failed) return undefined;
      if (entries.every((entry) => entry.value.kind === 'constant')) {
        return { kind: 'constant', value: nodeToValue(node), at: node.at };
      }
      return { kind: 'map', entries, at: node.at };
    }
  }
}

function compileScalar(node: ScalarNode, { engine, issues }: Compiler): Template | undefined {
  const { value, at } = node;
  if (typeof value !== 'string' || !value.includes('${{')) return { kind: 'constant', value, at };
  return issues.take(compileText(value, at, engine, locateIn(node, value)));
}

/** A condition: CEL with or without `${{ }}` around it, or true or false. */
export function compileCondition(node: Node, compiler: Compiler): Expression | undefined {
  if (node.kind !== 'scalar') return undefined;
  const { at } = node;
  if (typeof node.value === 'boolean') return compiler.issues.take(compiler.engine.compile(String(node.value), at));
  const text = String(node.value);
  if (!text.includes('${{')) return compiler.issues.take(compiler.engine.compile(text, at, locateIn(node, text)));
  const template = compileScalar(node, compiler);
  if (template === undefined || template.kind === 'expression') return template?.expression;
  const hint = 'write one expression: where: a.x == 1 && b.y < 2';
  compiler.issues.add(error('workflow/value', '`where` must be one expression, with or without ${{ }}', { at, hint }));
  return undefined;
}
