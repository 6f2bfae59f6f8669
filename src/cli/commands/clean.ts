// lhb clean: removes outputs that no job of the workflow declares any more. The store keeps their bytes.
import type { JobId } from '../../base/brand.ts';
import type { Diagnostic } from '../../base/diagnostic.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { findUnwanted, goes, removeUnwanted, type Unwanted, type UnwantedFrom } from '../../plan/unwanted.ts';
import { formatBytes, formatCount } from '../../report/format.ts';
import type { Column } from '../../report/table.ts';
import { isHeld } from '../../store/roots.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import type { CleanOptions, CommonOptions, Word } from '../invocation.ts';
import { earlierJob, fail, withWorkspace } from '../query.ts';
import type { Screen } from '../screen.ts';
import { sourcesOf } from '../sources.ts';
import { underLock } from '../under-lock.ts';
import type { Workspace } from '../workspace.ts';

const COLUMNS: readonly Column[] = [
  { title: 'output' },
  { title: 'size', align: 'right' },
  { title: 'rule' },
  { title: 'id' },
  { title: 'label' },
];

/** How many kept files are named. */
const NAMED = 20;

export function clean(
  common: CommonOptions,
  selectors: readonly Word[],
  options: CleanOptions,
  screen: Screen,
): Promise<ExitCode> {
  const run = (workspace: Workspace): ExitCode => {
    const wanted = idsOf(workspace, selectors);
    if (!wanted.ok) return fail(screen, wanted.error);
    const from = unwantedFrom(workspace);
    const ids = wanted.value;
    const found = findUnwanted(from, (id) => ids === undefined || ids.has(id));
    if (options.yes) {
      removeUnwanted(from, found, options.force);
      noteGone(workspace, found);
    }
    print(screen, found, options);
    return EXIT.ok;
  };
  if (options.yes) return underLock(common, screen, run, (workspace) => idsOf(workspace, selectors));
  return withWorkspace(common, screen, false, run);
}

/** The ids that selectors name, of the workflow and of earlier ones; undefined: all. */
function idsOf(workspace: Workspace, selectors: readonly Word[]): Result<ReadonlySet<JobId> | undefined> {
  if (selectors.length === 0) return ok(undefined);
  const ids = new Set<JobId>();
  const errors: Diagnostic[] = [];
  for (const selector of selectors) {
    const rule = [...workspace.index.headsOfRule(selector.text)].map((head) => head.jobId);
    const found = workspace.select([selector]);
    if (found.ok) for (const job of found.value) ids.add(job.id);
    for (const id of rule) ids.add(id);
    if (found.ok || rule.length > 0) continue;
    const earlier = earlierJob(workspace, selector, found.error);
    if (earlier.ok) ids.add(earlier.value.jobId);
    else errors.push(...earlier.error);
  }
  return errors.length > 0 ? err(errors) : ok(ids);
}

function unwantedFrom(workspace: Workspace): UnwantedFrom {
  const { workflow, graph, index, blobs, files, tree } = workspace;
  return { root: workflow.root, tree, graph, index, blobs, files, sources: sourcesOf(workspace) };
}

/** The work tree holds nothing of these jobs any more. */
function noteGone({ workflow, index, tree, graph }: Workspace, found: readonly Unwanted[]): void {
  index.transaction(() => {
    for (const id of new Set(found.map(({ jobId }) => jobId))) {
      const key = graph.byId.has(id) ? undefined : index.current(tree, id);
      const trace = key && index.getTrace(key);
      if (trace && !isHeld(workflow.root, trace)) index.clearCurrent(tree, id);
    }
  });
}

function print(screen: Screen, found: readonly Unwanted[], options: CleanOptions): void {
  const rows = found.map((output) => ({ output, gone: output.files.filter((file) => goes(file, options.force)) }));
  const kept = found.flatMap(({ files, jobId }) =>
    files.filter((file) => !goes(file, options.force)).map((file) => ({ ...file, id: jobId })),
  );
  const removed = rows.filter(({ output, gone }) => gone.length > 0 || output.files.length === 0);
  const size = (files: Unwanted['files']): number => files.reduce((sum, { bytes }) => sum + bytes, 0);
  const files = removed.flatMap(({ gone }) => gone);
  if (screen.json) {
    screen.document({
      dry_run: !options.yes,
      removed: removed.map(({ output, gone }) => ({
        path: output.path + (output.tree ? '/' : ''),
        id: output.jobId,
        rule: output.rule,
        files: gone.length,
        bytes: size(gone),
      })),
      kept: kept.map(({ path, id, kept: reason }) => ({ path, id, reason })),
      files: files.length,
      bytes: size(files),
    });
    return;
  }
  if (removed.length > 0) {
    screen.table(
      COLUMNS,
      removed.map(({ output, gone }) => [
        output.path + (output.tree ? '/' : ''),
        formatBytes(size(gone)),
        output.rule,
        output.jobId,
        output.label || '-',
      ]),
    );
  }
  for (const { path, kept: reason } of kept.slice(0, NAMED)) screen.note(`kept: ${path} (${reason})`);
  if (kept.length > NAMED) screen.note(`kept: ${kept.length - NAMED} more files`);
  if (kept.some((file) => goes(file, true)))
    screen.note('--force removes edited files as well; the store does not have them');
  if (removed.length === 0) {
    screen.note('nothing to remove: all outputs on disk are of jobs of the workflow');
    return;
  }
  const jobs = new Set(removed.map(({ output }) => output.jobId)).size;
  const what = `${formatCount(files.length, 'file')} of ${formatCount(jobs, 'job')}, ${formatBytes(size(files))}`;
  screen.note(options.yes ? `removed ${what}; \`lhb restore\` brings them back` : `would remove ${what}`);
  if (!options.yes) screen.note('`lhb clean --yes` removes them; the store keeps their bytes');
}
