// How many columns a text takes on a terminal, and cutting it to a number of columns. For text that is safe (format.ts),
// which has no control characters in it.
import { charWidth } from './char-width.ts';
import type { Style, Tone } from './style.ts';

// oxlint-disable-next-line no-control-regex
const ASCII = /^[\u0000-\u007f]*$/;

/** Columns of a text on a terminal. */
export function textWidth(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const char of text) width += charWidth(char);
  return width;
}

/** The text, cut to at most `width` columns; what was cut ends in `…`. */
export function cutText(text: string, width: number): string {
  if (text.length * 2 <= width || textWidth(text) <= width) return text;
  if (width < 1) return '';
  let kept = '';
  let room = width - 1;
  for (const char of text) {
    room -= charWidth(char);
    if (room < 0) break;
    kept += char;
  }
  return `${kept}…`;
}

/** The text, with blanks to `width` columns. */
export function padText(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const blanks = ' '.repeat(Math.max(0, width - textWidth(text)));
  return align === 'left' ? text + blanks : blanks + text;
}

/** A line in pieces, each with its colour: cut first, painted afterwards. */
export type Line = readonly (string | readonly [tone: Tone | undefined, text: string])[];

/** A line as text, painted, cut to `width` columns (Infinity: not cut). */
export function renderLine(line: Line, style: Style, width = Infinity): string {
  let room = width;
  let out = '';
  for (const piece of line) {
    const [tone, text] = typeof piece === 'string' ? [undefined, piece] : piece;
    const size = width === Infinity ? 0 : textWidth(text);
    if (size <= room) {
      out += style(tone, text);
      room -= size;
      continue;
    }
    return out + style(tone, cutText(text, room));
  }
  return out;
}
