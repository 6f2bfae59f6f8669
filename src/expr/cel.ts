// CEL expressions, by the library; the only file that imports it. How lhb's CEL differs from it: adapt.ts, functions.ts.
import { Environment, EvaluationError, Optional, ParseError, TypeError as CheckError } from '@marcbachmann/cel-js';
import { didYouMean } from '../base/nearest.ts';
import { DiagnosticError, error as diagnostic, type Diagnostic, type SourceRange } from '../base/diagnostic.ts';
import { err, ok, type Result } from '../base/result.ts';
import { adapt, written, type Runtime } from './adapt.ts';
import { asCall, children, ownNames, uses, type Node } from './ast.ts';
import { evaluationError, ExprError, functionHint, syntaxHint, syntaxMessage } from './errors.ts';
import { functionsFor, REPLACED } from './functions.ts';
import { normalise } from './normalise.ts';
import { NOT_MINE } from './operators.ts';
import { stepsOf, walk } from './steps.ts';
import { Raw, RecordObject, type Engine, type Expression, type ExprHost, type Scope } from './types.ts';

type Range = { readonly start: number; readonly end: number };
type LibraryError = ParseError | EvaluationError | CheckError;
type Locate = (range: Range) => SourceRange;

const isLibraryError = (value: unknown): value is LibraryError =>
  value instanceof ParseError || value instanceof EvaluationError || value instanceof CheckError;

const optionalContent = (value: unknown): unknown => {
  if (!(value instanceof Optional)) return NOT_MINE;
  return value.hasValue() ? value.value() : undefined;
};

const classes = {
  optionalValue: (value: object): { value: unknown } | undefined => {
    if (!(value instanceof Optional)) return undefined;
    if (value.hasValue()) return { value: value.value() };
    throw new ExprError('expr/no-field', 'the optional value is missing', 'say what it is then with .orValue(...)');
  },
};

/**
 * An engine that compiles CEL text. Expressions of one engine share its functions and `host`.
 * @param host what glob(), load(), listfile() and file_mb() ask
 */
export function createEngine(host: ExprHost): Engine {
  const environment = new Environment({
    unlistedVariablesAreDyn: true,
    enableOptionalTypes: true,
    homogeneousAggregateLiterals: false,
    limits: {
      maxAstNodes: 1_000_000,
      maxDepth: 300,
      maxListElements: 100_000,
      maxMapEntries: 100_000,
      maxCallArguments: 64,
    },
  });
  environment.registerType('job', RecordObject);
  environment.registerType('raw', Raw);
  for (const { signature, handler } of functionsFor(host))
    environment.registerFunction(signature, handler, { async: false });
  const functions = new Map<string, Set<number>>();
  for (const { name, receiverType, params } of environment.getDefinitions().functions) {
    const key = (receiverType === null ? 'call ' : 'rcall ') + name;
    functions.set(key, (functions.get(key) ?? new Set()).add(params.length));
  }
  return { compile: (source, at, locate) => compile(environment, functions, source, at, locate) };
}

function compile(
  environment: Environment,
  functions: ReadonlyMap<string, ReadonlySet<number>>,
  text: string,
  at: SourceRange,
  place?: (offset: number) => number,
): Result<Expression> {
  const source = text.trim();
  const lead = text.length - text.trimStart().length;
  const locate = locator(text, lead, at, place);
  const whole = locate({ start: 0, end: source.length });
  if (source === '') return err([diagnostic('expr/syntax', 'an expression is empty', { at: whole })]);
  const toDiagnostics = (thrown: unknown): Diagnostic[] => diagnose(thrown, source, locate);

  let scope: Scope = new Map();
  let parsed: Parsed;
  const prepare = (): Parsed =>
    parse(environment, source, (own, bound) => ({
      source,
      own,
      bound,
      locate,
      scope: () => scope,
      optional: (value) => (value === undefined ? Optional.none() : Optional.of(value)),
      optionalContent,
      replaced: REPLACED,
    }));
  try {
    const tree = environment.parse(source).ast as Node;
    const unknown = unknownFunctions(tree, functions, source);
    if (unknown.length > 0) return err(unknown.flatMap(toDiagnostics));
    parsed = prepare();
  } catch (thrown) {
    return err(toDiagnostics(thrown));
  }

  let busy = false;
  const evaluate = (given: Scope): unknown => {
    if (parsed.steps) {
      const value = walk(parsed.steps, given);
      if (value !== undefined) return value;
    }
    // The library keeps the state of macros in the tree: a nested evaluation of the same text takes a tree of its own.
    const run = busy && parsed.macros ? prepare().run : parsed.run;
    const [outer, wasBusy] = [scope, busy];
    scope = given;
    busy = true;
    try {
      const value = run();
      return parsed.exotic ? normalise(value, classes) : value;
    } catch (thrown) {
      throw new DiagnosticError(toDiagnostics(thrown));
    } finally {
      scope = outer;
      busy = wasBusy;
    }
  };
  return ok({ source, at: whole, names: parsed.names, paths: parsed.paths, evaluate });
}

type Parsed = {
  /** Evaluates it with the names of the runtime's scope. */
  readonly run: () => unknown;
  /** Of a name with fields behind it; see steps.ts. */
  readonly steps: readonly string[] | undefined;
  readonly names: ReadonlySet<string>;
  readonly paths: ReadonlySet<string>;
  /** Whether it has macros that bind names. */
  readonly macros: boolean;
  /** Whether it can give values of the library's own classes. */
  readonly exotic: boolean;
};

/** What the library sees: names are looked up in the runtime's scope, which need not be a Map. */
const NO_NAMES = new Map<string, unknown>();

/** Parses and type-checks; throws what the library throws, or ExprError. */
function parse(
  environment: Environment,
  source: string,
  runtime: (own: Set<Node>, bound: Set<string>) => Runtime,
): Parsed {
  const run = environment.parse(source);
  const tree = run.ast as Node;
  const own = ownNames(tree);
  const { names, paths, bound } = uses(tree, own);
  checkInts(tree, source);
  adapt(tree, runtime(own, bound));
  const checked = run.check();
  if (!checked.valid)
    throw checked.error ?? new ExprError('expr/type', `'${written(source, tree)}' cannot be evaluated`);
  const exotic = isExotic(tree);
  return {
    run: () => run(NO_NAMES) as unknown,
    steps: exotic ? undefined : stepsOf(tree, own),
    names,
    paths,
    macros: bound.size > 0,
    exotic,
  };
}

const EXOTIC = /^(optional|of|none|or|timestamp|duration|bytes|uint|type)$/;
const TYPE_NAMES = /^(int|uint|double|string|bool|bytes|list|map|null_type|type|google|cel|optional)$/;

/** Whether an expression may give optionals, unsigned ints, bytes, timestamps, durations or types. */
function isExotic(node: Node): boolean {
  if (node.op === '.?' || node.op === '[?]') return true;
  if (node.op === 'id' && TYPE_NAMES.test(node.args as string)) return true;
  if (node.op === 'value' && typeof node.args === 'object' && node.args !== null) return true;
  const call = asCall(node);
  return (call !== undefined && EXOTIC.test(call.name)) || children(node).some(isExotic);
}

/** CEL's ints have 64 bits; the library takes any. The one beyond the largest stands for the smallest after a minus. */
function checkInts(node: Node, source: string, negative = false): void {
  const limit = negative ? 2n ** 63n : 2n ** 63n - 1n;
  if (node.op === 'value' && typeof node.args === 'bigint' && node.args > limit)
    throw new ExprError('expr/syntax', `the int ${written(source, node)} does not fit into 64 bits`, undefined, node);
  for (const child of children(node)) checkInts(child, source, node.op === '-_');
}

/** An error for each call of a function that is not there. */
function unknownFunctions(
  root: Node,
  functions: ReadonlyMap<string, ReadonlySet<number>>,
  source: string,
): ExprError[] {
  const found: ExprError[] = [];
  const visit = (node: Node): void => {
    const call = asCall(node);
    const arities = call && functions.get(`${node.op} ${call.name}`);
    if (call && !arities?.has(call.args.length)) found.push(unknownFunction(node, call, functions, source));
    children(node).forEach(visit);
  };
  visit(root);
  return found;
}

function unknownFunction(
  node: Node,
  call: NonNullable<ReturnType<typeof asCall>>,
  functions: ReadonlyMap<string, ReadonlySet<number>>,
  source: string,
): ExprError {
  const { name, receiver, args } = call;
  const arities = functions.get(`${node.op} ${name}`);
  const code = 'expr/unknown-function';
  if (arities) {
    const counts = [...arities].sort((a, b) => a - b);
    const spread = counts.length > 2 && (counts.at(-1) ?? 0) - (counts[0] ?? 0) === counts.length - 1;
    const expected = spread ? `${counts[0]} to ${counts.at(-1)}` : counts.join(' or ');
    return new ExprError(
      code,
      `${name}() takes ${expected} ${expected === '1' ? 'argument' : 'arguments'}, not ${args.length}`,
      undefined,
      node,
    );
  }
  if (receiver && functions.has(`call ${name}`)) {
    const hint = `write ${name}(${written(source, receiver)}${args.length > 0 ? ', …' : ''})`;
    return new ExprError(code, `${name}() is not called on a value`, hint, node);
  }
  if (!receiver && functions.has(`rcall ${name}`))
    return new ExprError(
      code,
      `${name}() is called on a value`,
      `write x.${name}(${args.length > 1 ? '…' : ''})`,
      node,
    );
  const known = [...functions.keys()].map((key) => key.slice(key.indexOf(' ') + 1));
  // The name alone: of a call on a value it is the first `.name(` behind that value.
  const from = receiver ? source.indexOf(`.${name}`, receiver.end) + 1 : node.start;
  const at = source.startsWith(name, from) ? { start: from, end: from + name.length } : node;
  return new ExprError(
    code,
    `there is no function '${name}'`,
    functionHint(name) ?? didYouMean(name, new Set(known)),
    at,
  );
}

/** Maps ranges of the CEL text to the file: by `place`, verbatim from `at.start`, else to `at` as a whole. */
function locator(text: string, lead: number, at: SourceRange, place?: (offset: number) => number): Locate {
  const verbatim = place !== undefined || at.file.text.startsWith(text, at.start);
  const map = place ?? ((offset: number): number => at.start + offset);
  const clamp = (offset: number): number => Math.min(Math.max(offset, at.start), at.end);
  return ({ start, end }) => {
    if (!verbatim) return at;
    const from = clamp(map(lead + start));
    const last = end > start ? clamp(map(lead + end - 1) + 1) : from;
    return { file: at.file, start: from, end: Math.max(from, last) };
  };
}

function diagnose(thrown: unknown, source: string, locate: Locate): Diagnostic[] {
  const whole = locate({ start: 0, end: source.length });
  if (thrown instanceof DiagnosticError) return thrown.diagnostics.map((d) => (d.at ? d : { ...d, at: whole }));
  if (thrown instanceof ExprError)
    return [
      diagnostic(thrown.code, thrown.message, { at: thrown.range ? locate(thrown.range) : whole, hint: thrown.hint }),
    ];
  if (isLibraryError(thrown)) {
    const at = thrown.range ? locate(clampRange(thrown.range, source)) : whole;
    const found = thrown.range ? source.slice(thrown.range.start, thrown.range.end) : '';
    if (thrown instanceof ParseError) {
      const hint = thrown.range && syntaxHint(source, thrown.range.start);
      return [diagnostic('expr/syntax', syntaxMessage(thrown.summary, found), { at, hint })];
    }
    const { code, message, hint } = evaluationError(thrown.code, thrown.summary);
    return [diagnostic(code, message, { at, hint })];
  }
  if (thrown instanceof RangeError && /call stack/.test(thrown.message))
    return [diagnostic('expr/syntax', 'the expression is nested too deeply', { at: whole })];
  throw thrown;
}

const clampRange = (range: Range, source: string): Range => ({
  start: Math.min(range.start, source.length),
  end: Math.min(range.end, source.length),
});
