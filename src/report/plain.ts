// The reporter for what is no terminal: one plain line an event on stderr, written at once.
import type { BuildEvent } from '../schedule/event.ts';
import { eventLines, failureList, isShown } from './job-lines.ts';
import { Progress } from './progress.ts';
import type { Reporter, ReportOptions, Sink } from './reporter.ts';
import { makeStyle, type Style } from './style.ts';
import { renderLine } from './text-width.ts';

export class PlainReporter implements Reporter {
  private readonly err: Sink;
  private readonly options: ReportOptions;
  private readonly style: Style;
  private readonly progress = new Progress();

  constructor(err: Sink, options: ReportOptions) {
    this.err = err;
    this.options = options;
    this.style = makeStyle(options.color);
  }

  handle(event: BuildEvent): void {
    this.progress.note(event);
    if (!isShown(event, this.options)) return;
    const lines = eventLines(event, this.progress, this.options);
    if (event.event === 'build-finished') lines.unshift(...failureList(this.progress.failed));
    this.err.write(lines.map((line) => `${renderLine(line, this.style)}\n`).join(''));
  }

  close(): void {
    // Nothing is held back.
  }
}
