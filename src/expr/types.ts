// The shapes that expressions and templates have; cel.ts makes the first, template.ts the second.
import type { SourceRange } from '../base/diagnostic.ts';
import type { Key, Value } from '../base/value.ts';

/**
 * What an expression sees by name, and what it gives: a Value, or one that holds jobs. A job is a RecordObject.
 * Lists are arrays, maps are Maps (see base/value.ts); a result is normalised to that.
 */
export type Scope = ReadonlyMap<string, unknown>;

/**
 * An object with fields that are worked out when asked for: a job, as expressions see it. `has` decides what
 * `has(x.name)` says; `get` gives the field's value, or throws a DiagnosticError where its turn has not come.
 */
export abstract class RecordObject {
  abstract has(name: string): boolean;
  abstract get(name: string): unknown;
  /** The fields' names, for messages with the nearest known name. */
  abstract names(): readonly string[];
}

/** What `raw(x)` gives: text that is put into a command unquoted. */
export class Raw {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** What functions that look outside need. Paths are from the workflow's folder. */
export interface ExprHost {
  /** `glob(pattern)`: sorted leaf files, never outputs. */
  glob(pattern: string): readonly string[];
  /** `load(path)`: the value of a JSON, YAML, CSV or TSV file. */
  load(path: string): unknown;
  /** `listfile(list)`: the path of a file with one item a line; the name follows from the items. */
  listfile(items: readonly string[]): string;
  /** `file_mb(path)`: size in MB (10^6 bytes), 0 for an empty file. */
  fileMb(path: string): number;
}

/** One parsed `${{ … }}`. */
export interface Expression {
  /** The CEL text as it is written, trimmed. */
  readonly source: string;
  readonly at: SourceRange;
  /** Free names: those that a scope must have; names bound by macros (`map(x, …)`) are not in. */
  readonly names: ReadonlySet<string>;
  /** Dotted paths from free names as far as they are written (`job.config_file`, `target.config.model`). */
  readonly paths: ReadonlySet<string>;
  /** @throws DiagnosticError with the place of the expression, what was wrong, and the nearest known name. */
  evaluate(scope: Scope): unknown;
}

/** A value of the workflow file in which expressions may stand. Equal shapes come back from evaluating it. */
export type Template =
  | { readonly kind: 'constant'; readonly value: Value; readonly at: SourceRange }
  | { readonly kind: 'expression'; readonly expression: Expression; readonly at: SourceRange }
  | { readonly kind: 'text'; readonly parts: readonly (string | Expression)[]; readonly at: SourceRange }
  | { readonly kind: 'list'; readonly items: readonly Template[]; readonly at: SourceRange }
  | { readonly kind: 'map'; readonly entries: readonly TemplateEntry[]; readonly at: SourceRange };

export type TemplateEntry = { readonly key: Key; readonly keyAt: SourceRange; readonly value: Template };
