// lhb jobs: what is running here.
import { hostname } from 'node:os';
import { askStates, schedulerId, type Asked } from '../../execute/cluster/ask-states.ts';
import { readProfile } from '../../execute/cluster/read-profile.ts';
import { readLaunches, type Launched } from '../../execute/launches.ts';
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
  { title: 'executor' },
  { title: 'state' },
  { title: 'log' },
];

export const jobs = (common: CommonOptions, screen: Screen): Promise<ExitCode> =>
  withWorkspace(common, screen, false, async (workspace) => {
    const holder = readHolder(workLayout(workspace.workflow.root));
    const ofBuild = workspace.index
      .allAttempts(workspace.tree)
      .filter((attempt) => attempt.state === 'begun' && workspace.records.isRunning(attempt));
    const known = new Set<string>(ofBuild.map((attempt) => attempt.jobId));
    const launched = runningLaunches(workLayout(workspace.workflow.root)).map(({ launch }) => launch);
    // While a build is on, it has those of an earlier one that it does not list as its own left alone.
    const left = launched.filter(({ jobId }) => !known.has(jobId));
    const onCluster = await onClusters(workspace.workflow.root, launched);
    const running = [...ofBuild, ...left.map((launch) => ({ ...launch, host: launch.helper?.host ?? '-' }))].map(
      (each) => {
        const there = onCluster.get(each.jobId);
        return {
          ...each,
          host: there ? '-' : each.host,
          executor: there?.executor ?? 'local',
          state: there?.state ?? 'running',
        };
      },
    );
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
          executor: a.executor,
          state: a.state,
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
      a.executor,
      a.state,
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

type There = { readonly executor: string; readonly state: string };

/** Jobs that are with schedulers, by id: which, under what id there, and what it says of them. One call a scheduler. */
async function onClusters(root: string, launched: readonly Launched[]): Promise<ReadonlyMap<string, There>> {
  const there = new Map<string, There>();
  const { profiles } = readLaunches(workLayout(root).launches);
  const names = new Set(launched.filter(({ submitted }) => submitted).map(({ executor }) => executor));
  for (const name of names) {
    const file = profiles.get(name);
    const profile = file === undefined ? undefined : readProfile(name, file);
    const templates = profile?.ok ? profile.value.cluster : undefined;
    const of = launched.filter(({ executor, submitted }) => executor === name && submitted);
    const states = templates && (await askStates(templates, of, root));
    for (const launch of of) {
      const id = templates && schedulerId(launch, templates);
      const executor = id === undefined ? name : `${name} ${id}`;
      there.set(launch.jobId, { executor, state: stateText(states?.get(launch.token), states !== undefined) });
    }
  }
  return there;
}

function stateText(asked: Asked | undefined, answered: boolean): string {
  if (asked === undefined) return answered ? 'over, or not known' : 'not known';
  const { state, reason } = asked;
  return reason === '' || reason === 'None' || state === 'running' ? state : `${state} (${reason})`;
}
