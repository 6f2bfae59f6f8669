// YAML as a tree of our own, with the place of everything: what read.ts makes and check.ts takes apart.
// An alias is the very node of its anchor, so a tree may share nodes; it never holds itself.
import type { SourceRange } from '../base/diagnostic.ts';
import type { Key, Scalar, Value } from '../base/value.ts';

/** How a scalar is written; `plain` is without quotes. */
export type ScalarStyle = 'plain' | 'single' | 'double' | 'block';

export type ScalarNode = {
  readonly kind: 'scalar';
  readonly value: Scalar;
  readonly style: ScalarStyle;
  readonly at: SourceRange;
};
export type ListNode = { readonly kind: 'list'; readonly items: readonly Node[]; readonly at: SourceRange };
export type MapNode = { readonly kind: 'map'; readonly entries: readonly Entry[]; readonly at: SourceRange };
export type Node = ScalarNode | ListNode | MapNode;

export type Entry = {
  readonly key: Key;
  readonly keyAt: SourceRange;
  readonly keyStyle: ScalarStyle;
  readonly value: Node;
};

/** The entry of a map by its key's text, or undefined; also where the node is no map. */
export function entryOf(node: Node | undefined, key: string): Entry | undefined {
  return node?.kind === 'map' ? node.entries.find((entry) => entry.key === key) : undefined;
}

/** The value of a map's field, or undefined where the node is no map or has no such field. */
export function fieldOf(node: Node | undefined, key: string): Node | undefined {
  return entryOf(node, key)?.value;
}

/** The text of a scalar that is text, else undefined. */
export function textOf(node: Node | undefined): string | undefined {
  return node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined;
}

/** A node as a value. Nodes that are shared (aliases) become values that are shared. */
export function nodeToValue(node: Node, known = new Map<Node, Value>()): Value {
  if (node.kind === 'scalar') return node.value;
  const before = known.get(node);
  if (before !== undefined) return before;
  const value =
    node.kind === 'list'
      ? node.items.map((item) => nodeToValue(item, known))
      : new Map(node.entries.map((entry) => [entry.key, nodeToValue(entry.value, known)] as const));
  known.set(node, value);
  return value;
}

/** What a node is, for messages: `a map`, `text`, `a whole number`. */
export function kindName(node: Node): string {
  if (node.kind === 'map') return 'a map';
  if (node.kind === 'list') return 'a list';
  return scalarKindName(node.value);
}

/** What a scalar is, for messages. */
export function scalarKindName(value: Scalar): string {
  if (value === null) return 'nothing';
  if (typeof value === 'string') return 'text';
  if (typeof value === 'boolean') return `${value}`;
  return typeof value === 'bigint' ? 'a whole number' : 'a number';
}

/** Entries of a map in which `<<` stands: own keys win over merged ones, earlier merged ones over later; all in the order of the text. */
export function mergeEntries(
  parts: readonly (Entry | { readonly merged: readonly Entry[] })[],
  own: ReadonlyMap<Key, Entry>,
): Entry[] {
  const entries: Entry[] = [];
  const taken = new Set<Key>();
  for (const part of parts) {
    if (!('merged' in part)) {
      entries.push(part);
      continue;
    }
    for (const entry of part.merged) {
      if (own.has(entry.key) || taken.has(entry.key)) continue;
      taken.add(entry.key);
      entries.push(entry);
    }
  }
  return entries;
}
