// Where a command's results and messages go: results to stdout, the rest to stderr.
import { printDiagnostics, diagnosticJson } from '../report/diagnostic.ts';
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

  /** A result, as text. */
  text(text: string): void {
    process.stdout.write(text);
  }

  /** A result, as one JSON document. */
  document(value: unknown): void {
    process.stdout.write(`${JSON.stringify(value)}\n`);
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

  /** Rows too long for a table on a terminal: each cell on a line of its own, behind its column's title. */
  records(columns: readonly Column[], rows: Iterable<readonly string[]>): void {
    process.stdout.write(printRecords(columns, rows, this.colorOn(process.stdout)));
  }

  /** A message beside the result. */
  note(text: string): void {
    if (!this.quiet) process.stderr.write(`${text}\n`);
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
