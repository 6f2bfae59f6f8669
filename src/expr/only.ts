// jobs.only({'i': i}): the jobs that have these values, by an index over the list, made once for each set of names.
import { didYouMean } from '../base/nearest.ts';
import { equalityKey } from './equality.ts';
import { functionError, typeError } from './errors.ts';
import { kindOf } from './kind.ts';
import { asList } from './functions-list.ts';
import { namesIn } from './operators.ts';
import { RecordObject } from './types.ts';

type Index = ReadonlyMap<string, readonly unknown[]>;

/** By the list itself: a rule's jobs are one list for all who ask. Then by the names, sorted. */
const indexes = new WeakMap<object, Map<string, Index>>();

const NONE: readonly unknown[] = Object.freeze([]);

/**
 * The items of a list (jobs, or maps) whose fields have the values that `wanted` gives; `1` finds `1.0`.
 * @throws ExprError where `wanted` is no map, or an item lacks one of the names.
 */
export function only(list: unknown, wanted: unknown): readonly unknown[] {
  const items = asList('only', list);
  if (!(wanted instanceof Map)) throw typeError(`only() takes a map such as {'name': value}, not ${kindOf(wanted)}`);
  const names = [...(wanted as Map<unknown, unknown>).keys()].map(String).sort();
  const [first] = items;
  const all = [...names, first instanceof RecordObject ? first.form() : ''].join('\0');
  let ofList = indexes.get(items);
  if (!ofList) indexes.set(items, (ofList = new Map()));
  let index = ofList.get(all);
  if (!index) ofList.set(all, (index = makeIndex(items, names)));
  return index.get(names.map((name) => equalityKey(wanted.get(name))).join(',')) ?? NONE;
}

function makeIndex(items: readonly unknown[], names: readonly string[]): Index {
  const index = new Map<string, unknown[]>();
  for (const item of items) {
    const key = names.map((name) => equalityKey(fieldOf(item, name))).join(',');
    const found = index.get(key);
    if (found) found.push(item);
    else index.set(key, [item]);
  }
  return index;
}

function fieldOf(item: unknown, name: string): unknown {
  if (!(item instanceof RecordObject) && !(item instanceof Map))
    throw typeError(`only() is for lists of jobs or maps, and there is ${kindOf(item)} in this one`);
  if (item.has(name)) return item.get(name);
  const job = item instanceof RecordObject;
  const which = job && item.has('rule') ? ` of rule ${String(item.get('rule'))}` : '';
  throw functionError(
    `only() asks for '${name}', which ${kindOf(item)}${which} does not have`,
    didYouMean(name, namesIn(item)),
  );
}
