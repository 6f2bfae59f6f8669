// `caches:` of the workflow, and of a user's own file ~/.config/lhb/config.yaml, as entries that can be merged.
import { dirname, resolve } from 'node:path';
import { error, type Diagnostic, type SourceRange } from '../base/diagnostic.ts';
import { err, ok, type Result } from '../base/result.ts';
import { kindOf } from '../cache/url.ts';
import { readSource } from './source.ts';
import { fieldOf, textOf, type Node } from './node.ts';
import { readYaml } from './read.ts';
import { checkShape } from './schema.ts';

/** A cache as one file says it; a user's file may leave out what the workflow says. */
export type CacheEntry = {
  readonly name: string;
  readonly url: string | undefined;
  readonly mode: 'r' | 'rw' | undefined;
  /** Absolute paths. */
  readonly trust: 'any' | readonly string[] | undefined;
  readonly ns: string | undefined;
  readonly at: SourceRange;
};

/**
 * The entries of a list of caches whose shape was checked.
 * @param folder what the paths of key files are relative to
 * @param problems takes what is wrong with URLs and names
 */
export function readCaches(node: Node | undefined, folder: string, problems: Diagnostic[]): CacheEntry[] {
  const entries: CacheEntry[] = [];
  for (const item of node?.kind === 'list' ? node.items : []) {
    const name = textOf(fieldOf(item, 'name')) ?? '';
    const urlNode = fieldOf(item, 'url');
    const url = textOf(urlNode);
    const first = entries.find((entry) => entry.name === name);
    const at = fieldOf(item, 'name')?.at ?? item.at;
    if (first) {
      const related = [{ message: 'first defined here', at: first.at }];
      problems.push(error('cache/config', `two caches have the name '${name}'`, { at, related }));
      continue;
    }
    const kind = url === undefined ? undefined : kindOf(url);
    if (kind?.ok === false) {
      // A line with a password in it is not shown.
      const place = url?.includes('@') ? {} : { at: urlNode?.at };
      problems.push(error('cache/config', `the url of cache '${name}': ${kind.error}`, place));
    }
    entries.push({
      name,
      url,
      mode: textOf(fieldOf(item, 'mode')) as CacheEntry['mode'],
      trust: trustOf(fieldOf(item, 'trust'), folder),
      ns: textOf(fieldOf(item, 'ns')),
      at,
    });
  }
  return entries;
}

function trustOf(node: Node | undefined, folder: string): CacheEntry['trust'] {
  if (node === undefined) return undefined;
  const items = node.kind === 'list' ? node.items : [node];
  const names = items.flatMap((item) => textOf(item) ?? []);
  return names.includes('any') ? 'any' : names.map((name) => resolve(folder, name));
}

/** The caches of a user's own file; none where there is no such file. */
export function readUserCaches(file: string): Result<CacheEntry[]> {
  const source = readSource(file);
  if (!source.ok) return source.error.every((d) => d.code === 'file/not-found') ? ok([]) : source;
  const node = readYaml(source.value);
  if (!node.ok) return node;
  if (node.value.kind === 'scalar' && node.value.value === null) return ok([]);
  const problems = checkShape(node.value, 'user');
  const caches = readCaches(fieldOf(node.value, 'caches'), dirname(file), problems);
  return problems.length > 0 ? err(problems) : ok(caches);
}
