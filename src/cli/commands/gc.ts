// lhb gc: drops what nothing refers to. Pins and work trees that are gone for good are its as well.
import { readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { error, type Diagnostic } from '../../base/diagnostic.ts';
import { ok, type Result } from '../../base/result.ts';
import { unless } from '../../fs/errno.ts';
import { makePlan } from '../../plan/plan.ts';
import { forgetBuilds } from '../../store/build-lists.ts';
import { beginCollecting } from '../../store/collecting.ts';
import { planCollection, removeCollected, type Collection } from '../../store/collect.ts';
import { compactLogs } from '../../store/compact-log.ts';
import { workLayout } from '../../store/layout.ts';
import { completeLog, takeRest } from '../../store/rebuild-index.ts';
import { addRoots, Roots } from '../../store/roots.ts';
import { removeStray, strayFiles, type StrayFile } from '../../store/stray-files.ts';
import { TraceLog } from '../../store/trace-log.ts';
import { forgetRegistration, registeredTrees, treeIdAt } from '../../store/trees.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import type { CommonOptions, GcOptions, Word } from '../invocation.ts';
import { fail, withWorkspace } from '../query.ts';
import type { Screen } from '../screen.ts';
import { underLock } from '../under-lock.ts';
import type { Workspace } from '../workspace.ts';
import { printCollection } from './gc-text.ts';
import { listPins, pin, unpin } from './pins.ts';

export function gc(common: CommonOptions, options: GcOptions, screen: Screen): Promise<ExitCode> {
  if (options.pins) return listPins(common, screen);
  if (options.pin.length > 0) return pin(common, options.pin, screen);
  if (options.unpin.length > 0) return unpin(common, options.unpin, screen);
  const { forgetTree } = options;
  if (forgetTree !== undefined) return underLock(common, screen, (workspace) => forget(workspace, forgetTree, screen));
  if (options.yes) return underLock(common, screen, (workspace) => collect(workspace, options, screen));
  return withWorkspace(common, screen, false, (workspace) => {
    const found = find(workspace, options);
    if (!found.ok) return fail(screen, found.error);
    printCollection(screen, found.value.collection, found.value.strays, options, true);
    return EXIT.ok;
  });
}

type Garbage = { readonly collection: Collection; readonly strays: readonly StrayFile[] };

/** What would go. Changes nothing. */
function find(workspace: Workspace, options: GcOptions): Result<Garbage> {
  const { index, blobs, layout, tree, graph } = workspace;
  const { root } = workspace.workflow;
  const now = Date.now() / 1000;
  const roots = new Roots();
  for (const { judgement } of makePlan(graph.jobs, workspace.rebuilder).steps.values()) {
    if (judgement.key) roots.add(judgement.key.key, 'workflow');
    if (judgement.current) roots.add(judgement.current.actionKey, 'workflow');
  }
  const added = addRoots(roots, { layout, index, tree, root, keepBuilds: options.keepBuilds });
  if (!added.ok) return added;
  const limits = { olderThanS: options.olderThanS, maxBytes: options.maxBytes, now };
  const collection = planCollection(index, blobs, roots, limits);
  if (!collection.ok) return collection;
  const work = workLayout(root);
  const attempts = index.allAttempts(tree);
  const ids = new Set<string>([...collection.value.ids, ...attempts.map(({ jobId }) => jobId), ...graph.byId.keys()]);
  // What a build that died started: its jobs may run still.
  const launched = unless(['ENOENT'], () => readFileSync(join(work.dir, 'launches'), 'utf8')) ?? '';
  const running = launched !== '' || attempts.some(({ state }) => state === 'begun');
  const strays = strayFiles(layout, work, (id) => ids.has(id) || launched.includes(id), running);
  return ok({ collection: collection.value, strays });
}

async function collect(workspace: Workspace, options: GcOptions, screen: Screen): Promise<ExitCode> {
  const { index, blobs, layout, tree } = workspace;
  const end = beginCollecting(layout, 'gc');
  if (end === 'busy') {
    const message = 'another `lhb gc` is removing something from the store';
    return fail(screen, [error('store/locked', message, { hint: 'run gc again when it is done' })]);
  }
  try {
    let found = find(workspace, options);
    // No build runs from here on; one that was killed meanwhile may have left more in its log.
    if (found.ok && takeRest(index, layout) > 0) found = find(workspace, options);
    if (!found.ok) return fail(screen, found.error);
    const { collection, strays } = found.value;
    await removeCollected(index, blobs, collection);
    // What the work tree is on record to hold, and is no more.
    const dangling = [...index.allCurrent(tree)].filter(({ actionKey }) => !index.getTrace(actionKey));
    if (dangling.length > 0) {
      index.transaction(() => {
        for (const { jobId } of dangling) index.clearCurrent(tree, jobId);
      });
    }
    removeStray(strays);
    if (collection.records.gone.length > 0) {
      compactLogs(index, layout);
      completeLog(index, layout, new TraceLog(layout, tree));
    }
    printCollection(screen, collection, strays, options, false);
    return EXIT.ok;
  } finally {
    end();
  }
}

/** Drops what a work tree that is gone for good was on record to hold. Its results stay until nothing else keeps them. */
function forget(workspace: Workspace, word: Word, screen: Screen): ExitCode {
  const { layout, index, tree } = workspace;
  const { trees } = registeredTrees(layout);
  const path = resolve(word.text);
  const gone = trees.filter((other) => other.id !== tree && (other.path === path || other.path === word.text));
  const there = gone.find((other) => treeIdAt(other.path) === other.id);
  const problem = gone.length === 0 ? unknownTree(word, trees) : there && stillThere(word);
  if (problem) return fail(screen, [problem]);
  for (const { id } of gone) {
    index.forgetTree(id);
    forgetBuilds(layout, id);
    rmSync(new TraceLog(layout, id).path, { force: true });
    forgetRegistration(layout, id);
  }
  // The lines of its results live on in the own log.
  completeLog(index, layout, new TraceLog(layout, tree));
  if (screen.json) screen.document({ forgotten: gone.map((other) => ({ id: other.id, path: other.path })) });
  screen.note(`forgot the work tree ${gone[0]?.path}: \`lhb gc\` keeps nothing for it any more`);
  return EXIT.ok;
}

function unknownTree({ text, at }: Word, trees: readonly { readonly path: string }[]): Diagnostic {
  const known = trees.map((tree) => tree.path).join(', ');
  return error('gc/unknown-tree', `no work tree ${text} uses this store`, { at, hint: known && `these do: ${known}` });
}

const stillThere = ({ text, at }: Word): Diagnostic =>
  error('gc/unknown-tree', `the work tree ${text} is there: gc keeps what it needs`, {
    at,
    hint: 'remove its folder `.lhb` first, if its results are not wanted any more',
  });
