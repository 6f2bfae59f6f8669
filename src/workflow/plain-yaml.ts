// YAML of the plainest kind, as scripts write sweeps of ten thousand entries: block maps and lists, flow maps and lists that
// end on their line, words and numbers, quoted text without escapes. It takes a fourteenth of the library's time (0.9 MB,
// 30 000 entries). It gives no places and no errors: whatever it does not know for certain is left to the library, and what
// both read is the same.
import type { Key, Value } from '../base/value.ts';
import { readCoreScalar } from './core-scalar.ts';

/** Printable ASCII without a tab, and without what begins an anchor, alias, tag, block text, escape, directive or merge. */
const PLAIN_TEXT = /^[\n "#'()+,\-./0-9:;=A-Z[\]^_a-z{}~$]*$/;
const BLANK_OR_COMMENT = /^ *(?:#.*)?$/;
/** A key that is surely text, its colon, and what follows. */
const ENTRY = /^([A-Za-z_][\w./-]*):(?: +(.*))?$/;
const WORD = /(?:[A-Za-z_./]|[-+](?=[\d.])|\d)[\w./+-]*/y;
const QUOTED = /'[^'\n]*'(?!')|"[^"\n]*"/y;
const KEY = /([A-Za-z_][\w./-]*): +/y;
const NOT_TEXT = /^(?:~|null|Null|NULL|true|True|TRUE|false|False|FALSE)$/;
const MAX_DEPTH = 100;

/** Thrown where the text is not of the kind, and caught in readPlainYaml. */
const OTHER = new Error('not plain YAML');

/** The map or list in a text, or undefined where the text is not of the kind: nothing is said of its validity then. */
export function readPlainYaml(text: string): Value | undefined {
  if (!PLAIN_TEXT.test(text)) return undefined;
  try {
    return new PlainYaml(text).read();
  } catch (thrown) {
    if (thrown === OTHER) return undefined;
    throw thrown;
  }
}

class PlainYaml {
  private readonly lines: string[] = [];
  private readonly indents: number[] = [];
  private next = 0;
  private depth = 0;

  constructor(text: string) {
    for (const line of text.split('\n')) {
      if (BLANK_OR_COMMENT.test(line)) continue;
      const content = line.trim();
      // A comment behind a value, a quote in which there is one, or the ends of a document.
      if (content.includes('#') || line.startsWith('---') || line.startsWith('...')) throw OTHER;
      this.lines.push(content);
      this.indents.push(line.length - line.trimStart().length);
    }
  }

  read(): Value {
    if (this.lines.length === 0) throw OTHER;
    const value = this.block(this.indents[0] ?? 0);
    if (this.next < this.lines.length) throw OTHER;
    return value;
  }

  /** The map or list whose entries begin at a column, from the next line on. */
  private block(indent: number): Value {
    if (++this.depth > MAX_DEPTH) throw OTHER;
    const value = isItem(this.lines[this.next] ?? '') ? this.list(indent) : this.map(indent);
    this.depth--;
    return value;
  }

  private map(indent: number): Value {
    const map = new Map<Key, Value>();
    while (this.indents[this.next] === indent && !isItem(this.lines[this.next] ?? '')) {
      const [, key, rest] = ENTRY.exec(this.lines[this.next] ?? '') ?? [];
      if (key === undefined || map.has(key) || NOT_TEXT.test(key)) throw OTHER;
      this.next++;
      if (rest !== undefined) map.set(key, this.inline(rest, indent));
      else {
        const below = this.indents[this.next] ?? -1;
        const items = below === indent && isItem(this.lines[this.next] ?? '');
        map.set(key, below > indent || items ? this.block(below) : null);
      }
    }
    this.end(indent);
    return map;
  }

  private list(indent: number): Value {
    const list: Value[] = [];
    while (this.indents[this.next] === indent && isItem(this.lines[this.next] ?? '')) {
      const line = this.lines[this.next] ?? '';
      const rest = line.slice(1).trimStart();
      if (rest === '') {
        this.next++;
        const below = this.indents[this.next] ?? -1;
        list.push(below > indent ? this.block(below) : null);
      } else if (isItem(rest) || ENTRY.test(rest)) {
        // A block that begins behind the dash: as if it stood on a line of its own there.
        const column = indent + line.length - rest.length;
        this.lines[this.next] = rest;
        this.indents[this.next] = column;
        list.push(this.block(column));
      } else {
        this.next++;
        list.push(this.inline(rest, indent));
      }
    }
    this.end(indent);
    return list;
  }

  /** A block ends before a line that stands further left; one that stands further right belongs to something else. */
  private end(indent: number): void {
    if ((this.indents[this.next] ?? -1) > indent) throw OTHER;
  }

  /** A value on the rest of a line, which the next line does not go on with. */
  private inline(text: string, indent: number): Value {
    if ((this.indents[this.next] ?? -1) > indent) throw OTHER;
    const flow = new Flow(text);
    const value = flow.value(0);
    if (flow.at < text.length) throw OTHER;
    return value;
  }
}

const isItem = (line: string): boolean => line === '-' || line.startsWith('- ');

/** A flow map or list, a word or quoted text, within one line. */
class Flow {
  at = 0;
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  value(depth: number): Value {
    if (depth > MAX_DEPTH) throw OTHER;
    const char = this.text[this.at];
    if (char === '{') return this.map(depth);
    if (char === '[') return this.list(depth);
    return char === "'" || char === '"' ? this.match(QUOTED).slice(1, -1) : scalar(this.match(WORD));
  }

  private map(depth: number): Value {
    const map = new Map<Key, Value>();
    for (let open = this.opens('}'); open; open = this.goesOn('}')) {
      const key = this.match(KEY).replace(/: +$/, '');
      if (map.has(key) || NOT_TEXT.test(key)) throw OTHER;
      map.set(key, this.value(depth + 1));
    }
    return map;
  }

  private list(depth: number): Value {
    const list: Value[] = [];
    for (let open = this.opens(']'); open; open = this.goesOn(']')) list.push(this.value(depth + 1));
    return list;
  }

  /** Passes the bracket that opens, and where nothing is inside the one that closes. */
  private opens(close: string): boolean {
    this.at++;
    this.blanks();
    if (this.text[this.at] !== close) return true;
    this.at++;
    return false;
  }

  /** Passes a comma, or the bracket that closes. */
  private goesOn(close: string): boolean {
    this.blanks();
    const char = this.text[this.at++];
    if (char !== ',' && char !== close) throw OTHER;
    if (char === ',') this.blanks();
    return char === ',';
  }

  private blanks(): void {
    while (this.text[this.at] === ' ') this.at++;
  }

  private match(token: RegExp): string {
    token.lastIndex = this.at;
    const found = token.exec(this.text)?.[0];
    if (found === undefined) throw OTHER;
    this.at += found.length;
    return found;
  }
}

const scalar = (word: string): Value => (/^(?:null|Null|NULL)$/.test(word) ? null : readCoreScalar(word));
