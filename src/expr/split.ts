// Where the `${{ … }}` in a text are.

/** A stretch of text: as it stands, or the inside of `${{ }}`. `start` is its offset, of `${{` for an expression. */
export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'expression'; readonly source: string; readonly start: number; readonly end: number }
  | { readonly kind: 'unclosed'; readonly start: number };

const OPEN = '${{';

/** The pieces of a text in order. CEL strings inside may hold `}}`, and maps may end in it (`{'a': {'b': 1}}`). */
export function split(text: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (;;) {
    const start = text.indexOf(OPEN, at);
    if (start > at || start === -1)
      pieces.push({ kind: 'text', text: start === -1 ? text.slice(at) : text.slice(at, start) });
    if (start === -1) return pieces.filter((piece) => piece.kind !== 'text' || piece.text !== '');
    const from = start + OPEN.length;
    const close = closing(text, from);
    if (close === -1) {
      pieces.push({ kind: 'unclosed', start });
      return pieces;
    }
    pieces.push({ kind: 'expression', source: text.slice(from, close), start, end: close + 2 });
    at = close + 2;
  }
}

/** The offset of the `}}` that ends an expression, or -1. */
function closing(text: string, from: number): number {
  let depth = 0;
  let plain = -1; // the first `}}` outside of strings: what is meant where braces are not balanced
  for (let i = from; i < text.length;) {
    const char = text.charAt(i);
    if (char === '"' || char === "'") {
      const end = endOfString(text, i);
      if (end === -1) break;
      i = end;
      continue;
    }
    if (char === '{') depth++;
    if (char === '}') {
      const double = text.charAt(i + 1) === '}';
      if (double && depth === 0) return i;
      if (double && plain === -1) plain = i;
      if (depth > 0) depth--;
    }
    if (text.startsWith(OPEN, i)) return plain;
    i++;
  }
  return plain !== -1 ? plain : text.indexOf('}}', from);
}

/** The offset after a CEL string that begins at `start`, or -1 where it does not end. */
function endOfString(text: string, start: number): number {
  const quote = text.charAt(start);
  const triple = text.startsWith(quote.repeat(3), start);
  const raw = /(?:^|\W)(?:[rR]|[bB][rR]?)$/.test(text.slice(Math.max(0, start - 3), start));
  const close = triple ? quote.repeat(3) : quote;
  for (let i = start + close.length; i < text.length; i++) {
    if (text.startsWith(close, i)) return i + close.length;
    // The library's lexer skips what follows a backslash in raw strings as well.
    if (text.charAt(i) === '\\') i++;
    else if (!triple && text.charAt(i) === '\n' && !raw) return -1;
  }
  return -1;
}
