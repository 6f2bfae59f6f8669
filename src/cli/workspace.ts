// Finds the workflow; opens workflow, graph, store and records once for a command.
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { error, type Diagnostic } from '../base/diagnostic.ts';
import { err, ok, type Result } from '../base/result.ts';
import { createEngine } from '../expr/cel.ts';
import type { Engine } from '../expr/types.ts';
import { writeAtomic } from '../fs/atomic-write.ts';
import { readLaunches } from '../execute/launches.ts';
import { machineWasDown, runningLaunches } from '../execute/orphans.ts';
import { expand, type Expansion, type MadeBefore } from '../graph/expand.ts';
import type { JobGraph } from '../graph/graph.ts';
import { WorkspaceHost } from '../graph/host.ts';
import type { Job } from '../graph/job.ts';
import type { Scopes } from '../graph/scope.ts';
import { nearestPath } from '../graph/nearest-path.ts';
import { selectJob, selectJobs, type SelectContext, type Selector } from '../graph/select.ts';
import { KeyMaker } from '../key/key-parts.ts';
import { SourceDigests } from '../key/source-digests.ts';
import { Rebuilder } from '../plan/rebuilder.ts';
import { Records } from '../plan/records.ts';
import { BlobStore } from '../store/blob-store.ts';
import { FileDigests } from '../store/file-digests.ts';
import { IndexDb } from '../store/index-db.ts';
import { openFormat } from '../store/format.ts';
import { storeLayout, workLayout, type StoreLayout } from '../store/layout.ts';
import { placeIndex } from '../store/place-index.ts';
import { readHolder } from '../store/lock.ts';
import { loadWorkflow } from '../workflow/check.ts';
import { EnvRecord } from '../workflow/env-record.ts';
import type { Workflow } from '../workflow/workflow.ts';
import type { CommonOptions } from './invocation.ts';

const WORKFLOW_FILE = 'lhb.yaml';

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

/** Finds lhb.yaml from `-C`/`-f` or in a parent folder, and reads it. */
export function loadWorkspace(options: CommonOptions): Result<Loaded> {
  const found = findWorkflow(options);
  if (!found.ok) return found;
  const file = found.value;
  const root = dirname(file);
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

/** The workflow's file, absolute: from `-f`, or lhb.yaml in the folder of `-C` or one above it. */
export function findWorkflow(options: CommonOptions): Result<string> {
  const start = resolve(options.directory?.text ?? '.');
  if (statSync(start, { throwIfNoEntry: false })?.isDirectory() !== true) {
    const { text = '.', at } = options.directory ?? {};
    const what = existsSync(start) ? `${text} is no folder` : `there is no folder ${text}`;
    return err([error('cli/no-workflow', what, { at, hint: nearestPath(process.cwd(), text) })]);
  }
  if (options.file !== undefined) {
    const { text, at } = options.file;
    const file = resolve(start, text);
    const stat = statSync(file, { throwIfNoEntry: false });
    if (stat?.isDirectory()) {
      const hint = `a folder is named with -C: -C ${text}`;
      return err([error('cli/no-workflow', `${text} is a folder, expected a workflow file`, { at, hint })]);
    }
    if (stat) return ok(file);
    return err([error('cli/no-workflow', `there is no file ${text}`, { at, hint: nearestPath(start, text) })]);
  }
  for (let folder = start; ; folder = dirname(folder)) {
    const file = join(folder, WORKFLOW_FILE);
    if (existsSync(file)) return ok(file);
    if (folder === dirname(folder)) break;
  }
  const other = readdirSync(start).find((name) => /^lhb\.ya?ml$/i.test(name));
  const hint = other
    ? `there is ${other}: rename it to ${WORKFLOW_FILE}, or name it with -f`
    : 'go to the folder of your workflow, or name it with -C';
  return err([error('cli/no-workflow', `there is no ${WORKFLOW_FILE} in ${start} or a folder above it`, { hint })]);
}

/**
 * Opens the store and expands the workflow.
 * @param write false for queries: nothing is made or changed, and no lock is waited for
 * @param expanded the workflow's expansion, where it was done just now
 */
export function openWorkspace(loaded: Loaded, write: boolean, expanded?: Expansion): Result<Workspace> {
  const { workflow, host, env, engine, here } = loaded;
  const { root } = workflow;
  const place = placeIndex(workflow.store, process.env);
  if (!place.ok) return place;
  const layout = storeLayout(workflow.store, place.value.dir);
  const work = workLayout(root);
  const format = openFormat(layout, !write);
  if (!format.ok) return format;
  const tree = treeId(work.tree, write);
  if (write) mkdirSync(work.tmp, { recursive: true });
  const index = IndexDb.open(layout.index, { readOnly: !write });
  if (!index.ok) return index;
  const db = index.value;
  const blobs = new BlobStore(layout, { link: workflow.link, workTmp: work.tmp });
  // Where the machine went down during a build, what was written then may not be what it was: every file is read again.
  const isBuilding = !write && readHolder(work) !== undefined;
  const wasDown = !isBuilding && machineWasDown(readLaunches(work.launches));
  if (wasDown && write) db.forgetFiles(tree);
  const files = new FileDigests(root, wasDown && !write ? undefined : db.fileTable(tree), write);
  // Who writes holds the lock: the build that runs is its own.
  const runningBuild = write ? undefined : readHolder(work)?.build;
  const runningJobs = new Set(write ? [] : runningLaunches(work).map(({ launch }) => launch.jobId));
  const records = new Records({ root, index: db, blobs, files, tree, runningBuild, runningJobs });
  loaded.made.before = (path) => records.madeBefore(path);
  const expansion = expanded ? ok(expanded) : expand(workflow, host, env, (path) => loaded.made.before(path));
  if (!expansion.ok) {
    void db.close();
    return expansion;
  }
  const { graph, scopes } = expansion.value;
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

/** The work tree's id in the index: random, in a file that moves with the tree. */
function treeId(file: string, write: boolean): string {
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof parsed === 'object' && parsed !== null && 'id' in parsed && typeof parsed.id === 'string')
      return parsed.id;
  } catch {
    // none yet, or damaged: a new one loses nothing but time
  }
  const id = randomUUID();
  if (write) {
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
