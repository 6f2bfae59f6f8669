// What the tests of expressions share: an engine with a host of fixed answers, and a job that counts its look-ups.
import { DiagnosticError, type Diagnostic, type SourceRange } from '../../src/base/diagnostic.ts';
import { createEngine } from '../../src/expr/cel.ts';
import { compileText } from '../../src/expr/template.ts';
import { RecordObject, type Expression, type Scope, type Template } from '../../src/expr/types.ts';

export class Job extends RecordObject {
  gets = 0;
  private readonly fields: ReadonlyMap<string, unknown>;
  constructor(fields: Record<string, unknown>) {
    super();
    this.fields = new Map(Object.entries(fields));
  }
  has(name: string): boolean {
    return this.fields.has(name);
  }
  get(name: string): unknown {
    this.gets++;
    return this.fields.get(name);
  }
  names(): string[] {
    return [...this.fields.keys()];
  }
}

export const engine = createEngine({
  glob: (pattern) => [`${pattern}:1`, `${pattern}:2`],
  load: (path) => new Map([['path', path]]),
  listfile: (items) => items.join('|'),
  fileMb: (path) => path.length,
});

export const rangeOf = (text: string): SourceRange => ({ file: { name: 't', text }, start: 0, end: text.length });

export const scopeOf = (values: Record<string, unknown>): Scope => new Map(Object.entries(values));

export const mapOf = (values: Record<string, unknown>): Map<string, unknown> => new Map(Object.entries(values));

export function compile(source: string): Expression {
  const result = engine.compile(source, rangeOf(source));
  if (!result.ok) throw new DiagnosticError(result.error);
  return result.value;
}

export const cel = (source: string, values: Record<string, unknown> = {}): unknown =>
  compile(source).evaluate(scopeOf(values));

export function template(text: string): Template {
  const result = compileText(text, rangeOf(text), engine);
  if (!result.ok) throw new DiagnosticError(result.error);
  return result.value;
}

/** The diagnostics that `run` throws. */
export function diagnosticsOf(run: () => unknown): readonly Diagnostic[] {
  try {
    run();
  } catch (error) {
    if (error instanceof DiagnosticError) return error.diagnostics;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** The first diagnostic as `code [text at its place] message (hint)`. */
export function fault(run: () => unknown): string {
  const [first] = diagnosticsOf(run);
  if (!first) throw new Error('no diagnostic');
  const place = first.at ? first.at.file.text.slice(first.at.start, first.at.end) : 'no place';
  return `${first.code} [${place}] ${first.message}${first.hint === undefined ? '' : ` (${first.hint})`}`;
}
