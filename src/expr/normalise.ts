// Results of expressions as the rest of lhb knows values: lists are arrays, maps are Maps, ints are bigint.
import { Raw, RecordObject, Verbatim } from './types.ts';

/** The library's own classes, given by cel.ts. */
export type LibraryClasses = {
  readonly optionalValue: (value: object) => { readonly value: unknown } | undefined;
};

/**
 * A value with the library's own classes taken out: an optional is its value, an unsigned int is an int, bytes, timestamps,
 * durations and types are text. Lists and maps that hold none come back as they are, not copied.
 */
export function normalise(value: unknown, classes: LibraryClasses): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof RecordObject || value instanceof Raw || value instanceof Verbatim) return value;
  const again = (item: unknown): unknown => normalise(item, classes);
  if (Array.isArray(value)) {
    const items = (value as unknown[]).map(again);
    return items.some((item, i) => item !== value[i]) ? items : value;
  }
  if (value instanceof Map) {
    const entries = [...(value as Map<unknown, unknown>)].map(([k, v]) => [k, again(v)] as const);
    return entries.some(([k, v]) => v !== value.get(k)) ? new Map(entries) : value;
  }
  if (value instanceof Set) return [...(value as Set<unknown>)].map(again);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  const optional = classes.optionalValue(value);
  if (optional) return again(optional.value);
  if (value.constructor === Object || value.constructor === undefined)
    return new Map(Object.entries(value).map(([k, v]) => [k, again(v)]));
  const plain: unknown = value.valueOf();
  if (typeof plain === 'bigint') return plain;
  if ('name' in value && typeof value.name === 'string') return value.name;
  // eslint-disable-next-line @typescript-eslint/no-base-to-string -- durations of the library have a toString of their own
  return String(value);
}
