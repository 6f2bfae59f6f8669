// Values as canonical text, for hashing: equal values give equal text, different values different text.
//
// The text resembles JSON: strings as JSON writes them (lone surrogates escaped, so that their UTF-8 stays apart), keys
// sorted by code unit of that form, an int key bare. Rejected: JSON itself (no ints beyond 2^53, no nan), and CBOR, which
// nobody can read in a test that fails.
import { invariant } from '../base/invariant.ts';
import { isList, isMap, type Key } from '../base/value.ts';

/** Text for an opaque object inside a value, such as a job's hash; undefined for what is none. */
export type Leaf = (value: unknown) => string | undefined;

export type Encoder = (value: unknown) => string;

/** Keys as JSON strings with a colon; the same few come again and again. */
const quotedKeys = new Map<string, string>();

function quoteKey(key: string): string {
  let text = quotedKeys.get(key);
  if (text === undefined) {
    text = `${JSON.stringify(key)}:`;
    if (quotedKeys.size < 10_000) quotedKeys.set(key, text);
  }
  return text;
}

/** Texts shorter than this are not worth remembering. */
const MEMO_FROM = 48;

/**
 * An encoder with a memory of its own: a map or list that many values share is encoded once. Values must not be changed
 * after they were encoded.
 * @param typed true: ints and floats stay apart, 0.0 and -0.0 too. False: numbers count by value, so `1` and `1.0` are equal.
 * @param leaf text for objects that are neither map nor list
 */
export function makeEncoder(typed: boolean, leaf?: Leaf): Encoder {
  const memo = new WeakMap<object, string>();
  const number = typed ? typedFloat : untypedFloat;

  function encode(value: unknown, nested: boolean): string {
    switch (typeof value) {
      case 'string':
        return JSON.stringify(value);
      case 'bigint':
        return value.toString();
      case 'number':
        return number(value);
      case 'boolean':
        return value ? 'true' : 'false';
      case 'object':
        return value === null ? 'null' : encodeObject(value, nested);
      case 'undefined':
      case 'symbol':
      case 'function':
        throw new Error(`invariant broken: a value of type ${typeof value} has no encoding`);
    }
  }

  function encodeObject(value: object, nested: boolean): string {
    const known = nested ? memo.get(value) : undefined;
    if (known !== undefined) return known;
    const text = encodeFresh(value);
    if (nested && text.length >= MEMO_FROM) memo.set(value, text);
    return text;
  }

  function encodeFresh(value: object): string {
    if (isList(value)) {
      let text = '[';
      for (let i = 0; i < value.length; i++) text += (i > 0 ? ',' : '') + encode(value[i], true);
      return `${text}]`;
    }
    if (isMap(value)) return encodeMap(value);
    const opaque = leaf?.(value);
    invariant(opaque !== undefined, `an object of ${value.constructor?.name ?? 'no class'} has no encoding`);
    return `@${JSON.stringify(opaque)}`;
  }

  function encodeMap(value: ReadonlyMap<Key, unknown>): string {
    const members: string[] = [];
    let sorted = true;
    let last = '';
    for (const [key, item] of value) {
      // With its colon no key's text begins another's, so members sort as their keys do.
      const name = typeof key === 'string' ? quoteKey(key) : `${key}:`;
      if (name < last) sorted = false;
      last = name;
      members.push(name + encode(item, true));
    }
    if (!sorted) members.sort();
    return `{${members.join(',')}}`;
  }

  return (value) => encode(value, false);
}

const untypedFloat = (value: number): string => {
  if (Number.isInteger(value)) return Number.isSafeInteger(value) ? String(value) : BigInt(value).toString();
  return float(value);
};

const typedFloat = (value: number): string => (Object.is(value, -0) ? 'f-0' : `f${float(value)}`);

/** String(x) is the shortest decimal that reads back as x. */
const float = (value: number): string =>
  Number.isFinite(value) ? String(value) : Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';

const untyped = makeEncoder(false);
const typed = makeEncoder(true);
const withLeaf = { untyped: new WeakMap<Leaf, Encoder>(), typed: new WeakMap<Leaf, Encoder>() };

function encoderFor(typing: 'untyped' | 'typed', leaf: Leaf): Encoder {
  let encoder = withLeaf[typing].get(leaf);
  if (!encoder) withLeaf[typing].set(leaf, (encoder = makeEncoder(typing === 'typed', leaf)));
  return encoder;
}

/**
 * Canonical text in which numbers count by value: `1` equals `1.0`, `-0.0` equals `0`.
 * @param leaf give the same function each time: its texts are remembered with the maps that they stand in
 */
export const canonical = (value: unknown, leaf?: Leaf): string => (leaf ? encoderFor('untyped', leaf) : untyped)(value);

/** Canonical text in which ints and floats differ. `leaf` as for `canonical`. */
export const canonicalTyped = (value: unknown, leaf?: Leaf): string =>
  (leaf ? encoderFor('typed', leaf) : typed)(value);
