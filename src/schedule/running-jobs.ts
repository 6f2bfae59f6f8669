// The jobs that run, and the slots of each lane that they take.
import type { Job } from '../graph/job.ts';
import type { Lane, LaneOf } from './lane.ts';

/** A job that runs, and the part of a slot that it takes: those of a pack share one, and one that waits for its turn has none. */
export type Ongoing = { readonly cancel: () => void; readonly share: number };

export class RunningJobs {
  readonly #lanes: readonly Lane[];
  readonly #laneOf: LaneOf;
  readonly #jobs = new Map<Job, Ongoing>();
  /** How many slots of each lane are taken. */
  readonly #taken = new Map<Lane, number>();

  constructor(lanes: readonly Lane[], laneOf: LaneOf) {
    this.#lanes = lanes;
    this.#laneOf = laneOf;
  }

  get size(): number {
    return this.#jobs.size;
  }

  has(job: Job): boolean {
    return this.#jobs.has(job);
  }

  every(holds: (job: Job) => boolean): boolean {
    return [...this.#jobs.keys()].every(holds);
  }

  hasRoom(): boolean {
    return this.#lanes.some((lane) => this.#isFree(lane));
  }

  hasRoomFor(job: Job): boolean {
    return this.#isFree(this.#laneOf(job));
  }

  /** Are all local slots taken, though not by twice as many jobs, whose ends are still being looked at? */
  isFullHere(): boolean {
    const lane = this.#lanes.find(({ kind }) => kind === 'local');
    if (lane === undefined) return false;
    const taken = this.#taken.get(lane) ?? 0;
    return !this.#isFree(lane) && taken < 2 * lane.slots;
  }

  /** The job takes its part of a slot; one that runs already may have another part now. */
  begin(job: Job, ongoing: Ongoing): void {
    this.end(job);
    this.#count(job, ongoing.share);
    this.#jobs.set(job, ongoing);
  }

  end(job: Job): void {
    const ongoing = this.#jobs.get(job);
    if (ongoing === undefined) return;
    this.#jobs.delete(job);
    this.#count(job, -ongoing.share);
  }

  cancelAll(): void {
    for (const { cancel } of this.#jobs.values()) cancel();
  }

  #isFree(lane: Lane): boolean {
    // Shares such as 1/49 do not add up to a whole.
    return this.#jobs.size === 0 || (this.#taken.get(lane) ?? 0) < lane.slots - 1e-6;
  }

  #count(job: Job, change: number): void {
    const lane = this.#laneOf(job);
    this.#taken.set(lane, (this.#taken.get(lane) ?? 0) + change);
  }
}
