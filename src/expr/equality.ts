// When two values of an expression are equal: ints and floats by number, lists and maps by content, jobs by identity.
import { Raw, RecordObject } from './types.ts';

/** Equality of CEL values; `1 == 1.0` at any depth. Values of different types are unequal, never an error. */
export function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  // JavaScript's == compares a bigint and a number by value, exactly.
  if (typeof a === 'bigint') return typeof b === 'number' && a == (b as unknown as bigint);
  if (typeof a === 'number') return typeof b === 'bigint' && (a as unknown as bigint) == b;
  return typeof a === 'object' && a !== null && typeof b === 'object' && b !== null && equalObjects(a, b);
}

function equalObjects(a: object, b: object): boolean {
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!equal(a[i], b[i])) return false;
    return true;
  }
  if (a instanceof Map) {
    if (!(b instanceof Map) || a.size !== b.size) return false;
    for (const [key, value] of a) {
      const other: unknown = b.get(key);
      if ((other === undefined && !b.has(key)) || !equal(value, other)) return false;
    }
    return true;
  }
  if (a instanceof RecordObject) return b instanceof RecordObject && a.identity() === b.identity();
  if (a instanceof Raw) return b instanceof Raw && a.text === b.text;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  // Timestamps and durations of the library: both have a number as their value.
  if (a.constructor !== b.constructor || Array.isArray(b) || b instanceof Map) return false;
  const [x, y]: unknown[] = [a.valueOf(), b.valueOf()];
  return typeof x !== 'object' && x === y;
}

let lastRecord = 0;
const recordNumbers = new WeakMap<object, number>();

function identityText(identity: unknown): string {
  if (typeof identity !== 'object' || identity === null) return `i${String(identity)}`;
  let number = recordNumbers.get(identity);
  if (number === undefined) recordNumbers.set(identity, (number = ++lastRecord));
  return `o${number}`;
}

/**
 * Text that is the same for equal values and differs for others: the key of indexes.
 * Numbers that are whole read alike as int and float; strings carry their length, so that no two lists read alike.
 */
export function equalityKey(value: unknown): string {
  if (typeof value === 'string') return `s${value.length}:${value}`;
  if (typeof value === 'bigint') return `n${value}`;
  if (typeof value === 'number') return Number.isInteger(value) ? `n${BigInt(value)}` : `n${value}`;
  if (typeof value === 'boolean') return value ? 't' : 'f';
  if (value === null) return 'z';
  if (Array.isArray(value)) return `[${value.map(equalityKey).join(',')}]`;
  if (value instanceof Map) {
    const entries = [...value].map(([k, v]) => `${equalityKey(k)}=${equalityKey(v)}`);
    return `{${entries.sort().join(',')}}`;
  }
  return identityText(value instanceof RecordObject ? value.identity() : value);
}
