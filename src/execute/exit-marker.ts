// The exit marker: the file `exit` in a job's folder, the last act of the shell that runs the job. It tells a driver that
// was not there how the job ended. Five lines, which are whole or do not count:
//   lhb-exit 2 TOKEN CODE START
//   0m0.012s 0m0.003s        `times`: CPU time of the shell,
//   1m2.340s 0m1.020s        and of all that it has waited for, jobs before this one included
//   ok
// TOKEN names the launch (launches.ts), so that a marker of an earlier attempt never passes for one of a later; CODE as
// `$?` has it (128 + n for signal n); START in seconds since the epoch, or `-` where the shell cannot tell. The end is the
// file's mtime. A script of its own (job.sh) writes it under another name and renames it; the local helper appends it to those
// of earlier launches, as `mv` would double the cost of a short job; the closing word makes up for it, and the last one counts.
import { readFileSync, statSync } from 'node:fs';

export const EXIT_MARKER = 'exit';

export type ExitMarker = {
  readonly code: number;
  /** Seconds since the epoch. */
  readonly startedAt: number | undefined;
  readonly finishedAt: number;
  /** CPU seconds of all that the shell has run by then; undefined where it does not tell. */
  readonly cpuS: number | undefined;
  /** Where it ran, and the peak memory (MB, 10^6 bytes), where the script tells. */
  readonly host: string | undefined;
  readonly maxRssMb: number | undefined;
};

/** Further lines of a script on another host: its name, and the peak resident memory in kB (2^10 bytes). */
export const HOST_LINE = 'host';
export const PEAK_LINE = 'rss_kb';

const BEGINNING = 'lhb-exit 2 ';

/** The shell command that writes the marker to fd 1. @param status what gives the exit code in the shell, such as `$s` */
export const markerLines = (token: string, status: string, start: string): string =>
  `echo "${BEGINNING}${token} ${status} ${start}"; times; echo ok`;

const FORM = /^lhb-exit 2 ([\w-]+) (\d{1,3}) (\d+(?:\.\d+)?|-)\n([^]*\n)?ok\n$/;

/** The marker of one launch in a job's folder; undefined where there is none, half of one, or one of another launch. */
export const readExitMarker = (jobDir: string, token: string): ExitMarker | undefined =>
  readMarker(`${jobDir}/${EXIT_MARKER}`, token);

/** The same of a file of any name. A scheduler's jobs have one for each launch, in a folder for all of them (`ended`). */
export function readMarker(file: string, token: string): ExitMarker | undefined {
  try {
    const text = readFileSync(file, 'latin1');
    const [, of, code, start, times] = FORM.exec(text.slice(Math.max(0, text.lastIndexOf(BEGINNING)))) ?? [];
    if (of !== token) return undefined;
    return {
      code: Number(code),
      startedAt: start === '-' ? undefined : Number(start),
      finishedAt: statSync(file).mtimeMs / 1000,
      cpuS: cpuOfChildren(times ?? ''),
      ...ofHost(times ?? ''),
    };
  } catch {
    return undefined;
  }
}

/**
 * CPU seconds, user and system, of the jobs that a shell has waited for, from what `times` prints: two lines such as
 * `1m2.340000s 0m0.010s`, of which the first is the shell's own.
 */
export function cpuOfChildren(times: string): number | undefined {
  const found = [...times.matchAll(/(\d+)m([\d.,]+)s/g)];
  const [user, system] = found
    .slice(2)
    .map(([, minutes, seconds]) => Number(minutes) * 60 + Number(seconds?.replace(',', '.')));
  return user === undefined || system === undefined ? undefined : user + system;
}

function ofHost(lines: string): Pick<ExitMarker, 'host' | 'maxRssMb'> {
  const host = /^host ([\w.-]+)$/m.exec(lines)?.[1];
  const kb = Number(/^rss_kb (\d+)$/m.exec(lines)?.[1] ?? 0);
  return { host, maxRssMb: kb > 0 ? (kb * 1024) / 1e6 : undefined };
}
