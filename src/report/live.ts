// The reporter for a terminal: what is over scrolls up, below it stands a frame (live-frame.ts) that is drawn again.
//
// A frame is drawn over the last one: cursor up to its first row, clear to the end of the screen, then new scrolling
// lines, then the frame without a newline at its end. All in one write, at most ten a second. The cursor is never hidden
// and no mode is set, so that a kill leaves nothing to repair but an unfinished line.
import type { BuildEvent } from '../schedule/event.ts';
import { formatNumber } from './format.ts';
import { eventLines, failureList, isAdoption, isShown, type At } from './job-lines.ts';
import { frameLines } from './live-frame.ts';
import { Progress } from './progress.ts';
import type { Clock, Reporter, ReportOptions, Terminal } from './reporter.ts';
import { makeStyle, type Style } from './style.ts';
import { renderLine, textWidth, type Line } from './text-width.ts';

const REDRAW_S = 0.1;
/** Running clocks move once a second. */
const TICK_S = 1;

const UP = (rows: number): string => (rows > 0 ? `\u001b[${rows}A` : '');
const CLEAR_BELOW = '\u001b[J';

/** Made into lines when it is drawn, since of many only some are. */
type Pending = { readonly event: BuildEvent; readonly at: At };

const isRoutine = ({ event }: Pending): boolean =>
  event.event === 'job-finished' || event.event === 'job-skipped' || event.event === 'job-started';

export class LiveReporter implements Reporter {
  private readonly terminal: Terminal;
  private readonly clock: Clock;
  private readonly options: ReportOptions;
  private readonly style: Style;
  private readonly progress = new Progress();
  private pending: Pending[] = [];
  /** Columns taken by each line of the frame on screen. */
  private drawn: readonly number[] = [];
  private lastDraw = -Infinity;
  private timer: { at: number; cancel: () => void } | undefined;
  private active = false;
  private readonly endResize: () => void;

  constructor(terminal: Terminal, clock: Clock, options: ReportOptions) {
    this.terminal = terminal;
    this.clock = clock;
    this.options = options;
    this.style = makeStyle(options.color);
    this.endResize = terminal.onResize(() => this.changed());
  }

  handle(event: BuildEvent): void {
    this.progress.note(event);
    if (event.event === 'build-started') this.active = true;
    // The frame shows what is running; a line of its own only where it has reasons to tell.
    const isTold = event.event !== 'job-started' || this.options.reasons || isAdoption(event);
    if (isShown(event, this.options) && isTold) {
      const { done, total } = this.progress;
      this.pending.push({ event, at: { done, total } });
    }
    if (event.event === 'build-finished') this.close();
    else this.changed();
  }

  close(): void {
    this.end();
    if (this.pending.length > 0 || this.drawn.length > 0) this.draw();
  }

  /** The end where something else may have been printed below the frame (a crash): nothing on screen is erased. */
  abandon(): void {
    this.end();
    if (this.drawn.length > 0) this.terminal.write('\n');
    this.drawn = [];
    if (this.pending.length > 0) this.draw();
  }

  private end(): void {
    this.active = false;
    this.stopTimer();
    this.endResize();
  }

  private get columns(): number {
    return this.terminal.columns || 80;
  }

  private get rows(): number {
    return this.terminal.rows || 24;
  }

  /** Draws now, or as soon as the last drawing is long enough ago. */
  private changed(): void {
    const wait = this.active ? this.lastDraw + REDRAW_S - this.clock.now() : 0;
    // A clock that was set back must not stop the view.
    if (wait <= 0 || wait > 2 * REDRAW_S) this.draw();
    else this.drawAfter(wait);
  }

  private drawAfter(seconds: number): void {
    const at = this.clock.now() + seconds;
    if (this.timer && this.timer.at <= at) return;
    this.stopTimer();
    const cancel = this.clock.after(seconds, () => {
      this.timer = undefined;
      this.draw();
    });
    this.timer = { at, cancel };
  }

  private stopTimer(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private draw(): void {
    this.stopTimer();
    const now = this.clock.now();
    // One column stays free: a full last column makes some terminals wrap, others not.
    const width = Math.max(1, this.columns - 1);
    const frame = this.active ? frameLines(this.progress, now, this.columns, this.rows) : [];
    const text = frame.map((line) => renderLine(line, this.style, width)).join('\n');
    this.terminal.write(this.eraseFrame() + this.takePending() + text);
    this.drawn = frame.map((line) => Math.min(width, lineWidth(line)));
    this.lastDraw = now;
    if (this.active && this.progress.running.size > 0) this.drawAfter(TICK_S);
  }

  /** To the first row of the frame, and all below cleared. In a window made narrower its lines take several rows. */
  private eraseFrame(): string {
    if (this.drawn.length === 0) return '';
    const rows = this.drawn.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / this.columns)), 0);
    // Rows above the window's top are out of reach.
    return `\r${UP(Math.min(rows, this.rows) - 1)}${CLEAR_BELOW}`;
  }

  /**
   * The lines to scroll up. Of thousands of quick jobs in a tenth of a second the last screenful is shown and the rest
   * counted; failures and messages are shown always.
   */
  private takePending(): string {
    const { pending } = this;
    this.pending = [];
    const routine = pending.reduce((n, p) => n + (isRoutine(p) ? 1 : 0), 0);
    let skip = Math.max(0, routine - this.rows);
    const lines: Line[] = skip > 0 ? [[['dim', `… and ${formatNumber(skip)} more before these`]]] : [];
    for (const p of pending) {
      if (skip > 0 && isRoutine(p)) {
        skip--;
        continue;
      }
      if (p.event.event === 'build-finished') lines.push(...failureList(this.progress.failed));
      lines.push(...eventLines(p.event, p.at, this.options));
    }
    return lines.map((line) => `${renderLine(line, this.style)}\n`).join('');
  }
}

const lineWidth = (line: Line): number => line.reduce((sum, p) => sum + textWidth(typeof p === 'string' ? p : p[1]), 0);
