// lhb jobs: what is running here.
import { hostname } from 'node:os';
import { runningLaunches } from '../../execute/orphans.ts';
import { formatCount, formatDuration } from '../../report/format.ts';
import type { Column } from '../../report/table.ts';
import { workLayout } from '../../store/layout.ts';
import { readHolder } from '../../store/lock.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import type { CommonOptions } from '../invocation.ts';
import { withWorkspace } from '../query.ts';
import type { Screen } from '../screen.ts';

const COLUMNS: readonly Column[] = [
  { title: 'id' },
  { title: 'rule' },
  { title: 'elapsed', align: 'right' },
  { title: 'attempt', align: 'right' },
  { title: 'host' },
  { title: 'log' },
];

export const jobs = (common: CommonOptions, screen: Screen): Promise<ExitCode> =>
  withWorkspace(common, screen, false, (workspace) => {
    const holder = readHolder(workLayout(workspace.workflow.root));
    const ofBuild = workspace.index
      .allAttempts(workspace.tree)
      .filter((attempt) => attempt.state === 'begun' && workspace.records.isRunning(attempt));
    const known = new Set<string>(ofBuild.map((attempt) => attempt.jobId));
    const launched = runningLaunches(workLayout(workspace.workflow.root)).map(({ launch }) => launch);
    // While a build is on, it has those of an earlier one that it does not list as its own left alone.
    const left = launched.filter(({ jobId }) => !known.has(jobId));
    const running = [
      ...ofBuild,
      ...left.map((launch) => ({ ...launch, host: launch.helper?.host ?? launch.executor })),
    ];
    const now = Date.now() / 1000;
    if (screen.json) {
      screen.document({
        build: holder ? { pid: holder.pid, host: holder.host, since: holder.since, command: holder.command } : null,
        jobs: running.map((a) => ({
          id: a.jobId,
          rule: a.rule,
          attempt: a.attempt,
          elapsed_s: now - a.startedAt,
          host: a.host,
          log: a.log,
        })),
      });
      return EXIT.ok;
    }
    const rows = running.map((a) => [
      a.jobId,
      a.rule,
      formatDuration(now - a.startedAt),
      String(a.attempt),
      a.host,
      a.log,
    ]);
    if (rows.length > 0) screen.table(COLUMNS, rows);
    if (holder === undefined) {
      const adopts =
        rows.length > 0
          ? `, but ${formatCount(rows.length, 'job')} of one that was killed: \`lhb build\` adopts what it still wants`
          : '';
      screen.note(`no build is running in this work tree${adopts}`);
    } else {
      const where = holder.host === hostname() ? '' : ` on ${holder.host}`;
      screen.note(`lhb ${holder.command} (pid ${holder.pid}${where}): ${rows.length} running`);
    }
    return EXIT.ok;
  });
