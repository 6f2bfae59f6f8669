// Two sets of key parts -> what differs, down to config paths and file names.
import { keyedConfig } from '../graph/plain.ts';
import type { KeyPart, PartKind } from '../store/trace.ts';

/** `old` or `new` is undefined where the part is only in the other. */
export type Difference = {
  readonly kind: PartKind;
  readonly path: string;
  readonly old: string | undefined;
  readonly new: string | undefined;
};

/**
 * What differs between two keys, in the order of their parts. A changed config is given path by path.
 * @param unkeyed config paths that do not count in keys
 */
export function diffParts(
  before: { parts: readonly KeyPart[]; config: string },
  after: { parts: readonly KeyPart[]; config: string },
  unkeyed: readonly string[],
): Difference[] {
  const differences: Difference[] = [];
  const old = byName(before.parts);
  const now = byName(after.parts);
  for (const [name, part] of now) {
    const earlier = old.get(name);
    if (earlier?.value === part.value) continue;
    if (part.kind === 'job' || part.kind === 'config') {
      differences.push(...diffConfigs(keyedConfig(before.config, unkeyed), keyedConfig(after.config, unkeyed)));
    } else differences.push({ kind: part.kind, path: part.path, old: earlier?.value, new: part.value });
  }
  for (const [name, part] of old) {
    if (!now.has(name)) differences.push({ kind: part.kind, path: part.path, old: part.value, new: undefined });
  }
  return withoutOrder(unique(differences));
}

/** Config paths whose values differ; `old` and `new` are JSON. Ints and floats differ here. */
export function diffConfigs(before: string, after: string): Difference[] {
  const old = flatten(before);
  const now = flatten(after);
  const differences: Difference[] = [];
  for (const [path, value] of now) {
    if (old.get(path) !== value) differences.push({ kind: 'config', path, old: old.get(path), new: value });
  }
  for (const [path, value] of old) {
    if (!now.has(path)) differences.push({ kind: 'config', path, old: value, new: undefined });
  }
  return differences;
}

/** A path one key longer; a key in which a path would be read is quoted: `a["b.c"]`. */
function below(path: string, key: string): string {
  if (/[.[\]"]/.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path === '' ? key : `${path}.${key}`;
}

/** Leaves of a JSON text by dotted path, numbers as they are written. */
function flatten(json: string): Map<string, string> {
  const leaves = new Map<string, string>();
  const walk = (value: unknown, path: string): void => {
    if (value instanceof Raw) leaves.set(path, value.text);
    else if (Array.isArray(value) && value.length > 0) value.forEach((item, i) => walk(item, `${path}[${i}]`));
    else if (value !== null && typeof value === 'object' && Object.keys(value).length > 0) {
      for (const [key, item] of Object.entries(value)) walk(item, below(path, key));
    } else leaves.set(path, JSON.stringify(value));
  };
  if (json !== '') walk(parseNumbersAsText(json), '');
  return leaves;
}

class Raw {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** JSON.parse that keeps the digits of numbers: they are wrapped as text first. */
function parseNumbersAsText(json: string): unknown {
  const marked = json.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (token) =>
    token.startsWith('"') ? token : `{"\\u0000n":"${token}"}`,
  );
  return JSON.parse(marked, (_key, value: unknown) => {
    if (value !== null && typeof value === 'object' && '\0n' in value) return new Raw(String(value['\0n']));
    return value;
  });
}

function byName(parts: readonly KeyPart[]): Map<string, KeyPart> {
  const map = new Map<string, KeyPart>();
  for (const part of parts) {
    const name = `${part.kind}\0${part.path}`;
    const other = map.get(name);
    // Two inputs of one name outside the workflow's folder are one entry with both contents.
    map.set(name, other && other.value !== part.value ? { ...part, value: `${other.value} ${part.value}` } : part);
  }
  return map;
}

/** The order of a list is worth a line only where the list is otherwise the same. */
function withoutOrder(differences: Difference[]): Difference[] {
  const others = differences.filter((d) => !(d.kind === 'input' && d.path.endsWith(' (order)')));
  return others.length > 0 ? others : differences;
}

function unique(differences: Difference[]): Difference[] {
  const seen = new Set<string>();
  return differences.filter((d) => {
    const name = `${d.kind}\0${d.path}`;
    if (seen.has(name)) return false;
    seen.add(name);
    return true;
  });
}
