// JSON without loss: `1` is an int of any size and `1.0` a float, which JSON.parse cannot tell apart; with the place of
// an error; and with NaN, Infinity and -Infinity, which Python's json writes.
import { error, lineColumn, type Diagnostic, type SourceFile } from '../base/diagnostic.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { Value } from '../base/value.ts';

const MAX_DEPTH = 500;
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?/y;
const WORD = /true|false|null|NaN|-?Infinity/y;
const WORDS: ReadonlyMap<string, Value> = new Map<string, Value>([
  ['true', true],
  ['false', false],
  ['null', null],
  ['NaN', Number.NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
]);

/** Thrown inside the reader only. */
class Stop extends Error {
  readonly diagnostic: Diagnostic;
  constructor(diagnostic: Diagnostic) {
    super(diagnostic.message);
    this.diagnostic = diagnostic;
  }
}

/** The value of a JSON text. Errors: the first place where it is not JSON, a key given twice in one map. */
export function readJson(file: SourceFile): Result<Value> {
  const reader = new Reader(file);
  try {
    return ok(reader.whole());
  } catch (stop) {
    if (stop instanceof Stop) return err([stop.diagnostic]);
    throw stop;
  }
}

/** The values of a text with one JSON value a line; blank lines are left out. */
export function readJsonLines(file: SourceFile): Result<Value> {
  const values: Value[] = [];
  const errors: Diagnostic[] = [];
  let start = 0;
  for (const line of file.text.split('\n')) {
    if (line.trim() !== '') {
      const read = new Reader(file, start, start + line.length);
      try {
        values.push(read.whole());
      } catch (stop) {
        if (!(stop instanceof Stop)) throw stop;
        errors.push(stop.diagnostic);
      }
    }
    start += line.length + 1;
  }
  return errors.length > 0 ? err(errors) : ok(values);
}

class Reader {
  private readonly file: SourceFile;
  private readonly text: string;
  private readonly end: number;
  private at: number;

  constructor(file: SourceFile, start = 0, end = file.text.length) {
    this.file = file;
    this.text = file.text;
    this.at = start;
    this.end = end;
  }

  whole(): Value {
    const value = this.value(0);
    this.blank();
    if (this.at < this.end) throw this.expected('the end of the file');
    return value;
  }

  private blank(): void {
    while (this.at < this.end) {
      const code = this.text.charCodeAt(this.at);
      if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return;
      this.at++;
    }
  }

  private match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found === null || pattern.lastIndex > this.end) return undefined;
    this.at = pattern.lastIndex;
    return found;
  }

  private expected(what: string): Stop {
    const { file, at, end } = this;
    const shown = at >= end ? 'the end' : `'${/^[\w.+-]+|^[^]/u.exec(file.text.slice(at, at + 20))?.[0] ?? ''}'`;
    const { line } = lineColumn(file, Math.min(at, end));
    const message = `not valid JSON in line ${line}: expected ${what}, and found ${shown}`;
    return new Stop(
      error('data/syntax', message, { at: { file, start: Math.min(at, end), end: Math.min(at + 1, end) } }),
    );
  }

  private value(depth: number): Value {
    this.blank();
    if (depth > MAX_DEPTH) throw this.expected(`at most ${MAX_DEPTH} levels of lists and maps`);
    const first = this.at < this.end ? this.text.charAt(this.at) : '';
    if (first === '{') return this.map(depth);
    if (first === '[') return this.list(depth);
    if (first === '"') return this.string('a value');
    const word = /[-a-zA-Z]/.test(first) ? this.match(WORD) : undefined;
    if (word !== undefined) return WORDS.get(word[0]) ?? null;
    const number = this.match(NUMBER);
    if (number === undefined) throw this.expected('a value');
    return number[1] === undefined && number[2] === undefined ? BigInt(number[0]) : Number(number[0]);
  }

  private string(what: string): string {
    const start = this.at;
    if (this.text.charAt(start) !== '"') throw this.expected(what);
    let end = start;
    // The next quote that is not behind an odd number of backslashes. No pattern: strings may have many megabytes.
    do {
      end = this.text.indexOf('"', end + 1);
      if (end === -1 || end >= this.end) throw this.expected('a string that ends with "');
    } while (this.escapes(end));
    this.at = end + 1;
    try {
      return JSON.parse(this.text.slice(start, end + 1)) as string;
    } catch {
      this.at = start;
      throw this.expected('a string on one line, with none but the escapes of JSON');
    }
  }

  private escapes(end: number): boolean {
    let backslashes = 0;
    while (this.text.charAt(end - 1 - backslashes) === '\\') backslashes++;
    return backslashes % 2 === 1;
  }

  private list(depth: number): Value {
    this.at++;
    const items: Value[] = [];
    this.blank();
    if (this.take(']')) return items;
    for (;;) {
      items.push(this.value(depth + 1));
      this.blank();
      if (this.take(']')) return items;
      if (!this.take(',')) throw this.expected("',' or ']'");
    }
  }

  private map(depth: number): Value {
    this.at++;
    const map = new Map<string, Value>();
    this.blank();
    if (this.take('}')) return map;
    for (;;) {
      this.blank();
      const start = this.at;
      const key = this.string('a key in double quotes');
      if (map.has(key)) {
        const at = { file: this.file, start, end: this.at };
        throw new Stop(error('yaml/duplicate-key', `the key '${key}' is given twice in one map`, { at }));
      }
      this.blank();
      if (!this.take(':')) throw this.expected("':'");
      map.set(key, this.value(depth + 1));
      this.blank();
      if (this.take('}')) return map;
      if (!this.take(',')) throw this.expected("',' or '}'");
    }
  }

  private take(char: string): boolean {
    if (this.at >= this.end || this.text.charAt(this.at) !== char) return false;
    this.at++;
    return true;
  }
}
