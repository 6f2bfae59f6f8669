// Watches what was submitted: exit markers first, for they are cheap and say most; then one call an interval that asks the
// scheduler for all jobs. What it says of a job without a marker is believed after a while only: files may be late.
import { readdirSync, readFileSync } from 'node:fs';
import type { Outcome } from '../executor.ts';
import { outcomeOfStatus } from '../outcome.ts';
import { processIds, variableFrom } from '../proc.ts';
import { sleep, type Desk } from './desk.ts';
import { endOf } from './end-of.ts';
import { matchRows } from './match-rows.ts';
import { SUBMISSION_VARIABLE } from './scheduler-command.ts';
import { statusRows, statusWord, type StatusRow } from './status-rows.ts';
import { aboutJobs, idOf, taskId } from './submission.ts';
import { isOver, type Submission, type Task } from './task.ts';

/** How often markers are looked for: at first, and at the most. */
const FIRST_LOOK_MS = 100;
const MOST_LOOK_MS = 2000;
/** A job that was just submitted may not be listed yet. */
const SETTLING_MS = 5000;
/** How long a marker may take where the scheduler has said how the job ended. */
const NAMED_PATIENCE_S = 5;
/** So often in a row a scheduler says that a job can never start, or that there is none, before that is believed. */
const SURE = 2;

export class Watcher {
  readonly #desk: Desk;
  readonly #stop: (task: Task, outcome: Outcome) => void;
  /** What takes a job that its scheduler lost, or whose pack ended, before it began. */
  readonly #again: (task: Task, isOfEndedPack: boolean) => void;
  /** Of which rules it was said why a job waits: others of the rule may wait for the same. */
  readonly #told = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = FIRST_LOOK_MS;
  #askedMs = -Infinity;
  #asking: Promise<unknown> | undefined;

  constructor(
    desk: Desk,
    stop: (task: Task, outcome: Outcome) => void,
    again: (task: Task, isOfEndedPack: boolean) => void,
  ) {
    this.#desk = desk;
    this.#stop = stop;
    this.#again = again;
  }

  /** Something is about to happen: looks often again. @param ask the scheduler's word is wanted before the interval is over */
  wake(ask = false): void {
    this.#pauseMs = FIRST_LOOK_MS;
    if (ask) this.#askedMs = Math.min(this.#askedMs, performance.now() - this.#intervalMs + SETTLING_MS / 5);
    this.#look(this.#pauseMs);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  /** Every job that the scheduler lists; undefined where it does not answer. */
  async ask(): Promise<StatusRow[] | undefined> {
    const { status } = this.#desk.templates;
    if (status?.row === undefined) return undefined;
    const ids = new Set([...this.#desk.tasks.values()].flatMap(({ submission }) => submission?.id ?? []));
    const answer = await this.#desk.run(aboutJobs(status.command, [...ids]));
    return answer.kind === 'ok' ? statusRows(answer.stdout, status) : undefined;
  }

  get #intervalMs(): number {
    return (this.#desk.templates.status?.intervalS ?? 10) * 1000;
  }

  #look(inMs: number): void {
    if (this.#desk.closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tick(), inMs);
  }

  #tick(): void {
    const { tasks, templates } = this.#desk;
    if (tasks.size === 0 || this.#desk.closed) return;
    if (this.#takeMarkers()) this.#pauseMs = FIRST_LOOK_MS;
    const now = performance.now();
    for (const task of tasks.values()) this.#checkTime(task, now);
    if (templates.status && this.#asking === undefined && now - this.#askedMs >= this.#intervalMs && tasks.size > 0) {
      this.#asking = (templates.status.row === undefined ? this.#askEach() : this.#askAll()).finally(() => {
        this.#asking = undefined;
        this.#askedMs = performance.now();
      });
    }
    this.#pauseMs = Math.min(this.#pauseMs * 1.2, MOST_LOOK_MS);
    if (tasks.size > 0) this.#look(this.#pauseMs);
  }

  /** Settles the jobs whose markers are there: one folder tells which. */
  #takeMarkers(): boolean {
    let names: string[];
    try {
      names = readdirSync(this.#desk.options.ended);
    } catch {
      return false;
    }
    let found = false;
    for (const token of names) {
      const task = this.#desk.tasks.get(token);
      if (task && this.takeMarker(task)) found = true;
    }
    return found;
  }

  /** Ends a task by its marker; false where there is none, or where the scheduler should say first how it was ended. */
  takeMarker(task: Task): boolean {
    const marker = this.#desk.marker(task);
    if (marker === undefined) return false;
    // How a job was ended from outside is the scheduler's to say: it may take a moment to.
    const fromOutside = marker.code > 128 && this.#desk.templates.status !== undefined && !task.stopped;
    if (fromOutside && !isOver(task.state)) {
      task.overSinceMs ??= performance.now();
      if (performance.now() - task.overSinceMs < this.#intervalMs + SETTLING_MS) return false;
    }
    const byMarker = outcomeOfStatus(marker.code);
    // What ended well while it was being cancelled has ended well.
    const outcome = fromOutside ? (this.#named(task) ?? byMarker) : (marker.code !== 0 && task.stopped) || byMarker;
    this.#desk.end(task, outcome, marker);
    return true;
  }

  /** Why a job was ended, as far as scheduler and log tell. */
  #named(task: Task): Outcome | undefined {
    return endOf(task.state, task.reason, this.#desk.schedulerLog(task), this.#desk.templates.log);
  }

  #checkTime(task: Task, now: number): void {
    const { timeoutS, runningSinceMs } = task;
    if (timeoutS !== undefined && runningSinceMs !== undefined && now - runningSinceMs > timeoutS * 1000)
      this.#stop(task, { kind: 'timed-out', limitS: timeoutS });
  }

  async #askAll(): Promise<void> {
    const asked = [...this.#desk.tasks.values()];
    const rows = await this.ask();
    if (rows === undefined) return;
    const submitted = asked.flatMap((task) => {
      const { submission, index } = task;
      return submission ? [{ submission, index, task }] : [];
    });
    // An id that is new: its driver died before it could note it.
    const found = matchRows(rows, submitted, (submission, id) => this.#desk.setId(submission, id));
    const byTask = new Map([...found].map(([{ task }, row]) => [task, row]));
    const now = performance.now();
    const alive = new Map<Submission, boolean>();
    for (const task of asked) {
      if (task.over) continue;
      const row = byTask.get(task);
      if (row) this.#seen(task, row, now);
      else this.#notSeen(task, now, alive);
    }
    for (const task of asked) if (!task.over && task.overSinceMs !== undefined) await this.#judge(task, now);
  }

  #seen(task: Task, row: StatusRow, now: number): void {
    task.missed = 0;
    if (task.launch === undefined && task.state === undefined && isOver(row.state)) task.unseen = true;
    task.state = row.state ?? task.state;
    task.reason = row.reason;
    this.#noteRunning(task, now);
    if (isOver(row.state)) task.overSinceMs ??= now;
    const { stuck } = this.#desk.templates.status ?? {};
    const why = row.state === 'pending' ? (stuck?.get(row.reason) ?? stuck?.get(row.shown)) : undefined;
    task.stuck = why === undefined ? 0 : task.stuck + 1;
    if (why !== undefined && task.stuck >= SURE)
      this.#stop(task, { kind: 'never-starts', reason: row.reason || row.shown, message: why });
    const held = row.state === 'pending' ? this.#desk.templates.status?.held.get(row.reason) : undefined;
    const what = `${task.rule} ${row.reason}`;
    if (held === undefined || this.#told.has(what)) return;
    this.#told.add(what);
    this.#desk.options.warn(`${task.rule} ${task.jobId} waits (${row.reason}): ${held}`);
  }

  #notSeen(task: Task, now: number, alive: Map<Submission, boolean>): void {
    const { submission } = task;
    if (submission === undefined || now - submission.atMs < SETTLING_MS) return;
    if (submission.id === undefined) {
      // Its driver died while it was handed over: that command may still be at it.
      const known = alive.get(submission) ?? this.#isHandedOver(submission);
      alive.set(submission, known);
      if (known) return;
    }
    task.missed++;
    // One that was cancelled is expected to go.
    if (task.missed >= SURE || task.stopAsked) task.overSinceMs ??= now;
  }

  /** Is it still being handed over, or was the id printed that its driver did not get to note? */
  #isHandedOver(submission: Submission): boolean {
    const mark = `${SUBMISSION_VARIABLE}=${submission.key}`;
    if (processIds().some((pid) => variableFrom(pid, mark) === mark)) return true;
    const id = this.printedId(submission.key);
    if (id !== undefined) this.#desk.setId(submission, id);
    return id !== undefined;
  }

  /** The id that a submit command printed, whether or not its driver lived to read it. */
  printedId(key: string): string | undefined {
    try {
      return idOf(readFileSync(`${this.#desk.base(key)}.said`, 'utf8'), this.#desk.templates.jobId);
    } catch {
      return undefined;
    }
  }

  /** The scheduler says that it is over, or knows it no more: is the marker late, or was there none? */
  async #judge(task: Task, now: number): Promise<void> {
    if (this.takeMarker(task) || task.over) return;
    const { latencyS } = this.#desk;
    const began = this.#desk.hasBegun(task);
    const isNamed = isOver(task.state) && task.state !== 'ended';
    const patienceS = isNamed ? Math.min(latencyS, NAMED_PATIENCE_S) : latencyS;
    const nothingToCome = task.stopped !== undefined && !began;
    if (!nothingToCome && now - (task.overSinceMs ?? now) < patienceS * 1000) return;
    // What was found wanting has a marker that the scheduler should tell more about.
    if (this.#desk.marker(task) !== undefined) return;
    const outcome = task.stopped ?? this.#named(task) ?? (await this.#details(task));
    if (task.over) return;
    if (!began && task.stopped === undefined && this.#isOfEndedPack(task, outcome)) return this.#afterPack(task);
    if (outcome !== undefined) return this.#desk.end(task, outcome, undefined);
    // An earlier driver's is no attempt of this build's: it is run anew. So is what never ran, by those who have it.
    if (task.launch === undefined) this.#desk.end(task, { kind: 'lost' }, undefined);
    else if (began) this.#desk.end(task, { kind: 'vanished' }, undefined);
    else this.#again(task, false);
  }

  /** Was its pack ended by what became of another of its jobs? */
  #isOfEndedPack(task: Task, outcome: Outcome | undefined): boolean {
    if (task.pack === undefined || !this.#desk.hasBegunPack(task)) return false;
    // Who cancels a pack means all that wait in it, but for lhb.
    if (outcome?.kind !== 'cancelled-outside' || task.launch === undefined) return true;
    return task.submission?.tasks.some((other) => other.index === task.index && other.stopAsked) ?? false;
  }

  #afterPack(task: Task): void {
    if (task.launch === undefined) this.#desk.end(task, { kind: 'lost' }, undefined);
    else this.#again(task, true);
  }

  /** Of a pack one runs, and the others wait for it. */
  #noteRunning(task: Task, now: number): void {
    if (task.state === 'running' && (task.pack === undefined || this.#desk.hasBegun(task))) task.runningSinceMs ??= now;
  }

  async #details(task: Task): Promise<Outcome | undefined> {
    const { details } = this.#desk.templates;
    const id = task.submission?.id;
    if (details === undefined || id === undefined) return undefined;
    const answer = await this.#desk.run(aboutJobs(details.command, [taskId(id, task.index, this.#desk.templates)]));
    if (answer.kind !== 'ok') return undefined;
    for (const [kind, pattern] of details.ends)
      if (pattern.test(answer.stdout)) return endOf(kind, '', undefined, new Map());
    const code = details.exit?.exec(answer.stdout)?.[1];
    return code === undefined || Number(code) === 0 ? undefined : outcomeOfStatus(Number(code));
  }

  /** Snakemake's cluster-status: one call a job, one after the other. */
  async #askEach(): Promise<void> {
    const { status } = this.#desk.templates;
    for (const task of Array.from(this.#desk.tasks.values())) {
      const id = task.submission?.id;
      if (status === undefined || id === undefined || task.over || this.#desk.closed) continue;
      const answer = await this.#desk.run(aboutJobs(status.command, [taskId(id, task.index, this.#desk.templates)]));
      if (answer.kind === 'down') await sleep(MOST_LOOK_MS);
      if (answer.kind !== 'ok') continue;
      const now = performance.now();
      task.state = statusWord(answer.stdout, status) ?? task.state;
      this.#noteRunning(task, now);
      if (isOver(task.state)) {
        task.overSinceMs ??= now;
        await this.#judge(task, now);
      }
    }
  }
}
