// Dotted paths in configs (`a.b.0`): reading, setting and removing without changing the value they start from.
// What a change does not touch is shared between the old value and the new one.
import { isList, isMap, type Key, type Value } from '../base/value.ts';

/** `a.b` -> ['a', 'b']; the empty text is the top, []. */
export const splitPath = (path: string): readonly string[] => (path === '' ? [] : path.split('.'));

/** The key of a map that a segment names: the text itself, else the int that reads so. */
export function keyFor(map: ReadonlyMap<Key, unknown>, segment: string): Key | undefined {
  if (map.has(segment)) return segment;
  if (!/^-?\d+$/.test(segment)) return undefined;
  const int = BigInt(segment);
  return map.has(int) ? int : undefined;
}

const indexFor = (list: readonly unknown[], segment: string): number | undefined => {
  const index = /^\d+$/.test(segment) ? Number(segment) : Number.NaN;
  return index < list.length ? index : undefined;
};

/** The value at a path, or undefined where there is none. Segments are keys of maps or, from 0, indexes of lists. */
export function getPath(value: unknown, path: readonly string[]): unknown {
  let at = value;
  for (const segment of path) {
    if (isMap(at)) {
      const key = keyFor(at, segment);
      at = key === undefined ? undefined : at.get(key);
    } else if (isList(at)) {
      const index = indexFor(at, segment);
      at = index === undefined ? undefined : at[index];
    } else return undefined;
  }
  return at;
}

/** The path of a value that is neither map nor list (nor null) in the way of setting `path`, or undefined if none is. */
export function obstacle(value: unknown, path: readonly string[]): readonly string[] | undefined {
  let at = value;
  for (const [depth, segment] of path.entries()) {
    if (at === undefined || at === null) return undefined;
    if (isMap(at)) {
      const key = keyFor(at, segment);
      at = key === undefined ? undefined : at.get(key);
    } else if (isList(at)) {
      const index = indexFor(at, segment);
      if (index === undefined) return path.slice(0, depth);
      at = at[index];
    } else return path.slice(0, depth);
  }
  return undefined;
}

/**
 * A copy of `value` with `inner` at the path; maps on the way are made where they are missing, and what stands in the
 * way (see obstacle) is replaced by a map.
 */
export function setPath(value: Value, path: readonly string[], inner: Value): Value {
  const [segment, ...rest] = path;
  if (segment === undefined) return inner;
  if (isList(value)) {
    const index = indexFor(value, segment);
    if (index !== undefined) return value.with(index, setPath(value[index] ?? null, rest, inner));
  }
  const copy = new Map(isMap(value) ? value : []);
  const key = keyFor(copy, segment) ?? segment;
  return copy.set(key, setPath(copy.get(key) ?? null, rest, inner));
}

/** A copy of `value` without the path; the very same object where the path is not in it. Lists keep their items. */
export function removePath(value: Value, path: readonly string[]): Value {
  const [segment, ...rest] = path;
  if (segment === undefined) return value;
  if (isList(value)) {
    const index = indexFor(value, segment);
    if (index === undefined || rest.length === 0) return value;
    const before = value[index] ?? null;
    const after = removePath(before, rest);
    return after === before ? value : value.with(index, after);
  }
  if (!isMap(value)) return value;
  const key = keyFor(value, segment);
  if (key === undefined) return value;
  const before = value.get(key) ?? null;
  const after = rest.length === 0 ? undefined : removePath(before, rest);
  if (after === before) return value;
  const copy = new Map(value);
  if (after === undefined) copy.delete(key);
  else copy.set(key, after);
  return copy;
}

const removed = new WeakMap<object, WeakMap<readonly string[], Value>>();

/**
 * A config without some dotted paths: what `unkeyed` leaves of it. Shares all it can with the config, and gives the same
 * object for the same config and list of paths, so that what many jobs share stays shared.
 */
export function removePaths(config: Value, paths: readonly string[]): Value {
  if (!isMap(config)) return config;
  let known = removed.get(config);
  if (known === undefined) removed.set(config, (known = new WeakMap()));
  let result = known.get(paths);
  if (result === undefined) {
    result = paths.reduce<Value>((value, path) => removePath(value, splitPath(path)), config);
    known.set(paths, result);
  }
  return result;
}
