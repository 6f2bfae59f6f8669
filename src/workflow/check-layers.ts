// `config:` of a rule -> layers.
import { error } from '../base/diagnostic.ts';
import { compileNode } from './compile.ts';
import { entryOf, fieldOf, type MapNode, type Node } from './node.ts';
import { splitPath } from './paths.ts';
import type { RuleContext } from './rule-context.ts';
import type { Layer } from './workflow.ts';

const LAYER_FIELDS: ReadonlySet<unknown> = new Set(['file', 'set', 'at', 'extend']);

/** A list of layers, one layer, a file's path, or a map that is set as it stands; undefined without `config`. */
export function readLayers(node: Node | undefined, context: RuleContext): readonly Layer[] | undefined {
  if (node === undefined) return undefined;
  if (node.kind === 'list') return node.items.flatMap((item) => readLayer(item, context) ?? []);
  const layer = node.kind === 'map' && !isLayer(node) ? setLayer(node, context) : readLayer(node, context);
  return layer === undefined ? [] : [layer];
}

const isLayer = (node: MapNode): boolean =>
  (entryOf(node, 'file') ?? entryOf(node, 'set')) !== undefined && node.entries.every((e) => LAYER_FIELDS.has(e.key));

function readLayer(node: Node, context: RuleContext): Layer | undefined {
  if (node.kind === 'scalar') {
    const value = compileNode(node, context);
    return value && { kind: 'file', value, under: [], extend: true, at: node.at };
  }
  const file = entryOf(node, 'file');
  const set = entryOf(node, 'set');
  const entry = file ?? set;
  // Both or neither of them: the schema has told.
  if (entry === undefined || (file && set)) return undefined;
  const value = compileNode(entry.value, context);
  const extend = fieldOf(node, 'extend');
  const under = readUnder(fieldOf(node, 'at'), context);
  if (value === undefined) return undefined;
  return {
    kind: file ? 'file' : 'set',
    value,
    under,
    extend: extend?.kind !== 'scalar' || extend.value !== false,
    at: entry.keyAt,
    places: set ? placesIn(set.value, under) : new Map(),
  };
}

function setLayer(node: MapNode, context: RuleContext): Layer | undefined {
  const value = compileNode(node, context);
  return value && { kind: 'set', value, under: [], extend: true, at: node.at, places: placesIn(node, []) };
}

function readUnder(node: Node | undefined, context: RuleContext): readonly string[] {
  const text = context.staticText(node, 'at');
  if (text === undefined) return [];
  const path = splitPath(text);
  if (path.includes('')) {
    const message = `rule '${context.rule}': '${text}' in \`at\` is no dotted path`;
    context.issues.add(error('workflow/dotted-path', message, { at: node?.at, hint: 'write it as a.b.c' }));
  }
  return path;
}

/** Where each path of a map that is written out stands, by its dotted text: for errors about that path. */
function placesIn(node: Node, under: readonly string[]): Map<string, MapNode['at']> {
  const places = new Map<string, MapNode['at']>();
  const visit = (inner: Node, path: readonly string[]): void => {
    if (inner.kind !== 'map') return;
    for (const entry of inner.entries) {
      const here = [...path, String(entry.key)];
      places.set(here.join('.'), entry.keyAt);
      visit(entry.value, here);
    }
  };
  visit(node, under);
  return places;
}
