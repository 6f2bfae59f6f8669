// The shapes that expressions and templates have; cel.ts makes the first, template.ts the second.
import type { SourceRange } from '../base/diagnostic.ts';
import type { Result } from '../base/result.ts';
import type { Key, Value } from '../base/value.ts';

/**
 * What an expression sees by name, and what it gives: a Value, or one that holds jobs. A job is a RecordObject.
 * Lists are arrays, maps are Maps (see base/value.ts); a result is normalised to that.
 */
export type Scope = {
  get(name: string): unknown;
  has(name: string): boolean;
  keys(): Iterable<string>;
};

/**
 * An object with fields that are worked out when asked for: a job, as expressions see it. `has` decides what
 * `has(x.name)` says; `get` gives the field's value, or throws a DiagnosticError where its turn has not come.
 */
export abstract class RecordObject {
  constructor() {
    // The CEL library tells types apart by `constructor`, which a subclass would change: all of them pass for this one.
    const prototype: unknown = Object.getPrototypeOf(this);
    if (prototype !== null && this.constructor !== RecordObject)
      Object.defineProperty(prototype, 'constructor', { value: RecordObject, configurable: true, writable: true });
  }
  abstract has(name: string): boolean;
  abstract get(name: string): unknown;
  /** The fields' names, for messages with the nearest known name. */
  abstract names(): readonly string[];
  /** Names how fields show paths at the moment: an index over fields holds for one way of showing them. */
  form(): string {
    return '';
  }
  /** What it is where a list stands: the one job of a rule is also the list of the rule's jobs. */
  asList(): readonly unknown[] | undefined {
    return undefined;
  }
  /** Two records are equal where these are the same; a class whose objects are made anew for one job overrides it. */
  identity(): unknown {
    return this;
  }
}

/** What `raw(x)` gives: text that is put into a command unquoted. */
export class Raw {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** Text that is put into a command exactly as it is, in any place: what a key holds for what is not worked out yet. */
export class Verbatim {
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

/** Parses CEL text; see cel.ts. */
export interface Engine {
  /**
   * @param at where `source` stands; `at.start` is the place of its first character where it stands there verbatim.
   * @param locate the offset in `at.file` of an offset in `source`, where it does not (quoted or folded YAML).
   */
  compile(source: string, at: SourceRange, locate?: (offset: number) => number): Result<Expression>;
}

/** A value of the workflow file in which expressions may stand. Equal shapes come back from evaluating it. */
export type Template =
  | { readonly kind: 'constant'; readonly value: Value; readonly at: SourceRange }
  | { readonly kind: 'expression'; readonly expression: Expression; readonly at: SourceRange }
  | { readonly kind: 'text'; readonly parts: readonly (string | Expression)[]; readonly at: SourceRange }
  | { readonly kind: 'list'; readonly items: readonly Template[]; readonly at: SourceRange }
  | { readonly kind: 'map'; readonly entries: readonly TemplateEntry[]; readonly at: SourceRange };

export type TemplateEntry = { readonly key: Key; readonly keyAt: SourceRange; readonly value: Template };
