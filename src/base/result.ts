// A value or what was wrong: how functions answer where a user can be the cause.
import type { Diagnostic } from './diagnostic.ts';

export type Result<T, E = Diagnostic[]> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E };

export const ok = <T>(value: T): { readonly ok: true; readonly value: T } => ({ ok: true, value });

export const err = <E>(error: E): { readonly ok: false; readonly error: E } => ({ ok: false, error });

/** All values, or the errors of every result that failed, so that they can be shown at once. */
export function collect<T>(results: Iterable<Result<T>>): Result<T[]> {
  const values: T[] = [];
  const errors: Diagnostic[] = [];
  for (const result of results) {
    if (result.ok) values.push(result.value);
    else errors.push(...result.error);
  }
  return errors.length > 0 ? err(errors) : ok(values);
}
