// The job that is handed over before its turn, beside those that have a slot (execute/turns.ts): when there is one, and when it
// counts as one that runs.
import type { LocalExecutor } from '../execute/local.ts';
import type { Job } from '../graph/job.ts';
import type { Reason } from '../plan/reason.ts';
import { ASKS_NOTHING } from './allotment.ts';
import type { Queued } from './queue.ts';
import type { RunningJobs } from './running-jobs.ts';
import { hasTemp } from './temp-outputs.ts';

/** The executor of this machine, where one job more than there are slots may wait for its turn. */
export type TakesTurns = Pick<LocalExecutor, 'takesAhead' | 'release' | 'callOff'>;

/** How long one may wait (ms); a slot that is free by then is for another. */
const PATIENCE_MS = 100;

/** Would a job that may not begin after all lose something, or take it from others? Then it waits until there is room. */
export const mayGoAhead = ({ job, asks }: Queued, reasons: readonly Reason[]): boolean =>
  asks === ASKS_NOTHING && !job.upstream.some(hasTemp) && reasons.every(({ kind }) => kind === 'new');

export class Ahead {
  readonly #turns: TakesTurns | undefined;
  readonly #running: RunningJobs;
  /** The one that waits, what ends its patience, and whether it has a slot by now. */
  #waiting: { readonly job: Job; readonly cancel: () => void; timer: NodeJS.Timeout; hasSlot: boolean } | undefined;
  /** How many run in the turn of one whose outputs are still being looked at, and which keeps its slot meanwhile. */
  #early = 0;

  constructor(turns: TakesTurns | undefined, running: RunningJobs) {
    this.#turns = turns;
    this.#running = running;
  }

  /** Jobs that wait: none or one. */
  get size(): number {
    return this.#waiting === undefined ? 0 : 1;
  }

  /** Is one wanted? All slots are taken, by short jobs. */
  get isWanted(): boolean {
    return this.#waiting === undefined && this.#turns?.takesAhead === true && this.#running.isFullHere();
  }

  isWaiting(job: Job): boolean {
    return this.#waiting?.job === job;
  }

  /** The job was handed over. It has no slot before another one ends. */
  wait(job: Job, cancel: () => void): void {
    this.#waiting = { job, cancel, timer: setTimeout(() => this.#turns?.callOff(false), PATIENCE_MS), hasSlot: false };
  }

  /** It runs. */
  begin(): void {
    if (this.#waiting?.hasSlot === false) this.#early++;
    this.#giveSlot();
    this.drop();
  }

  /** It waits no more. */
  drop(): void {
    clearTimeout(this.#waiting?.timer);
    this.#waiting = undefined;
  }

  /** Nothing begins that has not. */
  callOff(): void {
    this.#turns?.callOff(true);
  }

  /** A local job is over, its slot is free, and the build goes on. */
  goOn(wasWell: boolean): void {
    if (!wasWell) this.#turns?.release();
    if (this.#early > 0) this.#early--;
    else this.#giveSlot();
  }

  /** There is a turn for the one that waits: what is free besides is for others. */
  #giveSlot(): void {
    if (this.#waiting === undefined || this.#waiting.hasSlot) return;
    this.#waiting.hasSlot = true;
    this.#running.begin(this.#waiting.job, { cancel: this.#waiting.cancel, share: 1 });
  }
}
