// Functions on text and numbers.
import { posix } from 'node:path';
import { floatText } from '../base/value.ts';
import { functionError, typeError } from './errors.ts';
import { kindOf } from './kind.ts';
import { int64, NOT_MINE } from './operators.ts';
import { scalarText, textOf } from './text.ts';

/** @throws ExprError where a function's argument is no text. */
export function asText(name: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw typeError(`${name}() takes text, not ${kindOf(value)}`, 'turn it into text with text(x)');
}

/** Every `from` of a text replaced by `to`. */
export function replace(text: unknown, from: unknown, to: unknown): string {
  const part = asText('replace', from);
  return asText('replace', text).split(part).join(asText('replace', to));
}

/** The last part of a path; a slash at the end does not count. */
export const basename = (path: unknown): string => posix.basename(asText('basename', path));
/** The path without its last part, `.` where there is one part only. */
export const dirname = (path: unknown): string => posix.dirname(asText('dirname', path));
/** The last part of a path without its last extension: `a/b.tar.gz` gives `b.tar`. */
export const stem = (path: unknown): string => posix.parse(asText('stem', path)).name;

/** Texts of the items with `separator` between; items may be ints, floats and bools too. */
export const join = (list: unknown, separator: unknown = ''): unknown => {
  if (!Array.isArray(list)) return NOT_MINE;
  const between = asText('join', separator);
  return (list as unknown[]).map(textOf).join(between);
};

/** CEL's string(), but a float keeps its point, as everywhere in lhb. */
export const string = (value: unknown): unknown => scalarText(value) ?? NOT_MINE;

/** CEL's int(), strict about 64 bits and digits. */
export function int(value: unknown): unknown {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return int64(BigInt(Math.trunc(value)));
    throw functionError(`int() of ${floatText(value)}`);
  }
  if (typeof value === 'string') {
    if (/^[+-]?\d+$/.test(value)) return int64(BigInt(value));
    throw functionError(`int() takes digits, not '${value}'`);
  }
  return value instanceof Date ? BigInt(Math.floor(value.getTime() / 1000)) : NOT_MINE;
}

/** CEL's uint(): an int that is not negative; there is one type of ints here. */
export function uint(value: unknown): unknown {
  const result = int(value);
  if (typeof result === 'bigint' && result < 0n) throw functionError(`uint() of the negative number ${result}`);
  return result;
}

const isNumber = (value: unknown): value is number | bigint => typeof value === 'number' || typeof value === 'bigint';

/** `base` to the power of `exponent`: an int for ints and an exponent of 0 or more, else a double. */
export function pow(base: unknown, exponent: unknown): number | bigint {
  if (!isNumber(base) || !isNumber(exponent))
    throw typeError(`pow() takes numbers, not ${kindOf(isNumber(base) ? exponent : base)}`);
  if (typeof base === 'bigint' && typeof exponent === 'bigint' && exponent >= 0n) {
    if (exponent > 64n && base !== 0n && base !== 1n && base !== -1n)
      throw functionError(`pow(${base}, ${exponent}) does not fit into 64 bits`, 'use a float base');
    return int64(base ** exponent);
  }
  const [b, e] = [Number(base), Number(exponent)];
  // Powers of ten as they are written: Math.pow is off by a last digit for some.
  return b === 10 && Number.isInteger(e) && Math.abs(e) < 400 ? Number(`1e${e}`) : b ** e;
}

/** A number with `digits` digits after the point. */
export function fixed(value: unknown, digits: unknown): string {
  const count = Number(digits);
  if (!isNumber(value) || !isNumber(digits))
    throw typeError('fixed() takes a number and how many digits it shall have');
  if (!Number.isInteger(count) || count < 0 || count > 100) throw functionError('fixed() takes 0 to 100 digits');
  return fixedText(value, count);
}

export function fixedText(value: number | bigint, digits: number): string {
  if (typeof value === 'bigint') return digits === 0 ? `${value}` : `${value}.${'0'.repeat(digits)}`;
  if (!Number.isFinite(value)) return floatText(value);
  return Math.abs(value) < 1e21 ? value.toFixed(digits) : fixedText(BigInt(value), digits);
}
