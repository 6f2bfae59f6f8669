// Where the characters of a YAML scalar's value stand in its source: for the place of an expression inside it.
import type { ScalarNode } from './node.ts';

/**
 * A function from offsets in the text of a scalar to offsets in its file. Folding, indentation and quotes change blanks
 * alone, so the characters that are no blanks follow one another alike in value and source, but for escapes.
 */
export function locateIn(node: ScalarNode, text: string): (offset: number) => number {
  let places: readonly number[] | undefined;
  return (offset) => {
    places ??= align(node, text);
    return places[offset] ?? node.at.end;
  };
}

const isBlank = (char: string): boolean => char === ' ' || char === '\n' || char === '\t' || char === '\r';

function align({ at, style }: ScalarNode, text: string): number[] {
  const source = at.file.text;
  const places: number[] = [];
  let next = at.start;
  if (style === 'single' || style === 'double') next++;
  if (style === 'block') next = source.indexOf('\n', at.start) + 1;
  for (let i = 0; i < text.length; i++) {
    if (isBlank(text.charAt(i))) {
      places.push(next);
      // A blank before a line break is dropped in folding, so of blanks only one is sure to be there.
      if (next < at.end && isBlank(source.charAt(next))) next++;
      continue;
    }
    for (;;) {
      while (next < at.end && isBlank(source.charAt(next))) next++;
      const escape = style === 'double' && source.charAt(next) === '\\' ? escapeAt(source, next) : undefined;
      if (escape === undefined || !escape.blank) {
        places.push(next);
        const length = escape?.length ?? (style === 'single' && source.startsWith("''", next) ? 2 : 1);
        next = Math.min(at.end, next + length);
        // An escape above U+FFFF is two units of text.
        if (escape?.long === true) places.push(places[i++] ?? next);
        break;
      }
      next += escape.length;
    }
  }
  places.push(next);
  return places;
}

/** The escape sequence at an offset: its length, whether it stands for a blank, and whether for two units of text. */
function escapeAt(source: string, at: number): { length: number; blank: boolean; long: boolean } {
  const letter = source.charAt(at + 1);
  const digits = letter === 'x' ? 2 : letter === 'u' ? 4 : letter === 'U' ? 8 : 0;
  if (digits === 0) return { length: 2, blank: 'nrt \n\t'.includes(letter), long: false };
  const code = Number.parseInt(source.slice(at + 2, at + 2 + digits), 16);
  return { length: 2 + digits, blank: [9, 10, 13, 32].includes(code), long: code > 0xffff };
}
