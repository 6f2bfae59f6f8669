// Runs a scheduler's own commands: submit, status, cancel.
import { defaultShell } from '../shell.ts';

export type Answer =
  | { readonly kind: 'ok'; readonly stdout: string; readonly stderr: string }
  /** It did not answer, or said that it cannot be reached: nothing follows from that for any job. */
  | { readonly kind: 'down'; readonly message: string }
  | { readonly kind: 'failed'; readonly code: number; readonly message: string; readonly stdout: string };

/** A controller that is down makes clients wait for up to 18 s of their own. */
const LIMIT_MS = 120_000;
const MOST_OUTPUT = 64 * 1024 * 1024;

/**
 * Runs shell text in a folder.
 * @param down what is printed where the scheduler does not answer
 * @param limitMs how long it may take; one that takes longer is ended and counts as down
 */
export async function runSchedulerCommand(
  text: string,
  {
    cwd,
    env,
    down,
    limitMs = LIMIT_MS,
  }: {
    readonly cwd: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly down: RegExp | undefined;
    readonly limitMs?: number;
  },
): Promise<Answer> {
  const { execa } = await import('execa');
  const [shell = '/bin/sh'] = defaultShell();
  const ended = await execa(shell, ['-c', text], {
    cwd,
    reject: false,
    stdin: 'ignore',
    timeout: limitMs,
    forceKillAfterDelay: 2000,
    maxBuffer: MOST_OUTPUT,
    stripFinalNewline: true,
    // Its own group: Ctrl-C is for lhb, which has to hear what became of it.
    detached: true,
    cleanup: false,
    ...(env && { env }),
  });
  const { stdout, stderr } = ended;
  const said = (stderr.trim() || stdout.trim() || ended.shortMessage || '').slice(0, 2000);
  if (ended.timedOut) return { kind: 'down', message: `no answer in ${limitMs / 1000} s` };
  if (!ended.failed) return { kind: 'ok', stdout, stderr };
  if (down?.test(stderr) || down?.test(stdout)) return { kind: 'down', message: said };
  return { kind: 'failed', code: ended.exitCode ?? 255, message: said, stdout };
}

/** The words of a scheduler's error that tell most: its last lines, without its own name in front. */
export const lastWords = (message: string): string => {
  const lines = message
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return lines.slice(-2).join('; ') || 'it says nothing';
};
