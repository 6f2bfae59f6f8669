// Commands with their expressions filled in: a script for the shell, or argv.
import { DiagnosticError, error } from '../base/diagnostic.ts';
import { ExprError } from './errors.ts';
import { isSafeWord, protectFromBackquotes, quoteAt } from './shell-quote.ts';
import { ShellScanner, type Spot } from './shell-scan.ts';
import { each, joined, placedAt } from './template.ts';
import { notText, scalarText, textOf } from './text.ts';
import { Raw, Verbatim, type Expression, type Template } from './types.ts';

export { Verbatim };

/** A script cut at its expressions; made once for each template. */
type Plan = { readonly parts: readonly (string | Slot)[] };

/** `simple`: a word there needs no more than a word's own quotes. */
type Slot = { readonly expression: Expression; readonly spot: Spot; readonly simple: boolean };

const plans = new WeakMap<Template, Plan>();

function planOf(template: Template): Plan {
  const made = plans.get(template);
  if (made) return made;
  const plan = { parts: planParts(template) };
  plans.set(template, plan);
  return plan;
}

function planParts(template: Template): Plan['parts'] {
  switch (template.kind) {
    case 'constant':
      return [placedAt(template.at, () => textOf(template.value))];
    case 'expression':
      return [slot(template.expression, new ShellScanner().spot())];
    case 'list':
    case 'map':
      throw new DiagnosticError([error('command/not-a-word', 'a command is text', { at: template.at })]);
    case 'text': {
      const scanner = new ShellScanner();
      return template.parts.map((part, i) => {
        if (typeof part !== 'string') return slot(part, scanner.spot());
        scanner.feed(part);
        // Whether a `$` right before an expression stays one depends on the value.
        const next = template.parts[i + 1];
        return typeof next === 'object' && scanner.endsInDollar() ? part.slice(0, -1) : part;
      });
    }
  }
}

function slot(expression: Expression, spot: Spot): Slot {
  const plainly = spot.place === 'bare' && !spot.afterDollar && !spot.afterBackslash && !spot.inBraces;
  return { expression, spot, simple: plainly && spot.delimiter === undefined && spot.backquotes === 0 };
}

/**
 * A `run` string with its expressions filled in, each quoted for the place where it stands. A list becomes several words
 * (an empty one none), nested ones in order; next to other text the first and last word stick to it: `--x=${{ ['a', 'b'] }}`
 * is `--x=a b`. In a heredoc text is put in as it is; raw() and Verbatim are put in as they are anywhere.
 * A backslash right before an expression stands for itself; a `$` there makes a variable of a name and stands for itself
 * before any other text.
 * @param valueOf the value of an expression, or a Verbatim
 * @throws DiagnosticError command/list-in-quotes, command/not-a-word, command/nul, command/heredoc-end
 */
export function renderScript(template: Template, valueOf: (expression: Expression) => unknown): string {
  return joined(planOf(template).parts, (part) => {
    if (typeof part === 'string') return part;
    const value = valueOf(part.expression);
    if (part.simple && typeof value === 'string' && isSafeWord(value)) return value;
    return placedAt(part.expression.at, () => renderPart(value, part.spot));
  });
}

function renderPart(value: unknown, spot: Spot): string {
  if (value instanceof Raw || value instanceof Verbatim) return (spot.afterDollar ? '$' : '') + withoutNul(value.text);
  if (Array.isArray(value)) {
    const items = words(value as unknown[]);
    switch (spot.place) {
      case 'bare':
        return before(undefined, spot) + items.map((item) => quoted(item, spot)).join(' ');
      case 'heredoc':
      case 'comment':
        return quoted(items.map(plain).join(' '), spot);
      case 'double':
      case 'single':
      case 'ansi':
        throw new ExprError(
          'command/list-in-quotes',
          'a list stands inside quotes, where it cannot become several words',
          `take the quotes away, or join it: x.join(',')`,
        );
    }
  }
  const text = word(value);
  return before(plain(text), spot) + quoted(text, spot);
}

/** What goes before a value for the sake of a backslash or `$` that stands right before it. */
function before(text: string | undefined, spot: Spot): string {
  // Backquotes halve backslashes at each level; one is there already, and it must come out as one that is escaped.
  if (spot.afterBackslash) return '\\'.repeat(2 ** (spot.backquotes + 1) - 1);
  if (!spot.afterDollar) return '';
  // `$` and a name is that variable; before anything else it would begin something that nobody wrote.
  return text !== undefined && /^\w+$/.test(text) ? '$' : protectFromBackquotes('\\$', spot.backquotes);
}

type Word = string | Raw | Verbatim;

const plain = (item: Word): string => (typeof item === 'string' ? item : item.text);

function quoted(item: Word, spot: Spot): string {
  if (typeof item !== 'string') return withoutNul(item.text);
  const text = withoutNul(item);
  const { delimiter } = spot;
  if (
    delimiter !== undefined &&
    text.includes('\n') &&
    text.split('\n').some((line) => line.replace(/^\t+/, '') === delimiter)
  )
    throw new ExprError('command/heredoc-end', `the value has a line '${delimiter}', which would end the heredoc`);
  let result = quoteAt(text, spot.place);
  // Quotes within the quotes: bash wants `'` in pairs there otherwise, and `}` would end the braces. Bash's expansion of
  // braces takes what is between these for unquoted, so `{` stands outside of them.
  if (spot.inBraces && result !== '') result = `"${result.replaceAll('{', '"{"')}"`;
  return spot.backquotes > 0 ? protectFromBackquotes(result, spot.backquotes) : result;
}

/** The words of a list, nested ones in order. @throws ExprError for a map, null or a job in it */
function words(list: readonly unknown[]): Word[] {
  return list.flatMap((item) => (Array.isArray(item) ? words(item as unknown[]) : [word(item)]));
}

function word(value: unknown): Word {
  if (typeof value === 'string' || value instanceof Raw || value instanceof Verbatim) return value;
  const text = scalarText(value);
  if (text === undefined) throw notText(value, 'command/not-a-word');
  return text;
}

function withoutNul(text: string): string {
  if (text.includes('\0'))
    throw new ExprError('command/nul', 'the value has a NUL character, which no command can hold');
  return text;
}

/**
 * A `run` list as argv: each item one word; an item that is one whole expression gives one word for each item of a list
 * (an empty one none), nested ones in order; in an item with other text a list is joined by blanks.
 * @throws DiagnosticError command/not-a-word, command/nul, expr/not-text
 */
export function renderArgv(items: readonly Template[], valueOf: (expression: Expression) => unknown): string[] {
  return each(items, (item) => argvOf(item, valueOf)).flat();
}

function argvOf(item: Template, valueOf: (expression: Expression) => unknown): string[] {
  switch (item.kind) {
    case 'constant':
      return placedAt(item.at, () => wordsOf(item.value));
    case 'expression': {
      const value = valueOf(item.expression);
      return placedAt(item.expression.at, () => wordsOf(value));
    }
    case 'text': {
      const texts = each(item.parts, (part) => {
        if (typeof part === 'string') return part;
        const value = valueOf(part);
        return placedAt(part.at, () => wordsOf(value).join(' '));
      });
      return [texts.join('')];
    }
    case 'list':
      return renderArgv(item.items, valueOf);
    case 'map':
      return placedAt(item.at, () => wordsOf(new Map<string, unknown>()));
  }
}

const wordsOf = (value: unknown): string[] => words([value]).map((item) => withoutNul(plain(item)));
