// The exit marker: the file `exit` in a job's folder, the job script's last act. It tells a driver that was not there
// how the job ended. One line, which is whole or does not count:
//   lhb-exit 1 CODE START END ok
// CODE as `$?` has it (128 + n for signal n), START and END in seconds since the epoch or `-` where the shell cannot
// tell. On a cluster it is written under another name and renamed. The local helper, whose driver watches, writes it in
// place by one write, as `mv` would double the cost of a short job; the closing word makes up for it.
import { readFileSync, statSync } from 'node:fs';

export const EXIT_MARKER = 'exit';

export type ExitMarker = {
  readonly code: number;
  /** Seconds since the epoch. */
  readonly startedAt: number | undefined;
  readonly finishedAt: number;
};

/** The marker in a job's folder; undefined where there is none, or half of one. `finishedAt` is the file's mtime where the line has none. */
export function readExitMarker(jobDir: string): ExitMarker | undefined {
  const file = `${jobDir}/${EXIT_MARKER}`;
  try {
    const match = /^lhb-exit 1 (\d{1,3}) (\d+(?:\.\d+)?|-) (\d+(?:\.\d+)?|-) ok\n$/.exec(readFileSync(file, 'utf8'));
    if (match === null) return undefined;
    const [, code, start, end] = match;
    return {
      code: Number(code),
      startedAt: start === '-' ? undefined : Number(start),
      finishedAt: end === '-' ? statSync(file).mtimeMs / 1000 : Number(end),
    };
  } catch {
    return undefined;
  }
}
