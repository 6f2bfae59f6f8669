// Values of the workflow file in which expressions stand: compile their texts, evaluate them whole.
import { DiagnosticError, error, type Diagnostic, type SourceRange } from '../base/diagnostic.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { Key, Value } from '../base/value.ts';
import { ExprError } from './errors.ts';
import { split } from './split.ts';
import { textOf } from './text.ts';
import type { Engine, Expression, Scope, Template } from './types.ts';

/**
 * A text with its `${{ … }}` compiled. One whole expression (blanks around it allowed) keeps its type; no expression
 * gives a constant; anything else is text.
 * @param at where the text stands
 * @param locate the offset in `at.file` of an offset in `text`, where the text does not stand there verbatim
 * @returns all errors of all expressions in it
 */
export function compileText(
  text: string,
  at: SourceRange,
  engine: Engine,
  locate?: (offset: number) => number,
): Result<Template> {
  const pieces = split(text);
  if (pieces.every((piece) => piece.kind === 'text')) return ok({ kind: 'constant', value: text, at });
  const place = locate ?? verbatim(text, at);
  const errors = [];
  const parts: (string | Expression)[] = [];
  for (const piece of pieces) {
    if (piece.kind === 'text') parts.push(piece.text);
    else if (piece.kind === 'unclosed') {
      const start = place?.(piece.start) ?? at.start;
      const opening = place ? { file: at.file, start, end: Math.min(start + 3, at.end) } : at;
      errors.push(error('expr/unclosed', '${{ is not closed', { at: opening, hint: 'end the expression with }}' }));
    } else {
      const from = piece.start + 3;
      const compiled = place
        ? engine.compile(piece.source, within(at, place(from), place(piece.end - 3) + 1), (offset) =>
            place(from + offset),
          )
        : engine.compile(piece.source, at);
      if (compiled.ok) parts.push(compiled.value);
      else errors.push(...compiled.error);
    }
  }
  if (errors.length > 0) return err(errors);
  const [only, ...others] = parts.filter((part) => typeof part !== 'string' || part.trim() !== '');
  if (only !== undefined && typeof only !== 'string' && others.length === 0)
    return ok({ kind: 'expression', expression: only, at });
  return ok({ kind: 'text', parts, at });
}

const verbatim = (text: string, at: SourceRange): ((offset: number) => number) | undefined =>
  at.file.text.startsWith(text, at.start) ? (offset) => at.start + offset : undefined;

const within = (at: SourceRange, start: number, end: number): SourceRange => ({
  file: at.file,
  start: Math.max(at.start, Math.min(start, at.end)),
  end: Math.max(at.start, Math.min(end, at.end)),
});

/** The value of a template: lists and maps made anew, texts put together. @throws DiagnosticError */
export function evaluate(template: Template, scope: Scope): unknown {
  switch (template.kind) {
    case 'constant':
      return template.value;
    case 'expression':
      return template.expression.evaluate(scope);
    case 'text':
      return evaluateText(template, scope);
    case 'list':
      return each(template.items, (item) => evaluate(item, scope));
    case 'map':
      return new Map<Key, unknown>(each(template.entries, ({ key, value }) => [key, evaluate(value, scope)]));
  }
}

/** What `make` gives for each item. @throws DiagnosticError with what is wrong with all of them, not with the first alone */
export function each<T, R>(items: readonly T[], make: (item: T) => R): R[] {
  const made: R[] = [];
  const problems: Diagnostic[] = [];
  for (const item of items) {
    try {
      made.push(make(item));
    } catch (thrown) {
      if (!(thrown instanceof DiagnosticError)) throw thrown;
      problems.push(...thrown.diagnostics);
    }
  }
  if (problems.length > 0) throw new DiagnosticError(problems);
  return made;
}

/** The texts that `make` gives for each item, one after the other. @throws DiagnosticError as `each` */
export function joined<T>(items: readonly T[], make: (item: T) => string): string {
  let text = '';
  for (let i = 0; i < items.length; i++) {
    try {
      text += make(items[i] as T);
    } catch (thrown) {
      if (!(thrown instanceof DiagnosticError)) throw thrown;
      // Once more for what is wrong with the others.
      each(items.slice(i), make);
      throw thrown;
    }
  }
  return text;
}

/** Runs `make`, and gives an error that it throws the place `at`. */
export function placedAt<T>(at: SourceRange, make: () => T): T {
  try {
    return make();
  } catch (thrown) {
    if (!(thrown instanceof ExprError)) throw thrown;
    throw new DiagnosticError([error(thrown.code, thrown.message, { at, hint: thrown.hint })]);
  }
}

/**
 * The text of a template, for paths and environment values: strings as they are, ints in digits, floats with their point,
 * bools true and false, a list's items joined by one blank. @throws DiagnosticError for null, maps and jobs (expr/not-text)
 */
export function evaluateText(template: Template, scope: Scope): string {
  switch (template.kind) {
    case 'constant':
      return typeof template.value === 'string' ? template.value : placedAt(template.at, () => textOf(template.value));
    case 'expression': {
      const value = template.expression.evaluate(scope);
      return typeof value === 'string' ? value : placedAt(template.expression.at, () => textOf(value));
    }
    case 'text':
      return joined(template.parts, (part) => {
        if (typeof part === 'string') return part;
        const value = part.evaluate(scope);
        return typeof value === 'string' ? value : placedAt(part.at, () => textOf(value));
      });
    case 'list':
      return each(template.items, (item) => evaluateText(item, scope)).join(' ');
    case 'map':
      return placedAt(template.at, () => textOf(new Map<Key, Value>()));
  }
}

/** Every expression in a template, in order. */
export function expressionsOf(template: Template): Expression[] {
  switch (template.kind) {
    case 'constant':
      return [];
    case 'expression':
      return [template.expression];
    case 'text':
      return template.parts.filter((part) => typeof part !== 'string');
    case 'list':
      return template.items.flatMap(expressionsOf);
    case 'map':
      return template.entries.flatMap((entry) => expressionsOf(entry.value));
  }
}

/** The free names of all expressions in a template. */
export const namesOf = (template: Template): Set<string> =>
  new Set(expressionsOf(template).flatMap((expression) => [...expression.names]));

/** The dotted paths of all expressions in a template, as far as they are written. */
export const pathsOf = (template: Template): Set<string> =>
  new Set(expressionsOf(template).flatMap((expression) => [...expression.paths]));

/** Whether a template has no expression. */
export const isStatic = (template: Template): boolean => expressionsOf(template).length === 0;
