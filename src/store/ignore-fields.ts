// JSON text without some of its fields, for volatile outputs (`ignore: [/created_at]`).
//
// The text is never turned into values: numbers keep every digit, strings their escapes. What is left is written without
// white space between tokens, so that nothing tells where a field stood. NaN and Infinity are read as Python writes them.
import { invariant } from '../base/invariant.ts';

/** The segments of a JSON pointer (RFC 6901: `/a/b~1c/0`), or undefined for text that is none. '' is the whole document. */
export function parsePointer(text: string): string[] | undefined {
  if (text === '') return [];
  if (!text.startsWith('/') || /~(?![01])/.test(text)) return undefined;
  return text
    .slice(1)
    .split('/')
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
}

type Ignored = { whole: boolean; readonly below: Map<string, Ignored> };

function ignoredOf(pointers: readonly string[]): Ignored {
  const top: Ignored = { whole: false, below: new Map() };
  for (const pointer of pointers) {
    const segments = parsePointer(pointer);
    invariant(segments !== undefined, `'${pointer}' is no JSON pointer`);
    let at = top;
    for (const segment of segments) {
      let next = at.below.get(segment);
      if (!next) at.below.set(segment, (next = { whole: false, below: new Map() }));
      at = next;
    }
    at.whole = true;
  }
  return top;
}

const MAX_DEPTH = 1000;
const LITERAL = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|NaN|-?Infinity)(?![\w.+-])/y;
const SPACE = /[ \t\r\n]*/y;

const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The end of the string that begins at `from`, exclusive; undefined where it is none. By hand: a regular expression runs out of stack. */
function stringEnd(text: string, from: number): number | undefined {
  if (text.charCodeAt(from) !== QUOTE) return undefined;
  for (let at = from + 1; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) return at + 1;
    if (char < 0x20) return undefined;
    if (char === BACKSLASH) {
      ESCAPE.lastIndex = at;
      const escape = ESCAPE.exec(text);
      if (!escape) return undefined;
      at += escape[0].length - 1;
    }
  }
  return undefined;
}

class NotJson extends Error {}

/**
 * The bytes of a JSON document without white space between tokens and without the members and elements at `pointers`. A
 * pointer to nothing is fine. Undefined where the bytes are no JSON (or nested deeper than 1000).
 * @param pointers JSON pointers; others break an invariant
 */
export function withoutFields(bytes: Buffer, pointers: readonly string[]): Buffer | undefined {
  const ignored = ignoredOf(pointers);
  // One char a byte: no byte is lost or changed, and the structure of JSON is ASCII.
  const text = bytes.toString('latin1');
  let at = text.startsWith('\xef\xbb\xbf') ? 3 : 0;
  const out: string[] = [];

  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  };
  const matchString = (): string | undefined => {
    const start = at;
    const end = stringEnd(text, start);
    if (end !== undefined) at = end;
    return end === undefined ? undefined : text.slice(start, end);
  };
  const skipSpace = (): void => void match(SPACE);
  const take = (char: string): boolean => {
    skipSpace();
    if (text[at] !== char) return false;
    at++;
    return true;
  };
  const need = <T>(value: T | undefined | false): T => {
    if (value === undefined || value === false) throw new NotJson();
    return value;
  };

  /** Copies one value; with `ignoring` true, past it. */
  function value(ignoring: boolean, below: Ignored | undefined, depth: number): void {
    if (depth > MAX_DEPTH) throw new NotJson();
    skipSpace();
    const emit = (token: string): void => {
      if (!ignoring) out.push(token);
    };
    if (text[at] === '{') members('{', '}', emit, ignoring, below, depth);
    else if (text[at] === '[') members('[', ']', emit, ignoring, below, depth);
    else emit(need(text[at] === '"' ? matchString() : match(LITERAL)));
  }

  function members(
    open: string,
    close: string,
    emit: (token: string) => void,
    ignoring: boolean,
    below: Ignored | undefined,
    depth: number,
  ): void {
    at++;
    emit(open);
    let written = 0;
    for (let index = 0; !(index === 0 && take(close)); index++) {
      skipSpace();
      const key = open === '{' ? need(matchString()) : undefined;
      if (key !== undefined) need(take(':'));
      // Keys are decoded only where something is ignored below: they may be written with escapes.
      const name = below && (key === undefined ? String(index) : decode(key));
      const next = name === undefined ? undefined : below?.below.get(name);
      const skip = ignoring || next?.whole === true;
      if (!skip) {
        if (written++ > 0) emit(',');
        if (key !== undefined) emit(`${key}:`);
      }
      value(skip, next, depth + 1);
      if (take(close)) break;
      need(take(','));
    }
    emit(close);
  }

  try {
    value(ignored.whole, ignored, 0);
    skipSpace();
    if (at !== text.length) return undefined;
  } catch (error) {
    if (error instanceof NotJson) return undefined;
    throw error;
  }
  return Buffer.from(out.join(''), 'latin1');
}

const decode = (key: string): string => JSON.parse(Buffer.from(key, 'latin1').toString('utf8')) as string;
