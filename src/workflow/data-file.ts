// `load(path)` and config files: the value of a JSON, YAML, CSV or TSV file. The only file that imports csv-parse.
import { statSync } from 'node:fs';
import * as path from 'node:path';
import { CsvError, parse } from 'csv-parse/sync';
import { error, type Diagnostic, type SourceFile, type SourceRange } from '../base/diagnostic.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { Value } from '../base/value.ts';
import { readCoreScalar } from './core-scalar.ts';
import { readJson, readJsonLines } from './json-text.ts';
import { nodeToValue } from './node.ts';
import { readPlainYaml } from './plain-yaml.ts';
import { readYaml } from './read.ts';
import { MAX_YAML_BYTES, readSource } from './source.ts';

/**
 * The value of a data file, by the ending of its name: .json, .jsonl and .ndjson (a list, one value a line), .yaml and .yml
 * (YAML 1.2 core), .csv and .tsv (a list of maps by the header; unquoted cells that YAML 1.2 core takes for an int, float
 * or bool become such, all others are text). Ints keep all digits, and `1.0` stays a float.
 * @param file where it lies, absolute
 * @param shown how it is called in messages
 * @param at where it is named, for errors that have no place in the file itself
 * Errors: no such file and the like (see readSource), bad syntax with its place, another ending.
 */
export function loadDataFile(file: string, shown = file, at?: SourceRange): Result<Value> {
  const extension = path.extname(file).toLowerCase();
  if (extension === '.yaml' || extension === '.yml') {
    const source = readSource(file, { maxBytes: MAX_YAML_BYTES, shown, at });
    if (!source.ok) return source;
    const plain = readPlainYaml(source.value.text);
    if (plain !== undefined) return ok(plain);
    const read = readYaml(source.value);
    return read.ok ? ok(nodeToValue(read.value)) : read;
  }
  const readText = READERS.get(extension);
  if (readText === undefined) {
    if (!statSync(file, { throwIfNoEntry: false })?.isFile()) {
      // A folder, or a name that is not there, is told as such.
      const source = readSource(file, { shown, at });
      if (!source.ok) return source;
    }
    const message = `'${shown}' is no kind of data file that is read, expected .yaml, .yml, .json, .jsonl, .csv or .tsv`;
    return err([error('data/format', message, { at })]);
  }
  const source = readSource(file, { shown, at });
  return source.ok ? readText(source.value) : source;
}

const READERS: ReadonlyMap<string, (file: SourceFile) => Result<Value>> = new Map([
  ['.json', readJson],
  ['.jsonl', readJsonLines],
  ['.ndjson', readJsonLines],
  ['.csv', (file: SourceFile) => readTable(file, ',')],
  ['.tsv', (file: SourceFile) => readTable(file, '\t')],
]);

type Cell = string | { readonly quoted: string };
type Row = { readonly record: readonly Cell[]; readonly info: { readonly lines: number; readonly bytes: number } };

function readTable(file: SourceFile, delimiter: string): Result<Value> {
  let rows: Row[];
  try {
    rows = parse(file.text, {
      delimiter,
      bom: true,
      info: true,
      skip_empty_lines: true,
      // Ragged rows are told here, all of them, with their places.
      relax_column_count: true,
      // In TSV a quote is a character like any other unless it opens the cell; there and here it must be closed.
      relax_quotes: delimiter === '\t',
      cast: (text, context): Cell => (context.quoting ? { quoted: text } : text),
    }) as unknown as Row[];
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    return err([csvError(file, cause)]);
  }
  const [header, ...body] = rows;
  if (header === undefined) return ok([]);
  const names = header.record.map((cell) => (typeof cell === 'string' ? cell.trim() : cell.quoted));
  const errors: Diagnostic[] = [];
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    const at = lineRange(file, 1);
    errors.push(error('data/syntax', `the header has the column '${twice}' twice`, { at }));
  }
  const maps = body.map((row) => {
    if (row.record.length !== names.length) errors.push(ragged(file, row, names.length));
    return new Map(names.map((name, i) => [name, cellValue(row.record[i] ?? '')]));
  });
  return errors.length > 0 ? err(errors.slice(0, 20)) : ok(maps);
}

const cellValue = (cell: Cell): Value => (typeof cell === 'string' ? readCoreScalar(cell) : cell.quoted);

const count = (cells: number): string => `${cells} ${cells === 1 ? 'cell' : 'cells'}`;

function ragged(file: SourceFile, row: Row, expected: number): Diagnostic {
  const message = `line ${row.info.lines} has ${count(row.record.length)}, and the header has ${expected}`;
  return error('data/syntax', message, {
    at: lineRange(file, row.info.lines),
    hint: 'put a cell with a separator in it in double quotes',
  });
}

function csvError(file: SourceFile, cause: CsvError): Diagnostic {
  const line = typeof cause['lines'] === 'number' ? cause['lines'] : 1;
  const what =
    cause.code === 'CSV_QUOTE_NOT_CLOSED'
      ? 'a cell that begins with " is not closed'
      : cause.code === 'INVALID_OPENING_QUOTE'
        ? 'a " stands inside a cell that does not begin with one'
        : cause.code === 'CSV_INVALID_CLOSING_QUOTE'
          ? 'text follows the " that closes a cell'
          : 'this is not a well-formed table';
  return error('data/syntax', `line ${line}: ${what}`, {
    at: lineRange(file, line),
    hint: 'a " inside a quoted cell is written twice: ""',
  });
}

/** A whole line, from 1. */
function lineRange(file: SourceFile, line: number): SourceRange {
  let start = 0;
  for (let i = 1; i < line; i++) {
    const newline = file.text.indexOf('\n', start);
    if (newline === -1) break;
    start = newline + 1;
  }
  const newline = file.text.indexOf('\n', start);
  const end = newline === -1 ? file.text.length : newline;
  return { file, start, end: file.text.charAt(end - 1) === '\r' ? end - 1 : end };
}
