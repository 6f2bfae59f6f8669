// The library's syntax tree as far as lhb looks into it, and what can be read off it: free names and dotted paths.

/** A node: `op` names its kind, `args` differ with it (see the library's ASTNode). */
export type Node = {
  readonly op: string;
  readonly args: unknown;
  readonly start: number;
  readonly end: number;
};

export const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && 'op' in value;

export type Call = { readonly name: string; readonly receiver: Node | undefined; readonly args: readonly Node[] };

/** `f(x)` and `r.f(x)`. */
export function asCall(node: Node): Call | undefined {
  if (node.op === 'call') {
    const [name, args] = node.args as [string, Node[]];
    return { name, receiver: undefined, args };
  }
  if (node.op === 'rcall') {
    const [name, receiver, args] = node.args as [string, Node, Node[]];
    return { name, receiver, args };
  }
  return undefined;
}

export function children(node: Node): Node[] {
  const call = asCall(node);
  if (call) return call.receiver ? [call.receiver, ...call.args] : [...call.args];
  if (isNode(node.args)) return [node.args];
  return Array.isArray(node.args) ? (node.args as unknown[]).flat().filter(isNode) : [];
}

const MACROS: ReadonlySet<string> = new Set(['map', 'filter', 'all', 'exists', 'exists_one']);

/** The variable that a macro call binds, and the parts that see it. */
export function binding(call: Call): { variable: string; inner: readonly Node[]; outer: readonly Node[] } | undefined {
  const { name, receiver, args } = call;
  const [first, ...rest] = args;
  if (!receiver || first?.op !== 'id') return undefined;
  const variable = first.args as string;
  if (isNamespace(receiver, 'cel') && name === 'bind' && args.length === 3)
    return { variable, inner: rest.slice(1), outer: rest.slice(0, 1) };
  const size = args.length === 2 || (name === 'map' && args.length === 3);
  return MACROS.has(name) && size ? { variable, inner: rest, outer: [receiver] } : undefined;
}

const isNamespace = (node: Node, name: string): boolean => node.op === 'id' && node.args === name;

const isTypeCall = (node: Node | undefined): boolean => node?.op === 'call' && asCall(node)?.name === 'type';

const TYPES: ReadonlySet<string> = new Set([
  'int',
  'uint',
  'double',
  'string',
  'bool',
  'bytes',
  'list',
  'map',
  'null_type',
  'type',
]);

/** Names that are not looked up in the scope: `int` in `type(x) == int`, `cel` in `cel.bind`, `optional` in `optional.of`. */
export function ownNames(root: Node): Set<Node> {
  const own = new Set<Node>();
  const visit = (node: Node): void => {
    const call = asCall(node);
    if (call?.receiver) {
      const { name, receiver } = call;
      if (isNamespace(receiver, 'cel') && name === 'bind') own.add(receiver);
      if (isNamespace(receiver, 'optional') && (name === 'of' || name === 'none')) own.add(receiver);
    }
    if (node.op === '==' || node.op === '!=' || node.op === 'in') {
      const [left, right] = node.args as [Node, Node];
      for (const [a, b] of [
        [left, right],
        [right, left],
      ] as const) {
        if (!isTypeCall(a)) continue;
        for (const type of b.op === 'list' ? children(b) : [b])
          if (type.op === 'id' && TYPES.has(type.args as string)) own.add(type);
      }
    }
    children(node).forEach(visit);
  };
  visit(root);
  return own;
}

export type Uses = { readonly names: Set<string>; readonly paths: Set<string>; readonly bound: Set<string> };

/** The text of `a.b['c']` from a name on, or undefined where it is anything else. */
function staticPath(node: Node, own: Set<Node>, bound: ReadonlySet<string>): string | undefined {
  if (node.op === 'id') return own.has(node) || bound.has(node.args as string) ? undefined : (node.args as string);
  if (!Array.isArray(node.args)) return undefined;
  const [left, right] = node.args as [Node, Node | string];
  const head = /^\.\??$|^\[\??\]$/.test(node.op) ? staticPath(left, own, bound) : undefined;
  if (head === undefined) return undefined;
  if (typeof right === 'string') return `${head}.${right}`;
  return right.op === 'value' && typeof right.args === 'string' ? `${head}.${right.args}` : undefined;
}

/** Free names, dotted paths from them as far as they are written, and the names that macros bind. */
export function uses(root: Node, own: Set<Node>): Uses {
  const result: Uses = { names: new Set(), paths: new Set(), bound: new Set() };
  const visit = (node: Node, bound: ReadonlySet<string>): void => {
    const path = staticPath(node, own, bound);
    if (path !== undefined) {
      result.names.add(nameOf(node));
      result.paths.add(path);
      return;
    }
    const call = asCall(node);
    const macro = call && binding(call);
    if (macro) {
      result.bound.add(macro.variable);
      const inside = new Set(bound).add(macro.variable);
      for (const child of macro.outer) visit(child, bound);
      for (const child of macro.inner) visit(child, inside);
    } else if (node.op !== 'id') for (const child of children(node)) visit(child, bound);
  };
  visit(root, new Set());
  return result;
}

/** The name that a static path starts with. */
const nameOf = (node: Node): string => (node.op === 'id' ? (node.args as string) : nameOf((node.args as [Node])[0]));
