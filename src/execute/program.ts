// Other programs that lhb asks something: nvidia-smi, a scheduler's own commands. (Jobs are started by the executors.)
import { sendSignal } from './process-group.ts';

export type ProgramEnd = {
  readonly failed: boolean;
  readonly timedOut: boolean;
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What kept it from being run. */
  readonly problem: string;
};

export type ProgramOptions = {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly limitMs: number;
  /** It has a process group of its own: it outlives this process, and a Ctrl-C on the terminal is not for it. */
  readonly apart?: boolean;
  /** Ends it early. */
  readonly signal?: AbortSignal;
};

const MOST_OUTPUT = 64 * 1024 * 1024;
const GRACE_MS = 2000;

/** Runs a program to its end, or ends it at its limit; never rejects. */
export async function runProgram(
  file: string,
  args: readonly string[],
  { cwd, env, limitMs, apart = false, signal }: ProgramOptions,
): Promise<ProgramEnd> {
  // Most builds start none.
  const { execa } = await import('execa');
  const running = execa(file, args, {
    reject: false,
    stdin: 'ignore',
    maxBuffer: MOST_OUTPUT,
    ...(cwd !== undefined && { cwd }),
    ...(env && { env }),
    ...(apart && { detached: true, cleanup: false }),
  });
  let timedOut = false;
  let killed: NodeJS.Timeout | undefined;
  // With all that it has started, where it has a group: what holds its output open keeps us waiting too.
  const send = (name: 'SIGTERM' | 'SIGKILL'): void => {
    if (!apart || running.pid === undefined) running.kill(name);
    else sendSignal(-running.pid, name);
  };
  const stop = (): void => {
    send('SIGTERM');
    killed ??= setTimeout(() => send('SIGKILL'), GRACE_MS);
  };
  const limit = setTimeout(() => {
    timedOut = true;
    stop();
  }, limitMs);
  signal?.addEventListener('abort', stop, { once: true });
  if (signal?.aborted) stop();
  const ended = await running;
  clearTimeout(limit);
  clearTimeout(killed);
  signal?.removeEventListener('abort', stop);
  return {
    failed: ended.failed,
    timedOut,
    exitCode: ended.exitCode ?? 255,
    stdout: ended.stdout,
    stderr: ended.stderr,
    problem: ended.failed ? (ended.shortMessage ?? '') : '',
  };
}
