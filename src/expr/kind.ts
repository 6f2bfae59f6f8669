// The type of a value as messages name it, and what the library's own classes look like from outside.
import { Raw, RecordObject } from './types.ts';

/** The type's name with an article: `an int`, `a list`, `null`. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value !== 'object') return SCALARS[typeof value] ?? 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (value instanceof RecordObject) return 'a job';
  if (value instanceof Raw) return 'a raw text';
  if (value instanceof Uint8Array) return 'bytes';
  if (value instanceof Date) return 'a timestamp';
  if (isPlainMap(value)) return 'a map';
  const name = value.constructor.name.toLowerCase();
  return `${/^[aeiou]/.test(name) ? 'an' : 'a'} ${name}`;
}

const SCALARS: Readonly<Record<string, string>> = {
  string: 'a string',
  bigint: 'an int',
  number: 'a double',
  boolean: 'a bool',
};

/** A Map, or an object without a class. */
export const isPlainMap = (value: object): boolean =>
  value instanceof Map || value.constructor === Object || value.constructor === undefined;

export const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;
