// Tables: aligned columns for people, tab-separated values with a header for everything else.
import { safeText } from './format.ts';
import { makeStyle, type Style, type Tone } from './style.ts';
import { cutText, padText, textWidth } from './text-width.ts';

export type Column = {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** The colour of a cell, by its text. */
  readonly tone?: (cell: string) => Tone | undefined;
};

export type TableOptions = {
  /** True: aligned; false: TSV. */
  readonly tty: boolean;
  /** Columns of the terminal. Only the last column is ever cut. */
  readonly width: number;
  readonly color: boolean;
};

/** Below this many columns the last one is not cut: the line wraps instead. */
const LAST_AT_LEAST = 10;
const GAP = '  ';

/**
 * A table with a header, each line with its newline. Cells are plain text of any content; on a terminal control
 * characters are made visible, in TSV backslashes are doubled and control characters written as `\\t`, `\\n`, `\\r`, `\\x1b`.
 */
export function printTable(
  columns: readonly Column[],
  rows: Iterable<readonly string[]>,
  options: TableOptions,
): string {
  if (!options.tty) return [...tsvChunks(columns, rows)].join('');
  const style = makeStyle(options.color);
  const cells = [...rows].map((row) => columns.map((_, i) => safeText(row[i] ?? '')));
  const titles = columns.map((c) => c.title);
  const widths = columns.map((_, i) => Math.max(textWidth(titles[i] ?? ''), maxWidth(cells, i)));
  const before = widths.slice(0, -1).reduce((sum, w) => sum + w + GAP.length, 0);
  const room = options.width - before;
  const last = room >= LAST_AT_LEAST ? Math.min(room, widths.at(-1) ?? 0) : Infinity;

  const line = (row: readonly string[], tone: (column: Column, cell: string) => Tone | undefined): string =>
    columns
      .map((column, i) => {
        const isLast = i === columns.length - 1;
        const cell = isLast ? cutText(row[i] ?? '', last) : (row[i] ?? '');
        return paint(
          style,
          tone(column, row[i] ?? ''),
          cell,
          isLast ? Math.min(last, widths[i] ?? 0) : widths[i],
          column,
        );
      })
      .join(GAP)
      .trimEnd() + '\n';
  return line(titles, () => 'bold') + cells.map((row) => line(row, (c, cell) => c.tone?.(cell))).join('');
}

/**
 * Rows with many columns, for a terminal: a block of lines each, the first cell as its heading, then `title  cell`.
 * Empty cells (`-`) are left out.
 */
export function printRecords(columns: readonly Column[], rows: Iterable<readonly string[]>, color: boolean): string {
  const style = makeStyle(color);
  const width = Math.max(...columns.slice(1).map((column) => textWidth(column.title)));
  const blocks = [...rows].map((row) => {
    const lines = columns.flatMap((column, i) => {
      const cell = row[i] ?? '';
      if (i === 0 || cell === '' || cell === '-') return [];
      const tone = column.tone?.(cell);
      const first = cell.split('\n').map((line) => safeText(line));
      const shown = tone === undefined ? first : first.map((line) => style(tone, line));
      return [`  ${padText(column.title, width)}  ${shown.join(`\n${' '.repeat(width + 4)}`)}\n`];
    });
    return `${style('bold', safeText(row[0] ?? ''))}\n${lines.join('')}`;
  });
  return blocks.join('\n');
}

function maxWidth(cells: readonly (readonly string[])[], i: number): number {
  let most = 0;
  for (const row of cells) most = Math.max(most, textWidth(row[i] ?? ''));
  return most;
}

/** Blanks stay outside the colour, so that they can be trimmed at a line's end. */
function paint(style: Style, tone: Tone | undefined, cell: string, width: number | undefined, column: Column): string {
  const padded = padText(cell, width ?? 0, column.align);
  return tone === undefined ? padded : padded.replace(cell, () => style(tone, cell));
}

/** A pipe may end at a terminal, so what that would obey is written out here too. */
const escapeTsv = (cell: string): string => safeText(cell.replaceAll('\\', '\\\\'));

const SPECIAL = /[\t\n\r\\]/;

/** About how much text is put together before it is given out: a table of a million rows is longer than a string can be. */
const CHUNK = 65_536;

/** Tab-separated values with a header, in pieces that end with a line. */
export function* tsvChunks(columns: readonly Column[], rows: Iterable<readonly string[]>): Generator<string> {
  let text = `${columns.map((c) => escapeTsv(c.title)).join('\t')}\n`;
  for (const row of rows) {
    let whole = '';
    for (let i = 0; i < columns.length; i++) whole += row[i] ?? '';
    // Most rows have nothing to escape: one look is enough.
    const isPlain = !SPECIAL.test(whole);
    for (let i = 0; i < columns.length; i++) {
      const cell = row[i] ?? '';
      text += (i === 0 ? '' : '\t') + (isPlain || !SPECIAL.test(cell) ? cell : escapeTsv(cell));
    }
    text += '\n';
    if (text.length < CHUNK) continue;
    yield text;
    text = '';
  }
  yield text;
}
