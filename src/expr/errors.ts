// What goes wrong in an expression, before its place in the file is known.
import type { Code } from '../base/codes.ts';

/** Thrown by operators and functions; cel.ts makes a Diagnostic of it, at `range` (offsets in the CEL text) or the whole. */
export class ExprError extends Error {
  readonly code: Code;
  readonly hint: string | undefined;
  range: { readonly start: number; readonly end: number } | undefined;
  constructor(code: Code, message: string, hint?: string, range?: { readonly start: number; readonly end: number }) {
    super(message);
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
    token === 'EOF' || found === '' ? 'the end' : found.length <= 40 ? `'${found}'` : (TOKENS[token ?? ''] ?? 'text');
  if (expected) return `expected ${TOKENS[expected[1] ?? ''] ?? expected[1]} but found ${shown(expected[2])}`;
  const unexpected = /^Unexpected token: (\w+)$/.exec(summary);
  if (unexpected) return `expected a value but found ${shown(unexpected[1])}`;
  if (summary.startsWith('Unexpected character')) return `${shown(undefined)} was not expected here`;
  if (summary.startsWith('Reserved identifier')) return `'${found}' is a reserved word of CEL`;
  const line = summary.split('\n', 1)[0] ?? summary;
  return line.charAt(0).toLowerCase() + line.slice(1);
}

/** A type name of the library (`dyn<list<int>>`, `null_type`) as a word for messages. */
export const typeWord = (type: string): string => {
  const inner = /^dyn<(.+)>$/.exec(type)?.[1] ?? type;
  return (/^(\w+)/.exec(inner)?.[1] ?? inner).replace('null_type', 'null');
};
