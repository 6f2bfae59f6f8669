// Other programs that lhb asks something: nvidia-smi, a scheduler's own commands. (Jobs are started by the executors.)

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
  /** It outlives this process, and a Ctrl-C on the terminal is not for it. */
  readonly apart?: boolean;
};

const MOST_OUTPUT = 64 * 1024 * 1024;

/** Runs a program to its end, or ends it at its limit; never rejects. */
export async function runProgram(
  file: string,
  args: readonly string[],
  { cwd, env, limitMs, apart = false }: ProgramOptions,
): Promise<ProgramEnd> {
  // Most builds start none.
  const { execa } = await import('execa');
  const ended = await execa(file, args, {
    reject: false,
    stdin: 'ignore',
    timeout: limitMs,
    forceKillAfterDelay: 2000,
    maxBuffer: MOST_OUTPUT,
    ...(cwd !== undefined && { cwd }),
    ...(env && { env }),
    ...(apart && { detached: true, cleanup: false }),
  });
  return {
    failed: ended.failed,
    timedOut: ended.timedOut,
    exitCode: ended.exitCode ?? 255,
    stdout: ended.stdout,
    stderr: ended.stderr,
    problem: ended.failed ? (ended.shortMessage ?? '') : '',
  };
}
