// lhb verify: checks every blob and every record.
import { join } from 'node:path';
import { formatCount } from '../../report/format.ts';
import type { Column } from '../../report/table.ts';
import { verifyStore } from '../../store/verify.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import type { CommonOptions } from '../invocation.ts';
import { withWorkspace } from '../query.ts';
import type { Screen } from '../screen.ts';
import { underLock } from '../under-lock.ts';
import type { Workspace } from '../workspace.ts';

const COLUMNS: readonly Column[] = [{ title: 'kind' }, { title: 'what' }, { title: 'state' }, { title: 'detail' }];

export function verify(common: CommonOptions, repair: boolean, screen: Screen): Promise<ExitCode> {
  const check = async (workspace: Workspace): Promise<ExitCode> => {
    const { blobs, index, graph, workflow } = workspace;
    // Files in the work tree that may still have a damaged blob's bytes.
    const candidates = graph.jobs.flatMap((job) => {
      const manifest = workspace.records.current(job.id)?.manifest ?? [];
      return manifest.flatMap((output) =>
        output.entries.flatMap((entry) =>
          entry.type === 'file' ? [{ entry, path: join(workflow.root, job.dir, output.path, entry.path) }] : [],
        ),
      );
    });
    const report = await verifyStore(blobs, index, { repair, candidates });
    const left = report.findings.filter((finding) => !finding.repaired);
    if (screen.json) screen.document({ blobs: report.blobs, records: report.records, findings: report.findings });
    else {
      const rows = report.findings.map((f) => [f.kind, f.what, f.repaired ? 'repaired' : 'damaged', f.detail]);
      if (rows.length > 0) screen.table(COLUMNS, rows);
      const checked = `${formatCount(report.blobs, 'blob')} and ${formatCount(report.records, 'record')} checked`;
      screen.note(left.length === 0 ? `${checked}: all is well` : `${checked}: ${left.length} damaged`);
    }
    return left.length > 0 ? EXIT.storeDamaged : EXIT.ok;
  };
  return repair ? underLock(common, screen, check) : withWorkspace(common, screen, false, check);
}
