// What must hold after every kill. It knows which actions are on record (seen FRESH, or told as finished) and what each
// job's run did; whatever goes against that is a fault.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Summary } from '../support/json.ts';
import type { JobLog, Run } from './job-log.ts';
import { isWhole, type Expected } from './sweep.ts';

export type Tally = {
  /** Runs of a dead driver that went on, and whose result the next build waited for / found. */
  adopted: number;
  taken: number;
  /** Runs of actions that had been begun before, and were cut off. */
  reruns: number;
  /** Results on record that were computed again or are gone; incomplete outputs that pass for fresh. */
  losses: number;
  /** Runs beside or after a whole one of the same action. */
  doubles: number;
  /** Whole runs that were killed between their last act and their exit marker, and ran again. */
  apart: number;
};

/** A whole exit marker with code 0 (src/execute/exit-marker.ts). */
/** The last of the file says that the job ended well. */
const MARKER = /^lhb-exit \d+ \S+ 0 [^](?:(?!lhb-exit)[^])*\nok\n$/m;

export class Oracle {
  readonly tally: Tally = { adopted: 0, taken: 0, reruns: 0, losses: 0, doubles: 0, apart: 0 };
  readonly faults: string[] = [];
  readonly #root: string;
  readonly #log: JobLog;
  readonly #onRecord = new Set<string>();
  #build = 0;
  #buildStartedAt = 0;
  #seen = 0;

  constructor(root: string, log: JobLog) {
    this.#root = root;
    this.#log = log;
  }

  /** A build begins, over these jobs: what ran for others is none of its business, and may be dropped. */
  buildStarts(jobs: readonly Expected[]): number {
    const wanted = new Set(jobs.map((job) => job.action));
    for (const run of this.#log.runs) {
      if (!wanted.has(run.action) && !this.#onRecord.has(run.action)) run.excuse ??= 'dropped';
    }
    this.#buildStartedAt = Date.now() / 1000;
    return ++this.#build;
  }

  /** Outputs were removed: what was not on record yet can be taken from nowhere, and runs again. */
  outputsGone(jobs: readonly Expected[]): void {
    const gone = new Set(jobs.map((job) => job.action));
    for (const run of this.#log.runs) {
      if (gone.has(run.action) && !this.#onRecord.has(run.action)) run.excuse ??= 'dropped';
    }
  }

  /**
   * A job, or its helper, was killed: it runs again, unless its marker says by then that it ended well.
   * @param id the job's id
   */
  killed(run: Run, id: string | undefined): void {
    if (id === undefined || run.endedAt === undefined || !this.#endedWell(id, run.endedAt)) run.excuse ??= 'killed';
  }

  /** Looks at the runs that have begun since the last look. */
  checkRuns(): void {
    this.#log.readOn(this.#build);
    for (const run of this.#log.runs.slice(this.#seen)) {
      const before = this.#log.runs.slice(0, this.#log.runs.indexOf(run)).filter((r) => r.action === run.action);
      if (before.length > 0) this.tally.reruns++;
      if (this.#onRecord.has(run.action)) this.#fault('losses', `${run.action} was on record and ran again`);
      const last = before.at(-1);
      if (last?.endedAt === undefined) continue;
      if (last.excuse === undefined) this.#fault('doubles', `${run.action} ran to its end, and again`);
      else if (last.excuse === 'killed') this.tally.apart++;
    }
    this.#seen = this.#log.runs.length;
    for (const line of this.#log.torn.splice(0)) this.#fault('losses', `a job read half an input: ${line}`);
  }

  /** The jobs that were told as finished are on record. */
  told(jobs: readonly Expected[]): void {
    for (const { action } of jobs) this.#record(action);
  }

  /** The jobs that a build (by number) told as finished before it was killed were on record: later ones did not run them. */
  toldBefore(jobs: readonly Expected[], build: number): void {
    const told = new Set(jobs.map((job) => job.action));
    for (const run of this.#log.runs) {
      if (run.build > build && told.has(run.action))
        this.#fault('losses', `${run.action} was told as built, and ran again`);
    }
  }

  /** What the summary says right after a kill, or (`complete`) after a build that came to its end. */
  checkSummary(summary: Summary, jobs: readonly Expected[], complete: boolean): void {
    const byDir = new Map(summary.jobs.map((job) => [job.dir, job]));
    if (byDir.size !== jobs.length) this.#fault('losses', `summary has ${byDir.size} jobs for ${jobs.length}`);
    const counted = Object.values(summary.counts).reduce((sum, count) => sum + count, 0);
    if (counted !== jobs.length) this.#fault('losses', `the counts of summary add up to ${counted}`);
    const settled = new Set<Expected>();
    for (const job of jobs) {
      const { status, plan } = byDir.get(job.dir) ?? { status: 'none', plan: 'none' };
      if (complete && (status !== 'FRESH' || plan !== 'none'))
        this.#fault('losses', `${job.dir} is ${status}, plan ${plan}, after a build`);
      if (this.#onRecord.has(job.action) && job.upstream.every((up) => settled.has(up))) {
        // Below one that is restored or checked the plan is a guess, from the bytes that are on record now.
        if (plan === 'none') settled.add(job);
        if (plan === 'run') this.#fault('losses', `${job.action} was on record and is ${status}, plan run`);
      }
      if (status !== 'FRESH') continue;
      this.#checkBytes(job, plan === 'none');
      if (plan === 'none') this.#record(job.action);
    }
  }

  #checkBytes(job: Expected, exact: boolean): void {
    for (const [path, text] of Object.entries(job.files)) {
      const file = join(this.#root, path);
      if (!existsSync(file)) {
        if (!job.temp.includes(path)) this.#fault('losses', `${path} of a FRESH job is not there`);
        continue;
      }
      const found = readFileSync(file, 'utf8');
      if (exact ? found !== text : !isWhole(found))
        this.#fault('losses', `${path} of a FRESH job is ${JSON.stringify(found)}, not ${JSON.stringify(text)}`);
    }
  }

  #record(action: string): void {
    if (this.#onRecord.has(action)) return;
    this.#onRecord.add(action);
    const run = this.#log.runs.findLast((r) => r.action === action);
    if (run === undefined) return this.#fault('losses', `${action} is FRESH and never ran`);
    if (run.endedAt === undefined) return this.#fault('losses', `${action} is FRESH and did not come to its end`);
    if (run.build === this.#build) return;
    if (run.endedAt < this.#buildStartedAt) this.tally.taken++;
    else this.tally.adopted++;
  }

  #fault(kind: 'losses' | 'doubles', text: string): void {
    this.tally[kind]++;
    this.faults.push(text);
  }

  #endedWell(id: string, endedAt: number): boolean {
    const file = join(this.#root, '.lhb/jobs', id, 'exit');
    try {
      // Times of files are a tick of the kernel's coarse clock behind.
      return MARKER.test(readFileSync(file, 'utf8')) && statSync(file).mtimeMs / 1000 > endedAt - 0.02;
    } catch {
      return false;
    }
  }
}
