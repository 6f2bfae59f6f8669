// How characters of a source line look on a terminal: what is shown for them and how many columns that takes.

/** What is shown for a character: a tab as blanks, a control or other invisible character as its escape. */
export function shownChar(char: string): string {
  if (char === '\t') return '    ';
  if (!/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(char) || char === ZERO_WIDTH_JOINER) return char;
  const code = char.codePointAt(0) ?? 0;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}

// Part of emoji such as families; escaping it would take them apart.
const ZERO_WIDTH_JOINER = '\u200d';

/** Blocks whose characters take two columns (Unicode's East Asian Width W and F, by block), as pairs from-to. */
const WIDE = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f900, 0x1faff],
  [0x20000, 0x3fffd],
] as const;

/** Columns of one character: 0 for combining marks, 2 for wide ones, else 1. */
export function charWidth(char: string): number {
  if (char === ZERO_WIDTH_JOINER || /\p{M}/u.test(char)) return 0;
  const code = char.codePointAt(0) ?? 0;
  return code >= 0x1100 && WIDE.some(([from, to]) => code >= from && code <= to) ? 2 : 1;
}
