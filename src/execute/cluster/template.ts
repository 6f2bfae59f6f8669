// The templates of profiles: shell text with names in braces, as Snakemake has them: `sbatch --mem={resources.mem_mb}`.
// `{{` and `}}` are braces. Each value is quoted for the place where it stands, as in a `run` string.
import { error, type Diagnostic, type SourceRange } from '../../base/diagnostic.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { quoteAt, type Place } from '../../expr/shell-quote.ts';
import { ShellScanner } from '../../expr/shell-scan.ts';

export type Slot = {
  readonly name: string;
  /** What stands there for a name without a value: `{pe|smp}`. */
  readonly otherwise: string | undefined;
  readonly place: Place;
  readonly at: SourceRange;
};

export type CommandTemplate = { readonly at: SourceRange; readonly parts: readonly (string | Slot)[] };

/** A value of a name; several words stand unquoted side by side, shell text is put in as it is. */
export type Filling = string | readonly string[] | { readonly shell: string };

const NAME = /^([A-Za-z_]\w*(?:[.-]\w+)*)(?:\|([\w.,:@%+=/-]*))?$/;

/**
 * Reads a template. A literal block with one flag a line is one command: a line break before a word that begins with `-`
 * is a blank, as it is in Snakemake's own examples.
 * @param at where the text stands; its names are looked for there
 * @returns errors (profile/template): a brace that is not closed, and what is no name
 */
export function parseTemplate(text: string, at: SourceRange): Result<CommandTemplate> {
  const joined = text.trim().replace(/\s*\\?\n\s*(?=-)/g, ' ');
  const scanner = new ShellScanner();
  const parts: (string | Slot)[] = [];
  const errors: Diagnostic[] = [];
  const places = new PlaceFinder(at);
  let literal = '';
  const close = (): void => {
    scanner.feed(literal);
    if (literal !== '') parts.push(literal);
    literal = '';
  };
  for (let i = 0; i < joined.length; i++) {
    const char = joined.charAt(i);
    const doubled = joined.charAt(i + 1) === char;
    if ((char === '{' || char === '}') && doubled) {
      literal += char;
      i++;
    } else if (char === '{' && joined.charAt(i - 1) !== '$') {
      const end = joined.indexOf('}', i);
      const name = end === -1 ? '' : joined.slice(i + 1, end);
      const where = places.next(`{${name}`);
      const [, word, otherwise] = NAME.exec(name) ?? [];
      if (word !== undefined) {
        close();
        parts.push({ name: word, otherwise, place: scanner.spot().place, at: where });
        i = end;
        continue;
      }
      const what = end === -1 ? 'a { has no }' : `'{${name}}' is no name`;
      errors.push(error('profile/template', `a template of a profile: ${what}`, { at: where, hint: BRACES }));
      literal += char;
    } else literal += char;
  }
  close();
  return errors.length > 0 ? err(errors) : ok({ at, parts });
}

const BRACES = 'names stand in braces, as {rule} or {resources.mem_mb}; a brace itself is written twice: {{';

/** Finds one piece of text after another in what is written between two offsets. */
class PlaceFinder {
  private readonly at: SourceRange;
  private from: number;
  constructor(at: SourceRange) {
    this.at = at;
    this.from = at.start;
  }

  next(piece: string): SourceRange {
    const { file, end } = this.at;
    const start = file.text.indexOf(piece, this.from);
    if (start === -1 || start >= end) return this.at;
    this.from = start + piece.length;
    return { file, start, end: Math.min(end, start + piece.length + 1) };
  }
}

/** The names that stand in a template. */
export const namesIn = (template: CommandTemplate): readonly Slot[] =>
  template.parts.filter((part): part is Slot => typeof part !== 'string');

/**
 * The command with its names filled in. What `valueOf` does not know is told, each with its place, or stands for nothing where
 * `onMissing` says nothing.
 * @returns errors (profile/no-value)
 */
export function fillTemplate(
  template: CommandTemplate,
  valueOf: (name: string) => Filling | undefined,
  onMissing: (slot: Slot) => Diagnostic | undefined,
): Result<string> {
  const missing: Diagnostic[] = [];
  const text = template.parts.map((part) => {
    if (typeof part === 'string') return part;
    const value = valueOf(part.name) ?? part.otherwise;
    if (value === undefined) {
      const problem = onMissing(part);
      if (problem) missing.push(problem);
      return '';
    }
    if (typeof value === 'string') return value === '' && part.place === 'bare' ? '' : quoteAt(value, part.place);
    return 'shell' in value ? value.shell : value.map((word) => quoteAt(word, part.place)).join(' ');
  });
  return missing.length > 0 ? err(missing) : ok(text.join('').replaceAll('\0', ''));
}
