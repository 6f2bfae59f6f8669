// A job's config from its layers, merged in order. A hundred thousand jobs share presets: a sub-map that no layer
// changes is the same object in all of them, and so is the outcome of merging the same two presets.
import { DiagnosticError, error, type SourceRange } from '../base/diagnostic.ts';
import { nearest } from '../base/nearest.ts';
import type { Result } from '../base/result.ts';
import { isList, isMap, type Key, type Value, type ValueMap } from '../base/value.ts';
import { evaluate } from '../expr/template.ts';
import type { Scope } from '../expr/types.ts';
import { keyFor } from './paths.ts';
import type { Layer } from './workflow.ts';

export { getPath, removePaths, setPath, splitPath } from './paths.ts';

const EMPTY: ValueMap = new Map();

/** Maps that outlive one job: read from files, written out in the workflow, or merged of such. */
const lasting = new WeakSet<object>();
const mergedBefore = new WeakMap<object, WeakMap<object, ValueMap>>();
const placedBefore = new WeakMap<object, Map<string, ValueMap>>();

function markLasting(value: Value): void {
  if (isMap(value)) {
    if (lasting.has(value)) return;
    lasting.add(value);
    for (const inner of value.values()) markLasting(inner);
  } else if (isList(value)) {
    for (const inner of value) markLasting(inner);
  }
}

/**
 * `over` on top of `base`: maps merge deeply, anything else is replaced. Neither is changed; what only one of them has
 * is shared with it. Jobs (RecordObject) inside count as plain values.
 */
export function mergeMaps(base: ValueMap, over: ValueMap): ValueMap {
  if (over.size === 0 || base === over) return base;
  if (base.size === 0) return over;
  const keep = lasting.has(base) && lasting.has(over);
  const known = keep ? mergedBefore.get(base)?.get(over) : undefined;
  if (known !== undefined) return known;
  const result = new Map<Key, Value>(base);
  for (const [key, value] of over) {
    const before = result.get(key);
    result.set(key, isMap(before) && isMap(value) ? mergeMaps(before, value) : value);
  }
  if (keep) {
    const inner = mergedBefore.get(base) ?? new WeakMap<object, ValueMap>();
    mergedBefore.set(base, inner.set(over, result));
    lasting.add(result);
  }
  return result;
}

/** `value` below a path, as a map: ['a', 'b'] gives { a: { b: value } }. */
function place(value: Value, path: readonly string[]): ValueMap | undefined {
  if (path.length === 0) return isMap(value) ? value : undefined;
  const keep = isMap(value) && lasting.has(value);
  const known = keep ? placedBefore.get(value)?.get(path.join('.')) : undefined;
  if (known !== undefined) return known;
  const result = path.reduceRight<Value>((inner, segment) => new Map([[segment, inner]]), value) as ValueMap;
  if (keep) {
    const inner = placedBefore.get(value) ?? new Map<string, ValueMap>();
    placedBefore.set(value, inner.set(path.join('.'), result));
    markLasting(result);
  }
  return result;
}

/**
 * The config of one job.
 * @param readData the value of a data file, by its path from the workflow's folder; the caller keeps what was read, and
 *   must give the same object each time, or nothing is shared
 * @returns a map, in which jobs may stand where an expression gave one
 * @throws DiagnosticError with all that is wrong in one layer: what expressions and readData find; a `file` that is not
 *   text; a layer at the top that is no map; a layer with `extend: false` that sets a path no earlier layer has
 */
export function composeConfig(
  layers: readonly Layer[],
  scope: Scope,
  readData: (path: string) => Result<Value>,
): ValueMap {
  let config = EMPTY;
  for (const layer of layers) {
    const value = layer.kind === 'file' ? readLayer(layer, scope, readData) : setLayer(layer, scope);
    if (value === null && layer.under.length === 0) continue;
    const placed = place(value, layer.under);
    if (placed === undefined) throw notAMap(layer, value);
    if (!layer.extend) checkExtends(config, placed, layer);
    config = mergeMaps(config, placed);
  }
  return config;
}

function readLayer(layer: Layer, scope: Scope, readData: (path: string) => Result<Value>): Value {
  const path = evaluate(layer.value, scope);
  if (typeof path !== 'string') {
    throw new DiagnosticError([
      error('config/layer', `the path of a config file must be text, and is ${describe(path)}`, { at: layer.value.at }),
    ]);
  }
  const read = readData(path);
  if (!read.ok) throw new DiagnosticError(read.error.map((d) => (d.at ? d : { ...d, at: layer.value.at })));
  markLasting(read.value);
  return read.value;
}

function setLayer(layer: Layer, scope: Scope): Value {
  const value = evaluate(layer.value, scope) as Value;
  if (layer.value.kind === 'constant') markLasting(value);
  return value;
}

function notAMap(layer: Layer, value: unknown): DiagnosticError {
  const what = layer.kind === 'file' ? 'a config file must hold a map' : '`set` must give a map';
  const hint = 'a layer with `at: a.b` may be anything, and is put there';
  return new DiagnosticError([
    error('config/layer', `${what}, and this gives ${describe(value)}`, { at: layer.value.at, hint }),
  ]);
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  if (isMap(value)) return 'a map';
  if (isList(value)) return 'a list';
  if (typeof value === 'string') return `the text '${value}'`;
  return typeof value === 'object' ? 'a job' : `${value as boolean | bigint | number}`;
}

/** @throws DiagnosticError that names every path that `over` sets and `base` does not have. */
function checkExtends(base: ValueMap, over: ValueMap, layer: Layer): void {
  const unread: string[][] = [];
  const visit = (known: ValueMap, added: ValueMap, path: readonly string[]): void => {
    for (const [key, value] of added) {
      const here = [...path, String(key)];
      const name = keyFor(known, String(key));
      const before = name === undefined ? undefined : known.get(name);
      if (isMap(before) && isMap(value)) visit(before, value, here);
      else if (before === undefined || (isMap(value) && value.size > 0 && before !== null))
        unread.push(...leaves(value, here));
    }
  };
  visit(base, over, []);
  if (unread.length === 0) return;
  throw new DiagnosticError(
    unread.map((path) => {
      const message = `the override sets '${path.join('.')}', which no earlier layer has, so nothing reads it`;
      const near = nearestPath(base, path);
      const hint = near === undefined ? 'leave out `extend: false` to add new paths' : `did you mean '${near}'?`;
      return error('config/unread-override', message, { at: placeOf(layer, path), hint });
    }),
  );
}

const leaves = (value: Value, path: string[]): string[][] =>
  isMap(value) && value.size > 0 ? [...value].flatMap(([key, inner]) => leaves(inner, [...path, String(key)])) : [path];

/** Where in the workflow a path of the layer is written, as near as it is known. */
function placeOf(layer: Layer, path: readonly string[]): SourceRange {
  for (let length = path.length; length > layer.under.length; length--) {
    const at = layer.places?.get(path.slice(0, length).join('.'));
    if (at !== undefined) return at;
  }
  return layer.value.kind === 'expression' ? layer.value.at : layer.at;
}

/** The path that was meant: one with the same last name before one that is spelt much the same. */
function nearestPath(config: ValueMap, path: readonly string[]): string | undefined {
  const known: string[] = [];
  const visit = (map: ValueMap, prefix: string): void => {
    for (const [key, value] of map) {
      known.push(`${prefix}${key}`);
      if (isMap(value)) visit(value, `${prefix}${key}.`);
    }
  };
  visit(config, '');
  const wanted = path.join('.');
  const last = path.at(-1) ?? '';
  // What is above the path is there, and was not meant.
  const others = known.filter((p) => !wanted.startsWith(`${p}.`));
  const lastOf = (p: string): string => p.slice(p.lastIndexOf('.') + 1);
  const sameName = others.filter((p) => lastOf(p) === last);
  if (sameName.length > 0) return sameName.toSorted((a, b) => common(b, wanted) - common(a, wanted))[0];
  const direct = nearest(wanted, others);
  if (direct !== undefined) return direct;
  const near = nearest(last, new Set(others.map(lastOf)));
  return others.filter((p) => lastOf(p) === near).toSorted((a, b) => common(b, wanted) - common(a, wanted))[0];
}

/** How many leading segments two paths share. */
function common(a: string, b: string): number {
  const [x, y] = [a.split('.'), b.split('.')];
  const differ = x.findIndex((segment, i) => segment !== y[i]);
  return differ === -1 ? x.length : differ;
}
