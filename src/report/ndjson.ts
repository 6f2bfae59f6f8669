// `build --json`: a line of JSON an event, on stdout. The format is store-schema/events.schema.json.
import type { BuildEvent } from '../schedule/event.ts';
import { safeJson } from './safe-json.ts';
import type { Reporter, Sink } from './reporter.ts';

export class NdjsonReporter implements Reporter {
  private readonly out: Sink;

  constructor(out: Sink) {
    this.out = out;
  }

  handle(event: BuildEvent): void {
    this.out.write(`${safeJson(event)}\n`);
  }

  close(): void {
    // Nothing is held back.
  }
}
