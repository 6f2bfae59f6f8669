// Finds the workflow; opens workflow, graph, store and records once for a command.
import { mkdirSync, readFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { error, warning, type Diagnostic } from '../base/diagnostic.ts';
import { err, ok, type Result } from '../base/result.ts';
import { createEngine } from '../expr/cel.ts';
import type { Engine } from '../expr/types.ts';
import { writeAtomic } from '../fs/atomic-write.ts';
import { unless } from '../fs/errno.ts';
import { looks } from '../fs/looks.ts';
import { makeFolder } from '../fs/make-folder.ts';
import type { FileSystem } from '../fs/mounts.ts';
import { expand, type Expansion, type MadeBefore } from '../graph/expand.ts';
import type { JobGraph } from '../graph/graph.ts';
import { WorkspaceHost } from '../graph/host.ts';
import type { Job } from '../graph/job.ts';
import type { Scopes } from '../graph/scope.ts';
import { selectJob, selectJobs, type SelectContext, type Selector } from '../graph/select.ts';
import { KeyMaker } from '../key/key-parts.ts';
import { SourceDigests } from '../key/source-digests.ts';
import { Rebuilder } from '../plan/rebuilder.ts';
import { Records } from '../plan/records.ts';
import { BlobStore } from '../store/blob-store.ts';
import { FileDigests } from '../store/file-digests.ts';
import type { IndexDb } from '../store/index-db.ts';
import { openFormat } from '../store/format.ts';
import { openIndex } from '../store/open-index.ts';
import { storeLayout, workLayout, type StoreLayout } from '../store/layout.ts';
import { placeIndex } from '../store/place-index.ts';
import { collector } from '../store/collecting.ts';
import type { LockHolder } from '../store/lock.ts';
import { registerTree, treeIdAt } from '../store/trees.ts';
import { loadWorkflow } from '../workflow/check.ts';
import { EnvRecord } from '../workflow/env-record.ts';
import type { Workflow } from '../workflow/workflow.ts';
import { findWorkflow } from './find-workflow.ts';
import type { CommonOptions } from './invocation.ts';
import { launchesSeen } from './killed-build.ts';
import { sayOnce } from './say-once.ts';

/** A workflow that was read, before the store is opened. */
export type Loaded = {
  readonly workflow: Workflow;
  readonly engine: Engine;
  readonly host: WorkspaceHost;
  readonly env: EnvRecord;
  /** Where one stands, from the workflow's folder. */
  readonly here: string;
  /** What the record of the store that is open says; expressions that glob ask it at any time. */
  readonly made: { before: MadeBefore };
};

export type Workspace = Loaded & {
  readonly graph: JobGraph;
  readonly scopes: Scopes;
  readonly index: IndexDb;
  readonly blobs: BlobStore;
  readonly layout: StoreLayout;
  readonly files: FileDigests;
  readonly records: Records;
  readonly keys: KeyMaker;
  readonly rebuilder: Rebuilder;
  readonly tree: string;
  readonly select: (selectors: readonly Selector[]) => Result<Set<Job>>;
  readonly selectOne: (selector: Selector) => Result<Job>;
  readonly close: () => Promise<void>;
};

/** Finds the workflow, and reads it. */
export function loadWorkspace(options: CommonOptions): Result<Loaded> {
  const found = findWorkflow(options);
  if (!found.ok) return found;
  const file = found.value;
  const root = dirname(file);
  looks.clear();
  const host = new WorkspaceHost(root);
  const engine = createEngine(host);
  const env = new EnvRecord(process.env);
  const workflow = loadWorkflow({
    file,
    configFiles: options.configfiles.map((word) => ({ path: resolve(word.text), at: word.at })),
    configSets: options.config,
    engine,
    env,
  });
  if (!workflow.ok) return workflow;
  const from = resolve(options.directory?.text ?? '.');
  const here = relative(root, from).split(sep).join('/');
  return ok({ workflow: workflow.value, engine, host, env, here, made: { before: () => false } });
}

/**
 * Opens the store and expands the workflow.
 * @param write false for queries: nothing is made or changed, and no lock is waited for
 * @param expansion how it is expanded, where not in full
 * @param whole reads all of the index first
 */
export function openWorkspace(
  loaded: Loaded,
  write: boolean,
  expansion: (before: MadeBefore) => Result<Expansion> = (before) =>
    expand(loaded.workflow, loaded.host, loaded.env, before),
  whole = false,
): Result<Workspace> {
  const { workflow, engine, here } = loaded;
  const { root } = workflow;
  const place = placeIndex(workflow.store, process.env);
  if (!place.ok) return place;
  const layout = storeLayout(workflow.store, place.value.dir);
  const work = workLayout(root);
  const format = openFormat(layout, !write);
  if (!format.ok) return format;
  if (place.value.movedOff) sayMoved(layout, place.value.movedOff, write);
  const { value: found } = format;
  if (found.state === 'repaired') sayOnce(warning('store/format-lost', found.why));
  // What a lost version was shows in the tables of the index.
  const version = found.state === 'older' ? found.version : found.state === 'repaired' ? 1 : undefined;
  const tree = treeId(root, write);
  if (write) {
    makeFolder(work.tmp, work.dir);
    registerTree(layout, tree, root);
    const busy = collector(layout);
    if (busy !== undefined) return err([collecting(busy)]);
  }
  const index = openIndex({ layout, tree, write, version, whole, tell: sayOnce });
  if (!index.ok) return index;
  const db = index.value;
  const blobs = new BlobStore(layout, { link: workflow.link, workTmp: work.tmp });
  const { wasDown, ...launches } = launchesSeen(work, write);
  // Then every file is read again.
  if (wasDown && write) db.forgetFiles(tree);
  const files = new FileDigests(root, wasDown && !write ? undefined : db.fileTable(tree), write);
  const records = new Records({ root, output: workflow.output, index: db, blobs, files, tree, ...launches });
  loaded.made.before = (path) => records.madeBefore(path);
  const expanded = expansion((path) => loaded.made.before(path));
  if (!expanded.ok) {
    void db.close();
    return expanded;
  }
  const { graph, scopes } = expanded.value;
  const keys = new KeyMaker(scopes, new SourceDigests(root, files));
  const rebuilder = new Rebuilder(keys, records);
  const context: SelectContext = { graph, engine, here };
  const close = async (): Promise<void> => {
    files.flush();
    await db.close();
  };
  return ok({
    ...loaded,
    graph,
    scopes,
    index: db,
    blobs,
    layout,
    files,
    records,
    keys,
    rebuilder,
    tree,
    select: (selectors) => selectJobs(context, selectors),
    selectOne: (selector) => selectJob(context, selector),
    close,
  });
}

/** Who builds holds the lock of his work tree by now, which gc looks at after it has said that it is at work. */
function collecting(by: LockHolder | 'unknown'): Diagnostic {
  const who = by === 'unknown' ? 'lhb gc' : `lhb ${by.command} (pid ${by.pid} on ${by.host})`;
  return error('store/locked', `${who} is removing something from the store`, { hint: 'try again when it is done' });
}

/** Says, once a store, that its index lies elsewhere. */
function sayMoved(layout: StoreLayout, from: FileSystem, write: boolean): void {
  const mark = join(layout.root, 'index.moved');
  const said = unless(['ENOENT', 'ENOTDIR', 'EACCES'], () => readFileSync(mark, 'utf8'));
  if (said?.trim() === layout.index) return;
  const message = `the store ${layout.root} lies on a network file system (${from.type}), where its index is not safe: it lies in ${layout.index}`;
  sayOnce(warning('store/index-moved', message, { hint: 'LHB_INDEX_DIR names another folder on a local disk' }));
  if (write) unless(['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT'], () => writeAtomic(mark, `${layout.index}\n`));
}

/** The work tree's id in the index: random, in a file that moves with the tree. One that is damaged loses nothing but time. */
function treeId(root: string, write: boolean): string {
  const known = treeIdAt(root);
  if (known !== undefined) return known;
  const id = randomUUID();
  if (write) {
    const file = workLayout(root).tree;
    mkdirSync(dirname(file), { recursive: true });
    writeAtomic(file, `${JSON.stringify({ format: 1, id })}\n`);
  }
  return id;
}

/** Errors that stop a command, with the warnings of the workflow beside them. */
export const problemsOf = (loaded: Loaded, errors: readonly Diagnostic[]): Diagnostic[] => [
  ...loaded.workflow.warnings,
  ...errors,
];
