// When jobs go by turns, and how many there are. They do once the jobs of this build have shown to be short: only there does
// the time between two jobs count, and only there does a job that was handed over early not wait for long.
import { rmSync } from 'node:fs';
import { makeTurnsText, Turns } from './turns.ts';

/** So many jobs must have ended before, … */
const ENOUGH = 8;
/** … in a time that is less than this on average (seconds), the last ones counting most. */
const SHORT_S = 0.05;
const WEIGHT = 0.2;
/** More turns than this might not go into a FIFO. */
const MOST_SLOTS = 4096;

export class Gate {
  readonly #slots: number;
  #turns: Turns | undefined;
  /** The FIFO is being made, or never will be. */
  #settled: boolean;
  #closed = false;
  #seen = 0;
  #meanS = 0;
  /** Turns of jobs that did not end well. */
  #kept = 0;

  /** @param slots jobs at once. @param works whether the system can do it */
  constructor(slots: number, works: boolean) {
    this.#slots = slots;
    // With one slot what follows a failure is told by the order: there nothing is handed over early.
    this.#settled = !works || slots < 2 || slots > MOST_SLOTS;
  }

  /** By which a job that is handed over now goes; undefined: by none. */
  get turns(): Turns | undefined {
    return this.#turns;
  }

  /** May one be handed over before its turn? */
  get isOpen(): boolean {
    return this.#turns !== undefined && this.#areShort;
  }

  get #areShort(): boolean {
    return this.#seen >= ENOUGH && this.#meanS < SHORT_S;
  }

  /** What an idle helper is to run to make the FIFO; undefined: nothing, now. */
  textToMake(path: string): string | undefined {
    if (this.#settled || !this.#areShort) return undefined;
    this.#settled = true;
    return makeTurnsText(path);
  }

  /** The FIFO is made. @param running jobs that run, without having taken a turn */
  open(path: string, running: number): void {
    if (this.#closed) return rmSync(path, { force: true });
    try {
      this.#turns = new Turns(path);
    } catch {
      return;
    }
    for (let free = this.#slots - running; free > 0; free--) this.#turns.give();
  }

  /** A job has ended, after so many seconds. */
  ended(wallS: number): void {
    this.#seen++;
    this.#meanS = this.#seen === 1 ? wallS : this.#meanS + WEIGHT * (wallS - this.#meanS);
  }

  /** A job had a turn that its helper did not give back. */
  giveBack(wasWell: boolean): void {
    if (wasWell) this.#turns?.give();
    else this.#kept++;
  }

  /** The build goes on, whatever has failed. */
  release(): void {
    for (; this.#kept > 0; this.#kept--) this.#turns?.give();
  }

  /** Calls off the job that waits. Until some have been short again, no other is handed over early. @param isFinal as of Turns.callOff */
  callOff(isFinal: boolean): void {
    this.#seen = 0;
    this.#turns?.callOff(isFinal);
  }

  /** From now on jobs go by no turns; one that waits ends. */
  close(): void {
    this.#closed = true;
    this.#turns?.close();
    this.#turns = undefined;
  }
}
