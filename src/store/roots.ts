// What gc keeps on behalf of builds, pins and work trees. What the workflow of the moment needs is for the caller to add.
import { lstatSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { ActionKey } from '../base/brand.ts';
import { error, type Diagnostic } from '../base/diagnostic.ts';
import { err, ok, type Result } from '../base/result.ts';
import { unless } from '../fs/errno.ts';
import { listPath, readBuilds, readList } from './build-lists.ts';
import type { IndexDb } from './index-db.ts';
import { MOST_BUILDS, workLayout, type StoreLayout } from './layout.ts';
import { readHolder } from './lock.ts';
import { readPins } from './pins.ts';
import { loggedTrees } from './trace-log.ts';
import type { Trace } from './trace.ts';
import { registeredTrees, treeIdAt, type RegisteredTree } from './trees.ts';

/** Why a result is kept, the first that holds. */
export const ROOT_KINDS = ['workflow', 'work_tree', 'builds', 'pins', 'other_trees'] as const;
export type RootKind = (typeof ROOT_KINDS)[number];

export class Roots {
  readonly #kinds = new Map<ActionKey, RootKind>();
  readonly #used = new Map<ActionKey, number>();

  /** Keeps a result; a reason that it has stays. */
  add(key: ActionKey, kind: RootKind): void {
    if (!this.#kinds.has(key)) this.#kinds.set(key, kind);
  }

  kind(key: ActionKey): RootKind | undefined {
    return this.#kinds.get(key);
  }

  noteUse(key: ActionKey, at: number): void {
    if (at > (this.#used.get(key) ?? 0)) this.#used.set(key, at);
  }

  /** When a build last looked at a result, seconds since the epoch; 0: none that is on record. */
  usedAt(key: ActionKey): number {
    return this.#used.get(key) ?? 0;
  }
}

export type RootsFrom = {
  readonly layout: StoreLayout;
  readonly index: IndexDb;
  /** The own work tree: its id and folder. */
  readonly tree: string;
  readonly root: string;
  /** How many builds of each work tree count. */
  readonly keepBuilds: number;
};

/** Adds the roots of the store; errors, each with what to do, where one cannot be read or a build is running. */
export function addRoots(roots: Roots, from: RootsFrom): Result<void> {
  const { layout, index, tree, root } = from;
  const problems: Diagnostic[] = [];
  addHeld(roots, index, tree, root, 'work_tree');
  addBuilds(roots, from, tree, 'builds', problems);
  const { pins, unreadable } = readPins(layout);
  for (const pin of pins) roots.add(pin.actionKey, 'pins');
  for (const path of unreadable)
    problems.push(cannotRead(`the pin ${path}`, `look at the file, and remove it if it is none`));
  addOtherTrees(roots, from, problems);
  return problems.length > 0 ? err(problems) : ok(undefined);
}

/** Results whose outputs lie in a work tree. */
function addHeld(roots: Roots, index: IndexDb, tree: string, root: string | undefined, kind: RootKind): void {
  for (const { actionKey } of index.allCurrent(tree)) {
    if (roots.kind(actionKey) !== undefined) continue;
    const trace = index.getTrace(actionKey);
    if (trace && (root === undefined || isHeld(root, trace))) roots.add(actionKey, kind);
  }
}

/** Does anything stand where one of the outputs was put? */
export const isHeld = (root: string, { dir, manifest }: Trace): boolean =>
  manifest.some(
    ({ path }) =>
      unless(['ENOTDIR', 'ELOOP'], () => lstatSync(join(root, dir, path), { throwIfNoEntry: false })) !== undefined,
  );

function addBuilds(roots: Roots, from: RootsFrom, tree: string, kind: RootKind, problems: Diagnostic[]): void {
  const { layout, keepBuilds } = from;
  const builds = readBuilds(layout, tree);
  builds.forEach(({ at, list }, i) => {
    const counts = i >= builds.length - Math.min(keepBuilds, MOST_BUILDS);
    const keys = readList(layout, tree, list);
    if (keys === undefined) {
      const path = listPath(layout, tree, list);
      const hint = `\`rm ${path}\` and \`--keep-builds ${builds.length - 1 - i}\` go on without it`;
      if (counts) problems.push(cannotRead(`the list of a build, ${path},`, hint));
      return;
    }
    for (const key of keys) {
      roots.noteUse(key, at);
      if (counts) roots.add(key, kind);
    }
  });
}

/** Everything that another work tree holds, and what its last builds looked at. */
function addOtherTrees(roots: Roots, from: RootsFrom, problems: Diagnostic[]): void {
  const { layout, index, tree, root } = from;
  const { trees, unreadable } = registeredTrees(layout);
  for (const path of unreadable) {
    problems.push(cannotRead(`${path}, which names a work tree,`, 'look at the file, and remove it if it is none'));
  }
  const others = trees.filter((other) => other.id !== tree);
  for (const other of others) {
    const problem = problemOf(other, root);
    if (problem) problems.push(problem);
    else addHeld(roots, index, other.id, other.path, 'other_trees');
    addBuilds(roots, from, other.id, 'other_trees', problems);
  }
  // Of a work tree that never said where it lies, all that it is on record to hold counts.
  const known = new Set(trees.map(({ id }) => id));
  for (const id of loggedTrees(layout))
    if (id !== tree && !known.has(id)) addHeld(roots, index, id, undefined, 'other_trees');
}

/** @param root the own work tree's folder: a work tree that was there before it is no other's */
function problemOf({ path, host }: RegisteredTree, root: string): Diagnostic | undefined {
  if (path === root) return undefined;
  const at = host === hostname() ? path : `${path} on ${host}`;
  if (treeIdAt(path) === undefined) {
    return error('gc/unreadable-root', `the work tree ${at}, which uses this store, cannot be looked at`, {
      hint: `mount or restore it; if it is gone for good: lhb gc --forget-tree ${path}`,
    });
  }
  const holder = readHolder(workLayout(path));
  if (holder === undefined) return undefined;
  return error('store/locked', `a build runs in the work tree ${at}, which uses this store: lhb ${holder.command}`, {
    hint: 'run gc again when it is done',
  });
}

const cannotRead = (what: string, hint: string): Diagnostic =>
  error('gc/unreadable-root', `${what} cannot be read, so it is not known what has to stay`, { hint });
