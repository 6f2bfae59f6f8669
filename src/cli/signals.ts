// Ctrl-C and TERM: the build cancels what runs, records it, and ends with 130 or 143. A second one: it waits no more for jobs
// that go on without it.
import { EXIT, type ExitCode } from './exit-code.ts';

export type Signals = {
  readonly signal: AbortSignal;
  /** The second one. */
  readonly again: AbortSignal;
  /** The exit code that the signal asks for, undefined where none came. */
  exitCode(): ExitCode | undefined;
  close(): void;
};

/** Catches SIGINT, SIGTERM and SIGHUP until closed. */
export function catchSignals(): Signals {
  const controller = new AbortController();
  const second = new AbortController();
  let code: ExitCode | undefined;
  const stop = (): void => (controller.signal.aborted ? second : controller).abort();
  const onInterrupt = (): void => {
    code ??= EXIT.interrupted;
    stop();
  };
  const onTerminate = (): void => {
    code ??= EXIT.terminated;
    stop();
  };
  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', onTerminate);
  process.on('SIGHUP', onTerminate);
  return {
    signal: controller.signal,
    again: second.signal,
    exitCode: () => code,
    close() {
      process.off('SIGINT', onInterrupt);
      process.off('SIGTERM', onTerminate);
      process.off('SIGHUP', onTerminate);
    },
  };
}
