// Cancels jobs at a scheduler: all that are to be cancelled within a moment in one call.
import { writeFileSync } from 'node:fs';
import { sleep, type Desk } from './desk.ts';
import { CANCELLED } from './node-script.ts';
import { aboutJobs, taskId } from './submission.ts';
import type { Task } from './task.ts';

const GATHER_MS = 30;
/** Ids in one call. */
const MOST_IDS = 500;
const FIRST_BACKOFF_MS = 2000;
const MOST_BACKOFF_MS = 60_000;
/** How long a cancelled job may take to be over. */
const PATIENCE_MS = 60_000;

export class Canceller {
  readonly #desk: Desk;
  readonly #onCancelled: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(desk: Desk, onCancelled: () => void) {
    this.#desk = desk;
    this.#onCancelled = onCancelled;
  }

  /** Soon cancels every task that is `stopped` and was not asked to end yet. */
  soon(): void {
    if (this.#desk.closed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#cancelAll();
    }, GATHER_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  async #cancelAll(): Promise<void> {
    const { templates, tasks: all } = this.#desk;
    const { cancel } = templates;
    const tasks = [...all.values()].filter((t) => t.stopped && !t.stopAsked && t.submission?.id !== undefined);
    if (tasks.length === 0) return;
    for (const task of tasks) task.stopAsked = true;
    const ids = this.#idsOf(tasks.filter((task) => !this.#isPassedOver(task)));
    for (let from = 0; from < ids.length && cancel; from += MOST_IDS)
      await this.#run(aboutJobs(cancel, ids.slice(from, from + MOST_IDS)));
    this.#onCancelled();
    const giveUp = (): void => {
      for (const task of tasks) if (!task.over) this.#desk.end(task, task.stopped ?? { kind: 'cancelled' }, undefined);
    };
    setTimeout(giveUp, cancel ? PATIENCE_MS : 0).unref();
  }

  /**
   * One that waits in a pack of which others are wanted is not the scheduler's to cancel: a file is left by which its script
   * does nothing. Then it is over.
   */
  #isPassedOver(task: Task): boolean {
    const others = this.#desk.packedWith(task);
    const stayOn = others.some((token) => this.#desk.tasks.get(token)?.stopped === undefined);
    if (!stayOn || this.#desk.hasBegun(task)) return false;
    writeFileSync(`${this.#desk.markerFile(task.token)}${CANCELLED}`, '');
    if (this.#desk.hasBegun(task)) return false;
    this.#desk.end(task, task.stopped ?? { kind: 'cancelled' }, undefined);
    return true;
  }

  async #run(command: string): Promise<void> {
    for (let pause = FIRST_BACKOFF_MS; pause <= MOST_BACKOFF_MS && !this.#desk.closed; pause *= 2) {
      const { kind } = await this.#desk.run(command);
      if (kind !== 'down') return;
      await sleep(pause);
    }
  }

  /** Ids of tasks; an array of which every task is meant goes by its own. */
  #idsOf(tasks: readonly Task[]): string[] {
    const meant = new Set(tasks);
    const ids = new Set<string>();
    for (const { submission, index } of tasks) {
      if (submission?.id === undefined) continue;
      const { id, array, adopted } = submission;
      const whole = array && !adopted && submission.tasks.every((each) => each.over || meant.has(each));
      ids.add(whole ? id : taskId(id, index, this.#desk.templates));
    }
    return [...ids];
  }
}
