// Prints diagnostics: with the line in question and a caret under the place, or as JSON.
import { isAbsolute, relative } from 'node:path';
import { lineColumn, type Diagnostic, type SourceRange } from '../base/diagnostic.ts';
import { shownChar } from './char-width.ts';
import { makeStyle, type Tone } from './style.ts';
import { textWidth } from './text-width.ts';

export type PrintOptions = {
  readonly color: boolean;
  /** Paths are shown from this folder, where that is no longer than the absolute path. */
  readonly cwd: string;
};

/** How many columns of a source line are shown; a longer one is cut around the caret. */
const LINE_WIDTH = 110;

type Paint = {
  readonly error: Brush;
  readonly warning: Brush;
  readonly place: Brush;
  readonly bold: Brush;
  readonly hint: Brush;
};
type Brush = (text: string) => string;

function makePaint(color: boolean): Paint {
  const style = makeStyle(color);
  const bold = (tone: Tone) => (text: string) => style('bold', style(tone, text));
  return {
    error: bold('red'),
    warning: bold('yellow'),
    place: bold('blue'),
    hint: bold('cyan'),
    bold: (t) => style('bold', t),
  };
}

/**
 * All diagnostics as text, in the order of files (those without a place first) and of places in them, with a line that
 * counts them where there are several. Ends with a newline; empty for none.
 */
export function printDiagnostics(diagnostics: readonly Diagnostic[], options: PrintOptions): string {
  if (diagnostics.length === 0) return '';
  const paint = makePaint(options.color);
  const blocks = sorted(diagnostics).map((diagnostic) => printOne(diagnostic, options, paint));
  if (diagnostics.length > 1) blocks.push(`${paint.bold(countText(diagnostics))}\n`);
  return blocks.join('\n');
}

/** By file, then position; at one position errors before warnings. Stable otherwise. */
export function sorted(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const name = (d: Diagnostic): string => d.at?.file.name ?? '';
  return diagnostics.toSorted((a, b) => {
    if (name(a) !== name(b)) return name(a) < name(b) ? -1 : 1;
    const place = (a.at?.start ?? 0) - (b.at?.start ?? 0);
    return place !== 0 ? place : a.severity < b.severity ? -1 : a.severity > b.severity ? 1 : 0;
  });
}

function countText(diagnostics: readonly Diagnostic[]): string {
  const errors = diagnostics.filter((d) => d.severity === 'error').length;
  const warnings = diagnostics.length - errors;
  const words = [`${errors} error${errors === 1 ? '' : 's'}`, `${warnings} warning${warnings === 1 ? '' : 's'}`];
  return words.filter((text) => !text.startsWith('0 ')).join(', ');
}

function printOne(diagnostic: Diagnostic, { cwd }: PrintOptions, paint: Paint): string {
  const { severity, code, message, at, related = [], hint } = diagnostic;
  const head = `${paint[severity](`${severity}[${code}]`)}${paint.bold(`: ${escapeControls(message)}`)}`;
  const places = [...(at ? [at] : []), ...related.map((r) => r.at)];
  const gutter = Math.max(0, ...places.map((place) => String(lineColumn(place.file, place.start).line).length));
  const lines = [head];
  if (at) lines.push(...printPlace(at, '^', undefined, { gutter, cwd, severity, paint }));
  for (const other of related) {
    lines.push(...printPlace(other.at, '-', other.message, { gutter, cwd, severity: 'place', paint }));
  }
  if (hint !== undefined) {
    const margin = places.length > 0 ? `${' '.repeat(gutter + 1)}${paint.place('=')} ` : '  ';
    lines.push(`${margin}${paint.hint('hint')}: ${escapeControls(hint)}`);
  }
  return `${lines.join('\n')}\n`;
}

type Layout = { readonly gutter: number; readonly cwd: string; readonly severity: keyof Paint; readonly paint: Paint };

function printPlace(at: SourceRange, mark: string, note: string | undefined, layout: Layout): string[] {
  const { gutter, cwd, severity, paint } = layout;
  const { line, column, text } = lineColumn(at.file, at.start);
  const margin = ' '.repeat(gutter);
  const bar = paint.place('|');
  const { shown, before, width } = excerpt(text, column - 1, at);
  const place = `${showFile(at.file.name, cwd)}:${line}:${column}`;
  return [
    `${margin}${paint.place('-->')} ${place}${note === undefined ? '' : `: ${escapeControls(note)}`}`,
    `${margin} ${bar}`,
    `${paint.place(String(line).padStart(gutter))} ${bar}${shown === '' ? '' : ` ${shown}`}`,
    `${margin} ${bar} ${' '.repeat(before)}${paint[severity](mark.repeat(width))}`,
  ];
}

/**
 * A source line as it is shown, tabs as blanks and control characters escaped, cut around the place where it is long;
 * the columns before the caret, and those it covers (at least one, at most to the end of the line).
 */
function excerpt(text: string, index: number, at: SourceRange): { shown: string; before: number; width: number } {
  const cells = Array.from(text, (char) => shownChar(char));
  const widths = cells.map(textWidth);
  const sum = (from: number, to: number): number => widths.slice(from, to).reduce((a, b) => a + b, 0);
  const length = Array.from(at.file.text.slice(at.start, at.end).split(/\r?\n/, 1)[0] ?? '').length;
  const last = Math.min(index + length, cells.length);
  let from = 0;
  let to = cells.length;
  if (sum(0, to) > LINE_WIDTH) {
    // The place stands after a third of the room, so that most of what follows it is seen.
    let room = LINE_WIDTH / 3;
    from = Math.min(index, cells.length);
    while (from > 0 && (room -= widths[from - 1] ?? 0) >= 0) from--;
    room = LINE_WIDTH;
    for (to = from; to < cells.length && (room -= widths[to] ?? 0) >= 0;) to++;
  }
  const lead = from > 0 ? '…' : '';
  const shown = `${lead}${cells.slice(from, to).join('')}${to < cells.length ? '…' : ''}`;
  const width = Math.max(1, sum(index, Math.min(last, to)));
  return { shown: shown.trimEnd(), before: lead.length + sum(from, index), width };
}

const escapeControls = (text: string): string =>
  Array.from(text, (char) => (char === '\n' ? ' ' : shownChar(char))).join('');

/** A file's name for people: from `cwd` where that is no longer, else as it is; names that are no paths stay. */
function showFile(name: string, cwd: string): string {
  if (!isAbsolute(name)) return escapeControls(name);
  const short = relative(cwd, name);
  return escapeControls(short !== '' && short.length <= name.length ? short : name);
}

/** One diagnostic as scripts see it. Lines and columns from 1, columns in characters. */
export type DiagnosticJson = {
  readonly code: string;
  readonly message: string;
  readonly at?: { readonly file: string; readonly line: number; readonly column: number };
  readonly hint?: string;
};

function toJson({ code, message, at, hint }: Diagnostic, cwd: string): DiagnosticJson {
  const place = at && lineColumn(at.file, at.start);
  return {
    code,
    message,
    ...(at && place && { at: { file: showFile(at.file.name, cwd), line: place.line, column: place.column } }),
    ...(hint !== undefined && { hint }),
  };
}

/**
 * What `--json` prints for errors: the first as `error`, all as `errors`, both in the order of the text, and warnings as
 * `warnings` where there are any. The caller makes sure that there is an error.
 */
export function diagnosticJson(
  diagnostics: readonly Diagnostic[],
  cwd: string,
): { error: DiagnosticJson | undefined; errors: DiagnosticJson[]; warnings?: DiagnosticJson[] } {
  const of = (severity: Diagnostic['severity']): DiagnosticJson[] =>
    sorted(diagnostics.filter((d) => d.severity === severity)).map((d) => toJson(d, cwd));
  const errors = of('error');
  const warnings = of('warning');
  return { error: errors[0], errors, ...(warnings.length > 0 && { warnings }) };
}
