// A scanner of shell text that knows at every expression in it how its value must be quoted. It follows quotes, escapes,
// comments, `$(…)`, `${…}`, `$((…))`, backquotes and heredocs; it is no parser, and never changes what is written.
import type { Place } from './shell-quote.ts';

/** Where an expression stands. */
export type Spot = {
  readonly place: Place;
  /** Levels of backquotes around it. */
  readonly backquotes: number;
  /** A backslash right before it, which would escape the value's first character. */
  readonly afterBackslash: boolean;
  /** A `$` right before it, which would make something else of the value: a name, `$'…'`, `$(…)`. */
  readonly afterDollar: boolean;
  /** Inside `"${x:-…}"`, where a `}` would end it. */
  readonly inBraces: boolean;
  /** The word that ends the heredoc it stands in. */
  readonly delimiter: string | undefined;
};

type Frame =
  | { readonly kind: 'command'; readonly close: '' | ')' | '`'; parens: number; cases: number }
  | { readonly kind: 'double' | 'single' | 'ansi' }
  | { readonly kind: 'braces'; readonly quoted: boolean }
  | { readonly kind: 'arithmetic'; parens: number };

type Heredoc = { readonly delimiter: string; readonly tabs: boolean };

/** Feed it the text between expressions, in order; ask for the spot before each expression. */
export class ShellScanner {
  private readonly frames: Frame[] = [{ kind: 'command', close: '', parens: 0, cases: 0 }];
  private readonly pending: Heredoc[] = [];
  private heredoc: Heredoc | undefined;
  private heredocLine = '';
  private comment = false;
  /** At the start of a word, where `#` begins a comment. */
  private wordStart = true;
  /** Where a command begins, and `case` is a reserved word. */
  private commandStart = true;
  private escaped = false;
  private dollar = false;

  private top(): Frame {
    return this.frames.at(-1) as Frame;
  }

  /** The spot of an expression that stands here. */
  spot(): Spot {
    const backquotes = this.frames.filter((frame) => frame.kind === 'command' && frame.close === '`').length;
    const frame = this.top();
    const inBraces = frame.kind === 'braces' && frame.quoted;
    const spot: Spot = {
      place: this.place(),
      backquotes,
      afterBackslash: this.escaped,
      afterDollar: this.dollar,
      inBraces,
      delimiter: this.heredoc?.delimiter,
    };
    this.escaped = false;
    this.dollar = false;
    this.wordStart = false;
    this.commandStart = false;
    if (this.heredoc) this.heredocLine += '\0';
    return spot;
  }

  private place(): Place {
    if (this.heredoc) return 'heredoc';
    if (this.comment) return 'comment';
    const frame = this.top();
    switch (frame.kind) {
      case 'double':
      case 'single':
      case 'ansi':
        return frame.kind;
      case 'braces':
        return frame.quoted ? 'double' : 'bare';
      case 'command':
      case 'arithmetic':
        return 'bare';
    }
  }

  /** Whether the text so far ends in a `$` that would act on what follows. */
  endsInDollar(): boolean {
    return this.dollar;
  }

  feed(text: string): void {
    for (let i = 0; i < text.length;) i = this.step(text, i);
  }

  /** Takes in what stands at `i`; gives the offset after it. */
  private step(text: string, i: number): number {
    const char = text.charAt(i);
    if (this.heredoc) return this.inHeredoc(text, i);
    if (this.comment) return this.inComment(char, i);
    if (this.escaped) {
      this.escaped = false;
      this.wordStart = char === '\n' && this.wordStart;
      return i + 1;
    }
    const afterDollar = this.dollar;
    this.dollar = false;
    const frame = this.top();
    switch (frame.kind) {
      case 'single':
        if (char === "'") this.frames.pop();
        return i + 1;
      case 'ansi':
        if (char === '\\') this.escaped = true;
        if (char === "'") this.frames.pop();
        return i + 1;
      case 'double':
        if (char === '"') {
          this.frames.pop();
          return i + 1;
        }
        return this.expansion(text, i, true, afterDollar);
      case 'braces':
        if (char === '}') {
          this.frames.pop();
          return i + 1;
        }
        if (!frame.quoted && char === "'") return this.push({ kind: 'single' }, i + 1);
        if (char === '"') return this.push({ kind: 'double' }, i + 1);
        return this.expansion(text, i, frame.quoted, afterDollar);
      case 'arithmetic':
        if (char === '(') frame.parens++;
        if (char === ')' && frame.parens-- === 0) {
          this.frames.pop();
          return text.charAt(i + 1) === ')' ? i + 2 : i + 1;
        }
        return this.expansion(text, i, false, afterDollar);
      case 'command':
        return this.inCommand(frame, text, i, afterDollar);
    }
  }

  private push(frame: Frame, next: number): number {
    this.frames.push(frame);
    this.wordStart = frame.kind === 'command';
    this.commandStart = this.wordStart;
    return next;
  }

  /** `\`, `$(`, `$((`, `${`, `$'` and backquotes: what is the same in double quotes and outside. */
  private expansion(text: string, i: number, quoted: boolean, afterDollar: boolean): number {
    const char = text.charAt(i);
    if (afterDollar) {
      if (text.startsWith('((', i)) return this.push({ kind: 'arithmetic', parens: 0 }, i + 2);
      if (char === '(') return this.push({ kind: 'command', close: ')', parens: 0, cases: 0 }, i + 1);
      if (char === '{') return this.push({ kind: 'braces', quoted }, i + 1);
      if (char === "'" && !quoted) return this.push({ kind: 'ansi' }, i + 1);
    }
    if (char === '\\') {
      const open = this.frames.some((frame) => frame.kind === 'command' && frame.close === '`');
      // An escaped backquote inside backquotes begins, or ends, an inner pair.
      if (open && text.charAt(i + 1) === '`') return this.backquote(i + 2, true);
      this.escaped = true;
    }
    if (char === '$') this.dollar = !afterDollar;
    if (char === '`') return this.backquote(i + 1, false);
    return i + 1;
  }

  private backquote(next: number, inner: boolean): number {
    const levels = this.frames.filter((frame) => frame.kind === 'command' && frame.close === '`').length;
    const closes = inner ? levels > 1 : levels > 0;
    if (!closes) return this.push({ kind: 'command', close: '`', parens: 0, cases: 0 }, next);
    // Whatever was left open inside ends with it.
    for (let frame = this.frames.pop(); frame; frame = this.frames.pop())
      if (frame.kind === 'command' && frame.close === '`') break;
    this.comment = false;
    this.wordStart = false;
    return next;
  }

  private inComment(char: string, i: number): number {
    if (char === '\n') {
      this.comment = false;
      return this.newline(i + 1);
    }
    if (char === '`' && this.frames.some((frame) => frame.kind === 'command' && frame.close === '`'))
      return this.backquote(i + 1, false);
    return i + 1;
  }

  private newline(next: number): number {
    this.wordStart = true;
    this.commandStart = true;
    this.heredoc = this.pending.shift();
    this.heredocLine = '';
    return next;
  }

  private inHeredoc(text: string, i: number): number {
    const newline = text.indexOf('\n', i);
    this.heredocLine += newline === -1 ? text.slice(i) : text.slice(i, newline);
    if (newline === -1) return text.length;
    const line = this.heredoc?.tabs ? this.heredocLine.replace(/^\t+/, '') : this.heredocLine;
    this.heredocLine = '';
    if (line === this.heredoc?.delimiter) return this.newline(newline + 1);
    return newline + 1;
  }

  private inCommand(frame: Frame & { kind: 'command' }, text: string, i: number, afterDollar: boolean): number {
    const char = text.charAt(i);
    const atStart = this.wordStart;
    this.wordStart = false;
    if (afterDollar && "({'".includes(char)) return this.expansion(text, i, false, true);
    switch (char) {
      case '\n':
        return this.newline(i + 1);
      case ' ':
      case '\t':
        this.wordStart = true;
        return i + 1;
      case ';':
      case '&':
      case '|':
        this.wordStart = true;
        this.commandStart = true;
        return i + 1;
      case '>':
        this.wordStart = true;
        return i + 1;
      case '<':
        return this.redirection(text, i);
      case '#':
        this.comment = atStart;
        return i + 1;
      case '(':
        if (atStart && text.charAt(i + 1) === '(') return this.push({ kind: 'arithmetic', parens: 0 }, i + 2);
        frame.parens++;
        this.wordStart = true;
        this.commandStart = true;
        return i + 1;
      case ')':
        return this.closeParen(frame, i + 1);
      default:
        if (atStart && this.commandStart) this.commandStart = this.keyword(frame, text, i);
    }
    if (char === "'") return this.push({ kind: 'single' }, i + 1);
    if (char === '"') return this.push({ kind: 'double' }, i + 1);
    return this.expansion(text, i, false, afterDollar);
  }

  /** Counts `case` and `esac`, between which a `)` ends a pattern; whether a command may begin after this word. */
  private keyword(frame: Frame & { kind: 'command' }, text: string, i: number): boolean {
    const word = /^(?:case|esac|do|then|else|elif|if|while|until|[{!])(?![^\s;&|()<>])/.exec(text.slice(i, i + 6))?.[0];
    if (word === 'case') frame.cases++;
    if (word === 'esac' && frame.cases > 0) frame.cases--;
    return word !== undefined && word !== 'case' && word !== 'esac';
  }

  private closeParen(frame: Frame & { kind: 'command' }, next: number): number {
    this.wordStart = true;
    this.commandStart = true;
    if (frame.parens > 0) frame.parens--;
    else if (frame.close === ')' && frame.cases === 0) {
      this.frames.pop();
      this.wordStart = false;
    }
    return next;
  }

  /** `<`, and `<<WORD`, after whose line the heredoc begins. */
  private redirection(text: string, i: number): number {
    this.wordStart = true;
    if (text.startsWith('<<<', i)) return i + 3;
    const match = /^<<(-?)[ \t]*((?:\\.|'[^'\n]*'|"[^"\n]*"|[^\s;&|<>()'"\\])+)/.exec(text.slice(i));
    if (!match) return i + 1;
    const [all, dash, word = ''] = match;
    const delimiter = word.replace(
      /\\(.)|'([^']*)'|"([^"]*)"/g,
      (_, a?: string, b?: string, c?: string) => a ?? b ?? c ?? '',
    );
    this.pending.push({ delimiter, tabs: dash === '-' });
    return i + all.length;
  }
}
