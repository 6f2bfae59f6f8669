// Chooses the reporter of a build, and joins it to the process's streams and clock.
import { LiveReporter } from './live.ts';
import { NdjsonReporter } from './ndjson.ts';
import { PlainReporter } from './plain.ts';
import type { Clock, Reporter, ReportOptions, Terminal } from './reporter.ts';

export const systemClock: Clock = {
  now: () => Date.now() / 1000,
  after(seconds, callback) {
    const timer = setTimeout(callback, seconds * 1000).unref();
    return () => clearTimeout(timer);
  },
};

type Stderr = NodeJS.WriteStream & { fd: 2 };

const terminalOf = (stream: Stderr): Terminal => ({
  write: (text) => stream.write(text),
  get columns() {
    return stream.columns;
  },
  get rows() {
    return stream.rows;
  },
  onResize(listener) {
    stream.on('resize', listener);
    return () => stream.off('resize', listener);
  },
});

/**
 * The reporter for a build: NDJSON on stdout with `json`; else, on stderr, a live view where that is a terminal that can
 * move its cursor, and plain lines where not. What is on screen at a crash stays there.
 */
export function openReporter(
  options: ReportOptions & { readonly json: boolean },
  env: Readonly<Record<string, string | undefined>>,
): Reporter {
  if (options.json) return new NdjsonReporter(process.stdout);
  if (!process.stderr.isTTY || env['TERM'] === 'dumb' || options.verbosity === 'quiet') {
    const plain = new PlainReporter(process.stderr, systemClock, options);
    return closedAtExit(plain, () => plain.close());
  }
  const live = new LiveReporter(terminalOf(process.stderr), systemClock, options);
  return closedAtExit(live, () => live.abandon());
}

/** The same reporter, which comes to its end by `atExit` where the process ends before it is closed. */
function closedAtExit(reporter: Reporter, atExit: () => void): Reporter {
  process.once('exit', atExit);
  return {
    handle: (event) => reporter.handle(event),
    close() {
      process.off('exit', atExit);
      reporter.close();
    },
  };
}
