// lhb cancel: ends what a killed or detached build left running, here and on a cluster.
import { err, ok, type Result } from '../../base/result.ts';
import { LaunchLog, linesFor, readLaunches } from '../../execute/launches.ts';
import { endStrays, findOrphans } from '../../execute/orphans.ts';
import { formatCount } from '../../report/format.ts';
import { workLayout } from '../../store/layout.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { openExecutors } from '../executors.ts';
import type { CommonOptions, Word } from '../invocation.ts';
import { fail } from '../query.ts';
import type { Screen } from '../screen.ts';
import { underLock } from '../under-lock.ts';
import type { Workspace } from '../workspace.ts';

/** The ids that selectors mean; undefined: all. */
function meant(workspace: Workspace, selectors: readonly Word[]): Result<ReadonlySet<string> | undefined> {
  if (selectors.length === 0) return ok(undefined);
  const selected = workspace.select(selectors);
  return selected.ok ? ok(new Set([...selected.value].map(({ id }) => id as string))) : err(selected.error);
}

export const cancel = (common: CommonOptions, selectors: readonly Word[], screen: Screen): Promise<ExitCode> =>
  underLock(
    common,
    screen,
    async (workspace) => {
      const ids = meant(workspace, selectors);
      if (!ids.ok) return fail(screen, ids.error);
      const { root } = workspace.workflow;
      const work = workLayout(root);
      const earlier = readLaunches(work.launches);
      const open = findOrphans(earlier, work).filter(({ state }) => state !== 'gone');
      const isMeant = (id: string): boolean => ids.value === undefined || ids.value.has(id);
      const toEnd = open.filter(({ state, launch }) => state === 'running' && isMeant(launch.jobId));
      const rest = open.filter((orphan) => !toEnd.includes(orphan)).map(({ launch }) => launch);
      const launches = new LaunchLog(
        work.launches,
        linesFor(
          earlier,
          open.map(({ launch }) => launch),
        ),
      );
      const kept = new Set(open.map(({ launch }) => launch.token));
      const unwanted = toEnd.filter(({ launch }) => launch.helper === undefined);
      const warn = (text: string): void => screen.note(text);
      const inherited = { adopted: new Map<never, never>(), launches, unwanted, kept, earlier };
      const executors = openExecutors({ root, work, slots: 0, helpers: 0, profile: undefined, inherited, warn });
      const endedWell = await executors.endUnwanted();
      await endStrays(earlier, rest);
      // Their markers stay: the next build takes the results.
      await executors.close(true);
      const done = endedWell.map(({ launch }) => launch);
      launches.close(linesFor(earlier, [...rest, ...done]));
      const cancelled = toEnd.filter((orphan) => !endedWell.includes(orphan));
      if (screen.json) screen.document({ cancelled: cancelled.map(({ launch }) => launch.jobId) });
      if (done.length > 0)
        screen.note(`${formatCount(done.length, 'job')} ended well before that: lhb build takes what they made`);
      if (cancelled.length > 0 || done.length === 0)
        screen.note(cancelled.length === 0 ? 'nothing runs' : `${formatCount(cancelled.length, 'job')} cancelled`);
      return EXIT.ok;
    },
    (workspace) => meant(workspace, selectors),
  );
