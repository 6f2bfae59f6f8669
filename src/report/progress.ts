// How far a build is, counted from its events: what plain.ts numbers its lines by, and live.ts its bar and ETA.
import type { BuildEvent } from '../schedule/event.ts';

export type StartedEvent = Extract<BuildEvent, { event: 'job-started' }>;
export type FailedEvent = Extract<BuildEvent, { event: 'job-failed' }>;

/** Finished jobs that an ETA needs where nothing is known of past durations. */
const ENOUGH_DONE = 2;
const ENOUGH_SECONDS = 2;

export class Progress {
  total = 0;
  done = 0;
  /** Jobs that failed for good. */
  readonly failed: FailedEvent[] = [];
  /** By id, in the order of their start. */
  readonly running = new Map<string, StartedEvent>();
  private slots = 1;
  private workS: number | undefined;
  private workDoneS = 0;
  private firstStart: number | undefined;
  private doneAtFirstStart = 0;

  note(event: BuildEvent): void {
    switch (event.event) {
      case 'build-started':
        this.total = event.jobs;
        this.slots = Math.max(1, event.slots);
        this.workS = event.work_s;
        break;
      case 'job-started':
        if (this.firstStart === undefined) {
          this.firstStart = event.time;
          this.doneAtFirstStart = this.done;
        }
        this.running.set(event.id, event);
        break;
      case 'job-failed':
        if (event.will_retry) {
          this.running.delete(event.id);
          break;
        }
        this.failed.push(event);
        this.end(event.id);
        break;
      case 'job-finished':
      case 'job-skipped':
      case 'job-cancelled':
        this.end(event.id);
        break;
      case 'message':
      case 'build-finished':
        break;
    }
  }

  private end(id: string): void {
    this.done++;
    this.workDoneS += this.running.get(id)?.expected_s ?? 0;
    this.running.delete(id);
  }

  /**
   * Seconds until the build is done, or undefined where nothing is known yet. From past durations where the build has
   * them: the work that is left, on all slots, but no less than the longest job still runs. Else from the pace so far.
   */
  eta(now: number): number | undefined {
    let workLeft = (this.workS ?? 0) - this.workDoneS;
    let longest = 0;
    for (const { expected_s: expected, time, since = time } of this.running.values()) {
      if (expected === undefined) continue;
      longest = Math.max(longest, expected - (now - since));
      workLeft -= Math.min(expected, now - since);
    }
    if (this.workS !== undefined) return Math.max(longest, workLeft / this.slots);

    const done = this.done - this.doneAtFirstStart;
    const elapsed = this.firstStart === undefined ? 0 : now - this.firstStart;
    if (done < ENOUGH_DONE || elapsed < ENOUGH_SECONDS) return undefined;
    return Math.max(longest, (elapsed / done) * Math.max(0, this.total - this.done));
  }
}
