// Hands jobs over to a scheduler: in few calls, not too many a second, and none twice.
import { step } from '../../base/step.ts';
import { sleep, type Desk } from './desk.ts';
import { lastWords, runSubmit, type Answer } from './scheduler-command.ts';
import type { StatusRow } from './status-rows.ts';
import { idOf, kindOf, submissionKey, submitCommand } from './submission.ts';
import type { Submission, Task } from './task.ts';
import { WaitingLine } from './waiting-line.ts';
import { writeScripts } from './write-scripts.ts';

/** Jobs that become ready one soon after another are handed over together. */
const GATHER_MS = 60;
const MOST_GATHER_MS = 1000;
const FIRST_BACKOFF_MS = 2000;
const MOST_BACKOFF_MS = 60_000;

export class Submitter {
  readonly #desk: Desk;
  /** Asks the scheduler for all jobs; undefined where it does not answer. */
  readonly #ask: () => Promise<readonly StatusRow[] | undefined>;
  /** What is told of tasks that were handed over. */
  readonly #onSubmitted: (tasks: readonly Task[]) => void;
  readonly #waiting = new WaitingLine();
  #gather: NodeJS.Timeout | undefined;
  #gatherSinceMs = 0;
  #submitting: Promise<void> | undefined;
  #lastSubmitMs = -Infinity;

  constructor(
    desk: Desk,
    ask: () => Promise<readonly StatusRow[] | undefined>,
    onSubmitted: (tasks: readonly Task[]) => void,
  ) {
    this.#desk = desk;
    this.#ask = ask;
    this.#onSubmitted = onSubmitted;
  }

  get waiting(): Iterable<Task> {
    return this.#waiting.tasks;
  }

  add(task: Task): void {
    if (task.launch === undefined) return;
    this.#waiting.add(task, kindOf(task.launch, this.#desk.templates), performance.now());
    // As many as one call can take do not wait for more.
    this.#soon(this.#waiting.size >= (this.#desk.templates.array?.max ?? Infinity) ? 0 : GATHER_MS);
  }

  /** Takes back what was not handed over; false where it was. */
  remove(task: Task): boolean {
    return this.#waiting.remove(task);
  }

  close(): void {
    clearTimeout(this.#gather);
  }

  /** When none has come for a moment. */
  #soon(inMs: number): void {
    if (this.#submitting !== undefined || this.#desk.closed) return;
    const now = performance.now();
    if (this.#gather === undefined) this.#gatherSinceMs = now;
    else if (now - this.#gatherSinceMs > MOST_GATHER_MS) return;
    clearTimeout(this.#gather);
    this.#gather = setTimeout(() => this.#begin(), inMs);
  }

  #begin(): void {
    this.#gather = undefined;
    this.#submitting = this.#submitAll().finally(() => {
      this.#submitting = undefined;
      if (this.#waiting.size > 0) this.#soon(GATHER_MS);
    });
  }

  async #submitAll(): Promise<void> {
    const { maxJobsPerSecond = 10, maxSubmitted = Infinity } = this.#desk.options.profile;
    while (this.#waiting.size > 0 && !this.#desk.closed) {
      const room = maxSubmitted - this.#desk.countJobs();
      if (room <= 0) {
        await sleep(GATHER_MS * 5);
        continue;
      }
      const due = this.#lastSubmitMs + 1000 / Math.max(0.01, maxJobsPerSecond) - performance.now();
      if (due > 0) await sleep(due);
      const packs = this.#waiting.next(room, performance.now());
      // Packs are to be filled first.
      if (packs.length === 0) return;
      this.#lastSubmitMs = performance.now();
      await this.#submit(packs);
    }
  }

  /** @param packs the scheduler's jobs, each with its members */
  async #submit(packs: readonly (readonly [Task, ...Task[]])[]): Promise<void> {
    const { templates, options } = this.#desk;
    const { array } = templates;
    const isArray = packs.length > 1 && array !== undefined;
    const tasks = packs.flat();
    const key = submissionKey(tasks.map(({ token }) => token));
    const submission: Submission = {
      key,
      id: undefined,
      tasks,
      array: isArray,
      adopted: false,
      atMs: performance.now(),
    };
    packs.forEach((members, i) => {
      const pack = members.length > 1 ? members.map(({ token }) => token) : undefined;
      for (const task of members)
        Object.assign(task, { submission, pack, index: isArray ? (array?.first ?? 0) + i : undefined });
    });
    let command: string;
    try {
      const written = writeScripts(packs, key, this.#desk);
      const made = submitCommand(written.described, written.frame, templates);
      if (!made.ok) return this.#refuse(tasks, made.error.map((d) => d.message).join('; '));
      command = made.value;
    } catch (problem) {
      return this.#refuse(tasks, problem instanceof Error ? problem.message : String(problem));
    }
    step('submit:before');
    // On disk before the scheduler can have it: should this process be killed, the next one asks for the key.
    const { launches } = options;
    for (const { launch, token, startedAt } of tasks) {
      const more = { executor: options.name, startedAt, tmpdir: '', cpuBefore: undefined };
      if (launch) launches.add(token, launch, more, undefined);
    }
    launches.addSubmission(
      key,
      tasks.map(({ token, index }) => [token, index] as const),
    );
    step('submit:noted');
    const id = await this.#handOver(submission, command);
    if (id === undefined) return;
    step('submit:handed');
    this.#desk.setId(submission, id);
    step('submit:done');
    for (const task of tasks) this.#desk.tasks.set(task.token, task);
    this.#onSubmitted(tasks);
  }

  /** The scheduler's id; undefined where it refused, or all were cancelled meanwhile. One that is down is waited for. */
  async #handOver(submission: Submission, command: string): Promise<string | undefined> {
    const { templates, options } = this.#desk;
    const { key, tasks } = submission;
    for (let pause = FIRST_BACKOFF_MS; ; pause = Math.min(pause * 2, MOST_BACKOFF_MS)) {
      if (tasks.every(({ stopped }) => stopped)) {
        for (const task of tasks) this.#desk.end(task, task.stopped ?? { kind: 'cancelled' }, undefined);
        return undefined;
      }
      const { down } = templates;
      const answer = this.#desk.heard(
        await runSubmit(command, key, `${this.#desk.base(key)}.said`, { cwd: options.root, down }),
      );
      if (answer.kind !== 'down') return this.#idIn(answer, tasks);
      const known = await this.#afterSilence(key, pause);
      if (known !== undefined || this.#desk.closed) return known;
    }
  }

  #idIn(answer: Exclude<Answer, { kind: 'down' }>, tasks: readonly Task[]): string | undefined {
    const { jobId } = this.#desk.templates;
    if (answer.kind === 'failed') {
      this.#refuse(tasks, lastWords(answer.message));
      return undefined;
    }
    const id = idOf(answer.stdout, jobId) ?? idOf(answer.stderr, jobId);
    if (id === undefined)
      this.#refuse(tasks, `the submit command printed no job id: ${lastWords(answer.stdout || answer.stderr)}`);
    return id;
  }

  /** The scheduler may have taken the jobs before it fell silent: when it answers again, does it know the key? */
  async #afterSilence(key: string, pauseMs: number): Promise<string | undefined> {
    for (let pause = pauseMs; !this.#desk.closed; pause = Math.min(pause * 2, MOST_BACKOFF_MS)) {
      await sleep(pause);
      if (this.#desk.templates.status?.row === undefined) return undefined;
      const rows = await this.#ask();
      if (rows !== undefined) return rows.find((row) => row.key.includes(key))?.id;
    }
    return undefined;
  }

  #refuse(tasks: readonly Task[], message: string): void {
    for (const task of tasks) this.#desk.end(task, { kind: 'submit-failed', message }, undefined);
  }
}
