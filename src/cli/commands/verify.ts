// lhb verify: checks every blob and every record, and repairs what can be given back.
import { join } from 'node:path';
import { formatCount } from '../../report/format.ts';
import type { Column } from '../../report/table.ts';
import { workLayout } from '../../store/layout.ts';
import { readHolder } from '../../store/lock.ts';
import { TraceLog } from '../../store/trace-log.ts';
import { verifyStore, type VerifyReport } from '../../store/verify.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import type { CommonOptions } from '../invocation.ts';
import { withWorkspace } from '../query.ts';
import type { Screen } from '../screen.ts';
import { underLock } from '../under-lock.ts';
import type { Workspace } from '../workspace.ts';

const COLUMNS: readonly Column[] = [{ title: 'kind' }, { title: 'what' }, { title: 'state' }, { title: 'detail' }];
const DAMAGE_LEFT = 'a damaged result is never restored: `lhb build` makes it again when it is needed';

/** Checks, and where anything is wrong checks once more under the lock, repairing what can be given back. */
export async function verify(common: CommonOptions, screen: Screen): Promise<ExitCode> {
  let found: VerifyReport | undefined;
  const code = await withWorkspace(
    common,
    screen,
    false,
    async (workspace) => {
      const report = await check(workspace, false);
      const holder = readHolder(workLayout(workspace.workflow.root));
      const isSound = report.findings.length === 0 && report.evicted === 0;
      if (isSound || holder !== undefined) return print(screen, report, holder !== undefined);
      found = report;
      return EXIT.ok;
    },
    true,
  );
  if (found === undefined) return code;
  return await underLock(common, screen, async (workspace) => print(screen, await check(workspace, true), false));
}

function check(workspace: Workspace, repair: boolean): Promise<VerifyReport> {
  const { blobs, index, graph, workflow, layout, tree } = workspace;
  // Files in the work tree that may still have a damaged blob's bytes.
  const candidates = graph.jobs.flatMap((job) => {
    const manifest = workspace.records.current(job.id)?.manifest ?? [];
    return manifest.flatMap((output) =>
      output.entries.flatMap((entry) =>
        entry.type === 'file' ? [{ entry, path: join(workflow.root, job.dir, output.path, entry.path) }] : [],
      ),
    );
  });
  const log = { layout, log: new TraceLog(layout, tree) };
  return verifyStore(blobs, index, { repair, candidates, log });
}

/** @param busy another build runs, so nothing was repaired */
function print(screen: Screen, report: VerifyReport, busy: boolean): ExitCode {
  const { blobs, records, evicted, findings } = report;
  const left = findings.filter((finding) => !finding.repaired);
  if (screen.json) screen.document({ blobs, records, evicted, findings });
  else if (findings.length > 0) {
    const rows = findings.map((f) => [f.kind, f.what, f.repaired ? 'repaired' : 'damaged', f.detail]);
    screen.table(COLUMNS, rows);
  }
  const counts = [
    ...(findings.length > left.length ? [`${findings.length - left.length} repaired`] : []),
    ...(left.length > 0 ? [`${left.length} damaged`] : []),
  ];
  const checked = `${formatCount(blobs, 'blob')} and ${formatCount(records, 'record')} checked`;
  screen.note(`${checked}: ${counts.join(', ') || 'all is well'}`);
  if (evicted > 0)
    screen.note(`${formatCount(evicted, 'record')} without all bytes: such a job is run again when needed`);
  if (left.length > 0) screen.note(busy ? 'a build is running: nothing was repaired' : DAMAGE_LEFT);
  return left.length > 0 ? EXIT.storeDamaged : EXIT.ok;
}
