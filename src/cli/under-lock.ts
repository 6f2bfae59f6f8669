// Commands that change the record run under the lock of the work tree, as builds do.
import { randomUUID } from 'node:crypto';
import { error, type Diagnostic } from '../base/diagnostic.ts';
import { ok, type Result } from '../base/result.ts';
import { runningLaunches } from '../execute/orphans.ts';
import { workLayout } from '../store/layout.ts';
import type { ExitCode } from './exit-code.ts';
import type { CommonOptions } from './invocation.ts';
import { lockForBuild } from './lock-build.ts';
import { fail, withWorkspace } from './query.ts';
import type { Screen } from './screen.ts';
import { catchSignals } from './signals.ts';
import { loadWorkspace, openWorkspace, type Workspace } from './workspace.ts';

/**
 * Runs a command that changes the record, under the lock of the work tree.
 * @param check what is looked at before anything is written; its errors end the command
 */
export async function underLock(
  common: CommonOptions,
  screen: Screen,
  command: (workspace: Workspace) => ExitCode | Promise<ExitCode>,
  check: (workspace: Workspace) => Result<unknown> = () => ok(undefined),
): Promise<ExitCode> {
  const loaded = loadWorkspace(common);
  if (!loaded.ok) return fail(screen, loaded.error);
  // Read only at first: a mistake in the workflow or in a selector leaves nothing behind.
  const reading = openWorkspace(loaded.value, false);
  if (!reading.ok) return fail(screen, reading.error);
  const checked = check(reading.value);
  await reading.value.close();
  if (!checked.ok) return fail(screen, checked.error);
  const signals = catchSignals();
  const work = workLayout(loaded.value.workflow.root);
  const lock = await lockForBuild(work, randomUUID(), false, screen, signals.signal);
  try {
    if (!lock.ok) return lock.error;
    return await withWorkspace(common, screen, true, command);
  } finally {
    signals.close();
    if (lock.ok) await lock.value.release();
  }
}

/**
 * What is wrong with a command that is to change the outputs of a job of which a killed build left a run; by job id. None
 * but a build ends or adopts it.
 */
export function stillRunning({ workflow }: Workspace): (id: string, rule: string) => Diagnostic | undefined {
  const running = new Set(runningLaunches(workLayout(workflow.root)).map(({ launch }) => launch.jobId));
  return (id, rule) =>
    running.has(id)
      ? error('job/running', `${rule} ${id} is running: a build that was killed started it`, {
          hint: '`lhb build` adopts it, or ends it where the workflow no longer wants it',
        })
      : undefined;
}
