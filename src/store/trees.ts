// The work trees that use a store: a file each, `trees/ID.json` with format, id, path and host, written when a build opens
// the store. What lies in these trees is never collected; a tree that cannot be looked at stops gc.
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { writeAtomic } from '../fs/atomic-write.ts';
import { readSmallJson } from '../fs/bounded-read.ts';
import { unless } from '../fs/errno.ts';
import { workLayout, type StoreLayout } from './layout.ts';

export type RegisteredTree = {
  readonly id: string;
  /** The workflow's folder, absolute. */
  readonly path: string;
  readonly host: string;
};

const FORMAT = 1;

/** What an id may be: it names files. */
export const TREE_ID = /^[0-9A-Za-z-]{1,64}$/;

const fileOf = (layout: StoreLayout, id: string): string => join(layout.trees, `${id}.json`);

/** Notes that a work tree uses the store. Throws system errors. */
export function registerTree(layout: StoreLayout, id: string, path: string): void {
  const known = readTree(layout, id);
  const host = hostname();
  if (known?.path === path && known.host === host) return;
  mkdirSync(layout.trees, { recursive: true });
  writeAtomic(fileOf(layout, id), `${JSON.stringify({ format: FORMAT, id, path, host })}\n`);
}

function readTree(layout: StoreLayout, id: string): RegisteredTree | undefined {
  const fields = readSmallJson(fileOf(layout, id));
  if (fields?.['format'] !== FORMAT || fields['id'] !== id) return undefined;
  const { path, host } = fields;
  return typeof path === 'string' && path.startsWith('/') && typeof host === 'string' ? { id, path, host } : undefined;
}

/** Every registered work tree, by id; the paths of files that cannot be read as one. */
export function registeredTrees(layout: StoreLayout): { trees: RegisteredTree[]; unreadable: string[] } {
  const trees: RegisteredTree[] = [];
  const unreadable: string[] = [];
  for (const name of (unless(['ENOENT'], () => readdirSync(layout.trees)) ?? []).sort()) {
    const [, id] = /^(.*)\.json$/.exec(name) ?? [];
    if (id === undefined || name.startsWith('.lhb-')) continue;
    const tree = TREE_ID.test(id) ? readTree(layout, id) : undefined;
    if (tree) trees.push(tree);
    else unreadable.push(join(layout.trees, name));
  }
  return { trees, unreadable };
}

export function forgetRegistration(layout: StoreLayout, id: string): void {
  rmSync(fileOf(layout, id), { force: true });
}

/** The id that a work tree has now; undefined where there is no work tree, or none that can be read. */
export function treeIdAt(path: string): string | undefined {
  const id = unless(['EACCES', 'EIO', 'ESTALE', 'EHOSTDOWN', 'ETIMEDOUT'], () =>
    readSmallJson(workLayout(path).tree),
  )?.['id'];
  return typeof id === 'string' && TREE_ID.test(id) ? id : undefined;
}
