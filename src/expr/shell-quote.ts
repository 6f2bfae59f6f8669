// Text as a word of the POSIX shell, for each place where an expression may stand.
// Source of the rules: POSIX.1-2024, Shell Command Language, 2.2 Quoting, 2.6.3 Command Substitution, 2.7.4 Here-Document.

/** Where an expression stands in a script; see shell-scan.ts. */
export type Place =
  | 'bare'
  | 'double' // "…"
  | 'single' // '…'
  | 'ansi' // $'…' of bash
  | 'comment' // # …
  | 'heredoc';

const SAFE = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** Does the shell take the text for one word as it is? */
export const isSafeWord = (text: string): boolean => SAFE.test(text);

/** A word that the shell takes for `text`: as it is where all its characters are safe, else in single quotes. */
export const quoteWord = (text: string): string =>
  SAFE.test(text) ? text : text === '' ? "''" : `'${text.replaceAll("'", "'\\''")}'`;

/** `text` as it must stand at `place` to come out as itself. */
export function quoteAt(text: string, place: Place): string {
  switch (place) {
    case 'bare':
      return quoteWord(text);
    case 'double':
      return SAFE.test(text) ? text : text.replace(/[\\"$`]/g, '\\$&');
    case 'single':
      return text.replaceAll("'", "'\\''");
    case 'ansi':
      return text.replace(/[\\']/g, '\\$&');
    case 'comment':
      // A line break would end the comment, and a backquote the command substitution around it.
      return text.replace(/[\r\n`]/g, ' ');
    case 'heredoc':
      return text;
  }
}

/** What backquotes take out before the command inside them is read: put in again, once for each level. */
export function protectFromBackquotes(text: string, levels: number): string {
  let protectedText = text;
  for (let i = 0; i < levels; i++) protectedText = protectedText.replace(/[\\`]/g, '\\$&');
  return protectedText;
}
