// The reporter for what is no terminal: one plain line an event on stderr. A line is written at once; those that follow it
// within some hundredths of a second are written together, for a thousand short jobs a second would be two thousand writes.
import type { BuildEvent } from '../schedule/event.ts';
import { eventLines, failureList, isShown } from './job-lines.ts';
import { Progress } from './progress.ts';
import type { Clock, Reporter, ReportOptions, Sink } from './reporter.ts';
import { makeStyle, type Style } from './style.ts';
import { renderLine } from './text-width.ts';

/** Seconds between two writes. */
const PAUSE_S = 0.05;

export class PlainReporter implements Reporter {
  private readonly err: Sink;
  private readonly clock: Clock;
  private readonly options: ReportOptions;
  private readonly style: Style;
  private readonly progress = new Progress();
  private held = '';
  private isPausing = false;
  private endPause: () => void = () => {};

  constructor(err: Sink, clock: Clock, options: ReportOptions) {
    this.err = err;
    this.clock = clock;
    this.options = options;
    this.style = makeStyle(options.color);
  }

  handle(event: BuildEvent): void {
    this.progress.note(event);
    if (!isShown(event, this.options)) return;
    const lines = eventLines(event, this.progress, this.options);
    if (event.event === 'build-finished') lines.unshift(...failureList(this.progress.failed));
    for (const line of lines) this.held += `${renderLine(line, this.style)}\n`;
    if (!this.isPausing) this.writeHeld();
  }

  close(): void {
    this.endPause();
    this.isPausing = false;
    this.write();
  }

  private writeHeld(): void {
    this.isPausing = this.held !== '';
    if (this.isPausing) this.endPause = this.clock.after(PAUSE_S, () => this.writeHeld());
    this.write();
  }

  private write(): void {
    if (this.held !== '') this.err.write(this.held);
    this.held = '';
  }
}
