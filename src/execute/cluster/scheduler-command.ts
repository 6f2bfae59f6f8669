// Runs a scheduler's own commands: submit, status, cancel.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { runProgram, type ProgramEnd } from '../program.ts';
import { defaultShell, quoteWord } from '../shell.ts';

export type Answer =
  | { readonly kind: 'ok'; readonly stdout: string; readonly stderr: string }
  /** It did not answer, or said that it cannot be reached: nothing follows from that for any job. */
  | { readonly kind: 'down'; readonly message: string }
  | { readonly kind: 'failed'; readonly code: number; readonly message: string; readonly stdout: string };

/** A controller that is down makes clients wait for up to 18 s of their own. */
export const LIMIT_MS = 120_000;

/** In the environment of a submit command: whose it is, should its driver die. */
export const SUBMISSION_VARIABLE = 'LHB_SUBMISSION';

type CommandOptions = {
  readonly cwd: string;
  /** What is printed where the scheduler does not answer. */
  readonly down: RegExp | undefined;
  /** How long it may take; one that takes longer is ended and counts as down. */
  readonly limitMs?: number;
  /** Ends it early. */
  readonly signal?: AbortSignal;
};

/** Runs shell text in a folder. */
export async function runSchedulerCommand(text: string, options: CommandOptions): Promise<Answer> {
  const { cwd, down, limitMs = LIMIT_MS, signal } = options;
  const [shell = '/bin/sh'] = defaultShell();
  // Its own group: Ctrl-C is for lhb, which has to hear what became of it.
  const ended = await runProgram(shell, ['-c', text], { cwd, limitMs, apart: true, ...(signal && { signal }) });
  return answerOf(ended, down, limitMs);
}

/**
 * Runs a submit command. What it prints goes to files, where the next driver finds the id should this one be killed while the
 * command runs.
 * @param said the path of what it prints, absolute; its errors go beside it
 */
export async function runSubmit(text: string, key: string, said: string, options: CommandOptions): Promise<Answer> {
  const { cwd, down, limitMs = LIMIT_MS } = options;
  const [shell = '/bin/sh'] = defaultShell();
  const errors = `${said}.err`;
  const apart = `exec > ${quoteWord(said)} 2> ${quoteWord(errors)}\n${text}`;
  const env = { [SUBMISSION_VARIABLE]: key };
  const ended = await runProgram(shell, ['-c', apart], { cwd, env, limitMs, apart: true });
  if (ended.stderr !== '' || !existsSync(said)) return answerOf(ended, down, limitMs);
  const printed = { stdout: readFileSync(said, 'utf8'), stderr: readFileSync(errors, 'utf8') };
  rmSync(errors, { force: true });
  return answerOf({ ...ended, ...printed }, down, limitMs);
}

function answerOf(ended: ProgramEnd, down: RegExp | undefined, limitMs: number): Answer {
  const { stdout, stderr } = ended;
  const said = (stderr.trim() || stdout.trim() || ended.problem).slice(0, 2000);
  if (ended.timedOut) return { kind: 'down', message: `no answer in ${limitMs / 1000} s` };
  if (!ended.failed) return { kind: 'ok', stdout, stderr };
  if (down?.test(stderr) || down?.test(stdout)) return { kind: 'down', message: said };
  return { kind: 'failed', code: ended.exitCode, message: said, stdout };
}

/** The words of a scheduler's error that tell most: its last lines. */
export const lastWords = (message: string): string => {
  const lines = message
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return lines.slice(-2).join('; ') || 'it says nothing';
};
