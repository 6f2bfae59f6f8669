// Runs jobs through a scheduler, by the templates of a profile. The scheduler does the work: this hands jobs over in few calls,
// looks for their exit markers, and asks once an interval for all of them.
//
// A job's way: waiting -> (noted in the launch log) -> submitted -> its marker is there, or the scheduler says how it ended.
// What is noted is enough for the next driver to go on from any of these.
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { Executor, Launch, Outcome, Running } from '../executor.ts';
import type { ExitMarker } from '../exit-marker.ts';
import type { Orphan } from '../orphans.ts';
import { Canceller } from './canceller.ts';
import { Desk, type ClusterOptions } from './desk.ts';
import { CANCELLED } from './node-script.ts';
import { taskId } from './submission.ts';
import { Submitter } from './submitter.ts';
import { newTask, renew, type Submission, type Task } from './task.ts';
import { Watcher } from './watcher.ts';

/** How often a job that its scheduler lost before it began is handed over again. */
const MOST_AGAIN = 3;
/** How long scripts and logs of submissions are kept for people. */
const KEPT_MS = 14 * 24 * 3600 * 1000;

export class ClusterExecutor implements Executor {
  readonly name: string;
  readonly latencyS: number;
  readonly apart = true;
  readonly #desk: Desk;
  readonly #submitter: Submitter;
  readonly #watcher: Watcher;
  readonly #canceller: Canceller;
  /** Earlier drivers' submissions, by key. */
  readonly #adopted = new Map<string, Submission>();
  readonly #whenOver = new Map<Task, (() => void)[]>();
  readonly #again = new Map<string, number>();
  readonly #settled: string[] = [];

  /** @param kept the tokens of earlier launches that are not settled: their markers are still wanted */
  constructor(options: ClusterOptions, kept: ReadonlySet<string>) {
    this.name = options.name;
    this.#desk = new Desk(options, (task, outcome, marker) => this.#end(task, outcome, marker));
    this.latencyS = this.#desk.latencyS;
    this.#watcher = new Watcher(
      this.#desk,
      (task, outcome) => this.#stop(task, outcome),
      (task, isOfEndedPack) => this.#handOverAgain(task, isOfEndedPack),
    );
    this.#canceller = new Canceller(this.#desk, () => this.#watcher.wake(true));
    this.#submitter = new Submitter(
      this.#desk,
      () => this.#watcher.ask(),
      (tasks) => {
        if (tasks.some(({ stopped }) => stopped)) this.#canceller.soon();
        this.#watcher.wake();
      },
    );
    for (const folder of [options.ended, options.scheduler]) mkdirSync(folder, { recursive: true });
    for (const name of readdirSync(options.ended))
      if (!kept.has(name.split('.')[0] ?? '') && !name.endsWith(CANCELLED))
        rmSync(join(options.ended, name), { force: true });
    for (const folder of [options.scheduler, options.ended]) removeOld(folder, kept);
  }

  /** Hands a job over, soon. It never throws: what keeps a job from being submitted is its outcome. */
  start(launch: Launch, begun: () => void): Running {
    begun();
    const { jobId, jobDir, rule, log, timeoutS } = launch;
    const token = this.#desk.options.launches.newToken();
    const { task, done } = newTask({ token, jobId, jobDir, rule, log, launch, timeoutS, startedAt: Date.now() / 1000 });
    this.#submitter.add(task);
    return { done, cancel: () => this.#stop(task, { kind: 'cancelled' }) };
  }

  /** Watches on a job that an earlier driver submitted, or was about to. Its marker tells first, then the scheduler. */
  adopt({ launch, jobDir }: Orphan, timeoutS: number | undefined): Running | undefined {
    const { token, jobId, rule, startedAt, submitted, executor } = launch;
    if (executor !== this.name || submitted === undefined) return undefined;
    const log = resolve(this.#desk.options.root, launch.log);
    const { task, done } = newTask({ token, jobId, jobDir, rule, log, launch: undefined, timeoutS, startedAt });
    const { key, index, pack } = submitted;
    const submission = this.#adopted.get(key) ?? {
      key,
      id: submitted.id ?? this.#watcher.printedId(key),
      tasks: [],
      array: index !== undefined,
      adopted: true,
      atMs: performance.now(),
    };
    this.#adopted.set(key, submission);
    submission.tasks.push(task);
    Object.assign(task, { submission, index, pack });
    task.unseen = this.#desk.marker(task) !== undefined;
    this.#desk.tasks.set(token, task);
    this.#watcher.wake();
    return { done, cancel: () => this.#stop(task, { kind: 'cancelled' }) };
  }

  /** Is a job with the scheduler, and not over? */
  has(jobId: string): boolean {
    return this.#desk.hasJob(jobId);
  }

  /** Cancels what waits and runs, in one call, waits for its end, and clears away what is settled. */
  async close(): Promise<void> {
    if (this.#desk.closed) return;
    const all = [...this.#submitter.waiting, ...this.#desk.tasks.values()];
    const ends = all.map((task) => new Promise<void>((over) => this.#onOver(task, over)));
    for (const task of all) this.#stop(task, { kind: 'cancelled' });
    await Promise.all(ends);
    this.leave();
    for (const token of this.#settled) rmSync(join(this.#desk.options.ended, token), { force: true });
  }

  /** Stops watching: what was submitted goes on, for a later driver to take over. */
  leave(): void {
    this.#desk.close();
    for (const part of [this.#submitter, this.#watcher, this.#canceller]) part.close();
    for (const waiting of this.#whenOver.values()) for (const then of waiting) then();
  }

  #onOver(task: Task, then: () => void): void {
    if (task.over) return then();
    this.#whenOver.set(task, [...(this.#whenOver.get(task) ?? []), then]);
  }

  #stop(task: Task, outcome: Outcome): void {
    if (task.over || task.stopped !== undefined) return;
    task.stopped = outcome;
    if (this.#submitter.remove(task)) this.#end(task, outcome, undefined);
    else this.#canceller.soon();
  }

  /**
   * Its scheduler lost a job before it began, as one that crashed does with the last that it was given; or what it was packed
   * with ended its pack.
   */
  #handOverAgain(task: Task, isOfEndedPack: boolean): void {
    const { launch, rule, jobId } = task;
    const times = (this.#again.get(jobId) ?? 0) + (isOfEndedPack ? 0 : 1);
    if (launch === undefined || times > MOST_AGAIN) return this.#end(task, { kind: 'vanished' }, undefined);
    this.#again.set(jobId, times);
    const why = isOfEndedPack ? 'its pack ended before it began' : 'the scheduler lost it before it began';
    this.#desk.options.warn(`${rule} ${jobId}: ${why}; it is handed over again`);
    this.#desk.tasks.delete(task.token);
    // Should it come to light after all, it writes a marker that nobody looks for, in a folder that nobody looks into.
    renew(task, this.#desk.options.launches.newToken());
    this.#submitter.add(task);
  }

  #end(task: Task, outcome: Outcome, marker: ExitMarker | undefined): void {
    if (task.over) return;
    task.over = true;
    this.#desk.tasks.delete(task.token);
    this.#settled.push(task.token);
    const startedAt = marker?.startedAt ?? task.startedAt;
    const finishedAt = Math.max(startedAt, marker?.finishedAt ?? Date.now() / 1000);
    const { submission, index } = task;
    // Whoever cancelled it while nobody watched (a scheduler that crashed and gave out ids twice does, too) has not done so to
    // an attempt of this build's.
    const isLost = task.unseen && outcome.kind === 'cancelled-outside';
    task.settle({
      outcome: isLost ? { kind: 'lost' } : outcome,
      usage: { startedAt, finishedAt, wallS: finishedAt - startedAt, cpuS: marker?.cpuS, maxRssMb: marker?.maxRssMb },
      host: marker?.host ?? hostname(),
      executorJob: submission?.id && taskId(submission.id, index, this.#desk.templates),
    });
    for (const then of this.#whenOver.get(task) ?? []) then();
    this.#whenOver.delete(task);
  }
}

/** Scripts and logs of submissions that are long over, and words for jobs of packs. */
function removeOld(folder: string, kept: ReadonlySet<string>): void {
  const now = Date.now();
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat && !kept.has(name) && now - stat.mtimeMs > KEPT_MS) rmSync(path, { force: true });
  }
}
