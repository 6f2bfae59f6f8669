// When jobs go by turns, which have one, and which one waits. They do once the jobs of this build have shown to be short: only
// there does the time between two jobs count, and only there does a job that was handed over early not wait for long.
import { rmSync } from 'node:fs';
import { makeTurnsText, Turns, type TurnLines } from './turns.ts';

/** So many jobs must have ended before, … */
const ENOUGH = 8;
/** … in a time that is less than this on average (seconds), the last ones counting most. */
const SHORT_S = 0.05;
const WEIGHT = 0.2;
/** More turns than this might not go into a FIFO. */
const MOST_SLOTS = 4096;

/** What a job has of the turns. */
export type Turn = {
  /** Whether it holds a turn, if there are any, … */
  hasTurn: boolean;
  /** … and whether its helper gives it back where it ends well. */
  gives: boolean;
  /** Whether it runs, or has, and does not wait for its turn. */
  begun: boolean;
};

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
  /** Of the jobs that have not ended. */
  readonly #going = new Set<Turn>();
  /** That of the job that waits, and whether it was called off. */
  #waiting: { readonly turn: Turn; calledOff: boolean } | undefined;

  /** @param slots jobs at once. @param works whether the system can do it */
  constructor(slots: number, works: boolean) {
    this.#slots = slots;
    // With one slot what follows a failure is told by the order: there nothing is handed over early.
    this.#settled = !works || slots < 2 || slots > MOST_SLOTS;
  }

  /** May a job be handed over before its turn? No other may wait. */
  get isOpen(): boolean {
    return this.#turns !== undefined && this.#areShort && this.#waiting === undefined;
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

  /** The FIFO is made. What runs by then has taken no turn. */
  open(path: string): void {
    if (this.#closed) return rmSync(path, { force: true });
    try {
      this.#turns = new Turns(path);
    } catch {
      return;
    }
    for (let free = this.#slots - this.#going.size; free > 0; free--) this.#turns.give();
  }

  /** What a job is to have that begins at once, or is to wait. */
  newTurn(waits: boolean): Turn {
    return { hasTurn: this.#turns === undefined, gives: false, begun: !waits };
  }

  /**
   * What of turns there is in a job's text, undefined for nothing. One that begins at once takes its own now.
   * @param opens as of Turns.lines
   */
  linesFor(turn: Turn, opens: boolean): TurnLines | undefined {
    if (this.#turns === undefined) return undefined;
    // One that was called off reads what there is.
    if (turn.begun) turn.hasTurn = this.#waiting?.calledOff !== true && this.#turns.take();
    turn.gives = !turn.begun || turn.hasTurn;
    return turn.gives ? this.#turns.lines(opens, turn.begun ? 'has' : 'waits') : undefined;
  }

  /** A job that was to begin at once, and has its lines, is not handed over after all. */
  takeBack(turn: Turn): void {
    if (turn.begun && turn.gives) this.#turns?.give();
  }

  /** A job is handed over: it runs, or waits. */
  add(turn: Turn): void {
    this.#going.add(turn);
    if (!turn.begun) this.#waiting = { turn, calledOff: false };
  }

  /** The job that waited has begun. */
  begin(turn: Turn): void {
    turn.begun = true;
    turn.hasTurn = true;
    if (this.#waiting?.calledOff === true) this.#turns?.clear();
    this.#settle();
  }

  /** A job has ended, after so many seconds. */
  ended(turn: Turn, wallS: number, wasWell: boolean): void {
    this.#going.delete(turn);
    this.#seen++;
    this.#meanS = this.#seen === 1 ? wallS : this.#meanS + WEIGHT * (wallS - this.#meanS);
    if (!turn.hasTurn || (turn.gives && wasWell)) return;
    if (wasWell) this.#turns?.give();
    else this.#kept++;
  }

  /** The job that waited will not begin. */
  drop(turn: Turn): void {
    this.#going.delete(turn);
    this.#settle();
  }

  /** The build goes on, whatever has failed. */
  release(): void {
    for (; this.#kept > 0; this.#kept--) this.#turns?.give();
  }

  /**
   * The job that waits does not begin, if it has not. Until some have been short again, no other is handed over early.
   * @param isFinal as of Turns.callOff
   */
  callOff(isFinal: boolean): void {
    if (this.#waiting === undefined || this.#waiting.calledOff) return;
    this.#waiting.calledOff = true;
    this.#seen = 0;
    this.#turns?.callOff(isFinal);
  }

  /** From now on jobs go by no turns; one that waits ends. */
  close(): void {
    this.#closed = true;
    this.#turns?.close();
    this.#turns = undefined;
  }

  /** Nothing waits any more: jobs that began meanwhile take the turns that are theirs. */
  #settle(): void {
    this.#waiting = undefined;
    for (const turn of this.#going) if (turn.begun) turn.hasTurn ||= this.#turns?.take() ?? true;
  }
}
