// Where a command's results and messages go: results to stdout, the rest to stderr. Whatever is in them is made safe for a
// terminal here or by what sets it (tables, diagnostics), never by who has it to say.
import { DETAILED_COLUMNS } from '../report/detailed-cells.ts';
import { printDiagnostics, diagnosticJson } from '../report/diagnostic.ts';
import { safeLines, safeText } from '../report/format.ts';
import { safeJson } from '../report/safe-json.ts';
import { printRecords, printTable, tsvChunks, type Column } from '../report/table.ts';
import type { Diagnostic } from '../base/diagnostic.ts';
import type { CommonOptions } from './invocation.ts';

export class Screen {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  private readonly choice: CommonOptions['color'];

  constructor(options: Pick<CommonOptions, 'json' | 'color'> & { verbosity?: CommonOptions['verbosity'] }) {
    this.json = options.json;
    this.quiet = options.verbosity === 'quiet';
    this.verbose = options.verbosity === 'verbose';
    this.choice = options.color;
  }

  colorOn(stream: NodeJS.WriteStream): boolean {
    return this.choice === 'always' || (this.choice === 'auto' && stream.isTTY === true);
  }

  /** A result that is set already, of several lines. */
  text(text: string): void {
    process.stdout.write(process.stdout.isTTY ? safeLines(text) : text);
  }

  /** A result, as one line, whatever is in it. */
  line(text: string): void {
    process.stdout.write(`${safeText(text)}\n`);
  }

  /** Paths, a line each: for scripts as they are, but safe on a terminal. */
  paths(paths: readonly string[]): void {
    const shown = process.stdout.isTTY ? paths.map(safeText) : paths;
    process.stdout.write(shown.map((path) => `${path}\n`).join(''));
  }

  /** A result, as one JSON document. */
  document(value: unknown): void {
    process.stdout.write(`${safeJson(value)}\n`);
  }

  /** A result, as a table: aligned on a terminal, TSV elsewhere. */
  table(columns: readonly Column[], rows: Iterable<readonly string[]>): void {
    const { stdout } = process;
    if (stdout.isTTY !== true) {
      for (const chunk of tsvChunks(columns, rows)) stdout.write(chunk);
      return;
    }
    const options = { tty: true, width: stdout.columns ?? 120, color: this.colorOn(stdout) };
    process.stdout.write(printTable(columns, rows, options));
  }

  /** Rows of a detailed summary, too long for a table on a terminal: there each cell is on a line behind its column's title. */
  details(rows: Iterable<readonly string[]>): void {
    if (process.stdout.isTTY) process.stdout.write(printRecords(DETAILED_COLUMNS, rows, this.colorOn(process.stdout)));
    else this.table(DETAILED_COLUMNS, rows);
  }

  /** A message beside the result, in one line. */
  note(text: string): void {
    if (!this.quiet) process.stderr.write(`${safeText(text)}\n`);
  }

  /** Errors, with `--json` on stdout as one document; warnings on stderr. */
  diagnostics(diagnostics: readonly Diagnostic[]): void {
    const failed = diagnostics.some((d) => d.severity === 'error');
    if (failed && this.json) return this.document(diagnosticJson(diagnostics, process.cwd()));
    if (!failed && this.json) return;
    process.stderr.write(printDiagnostics(diagnostics, { color: this.colorOn(process.stderr), cwd: process.cwd() }));
  }
}

/** The rows of a table, each made when its turn comes. */
export function* rowsOf<T>(items: Iterable<T>, row: (item: T) => string[]): Generator<string[]> {
  for (const item of items) yield row(item);
}
