// What shows a build while it happens. There are three: live.ts, plain.ts, ndjson.ts.
import type { BuildEvent } from '../schedule/event.ts';

export interface Reporter {
  handle(event: BuildEvent): void;
  /** Leaves the terminal as it was; to be called however the build ends. Idempotent. */
  close(): void;
}

/** Where text goes: a stream, or a test's array. */
export interface Sink {
  write(text: string): unknown;
}

export interface Terminal extends Sink {
  /** As they are now; undefined or 0 where the terminal does not say. */
  readonly columns: number | undefined;
  readonly rows: number | undefined;
  /** Calls back when the size changed; the answer ends that. */
  onResize(listener: () => void): () => void;
}

export interface Clock {
  /** Seconds since the epoch. */
  now(): number;
  /** Calls back once, after some seconds; the answer cancels. Does not keep the process alive. */
  after(seconds: number, callback: () => void): () => void;
}

export type ReportOptions = {
  readonly verbosity: 'quiet' | 'normal' | 'verbose';
  /** Print why a job runs. */
  readonly reasons: boolean;
  readonly color: boolean;
};
