// What goes wrong in an expression, before its place in the file is known.
import type { Code } from '../base/codes.ts';

/** Thrown by operators and functions; cel.ts makes a Diagnostic of it, at `range` (offsets in the CEL text) or the whole. */
export class ExprError extends Error {
  readonly code: Code;
  readonly hint: string | undefined;
  range: { readonly start: number; readonly end: number } | undefined;
  constructor(code: Code, message: string, hint?: string, range?: { readonly start: number; readonly end: number }) {
    // Its stack is never shown, and costs more than all else: a selector may try 100 000 jobs that lack a field.
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = limit;
    this.code = code;
    this.hint = hint;
    this.range = range;
  }
}

/** What a function says about values that it cannot work with. */
export const functionError = (message: string, hint?: string): ExprError =>
  new ExprError('expr/function', message, hint);

/** What a function says about a value of the wrong type. */
export const typeError = (message: string, hint?: string): ExprError => new ExprError('expr/type', message, hint);

const TOKENS: Readonly<Record<string, string>> = {
  EOF: 'the end',
  NUMBER: 'a number',
  STRING: 'a string',
  BYTES: 'bytes',
  BOOLEAN: 'a bool',
  NULL: 'null',
  IDENTIFIER: 'a name',
  PLUS: "'+'",
  MINUS: "'-'",
  MULTIPLY: "'*'",
  DIVIDE: "'/'",
  MODULO: "'%'",
  EQ: "'=='",
  NE: "'!='",
  LT: "'<'",
  LE: "'<='",
  GT: "'>'",
  GE: "'>='",
  AND: "'&&'",
  OR: "'||'",
  NOT: "'!'",
  IN: "'in'",
  LPAREN: "'('",
  RPAREN: "')'",
  LBRACKET: "'['",
  RBRACKET: "']'",
  LBRACE: "'{'",
  RBRACE: "'}'",
  DOT: "'.'",
  COMMA: "','",
  COLON: "':'",
  QUESTION: "'?'",
};

/**
 * A syntax error of the library as one sentence.
 * @param summary the library's text without its source lines; its token names (`RPAREN`) become what one types
 * @param found the text at the error's place
 */
export function syntaxMessage(summary: string, found: string): string {
  const expected = /^Expected (\w+), got (\w+)$/.exec(summary);
  const shown = (token: string | undefined): string =>
    token === 'EOF' || found === '' ? 'the end' : found.length <= 40 ? quoted(found) : (TOKENS[token ?? ''] ?? 'text');
  if (expected) return `expected ${TOKENS[expected[1] ?? ''] ?? expected[1]} but found ${shown(expected[2])}`;
  const unexpected = /^Unexpected token: (\w+)$/.exec(summary);
  if (unexpected) return `expected a value but found ${shown(unexpected[1])}`;
  if (summary.startsWith('Unexpected character')) return `${shown(undefined)} was not expected here`;
  if (summary.startsWith('Reserved identifier')) return `'${found}' is a reserved word of CEL`;
  const line = summary.split('\n', 1)[0] ?? summary;
  return line.charAt(0).toLowerCase() + line.slice(1);
}

const quoted = (text: string): string => (text.includes("'") ? `"${text}"` : `'${text}'`);

/** What Python has and CEL writes otherwise, by the text at which CEL stumbles. */
const FROM_PYTHON: Readonly<Record<string, string>> = {
  and: "CEL writes && for 'and'",
  or: "CEL writes || for 'or'",
  not: "CEL writes ! for 'not', and !(x in list) for 'not in'",
  is: 'CEL writes ==, also for null',
  if: "CEL writes 'condition ? a : b' for 'a if condition else b'",
  for: "CEL writes list.map(x, …) for '[… for x in list]'",
  '=': 'to compare, write ==',
  '**': 'write pow(x, n)',
  '//': 'a / b of two ints is an int',
};

/** What to write instead, where a syntax error is a habit from Python. `start` is the error's offset in the CEL text. */
export function syntaxHint(source: string, start: number): string | undefined {
  const rest = source.slice(start);
  const before = source.slice(0, start);
  if (/\bf$/.test(before) && /^["']/.test(rest)) return "CEL puts texts together with +: 'seed_' + text(n)";
  const word = /^(?:\w+|=)/.exec(rest)?.[0];
  const twice = /^(?:\*\*|\/\/)/.exec(source.slice(Math.max(0, start - 1)))?.[0];
  const found = word ?? twice;
  return found !== undefined && Object.hasOwn(FROM_PYTHON, found) ? FROM_PYTHON[found] : undefined;
}

/** Functions of Python, and what does it in CEL. */
const PYTHON_FUNCTIONS: Readonly<Record<string, string>> = {
  len: 'write size(x)',
  str: 'write text(x)',
  float: 'write double(x)',
  not: 'write !(x)',
  upper: 'write x.upperAscii()',
  lower: 'write x.lowerAscii()',
  strip: 'write x.trim()',
  keys: 'write entries(x).map(e, e.key); a macro over a map goes over its keys',
  values: 'write entries(x).map(e, e.value)',
  items: 'write entries(x), a list of {key, value}',
  any: 'write list.exists(x, …)',
  sorted: 'write sort(list)',
};

/** What to write for a function of Python that is not there. */
export const functionHint = (name: string): string | undefined =>
  Object.hasOwn(PYTHON_FUNCTIONS, name) ? PYTHON_FUNCTIONS[name] : undefined;

/** A type name of the library (`dyn<list<int>>`, `google.protobuf.Duration`) as a word for messages. */
export function typeWord(type: string): string {
  const inner = /^dyn<(.+)>$/.exec(type)?.[1] ?? type;
  const name = inner.replace(/<.*/, '').split('.').at(-1) ?? inner;
  return name === 'null_type' ? 'null' : name.toLowerCase();
}

const TYPE_CODES = /overload|type|condition|operand|comprehension_range|optional_expected|macro|comparison/;

/** An error of the library at evaluation as a code of ours and one sentence. */
export function evaluationError(code: string, summary: string): { code: Code; message: string; hint?: string } {
  const call = /^found no matching overload for '(?:([\w.<>, ]+)\.)?(\w+)\((.*)\)'$/.exec(summary);
  if (call) {
    const [, receiver, name, args] = call;
    const types = (args ?? '').split(/, (?![^<]*>)/).map(typeWord);
    const on = receiver === undefined ? '' : ` of ${typeWord(receiver)}`;
    return { code: 'expr/type', message: `${name}()${on} does not take (${types.join(', ')})` };
  }
  const operator = /^no such overload: (?:(.+) )?([^\w\s]+|in) ?(.+)$/.exec(summary);
  if (operator) {
    const [, left, op, right = ''] = operator;
    const operands = [left, right].flatMap((type) => (type === undefined ? [] : [typeWord(type)]));
    return { code: 'expr/type', message: `'${op}' does not take ${operands.join(' and ')}` };
  }
  const range = /^Expression of type '(.*)' cannot be range/.exec(summary);
  if (range)
    return { code: 'expr/type', message: `a macro goes over a list or a map, not ${typeWord(range[1] ?? '')}` };
  const line = (summary.split('\n', 1)[0] ?? '').replace(
    /'([\w.]+<[^']*>|google[\w.]+)'/g,
    (_, t: string) => `'${typeWord(t)}'`,
  );
  const message = /^[A-Z][a-z]/.test(line) ? line.charAt(0).toLowerCase() + line.slice(1) : line;
  if (code === 'optional_value_missing') return { code: 'expr/no-field', message, hint: 'use .orValue(...)' };
  return { code: TYPE_CODES.test(code) ? 'expr/type' : 'expr/function', message };
}
