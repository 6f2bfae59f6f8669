// A problem with a place in a file. What a user can cause is one of these, never an exception's stack.
import type { Code } from './codes.ts';

/** A text that positions refer to: a file's content, or a command line's argument (its name then says so). */
export type SourceFile = { readonly name: string; readonly text: string };

/** `start` and `end` are offsets in UTF-16 units into `file.text`; `end` is exclusive. */
export type SourceRange = { readonly file: SourceFile; readonly start: number; readonly end: number };

export type Severity = 'error' | 'warning';

export type Diagnostic = {
  readonly code: Code;
  readonly severity: Severity;
  /** One sentence without a full stop; names the rule and the path. */
  readonly message: string;
  readonly at?: SourceRange;
  readonly related?: readonly { readonly message: string; readonly at: SourceRange }[];
  /** What to do; never part of `message`. */
  readonly hint?: string;
};

type Details = { at?: SourceRange | undefined; hint?: string | undefined; related?: Diagnostic['related'] };

const make = (severity: Severity, code: Code, message: string, details: Details): Diagnostic => ({
  code,
  severity,
  message,
  ...(details.at && { at: details.at }),
  ...(details.hint !== undefined && { hint: details.hint }),
  ...(details.related && { related: details.related }),
});

export const error = (code: Code, message: string, details: Details = {}): Diagnostic =>
  make('error', code, message, details);

export const warning = (code: Code, message: string, details: Details = {}): Diagnostic =>
  make('warning', code, message, details);

export type LineColumn = { readonly line: number; readonly column: number; readonly text: string };

/** Line and column of an offset, both from 1, columns counted in characters; `text` is that line. */
export function lineColumn(file: SourceFile, offset: number): LineColumn {
  const before = file.text.lastIndexOf('\n', Math.max(0, offset - 1)) + 1;
  const start = offset === 0 ? 0 : before;
  const newline = file.text.indexOf('\n', start);
  const text = file.text.slice(start, newline === -1 ? undefined : newline).replace(/\r$/, '');
  const line = start === 0 ? 1 : file.text.slice(0, start).split('\n').length;
  return { line, column: Array.from(file.text.slice(start, offset)).length + 1, text };
}

/** Thrown where an answer by value would have to pass through a library's callback; caught by whoever made that call. */
export class DiagnosticError extends Error {
  readonly diagnostics: readonly Diagnostic[];
  constructor(diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map((d) => d.message).join('; '));
    this.diagnostics = diagnostics;
  }
}
