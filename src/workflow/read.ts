// YAML text to nodes with ranges. The only file that imports `yaml`. YAML 1.2 core whatever the file says, with merge
// keys; everything that a person could read in two ways is an error: duplicate keys, unknown tags, several documents.
import {
  Composer,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Parser,
  visit,
  type CST,
  type Document,
  type ParsedNode,
  type Scalar as YamlScalar,
} from 'yaml';
import type { Code } from '../base/codes.ts';
import { error, type Diagnostic, type SourceFile, type SourceRange } from '../base/diagnostic.ts';
import { nearest } from '../base/nearest.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { Key, Scalar } from '../base/value.ts';
import { kindName, mergeEntries, type Entry, type ListNode, type MapNode, type Node, type ScalarNode } from './node.ts';
import { MAX_YAML_BYTES, readSource, type ReadOptions } from './source.ts';
import { otherVersion, severalDocuments, syntaxErrors, type YamlError } from './yaml-errors.ts';
import { tooDeepAt } from './yaml-depth.ts';
import { isCoreTag, styleOf, taggedScalar } from './yaml-tags.ts';

/** How many nodes aliases may add when they are written out: far beyond honest use, far below what takes seconds. */
const MAX_ALIASED = 10_000_000;
/** How deep lists and maps may be nested, aliases written out: everything that walks values recurses. */
const MAX_DEPTH = 500;

/** Reads a YAML file: its text and its nodes. Errors as readSource and readYaml. */
export function readYamlFile(file: string, options: ReadOptions = {}): Result<{ file: SourceFile; node: Node }> {
  const source = readSource(file, { maxBytes: MAX_YAML_BYTES, ...options });
  if (!source.ok) return source;
  const node = readYaml(source.value);
  return node.ok ? ok({ file: source.value, node: node.value }) : node;
}

/** Errors that leave no doubt about all else in the file, so that it can be checked all the same. */
const HARMLESS: ReadonlySet<Code> = new Set(['yaml/duplicate-key', 'yaml/key', 'yaml/merge']);

/**
 * Reads a YAML file that is to be checked further: its text, its nodes, and errors that need not end the checking: keys
 * given twice (the first counts), keys and merges that cannot be (left out). Other errors as readSource and readYaml.
 */
export function readYamlToCheck(
  file: string,
  options: ReadOptions = {},
): Result<{ file: SourceFile; node: Node; errors: readonly Diagnostic[] }> {
  const source = readSource(file, { maxBytes: MAX_YAML_BYTES, ...options });
  if (!source.ok) return source;
  const read = readNodes(source.value);
  if (!read.ok) return read;
  const { node, errors } = read.value;
  return errors.every((e) => HARMLESS.has(e.code)) ? ok({ file: source.value, node, errors }) : err([...errors]);
}

/**
 * The one document of a YAML text; an empty text is null. All errors of the text are given at once: of syntax if there
 * are any, else keys given twice, keys that are neither text nor int, unknown tags, aliases without an anchor,
 * aliases that grow beyond all bounds, a `%YAML` other than 1.2, several documents.
 */
export function readYaml(file: SourceFile): Result<Node> {
  const read = readNodes(file);
  if (!read.ok) return read;
  return read.value.errors.length > 0 ? err([...read.value.errors]) : ok(read.value.node);
}

/** The nodes of a text without errors of syntax, and the other errors. */
function readNodes(file: SourceFile): Result<{ node: Node; errors: readonly Diagnostic[] }> {
  const parsed = parse(file);
  if (typeof parsed === 'number') return err([tooDeep({ file, start: parsed, end: parsed + 1 })]);
  const { document, second } = parsed;
  const errors: YamlError[] = [...document.errors, ...document.warnings].filter((e) => e.code !== 'TAG_RESOLVE_FAILED');
  const version = document.directives?.yaml;
  if (version?.explicit === true && version.version !== '1.2') return err([otherVersion(file)]);
  const found = syntaxErrors(file, errors, (offset) => openingOf(document, offset));
  if (second !== undefined) found.push(severalDocuments(file, second));
  if (found.length > 0) return err(found);
  const builder = new Builder(file);
  const node = builder.build(document.contents as ParsedNode | null);
  return ok({ node, errors: builder.errors });
}

const OPTIONS = {
  version: '1.2',
  schema: 'core',
  intAsBigInt: true,
  // Merge keys, unique keys and tags are Builder's concern: linear in the size, and with both places in the message.
  merge: false,
  uniqueKeys: false,
  resolveKnownTags: false,
  prettyErrors: false,
  logLevel: 'error',
} as const;

type Parsed = { readonly document: Document.Parsed; readonly second: number | undefined };

/** The document as the library composes it and the offset of a second one, or where it is nested too deeply. */
function parse(file: SourceFile): Parsed | number {
  let tokens: CST.Token[];
  try {
    tokens = [...new Parser().parse(file.text)];
  } catch (cause) {
    // The library recurses without a bound of its own.
    if (cause instanceof RangeError) return 0;
    throw cause;
  }
  // Composing recurses too, and near the end of the stack Node can crash instead of throwing.
  const deep = tooDeepAt(tokens, MAX_DEPTH);
  if (deep !== undefined) return deep;
  const documents = new Composer(OPTIONS).compose(tokens, true, file.text.length);
  const first = documents.next().value as Document.Parsed;
  const second = documents.next().value;
  return { document: first, second: second?.range[0] };
}

const tooDeep = (at: SourceRange): Diagnostic =>
  error('yaml/too-deep', `lists and maps are nested too deeply, at most ${MAX_DEPTH} levels are read`, { at });

/** The start of the innermost bracket or quote that covers an offset: what an error "not closed" should point at. */
function openingOf(document: Document.Parsed, offset: number): number | undefined {
  let opening: number | undefined;
  visit(document, {
    Node: (_key, node) => {
      const flow = (isMap(node) || isSeq(node)) && node.flow === true;
      const quoted = isScalar(node) && (node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE');
      if ((flow || quoted) && node.range && node.range[0] <= offset && node.range[2] >= offset) opening = node.range[0];
    },
  });
  return opening;
}

/** A built node with what its aliases amount to when they are written out. */
type Built = { readonly node: Node; readonly size: number; readonly depth: number };

class Builder {
  readonly errors: Diagnostic[] = [];
  private readonly anchors = new Map<string, Built | 'open'>();
  private aliased = 0;
  private bomb = false;
  private deep = false;
  private readonly file: SourceFile;

  constructor(file: SourceFile) {
    this.file = file;
  }

  build(node: ParsedNode | null): Node {
    return this.walk(node, 0, 0).node;
  }

  private range(start: number, end: number): SourceRange {
    return { file: this.file, start, end: Math.max(start, end) };
  }

  private at(node: { range?: readonly [number, number, number] | null | undefined }): SourceRange {
    const [start, end] = node.range ?? [0, 0];
    const text = this.file.text;
    let last = end;
    while (last > start && ' \n\r\t'.includes(text.charAt(last - 1))) last--;
    return this.range(start, last);
  }

  private nothing(offset: number): Built {
    const node: ScalarNode = { kind: 'scalar', value: null, style: 'plain', at: this.range(offset, offset) };
    return { node, size: 1, depth: 0 };
  }

  private walk(node: ParsedNode | null, offset: number, level: number): Built {
    if (node === null) return this.nothing(offset);
    if (isAlias(node)) return this.alias(node.source, this.at(node));
    if (node.anchor !== undefined) this.anchors.set(node.anchor, 'open');
    let built: Built;
    if (isScalar(node)) built = { node: this.scalar(node), size: 1, depth: 0 };
    else if (level >= MAX_DEPTH) built = this.tooDeep(this.at(node));
    else if (isSeq(node)) built = this.list(node, level);
    else built = this.map(node as Extract<ParsedNode, { items: { key: unknown }[] }>, level);
    if (node.anchor !== undefined) this.anchors.set(node.anchor, built);
    return built;
  }

  private tooDeep(at: SourceRange): Built {
    if (!this.deep) this.errors.push(tooDeep(at));
    this.deep = true;
    return this.nothing(at.start);
  }

  private alias(name: string, at: SourceRange): Built {
    const target = this.anchors.get(name);
    if (target === undefined || target === 'open') {
      const message =
        target === 'open'
          ? `the alias '*${name}' stands inside its own anchor '&${name}'`
          : `there is no anchor '&${name}' before this alias`;
      const near = nearest(name, this.anchors.keys());
      const hint = target === undefined && near !== undefined ? `did you mean '*${near}'?` : undefined;
      this.errors.push(error('yaml/alias', message, { at, hint: hint ?? this.aliasHint(target) }));
      return this.nothing(at.start);
    }
    this.aliased += target.size;
    if (this.aliased > MAX_ALIASED) {
      if (!this.bomb) {
        const message = `aliases of aliases make this file more than ${MAX_ALIASED / 1e6} million values large`;
        this.errors.push(error('yaml/alias-bomb', message, { at, hint: 'write fewer aliases inside one another' }));
      }
      this.bomb = true;
      return this.nothing(at.start);
    }
    return target;
  }

  private aliasHint(target: 'open' | undefined): string | undefined {
    return target === undefined ? "text that begins with '*' is put in quotes" : undefined;
  }

  private scalar(node: YamlScalar.Parsed): ScalarNode {
    const at = this.at(node);
    const style = styleOf(node.type);
    let value = node.value as Scalar;
    const tag = node.tag;
    if (tag !== undefined) {
      const read = taggedScalar(tag, value, node.source);
      if (read === undefined) this.badTag(tag, at, 'scalar');
      else value = read.value;
    }
    return { kind: 'scalar', value, style, at };
  }

  private badTag(tag: string, at: SourceRange, on: 'scalar' | 'list' | 'map'): void {
    const shown = tag.replace('tag:yaml.org,2002:', '!!');
    const start = Math.max(this.file.text.lastIndexOf(shown, at.start), 0);
    const where = this.file.text.startsWith(shown, start) ? this.range(start, start + shown.length) : at;
    const core = isCoreTag(tag);
    const message = core ? `the tag '${shown}' does not fit this value` : `unknown tag '${shown}'`;
    const hint = core || on !== 'scalar' ? undefined : "text that begins with '!' is put in quotes";
    this.errors.push(error('yaml/tag', message, { at: where, hint }));
  }

  private list(node: Extract<ParsedNode, { items: unknown[] }>, level: number): Built {
    const at = this.at(node);
    if (node.tag !== undefined && node.tag !== 'tag:yaml.org,2002:seq') this.badTag(node.tag, at, 'list');
    let size = 1;
    let depth = 0;
    const items: Node[] = [];
    for (const item of node.items as (ParsedNode | null)[]) {
      const built = this.walk(item, at.start, level + 1);
      size += built.size;
      depth = Math.max(depth, built.depth + 1);
      items.push(built.node);
    }
    if (level + depth > MAX_DEPTH) return this.tooDeep(at);
    const list: ListNode = { kind: 'list', items, at };
    return { node: list, size, depth };
  }

  private map(node: Extract<ParsedNode, { items: { key: unknown }[] }>, level: number): Built {
    const at = this.at(node);
    if (node.tag !== undefined && node.tag !== 'tag:yaml.org,2002:map') this.badTag(node.tag, at, 'map');
    let size = 1;
    let depth = 0;
    const own = new Map<Key, Entry>();
    const parts: (Entry | { merged: readonly Entry[] })[] = [];
    for (const pair of node.items as { key: ParsedNode | null; value: ParsedNode | null }[]) {
      const key = this.walk(pair.key, at.start, level + 1).node;
      const keyAt = pair.key === null ? key.at : this.at(pair.key);
      const built = this.walk(pair.value, key.at.end, level + 1);
      depth = Math.max(depth, built.depth + 1);
      if (key.kind === 'scalar' && key.value === '<<' && key.style === 'plain') {
        const merged = this.mergeSources(built.node, key.at);
        size += merged.length;
        parts.push({ merged });
        continue;
      }
      size += built.size + 1;
      const name = this.key(key);
      if (name === undefined) continue;
      const entry: Entry = { key: name, keyAt, keyStyle: (key as ScalarNode).style, value: built.node };
      const first = own.get(name);
      if (first !== undefined) {
        const related = [{ message: 'first given here', at: first.keyAt }];
        const message = `the key '${name}' is given twice in one map`;
        this.errors.push(error('yaml/duplicate-key', message, { at: keyAt, related }));
        continue;
      }
      own.set(name, entry);
      parts.push(entry);
    }
    if (level + depth > MAX_DEPTH) return this.tooDeep(at);
    const map: MapNode = { kind: 'map', entries: mergeEntries(parts, own), at };
    return { node: map, size, depth };
  }

  /** The entries that `<<: source` adds: of a map, or of a list of maps of which earlier ones win. */
  private mergeSources(source: Node, at: SourceRange): readonly Entry[] {
    const maps = source.kind === 'list' ? source.items : [source];
    const other = maps.find((map) => map.kind !== 'map');
    if (other !== undefined && !this.bomb && !this.deep) {
      const what = source.kind === 'list' ? `a list with ${kindName(other)} in it` : kindName(other);
      const hint = "write '<<: *name' or '<<: [*one, *two]'";
      this.errors.push(error('yaml/merge', `'<<' merges maps, and this is ${what}`, { at, hint }));
    }
    return maps.flatMap((map) => (map.kind === 'map' ? map.entries : []));
  }

  private key(key: Node): Key | undefined {
    if (key.kind === 'scalar') {
      const { value } = key;
      if (typeof value === 'string' || typeof value === 'bigint') return value;
    }
    const shown = this.file.text.slice(key.at.start, key.at.end);
    const what =
      key.kind === 'scalar' && shown !== '' ? `'${shown}'` : key.kind === 'scalar' ? 'nothing' : `a ${key.kind}`;
    const hint = key.kind === 'scalar' && shown !== '' ? `put it in quotes: '${shown}'` : undefined;
    this.errors.push(
      error('yaml/key', `${what} cannot be a key, expected text or a whole number`, { at: key.at, hint }),
    );
    return undefined;
  }
}
