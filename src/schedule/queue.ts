// Jobs that wait for a slot: by priority, then longest path first, then in the workflow's order.
import type { Job } from '../graph/job.ts';

export type Queued = {
  readonly job: Job;
  readonly attempt: number;
  readonly priority: number;
  /** Expected seconds from this job's start to the end of the longest chain below it. */
  readonly path: number;
};

export class RunQueue {
  private items: Queued[] = [];
  private sorted = true;

  get size(): number {
    return this.items.length;
  }

  add(item: Queued): void {
    this.items.push(item);
    this.sorted = false;
  }

  /**
   * Takes out the first that `fits`. What does not fit is passed over, so that small jobs use what a big one leaves free;
   * at most `lookahead` are tried, since a long queue is asked often.
   */
  take(fits: (item: Queued) => boolean, lookahead = 256): Queued | undefined {
    this.sort();
    // The best is last, so that taking it out is cheap.
    const last = this.items.length - 1;
    for (let i = last; i >= 0 && i > last - lookahead; i--) {
      const item = this.items[i];
      if (item === undefined || !fits(item)) continue;
      this.items.splice(i, 1);
      return item;
    }
    return undefined;
  }

  /** Takes all out, in no order. */
  drain(): Queued[] {
    const items = this.items;
    this.items = [];
    return items;
  }

  private sort(): void {
    if (this.sorted) return;
    this.items.sort((a, b) => a.priority - b.priority || a.path - b.path || b.job.index - a.job.index);
    this.sorted = true;
  }
}
