// The exit codes of lhb. Nothing else in the program knows them as numbers.
import type { Diagnostic } from '../base/diagnostic.ts';

export const EXIT = {
  ok: 0,
  jobFailed: 1,
  /** A mistake on the command line, in the workflow or in a config. */
  usage: 2,
  /** Another build holds the lock of this work tree. */
  locked: 3,
  storeDamaged: 4,
  /** A broken invariant: a bug of lhb. */
  bug: 70,
  /** 128 + SIGINT. */
  interrupted: 130,
  /** 128 + SIGTERM. */
  terminated: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** For errors that end a command: the store's own, what the machine refuses, else the user's. */
export function exitOf(errors: readonly Diagnostic[]): ExitCode {
  if (errors.some(({ code }) => code === 'store/write-failed')) return EXIT.jobFailed;
  if (errors.some(({ code }) => code === 'store/locked')) return EXIT.locked;
  return errors.some(({ code }) => code.startsWith('store/')) ? EXIT.storeDamaged : EXIT.usage;
}
