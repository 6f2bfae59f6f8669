// Peak memory of running jobs, sampled from /proc by one timer for all of them.
//
// A sample of a job is the sum of resident memory over its process tree, or the highest that one process of it ever had
// (VmHWM), whichever is more: a single process's short peak between two samples is not missed. Pages shared by forked
// workers count in each. Jobs shorter than the first sample (5 ms) have no figure.
import { hasProc, processIds, readMemory, readStat } from './proc.ts';

/** Milliseconds from the start of a job to its samples, then every `REPEAT_MS`. */
const SAMPLE_AT_MS = [5, 20, 50, 100, 200, 400, 700];
const REPEAT_MS = 700;
/** Sampling may take this share of one core over time, with a credit for a burst. */
const SHARE = 0.01;
const CREDIT_MS = 20;

type Watched = {
  readonly helper: number;
  readonly since: number;
  taken: number;
  /** When the next sample is due, on the clock of `performance.now()`. */
  due: number;
  peakKb: number;
};

export class MemorySampler {
  readonly #jobs = new Map<number, Watched>();
  /** Who owns a process: a helper's pid, or 0 for nobody here. Kept between samples, so that only new ones are read. */
  readonly #owners = new Map<number, number>();
  #timer: NodeJS.Timeout | undefined;
  #timerDue = Infinity;
  #credit = CREDIT_MS;
  #creditAt = performance.now();

  /** Begins to watch the job that this helper shell has just been given. */
  watch(helper: number): void {
    if (!hasProc) return;
    const since = performance.now();
    const job = { helper, since, taken: 0, due: since + (SAMPLE_AT_MS[0] ?? REPEAT_MS), peakKb: 0 };
    this.#jobs.set(helper, job);
    if (job.due < this.#timerDue - 1) this.#arm(job.due);
  }

  /** Ends it; the peak in MB (10^6 bytes), undefined where there was no sample. */
  finish(helper: number): number | undefined {
    const job = this.#jobs.get(helper);
    this.#jobs.delete(helper);
    if (this.#jobs.size === 0) this.close();
    return job === undefined || job.peakKb === 0 ? undefined : (job.peakKb * 1024) / 1e6;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timerDue = Infinity;
  }

  #arm(due: number): void {
    clearTimeout(this.#timer);
    this.#timerDue = due;
    this.#timer = setTimeout(() => this.#tick(), Math.max(1, due - performance.now()));
    this.#timer.unref();
  }

  #tick(): void {
    const begin = performance.now();
    this.#credit = Math.min(CREDIT_MS, this.#credit + (begin - this.#creditAt) * SHARE);
    this.#creditAt = begin;
    let pause = 0;
    if (this.#credit > 0) {
      this.#sample();
      this.#credit -= performance.now() - begin;
    }
    if (this.#credit <= 0) pause = -this.#credit / SHARE + 1;
    let next = Infinity;
    for (const job of this.#jobs.values()) {
      if (job.due <= begin + 2) {
        job.taken++;
        const at = SAMPLE_AT_MS[job.taken];
        job.due = at === undefined ? begin + REPEAT_MS : Math.max(job.since + at, begin + 1);
      }
      next = Math.min(next, job.due);
    }
    this.#timerDue = Infinity;
    if (this.#jobs.size > 0) this.#arm(Math.max(next, begin + pause));
  }

  /** Every sample is one of all jobs, since the list of processes is what costs. */
  #sample(): void {
    const live = new Set(processIds());
    for (const pid of this.#owners.keys()) if (!live.has(pid)) this.#owners.delete(pid);
    const sums = new Map<number, number>();
    for (const pid of live) {
      const owner = this.#owner(pid, live, 0);
      const job = owner === 0 || pid === owner ? undefined : this.#jobs.get(owner);
      const memory = job && readMemory(pid);
      if (job === undefined || memory === undefined) continue;
      sums.set(owner, (sums.get(owner) ?? 0) + memory.nowKb);
      job.peakKb = Math.max(job.peakKb, memory.peakKb);
    }
    for (const [helper, sum] of sums) {
      const job = this.#jobs.get(helper);
      if (job !== undefined) job.peakKb = Math.max(job.peakKb, sum);
    }
  }

  #owner(pid: number, live: ReadonlySet<number>, depth: number): number {
    if (this.#jobs.has(pid)) return pid; // not kept: a helper owns what it starts only while it has a job
    const known = this.#owners.get(pid);
    if (known !== undefined) return known;
    const stat = readStat(pid);
    let owner = 0;
    if (stat !== undefined && this.#jobs.has(stat.session)) owner = stat.session;
    else if (stat !== undefined && live.has(stat.parent) && depth < 1000)
      owner = this.#owner(stat.parent, live, depth + 1);
    this.#owners.set(pid, owner);
    return owner;
  }
}
