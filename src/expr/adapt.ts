// Fits a syntax tree of the CEL library to lhb before its first evaluation. The library evaluates it; changed are:
// - types are found out at evaluation only (every node checks as dyn), so that ints and doubles mix, literals and the
//   branches of `?:` may differ in type, and one tree serves scopes of different types;
// - operators on numbers, text, lists and maps (operators.ts), map literals (Maps, in their order), names (the scope wins
//   over CEL's type names), fields (jobs work theirs out when asked) and has();
// - errors know their place and what was written there.
// It leans on `check`, `evaluate`, `meta` and `handle` of the nodes of version 8.0.0, which is pinned for that reason;
// cel.test.ts tells when they change.
import { didYouMean } from '../base/nearest.ts';
import { DiagnosticError, type SourceRange } from '../base/diagnostic.ts';
import { asCall, binding, children, type Call, type Node } from './ast.ts';
import { ExprError, typeError } from './errors.ts';
import { kindOf } from './kind.ts';
import { binary, lookUp, mapKey, namesIn, negate, NOT_MINE, operandError } from './operators.ts';
import { RecordObject, type Scope } from './types.ts';

type Context = { getValue(name: string): unknown };
type Evaluator = { run(node: Node, context: Context): unknown };
type Checker = { readonly dynType: unknown; check(node: Node, context: unknown): unknown };
type Evaluate = (evaluator: Evaluator, node: Node, context: Context) => unknown;
type LiveNode = Node & {
  readonly pos: number;
  readonly meta: { readonly evaluate: Evaluate; readonly macro?: unknown; readonly alternate?: Node };
  /** Set by the library's check of an operator: what evaluates it. */
  readonly handle: (a: unknown, b: unknown, node: Node, evaluator: Evaluator) => unknown;
  check: (checker: Checker, node: Node, context: unknown) => unknown;
  evaluate: Evaluate;
};

/** What the hooks need from cel.ts. */
export type Runtime = {
  readonly source: string;
  /** Nodes that name a type or namespace, not a name of the scope. */
  readonly own: ReadonlySet<Node>;
  readonly bound: ReadonlySet<string>;
  readonly locate: (range: { readonly start: number; readonly end: number }) => SourceRange;
  /** The scope of the evaluation under way. */
  readonly scope: () => Scope;
  /** An optional of the library, empty for undefined. */
  readonly optional: (value: unknown) => unknown;
  /** The content of an optional (undefined: empty), or NOT_MINE for any other value. */
  readonly optionalContent: (value: unknown) => unknown;
  /** Functions that stand in for the library's own; NOT_MINE leaves the values to it. By `call name/arity`. */
  readonly replaced: ReadonlyMap<string, (...args: unknown[]) => unknown>;
};

/** Hooks into every node below `root`. Call once, before the library has checked or evaluated the tree. */
export function adapt(root: Node, runtime: Runtime): void {
  const visit = (node: LiveNode): void => {
    const check = node.check;
    node.check = (checker, self, context) => {
      check.call(node, checker, self, context);
      return checker.dynType;
    };
    const evaluate = hook(node, runtime);
    if (evaluate) node.evaluate = evaluate;
    for (const child of children(node)) visit(child as LiveNode);
    const call = asCall(node);
    if (call?.receiver && binding(call)?.outer[0] === call.receiver) asListHook(call.receiver as LiveNode);
  };
  visit(root as LiveNode);
}

/** Macros go over what is also a list as over that list. */
function asListHook(node: LiveNode): void {
  const evaluate = node.evaluate;
  node.evaluate = (evaluator, self, context) => {
    const value = evaluate.call(node, evaluator, self, context);
    return value instanceof RecordObject ? (value.asList() ?? value) : value;
  };
}

function hook(node: LiveNode, runtime: Runtime): Evaluate | undefined {
  switch (node.op) {
    case 'value': {
      // The library's unsigned ints (`1u`) are ints here.
      const plain: unknown = node.args instanceof Object ? node.args.valueOf() : undefined;
      return typeof plain === 'bigint' ? () => plain : undefined;
    }
    case 'id':
      return runtime.own.has(node) ? undefined : nameHook(node, runtime);
    case '.':
    case '[]':
    case '.?':
    case '[?]':
      return accessHook(node, runtime);
    case 'map':
      return mapHook(node, runtime);
    case '-_':
      return negateHook(node, runtime);
    case 'call':
    case 'rcall':
      return callHook(node, asCall(node) as Call, runtime);
    case '==':
    case '!=':
    case 'in':
    case '<':
    case '<=':
    case '>':
    case '>=':
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
      return binaryHook(node, runtime);
    default:
      return undefined;
  }
}

/** What stands at a node, on one line and not too long. */
export function written(source: string, node: { readonly start: number; readonly end: number }): string {
  let text = source.slice(node.start, node.end).replace(/\s+/g, ' ').trim();
  const [open, close] = [text.split('(').length, text.split(')').length];
  if (close > open) text = '('.repeat(close - open) + text;
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** Gives an error its place, where it has none yet. */
function placed(error: unknown, range: { start: number; end: number }, runtime: Runtime): unknown {
  if (error instanceof ExprError) error.range ??= range;
  // What functions of the library let through from JavaScript: JSON that is none, a time zone that does not exist.
  else if (error instanceof SyntaxError || (error instanceof RangeError && !/call stack/.test(error.message)))
    return new ExprError('expr/function', error.message.split('\n', 1)[0] ?? '', undefined, range);
  else if (error instanceof DiagnosticError && error.diagnostics.some((d) => !d.at))
    return new DiagnosticError(error.diagnostics.map((d) => (d.at ? d : { ...d, at: runtime.locate(range) })));
  return error;
}

function nameHook(node: LiveNode, runtime: Runtime): Evaluate {
  const name = node.args as string;
  return (evaluator, _node, context) => {
    let value: unknown;
    try {
      // The library knows the names that macros bind, and those alone.
      value = context.getValue(name);
      if (value === undefined) value = runtime.scope().get(name);
    } catch (error) {
      throw placed(error, node, runtime);
    }
    if (value !== undefined) return value;
    if (node.meta.alternate) return evaluator.run(node.meta.alternate, context);
    const known = [...runtime.scope().keys(), ...runtime.bound];
    const hint = didYouMean(name, known) ?? (known.length > 0 ? `names here: ${some(known)}` : undefined);
    throw new ExprError('expr/unknown-name', `there is no name '${name}' here`, hint, node);
  };
}

const some = (names: readonly string[]): string =>
  names.length > 12 ? `${names.slice(0, 12).join(', ')}, …` : names.join(', ');

function noField(node: LiveNode, left: unknown, key: unknown, runtime: Runtime): ExprError {
  const [leftNode] = node.args as [Node];
  const holder = written(runtime.source, leftNode);
  const range = { start: node.op.startsWith('.') ? node.pos : node.start, end: node.end };
  if (Array.isArray(left)) {
    const size = left.length === 1 ? '1 item' : `${left.length} items`;
    return new ExprError('expr/no-field', `'${holder}' has ${size} and none at index ${String(key)}`, undefined, range);
  }
  const known = namesIn(left);
  const near = didYouMean(String(key), known);
  const name = near && /'(.*)'/.exec(near)?.[1];
  const odd = name !== undefined && !/^[A-Za-z_]\w*$/.test(name);
  const hint = odd
    ? `did you mean ${holder}['${name}']?`
    : (near ?? (known.length > 0 ? `'${holder}' has: ${some(known)}` : undefined));
  return new ExprError('expr/no-field', `there is no '${written(runtime.source, node)}'`, hint, range);
}

function accessHook(node: LiveNode, runtime: Runtime): Evaluate {
  const [leftNode, right] = node.args as [Node, Node | string];
  const optional = node.op === '.?' || node.op === '[?]';
  const holder = (): string => written(runtime.source, leftNode);
  return (evaluator, _node, context) => {
    let left = evaluator.run(leftNode, context);
    const key = typeof right === 'string' ? right : evaluator.run(right, context);
    const content = runtime.optionalContent(left);
    if (content !== NOT_MINE) {
      if (content === undefined) return left;
      left = content;
    }
    const soft = optional || content !== NOT_MINE;
    let value: unknown;
    try {
      if (soft && (left === null || (left instanceof RecordObject && !left.has(String(key))))) value = undefined;
      else value = lookUp(left, key, holder);
    } catch (error) {
      throw placed(error, node, runtime);
    }
    if (soft) return runtime.optional(value);
    if (value === undefined) throw noField(node, left, key, runtime);
    return value;
  };
}

function mapHook(node: LiveNode, runtime: Runtime): Evaluate {
  const entries = node.args as readonly [Node, Node][];
  return (evaluator, _node, context) => {
    const map = new Map<unknown, unknown>();
    for (const [keyNode, valueNode] of entries) {
      const key = mapKey(evaluator.run(keyNode, context));
      if (typeof key !== 'string' && typeof key !== 'bigint')
        throw new ExprError('expr/type', `a key of a map is text or an int, not ${kindOf(key)}`, undefined, keyNode);
      if (map.has(key))
        throw new ExprError(
          'expr/type',
          `the map has the key ${written(runtime.source, keyNode)} twice`,
          undefined,
          keyNode,
        );
      map.set(key, evaluator.run(valueNode, context));
    }
    return map;
  };
}

function negateHook(node: LiveNode, runtime: Runtime): Evaluate {
  const operand = node.args as Node;
  return (evaluator, _node, context) => {
    const value = evaluator.run(operand, context);
    try {
      const result = negate(value);
      if (result !== NOT_MINE) return result;
    } catch (error) {
      throw placed(error, node, runtime);
    }
    throw new ExprError(
      'expr/type',
      `'-' does not take ${kindOf(value)}, as in '${written(runtime.source, node)}'`,
      undefined,
      node,
    );
  };
}

const isLibraryObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Map);

function binaryHook(node: LiveNode, runtime: Runtime): Evaluate {
  const [leftNode, rightNode] = node.args as [Node, Node];
  const op = node.op;
  return (evaluator, _node, context) => {
    const left = evaluator.run(leftNode, context);
    const right = evaluator.run(rightNode, context);
    try {
      const result = binary(op, left, right);
      if (result !== NOT_MINE) return result;
    } catch (error) {
      throw placed(error, node, runtime);
    }
    const foreign = isLibraryObject(left) && isLibraryObject(right) && !(left instanceof RecordObject);
    if (foreign) return node.handle(left, right, node, evaluator);
    const error = operandError(op, left, right, written(runtime.source, node));
    throw placed(error, node, runtime);
  };
}

function callHook(node: LiveNode, call: Call, runtime: Runtime): Evaluate | undefined {
  if (call.name === 'has' && !call.receiver && call.args.length === 1)
    return hasHook(node, call.args[0] as Node, runtime);
  if (node.meta.macro || node.meta.alternate) return undefined;
  const inner = node.meta.evaluate;
  const values = call.receiver ? [call.receiver, ...call.args] : call.args;
  const replaced = runtime.replaced.get(`${node.op} ${call.name}/${call.args.length}`);
  return (evaluator, _node, context) => {
    try {
      if (replaced) {
        const result = replaced(...values.map((value) => evaluator.run(value, context)));
        if (result !== NOT_MINE) return result;
      }
      return inner(evaluator, node, context);
    } catch (error) {
      throw placed(error, node, runtime);
    }
  };
}

/** `has(x.name)`: whether the field is there; all before the last field must be. */
function hasHook(node: LiveNode, argument: Node, runtime: Runtime): Evaluate {
  if (argument.op !== '.' && argument.op !== '.?')
    throw new ExprError('expr/syntax', 'has() takes a field, such as has(x.name)', undefined, node);
  const [leftNode, name] = argument.args as [Node, string];
  const holder = (): string => written(runtime.source, leftNode);
  node.check = (checker, _node, context) => {
    checker.check(leftNode, context);
    return checker.dynType;
  };
  return (evaluator, _node, context) => {
    let left = evaluator.run(leftNode, context);
    const content = runtime.optionalContent(left);
    if (content !== NOT_MINE) left = content ?? null;
    if (left === null) return false;
    if (left instanceof RecordObject) return left.has(name);
    if (Array.isArray(left))
      throw placed(typeError(`'${holder()}' is a list, which has no field '${name}'`), argument, runtime);
    try {
      return lookUp(left, name, holder) !== undefined;
    } catch (error) {
      throw placed(error, argument, runtime);
    }
  };
}
