// What stands below the scrolling lines while a build runs: a bar, and the running jobs. Pure.
import { formatElapsed, formatNumber } from './format.ts';
import type { Progress } from './progress.ts';
import type { Line } from './text-width.ts';
import { jobName } from './wording.ts';

const BAR_WIDTH = 24;

/** The lines of the frame for a terminal of this size: the bar, and as many jobs as fit in a third of the height. */
export function frameLines(progress: Progress, now: number, columns: number, rows: number): Line[] {
  return [barLine(progress, now, columns), ...runningLines(progress, now, Math.max(1, Math.floor(rows / 3)))];
}

function barLine(progress: Progress, now: number, columns: number): Line {
  const { done, total, running, failed } = progress;
  const width = Math.min(BAR_WIDTH, Math.floor(columns / 3));
  const filled = total === 0 ? 0 : Math.min(width, Math.floor((done / total) * width));
  const head = filled > 0 && filled < width ? `${'='.repeat(filled - 1)}>` : '='.repeat(filled);
  const eta = progress.eta(now);
  return [
    '[',
    ['green', head],
    `${' '.repeat(width - filled)}] `,
    ['bold', `${formatNumber(done)}/${formatNumber(total)}`],
    running.size > 0 ? `  ${formatNumber(running.size)} running` : '',
    failed.length > 0 ? ['red', `  ${formatNumber(failed.length)} failed`] : '',
    eta === undefined ? '' : ['dim', `  ETA ${formatElapsed(eta)}`],
  ];
}

function runningLines(progress: Progress, now: number, most: number): Line[] {
  const count = progress.running.size;
  const shown = count <= most ? count : most - 1;
  const lines: Line[] = [];
  for (const event of progress.running.values()) {
    if (lines.length === shown) break;
    const expected = event.expected_s === undefined ? '' : `  of about ${formatElapsed(event.expected_s)}`;
    const attempt = event.attempt > 1 ? `, attempt ${event.attempt}` : '';
    lines.push([
      ['cyan', formatElapsed(now - (event.since ?? event.time)).padStart(9)],
      `  ${jobName(event)}${attempt}`,
      ['dim', expected],
    ]);
  }
  if (count > shown) lines.push([['dim', `${' '.repeat(9)}  … and ${formatNumber(count - shown)} more`]]);
  return lines;
}
