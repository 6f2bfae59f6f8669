// Functions on lists and maps.
import { equalityKey } from './equality.ts';
import { functionError, typeError } from './errors.ts';
import { kindOf } from './kind.ts';
import { binary, int64, listOf } from './operators.ts';

/** @throws ExprError where a function's argument is no list. */
export function asList(name: string, value: unknown): readonly unknown[] {
  const list = listOf(value);
  if (list) return list;
  throw typeError(`${name}() takes a list, not ${kindOf(value)}`);
}

/** Lists in the list, opened `depth` levels deep; other items stay. */
export function flatten(list: unknown, depth: unknown = 1n): unknown[] {
  const levels = Number(depth);
  if (!Number.isInteger(levels) || levels < 0) throw functionError('flatten() takes a depth of 0 or more');
  return (asList('flatten', list) as unknown[]).flat(levels);
}

/** The lists side by side: a list of the first items, a list of the second, … @throws ExprError where lengths differ. */
export function zip(...lists: unknown[]): unknown[][] {
  const all = lists.map((list) => asList('zip', list));
  const size = all[0]?.length ?? 0;
  const odd = all.find((list) => list.length !== size);
  if (odd) throw functionError(`zip() takes lists of one length, not of ${size} and ${odd.length} items`);
  return Array.from({ length: size }, (_, i) => all.map((list) => list[i]));
}

export function entries(map: unknown): Map<string, unknown>[] {
  if (!(map instanceof Map)) throw typeError(`entries() takes a map, not ${kindOf(map)}`);
  const pairs = [...(map as Map<unknown, unknown>)];
  return pairs.map(([key, value]) => new Map<string, unknown>([['key', key], ['value', value]])); // prettier-ignore
}

/** The list without items that equal an earlier one. */
export function unique(list: unknown): unknown[] {
  const seen = new Set<string>();
  return asList('unique', list).filter((item) => {
    const key = equalityKey(item);
    return seen.has(key) ? false : (seen.add(key), true);
  });
}

function compareItems(name: string, a: unknown, b: unknown): number {
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let i = 0; i < a.length && i < b.length; i++) {
      const order = compareItems(name, a[i], b[i]);
      if (order !== 0) return order;
    }
    return a.length - b.length;
  }
  const less = binary('<', a, b);
  if (typeof less !== 'boolean')
    throw typeError(`${name}() takes numbers or texts, not ${kindOf(a)} with ${kindOf(b)}`);
  return less ? -1 : binary('>', a, b) === true ? 1 : 0;
}

/** In ascending order: numbers (ints and doubles together), texts by code unit, bools, lists item by item. */
export const sort = (list: unknown): unknown[] => {
  const items = [...asList('sort', list)];
  if (items.length === 1) compareItems('sort', items[0], items[0]);
  return items.sort((a, b) => compareItems('sort', a, b));
};

/** The smallest (`sign` 1) or largest (-1) of a list or of several arguments. */
export function extreme(name: 'min' | 'max', values: unknown[]): unknown {
  const items = values.length === 1 ? asList(name, values[0]) : values;
  if (items.length === 0) throw functionError(`${name}() of an empty list`, 'ask for its size() first');
  const sign = name === 'min' ? 1 : -1;
  return items.reduce((best, item) => (compareItems(name, item, best) * sign < 0 ? item : best));
}

/** The sum: an int for ints, a double where one of them is; 0 for an empty list. @throws ExprError on overflow. */
export function sum(list: unknown): number | bigint {
  let total: number | bigint = 0n;
  for (const item of asList('sum', list)) {
    if (typeof item !== 'bigint' && typeof item !== 'number')
      throw typeError(`sum() takes numbers, not ${kindOf(item)}`);
    total = binary('+', total, item) as number | bigint;
  }
  return total;
}

const MOST_ITEMS = 1_000_000;

/** A finite double as `digits * 10^-scale`, exactly as its shortest text says. */
function decimal(value: number | bigint): { digits: bigint; scale: number } {
  if (typeof value === 'bigint') return { digits: value, scale: 0 };
  const [mantissa = '0', exponent = '0'] = value.toExponential().split('e');
  const [whole = '0', fraction = ''] = mantissa.split('.');
  const scale = fraction.length - Number(exponent);
  const digits = BigInt(whole + fraction);
  return scale >= 0 ? { digits, scale } : { digits: digits * 10n ** BigInt(-scale), scale: 0 };
}

const isFiniteNumber = (value: unknown): value is number | bigint =>
  typeof value === 'bigint' || (typeof value === 'number' && Number.isFinite(value));

/**
 * From `from` up to, but without, `to`, in steps; downwards for a negative step. Doubles where one argument is a double,
 * worked out in decimal, so that range(0, 1, 0.1) is 0.0, 0.1, 0.2, 0.3, … and not 0.30000000000000004.
 */
export function range(from: unknown, to: unknown, step: unknown = 1n): (number | bigint)[] {
  if (!isFiniteNumber(from) || !isFiniteNumber(to) || !isFiniteNumber(step)) {
    const odd = [from, to, step].find((value) => !isFiniteNumber(value));
    throw typeError(`range() takes finite numbers, not ${typeof odd === 'number' ? String(odd) : kindOf(odd)}`);
  }
  const parts = [decimal(from), decimal(to), decimal(step)];
  const scale = Math.max(...parts.map((p) => p.scale));
  const [a, b, s] = parts.map((p) => p.digits * 10n ** BigInt(scale - p.scale)) as [bigint, bigint, bigint];
  if (s === 0n) throw functionError('range() with a step of 0');
  const span = s > 0n ? b - a : a - b;
  const stride = s > 0n ? s : -s;
  const count = span <= 0n ? 0n : (span + stride - 1n) / stride;
  if (count > MOST_ITEMS) throw functionError(`range() of ${count} items, more than ${MOST_ITEMS}`);
  const double = [from, to, step].some((value) => typeof value === 'number');
  return Array.from({ length: Number(count) }, (_, i) => {
    const digits = a + BigInt(i) * s;
    return double ? Number(`${digits}e${-scale}`) : int64(digits);
  });
}
