// One build a work tree: takes the lock, or says who has it.
import { randomUUID } from 'node:crypto';
import { error } from '../base/diagnostic.ts';
import { err, ok, type Result } from '../base/result.ts';
import { errno } from '../fs/errno.ts';
import { acquireLock, type Lock, type LockHolder } from '../store/lock.ts';
import { workLayout, type WorkLayout } from '../store/layout.ts';
import { isLimit, systemText } from '../store/write-failed.ts';
import { formatTime } from '../report/format.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Screen } from './screen.ts';
import { catchSignals } from './signals.ts';

const CANNOT_WRITE = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'EMFILE', 'EIO', 'ENOTDIR', 'EEXIST']);

/** What a build has while it holds the lock; `waited`: for another build. */
export type Locked = {
  readonly id: string;
  readonly signals: ReturnType<typeof catchSignals>;
  readonly waited: boolean;
};

/** Runs a build under the lock of its work tree; else the exit code of who could not get it. @param wait for another build */
export async function underBuildLock<T>(
  root: string,
  wait: boolean,
  screen: Screen,
  work: (locked: Locked) => Promise<T>,
): Promise<T | ExitCode> {
  const id = randomUUID();
  const signals = catchSignals();
  const lock = await lockForBuild(workLayout(root), id, wait, screen, signals.signal);
  try {
    return lock.ok ? await work({ id, signals, waited: lock.value.waited }) : lock.error;
  } finally {
    signals.close();
    if (lock.ok) await lock.value.release();
  }
}

/** @param wait wait for the other build instead of giving up; @param interrupt ends the waiting */
export async function lockForBuild(
  work: WorkLayout,
  build: string,
  wait: boolean,
  screen: Screen,
  interrupt: AbortSignal,
): Promise<Result<Lock & { readonly waited: boolean }, ExitCode>> {
  let told = false;
  const onWait = (holder: LockHolder | undefined): void => {
    if (!told) screen.note(`waiting for ${describe(holder)}`);
    told = true;
  };
  const command = process.argv.slice(2).join(' ');
  let lock: Awaited<ReturnType<typeof acquireLock>>;
  try {
    lock = await acquireLock(work, { build, command, wait, onWait, interrupt });
  } catch (problem) {
    const code = errno(problem);
    if (code === undefined || !CANNOT_WRITE.has(code)) throw problem;
    if (isLimit(problem)) {
      screen.diagnostics([error('store/write-failed', systemText(problem as Error))]);
      return err(EXIT.jobFailed);
    }
    const message = `the work tree's folder ${work.dir} cannot be written (${code})`;
    screen.diagnostics([
      error('store/write-failed', message, { hint: 'check its permissions and the space on its disk' }),
    ]);
    return err(EXIT.usage);
  }
  if (lock.ok) return ok({ ...lock.value, waited: told });
  if (interrupt.aborted) return err(EXIT.interrupted);
  screen.diagnostics([
    error('store/locked', `another build runs in this work tree: ${describe(lock.error)}`, {
      hint: 'wait for it with `lhb build --wait`, or look at it with `lhb jobs`',
    }),
  ]);
  return err(EXIT.locked);
}

/** Characters of the other build's command line. */
const SHOWN = 200;

function describe(holder: LockHolder | undefined): string {
  if (holder === undefined) return 'another build';
  const command = holder.command.length > SHOWN ? `${holder.command.slice(0, SHOWN)}…` : holder.command;
  return `lhb ${command} (pid ${holder.pid} on ${holder.host}, since ${formatTime(holder.since)})`;
}
