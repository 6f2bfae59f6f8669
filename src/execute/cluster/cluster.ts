// Runs jobs through a scheduler, by the templates of a profile. The scheduler does the work: this hands jobs over in few calls,
// looks for their exit markers, and asks once an interval for all of them.
//
// A job's way: waiting -> (noted in the launch log) -> submitted -> its marker is there, or the scheduler says how it ended.
// What is noted is enough for the next driver to go on from any of these.
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { step } from '../../base/step.ts';
import type { Completion, Executor, Launch, Outcome, Running } from '../executor.ts';
import { readExitMarker } from '../exit-marker.ts';
import { commandWords } from '../job-script.ts';
import type { LaunchLog } from '../launches.ts';
import type { Orphan } from '../orphans.ts';
import { outcomeOfStatus } from '../outcome.ts';
import { endOf } from './end-of.ts';
import { arrayScript, nodeScript } from './node-script.ts';
import type { ClusterTemplates, Profile } from './profile.ts';
import { lastWords, runSchedulerCommand, type Answer } from './scheduler-command.ts';
import { statusRows, statusWord, type StatusRow } from './status-rows.ts';
import {
  aboutJobs,
  arrayKey,
  directiveLines,
  idOf,
  submissionKey,
  submitCommand,
  taskId,
  type Frame,
} from './submission.ts';
import type { Submission, Task } from './task.ts';

export type ClusterOptions = {
  readonly profile: Profile & { readonly cluster: ClusterTemplates };
  /** The workflow's folder, absolute. */
  readonly root: string;
  /** `.lhb`, absolute. */
  readonly work: string;
  readonly launches: LaunchLog;
  readonly warn: (text: string) => void;
};

/** Jobs that become ready together are handed over together. */
const GATHER_MS = 30;
/** How often markers are looked for: at first, and at the most. */
const FIRST_LOOK_MS = 100;
const MOST_LOOK_MS = 2000;
const DEFAULT_LATENCY_S = 60;
const FIRST_BACKOFF_MS = 2000;
const MOST_BACKOFF_MS = 60_000;
/** Ids in one call to cancel. */
const MOST_IDS = 500;
/** A job that was just submitted may not be listed yet. */
const SETTLING_MS = 5000;
const CANCEL_PATIENCE_MS = 60_000;

export class ClusterExecutor implements Executor {
  readonly name: string;
  readonly latencyS: number;
  readonly apart = true;
  readonly #templates: ClusterTemplates;
  readonly #options: ClusterOptions;
  readonly #ended: string;
  readonly #waiting: Task[] = [];
  readonly #tasks = new Map<string, Task>();
  #submitting: Promise<void> | undefined;
  #gather: NodeJS.Timeout | undefined;
  #watch: NodeJS.Timeout | undefined;
  #pauseMs = FIRST_LOOK_MS;
  #statusDueMs = 0;
  #asking: Promise<void> | undefined;
  #cancelling: NodeJS.Timeout | undefined;
  #lastSubmitMs = -Infinity;
  #toldDown = false;
  #closed = false;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.name = options.profile.name;
    this.#templates = options.profile.cluster;
    this.latencyS = options.profile.latencyWaitS ?? DEFAULT_LATENCY_S;
    this.#ended = join(options.work, 'ended');
    for (const folder of [this.#ended, join(options.work, 'scheduler')]) mkdirSync(folder, { recursive: true });
  }

  /** Hands a job over, soon. It never throws: what keeps a job from being submitted is its outcome. */
  start(launch: Launch): Running {
    const token = this.#options.launches.newToken();
    const task = this.#newTask(
      token,
      launch.jobId,
      launch.jobDir,
      launch.rule,
      launch,
      launch.timeoutS,
      Date.now() / 1000,
    );
    this.#waiting.push(task.task);
    this.#submitSoon();
    return task.running;
  }

  /** Watches on a job that an earlier driver submitted, or was about to. */
  adopt(orphan: Orphan, timeoutS: number | undefined): Running | undefined {
    const { launch, jobDir } = orphan;
    const { submitted } = launch;
    if (launch.executor !== this.name || submitted === undefined) return undefined;
    const { task, running } = this.#newTask(
      launch.token,
      launch.jobId,
      jobDir,
      launch.rule,
      undefined,
      timeoutS,
      launch.startedAt,
    );
    // A submission is one object for all of its tasks only within a driver; here each has its own of the same key.
    const { key, id, index } = submitted;
    task.submission = { key, id, tasks: [task], array: index !== undefined, atMs: -Infinity };
    task.index = index;
    this.#tasks.set(task.token, task);
    this.#look(0);
    return running;
  }

  /** Cancels what waits and runs, in one call, and waits for its end. */
  async close(): Promise<void> {
    const all = [...this.#waiting, ...this.#tasks.values()];
    const ends = all.map((task) => new Promise<void>((resolve) => this.#onOver(task, resolve)));
    for (const task of all) this.#stop(task, { kind: 'cancelled' });
    await Promise.all(ends);
    this.leave();
  }

  /** Stops watching: what was submitted goes on, for a later driver to take over. */
  leave(): void {
    this.#closed = true;
    for (const timer of [this.#gather, this.#watch, this.#cancelling]) clearTimeout(timer);
  }

  /** Resolves once nothing waits to be submitted. */
  async handedOver(): Promise<void> {
    while (this.#waiting.length > 0 || this.#submitting !== undefined) {
      this.#submitSoon();
      await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
      await this.#submitting;
    }
  }

  readonly #whenOver = new Map<Task, (() => void)[]>();

  #onOver(task: Task, then: () => void): void {
    if (task.over) return then();
    this.#whenOver.set(task, [...(this.#whenOver.get(task) ?? []), then]);
  }

  #newTask(
    token: string,
    jobId: string,
    jobDir: string,
    rule: string,
    launch: Launch | undefined,
    timeoutS: number | undefined,
    startedAt: number,
  ): { task: Task; running: Running } {
    let settle: (completion: Completion) => void = () => undefined;
    const done = new Promise<Completion>((resolve) => (settle = resolve));
    const task: Task = {
      token,
      jobId,
      jobDir,
      rule,
      launch,
      timeoutS,
      startedAt,
      submission: undefined,
      index: undefined,
      state: undefined,
      reason: '',
      runningSinceMs: undefined,
      overSinceMs: undefined,
      missed: 0,
      stopped: undefined,
      stopAsked: false,
      told: false,
      over: false,
      settle,
    };
    return { task, running: { done, cancel: () => this.#stop(task, { kind: 'cancelled' }) } };
  }

  // Submitting.

  #submitSoon(): void {
    if (this.#gather !== undefined || this.#submitting !== undefined || this.#closed) return;
    this.#gather = setTimeout(() => {
      this.#gather = undefined;
      this.#submitting = this.#submitAll().finally(() => {
        this.#submitting = undefined;
        if (this.#waiting.length > 0) this.#submitSoon();
      });
    }, GATHER_MS);
  }

  /** Hands over what waits, as far as the limits allow, the fewest calls first. */
  async #submitAll(): Promise<void> {
    const { maxJobsPerSecond = 10, maxSubmitted = Infinity } = this.#options.profile;
    while (this.#waiting.length > 0 && !this.#closed) {
      const room = maxSubmitted - this.#tasks.size;
      if (room <= 0) {
        await sleep(GATHER_MS * 10);
        continue;
      }
      const tasks = this.#nextGroup(room);
      if (tasks.length === 0) continue;
      const due = this.#lastSubmitMs + 1000 / Math.max(0.01, maxJobsPerSecond) - performance.now();
      if (due > 0) await sleep(due);
      this.#lastSubmitMs = performance.now();
      await this.#submit(tasks);
    }
  }

  /** The first that waits, and all that can be in one array with it. */
  #nextGroup(room: number): Task[] {
    const [first] = this.#waiting;
    if (first?.launch === undefined) return [];
    const key = arrayKey(first.launch, this.#templates);
    const most = key === undefined ? 1 : Math.min(room, this.#templates.array?.max ?? 1);
    const group: Task[] = [];
    for (let i = 0; i < this.#waiting.length && group.length < most;) {
      const task = this.#waiting[i];
      const fits =
        task === first || (task?.launch && key !== undefined && arrayKey(task.launch, this.#templates) === key);
      if (task && fits) {
        group.push(task);
        this.#waiting.splice(i, 1);
      } else i++;
    }
    return group;
  }

  async #submit(tasks: readonly Task[]): Promise<void> {
    const [first] = tasks;
    if (first?.launch === undefined) return;
    const { root, work, launches } = this.#options;
    const { array } = this.#templates;
    const isArray = tasks.length > 1 && array !== undefined;
    const key = submissionKey(tasks.map(({ token }) => token));
    const submission: Submission = { key, id: undefined, tasks, array: isArray, atMs: performance.now() };
    tasks.forEach((task, i) => {
      task.submission = submission;
      task.index = isArray ? (array?.first ?? 0) + i : undefined;
    });
    const base = join(work, 'scheduler', key);
    const frame: Frame = {
      key,
      script: isArray ? `${base}.sh` : join(first.jobDir, 'job.sh'),
      schedulerLog: isArray && array?.inPaths !== undefined ? `${base}.${array.inPaths}` : `${base}.out`,
      root,
      tasks: isArray ? { first: array?.first ?? 0, last: (array?.first ?? 0) + tasks.length - 1 } : undefined,
    };
    let command: string;
    try {
      this.#writeScripts(tasks, frame, base);
      const made = submitCommand(first.launch, frame, this.#templates);
      if (!made.ok) return this.#refuse(tasks, made.error.map((d) => d.message).join('; '));
      command = made.value;
    } catch (problem) {
      return this.#refuse(tasks, problem instanceof Error ? problem.message : String(problem));
    }
    step('submit:before');
    // On disk before the scheduler can have it: should this process be killed, the next one asks for the key.
    for (const { launch, token, startedAt } of tasks)
      if (launch)
        launches.add(token, launch, { executor: this.name, startedAt, tmpdir: '', cpuBefore: undefined }, undefined);
    launches.addSubmission(
      key,
      tasks.map(({ token, index }) => [token, index] as const),
    );
    step('submit:noted');
    const id = await this.#handOver(submission, command);
    if (id === undefined) return;
    submission.id = id;
    launches.addSubmitted(key, id);
    step('submit:done');
    for (const task of tasks) {
      this.#tasks.set(task.token, task);
      if (task.stopped) this.#cancelSoon();
    }
    this.#pauseMs = FIRST_LOOK_MS;
    this.#look(this.#pauseMs);
  }

  #writeScripts(tasks: readonly Task[], frame: Frame, base: string): void {
    const { array, scratch, printsToScheduler } = this.#templates;
    const scripts = tasks.map((task) => {
      const { launch } = task;
      if (launch === undefined) return '';
      const { words, file } = commandWords(launch.command, launch.env, launch);
      if (file !== undefined && launch.command.kind === 'script') writeFileSync(file, launch.command.text);
      const path = join(task.jobDir, 'job.sh');
      const directives = frame.tasks ? [] : directiveLines(launch, frame, this.#templates);
      const text = nodeScript({
        launch,
        words,
        token: task.token,
        directives,
        scratch,
        ended: this.#ended,
        printsToScheduler,
      });
      rmSync(path, { force: true });
      writeFileSync(path, text, { mode: 0o700 });
      return path;
    });
    const [first] = tasks;
    if (!frame.tasks || array === undefined || first?.launch === undefined) return;
    const list = `${base}.list`;
    writeFileSync(list, `${scripts.join('\n')}\n`);
    const directives = directiveLines(first.launch, frame, this.#templates);
    writeFileSync(frame.script, arrayScript(list, array.index, array.first, directives), { mode: 0o700 });
  }

  /** The scheduler's id; undefined where it refused, or all were cancelled meanwhile. A scheduler that is down is waited for. */
  async #handOver(submission: Submission, command: string): Promise<string | undefined> {
    const { root } = this.#options;
    const { down, jobId } = this.#templates;
    for (let pause = FIRST_BACKOFF_MS; ; pause = Math.min(pause * 2, MOST_BACKOFF_MS)) {
      if (submission.tasks.every(({ stopped }) => stopped)) {
        for (const task of submission.tasks) this.#end(task, task.stopped ?? { kind: 'cancelled' }, undefined);
        return undefined;
      }
      const answer = await runSchedulerCommand(command, { cwd: root, down });
      if (answer.kind === 'ok') {
        this.#answered();
        const id = idOf(answer.stdout, jobId) ?? idOf(answer.stderr, jobId);
        if (id !== undefined) return id;
        const said = lastWords(answer.stdout || answer.stderr);
        this.#refuse(submission.tasks, `the submit command printed no job id: ${said}`);
        return undefined;
      }
      if (answer.kind === 'failed') {
        this.#refuse(submission.tasks, lastWords(answer.message));
        return undefined;
      }
      this.#notAnswering(answer.message);
      await sleep(pause);
      // It may have taken the jobs before it fell silent.
      const known = await this.#idByKey(submission.key);
      if (known !== undefined) return known;
    }
  }

  /** The id of a submission that the scheduler knows by its key. */
  async #idByKey(key: string): Promise<string | undefined> {
    const rows = await this.#askRows();
    return rows?.find((row) => row.key.includes(key))?.id;
  }

  #refuse(tasks: readonly Task[], message: string): void {
    for (const task of tasks) this.#end(task, { kind: 'submit-failed', message }, undefined);
  }

  // Watching.

  #look(inMs: number): void {
    if (this.#closed) return;
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#tick(), inMs);
  }

  #tick(): void {
    if (this.#tasks.size === 0 || this.#closed) return;
    if (this.#readMarkers()) this.#pauseMs = FIRST_LOOK_MS;
    const now = performance.now();
    for (const task of this.#tasks.values()) this.#checkTime(task, now);
    if (now >= this.#statusDueMs && this.#asking === undefined) {
      this.#asking = this.#ask().finally(() => {
        this.#asking = undefined;
        this.#statusDueMs = performance.now() + (this.#templates.status?.intervalS ?? 10) * 1000;
      });
    }
    this.#pauseMs = Math.min(this.#pauseMs * 1.2, MOST_LOOK_MS);
    if (this.#tasks.size > 0) this.#look(this.#pauseMs);
  }

  /** Settles the jobs whose markers are there: one folder tells which. */
  #readMarkers(): boolean {
    let names: string[];
    try {
      names = readdirSync(this.#ended);
    } catch {
      return false;
    }
    let found = false;
    for (const token of names) {
      const task = this.#tasks.get(token);
      if (task && this.#takeMarker(task)) found = true;
    }
    return found;
  }

  #takeMarker(task: Task): boolean {
    const marker = readExitMarker(task.jobDir, task.token);
    if (marker === undefined) return false;
    // How a job was ended from outside is the scheduler's to say: it may take a moment to.
    const fromOutside = marker.code > 128 && this.#templates.status !== undefined && !task.stopped;
    const known = task.state !== undefined && task.state !== 'pending' && task.state !== 'running';
    if (fromOutside && !known) {
      task.overSinceMs ??= performance.now();
      const patience = (this.#templates.status?.intervalS ?? 10) * 1000 + SETTLING_MS;
      if (performance.now() - task.overSinceMs < patience) {
        this.#statusDueMs = Math.min(this.#statusDueMs, task.overSinceMs + 1000);
        return false;
      }
    }
    const outcome = task.stopped ?? (fromOutside ? this.#named(task, marker.code) : outcomeOfStatus(marker.code));
    this.#end(task, outcome, marker);
    return true;
  }

  /** Why a job that was ended from outside was ended, as far as scheduler and log tell. */
  #named(task: Task, code: number): Outcome {
    const log = this.#schedulerLog(task);
    return endOf(task.state, task.reason, log, this.#templates.log) ?? outcomeOfStatus(code);
  }

  #schedulerLog(task: Task): string | undefined {
    const { submission, index } = task;
    if (submission === undefined) return undefined;
    const base = join(this.#options.work, 'scheduler', submission.key);
    return submission.array ? `${base}.${index}` : `${base}.out`;
  }

  #checkTime(task: Task, now: number): void {
    const { timeoutS, runningSinceMs } = task;
    if (timeoutS !== undefined && runningSinceMs !== undefined && now - runningSinceMs > timeoutS * 1000)
      this.#stop(task, { kind: 'timed-out', limitS: timeoutS });
  }

  /** Asks for all jobs at once. */
  async #ask(): Promise<void> {
    const { status } = this.#templates;
    if (status === undefined) return;
    if (status.row === undefined) return this.#askEach();
    const asked = [...this.#tasks.values()];
    const rows = await this.#askRows();
    if (rows === undefined) return;
    const byTask = this.#rowsByTask(rows);
    const now = performance.now();
    for (const task of asked) {
      if (task.over) continue;
      const row = byTask.get(task);
      if (row) this.#seen(task, row, now);
      else this.#notSeen(task, now);
    }
    for (const task of asked) if (!task.over && task.overSinceMs !== undefined) await this.#judge(task, now);
  }

  async #askRows(): Promise<StatusRow[] | undefined> {
    const { status, down } = this.#templates;
    if (status?.row === undefined) return undefined;
    const ids = [...new Set([...this.#tasks.values()].flatMap(({ submission }) => submission?.id ?? []))];
    const answer = await runSchedulerCommand(aboutJobs(status.command, ids), { cwd: this.#options.root, down });
    if (answer.kind === 'ok') {
      this.#answered();
      return statusRows(answer.stdout, status);
    }
    this.#notAnswering(answer.message);
    return undefined;
  }

  /** Which row is about which job: by key where the scheduler shows it, since ids are given out again after a crash; else by id. */
  #rowsByTask(rows: readonly StatusRow[]): Map<Task, StatusRow> {
    const byKey = new Map<string, Map<number | undefined, Task>>();
    const byId = new Map<string, Map<number | undefined, Task>>();
    const put = (map: typeof byKey, name: string, task: Task): void => {
      const tasks = map.get(name) ?? new Map<number | undefined, Task>();
      tasks.set(task.index, task);
      map.set(name, tasks);
    };
    for (const task of this.#tasks.values()) {
      if (task.submission === undefined) continue;
      put(byKey, task.submission.key, task);
      if (task.submission.id !== undefined) put(byId, task.submission.id, task);
    }
    const found = new Map<Task, StatusRow>();
    for (const row of rows) {
      const [key] = /[0-9a-f]{16}/.exec(row.key) ?? [];
      const tasks = key === undefined ? byId.get(row.id) : byKey.get(key);
      if (tasks === undefined) continue;
      for (const index of row.tasks ?? [undefined]) {
        const task = tasks.get(index) ?? (tasks.size === 1 && !tasks.has(undefined) ? undefined : tasks.get(undefined));
        if (task === undefined) continue;
        if (task.submission && task.submission.id === undefined) {
          // Its driver died before it could note the id.
          task.submission.id = row.id;
          this.#options.launches.addSubmitted(task.submission.key, row.id);
        }
        found.set(task, row);
      }
    }
    return found;
  }

  #seen(task: Task, row: StatusRow, now: number): void {
    task.missed = 0;
    task.state = row.state ?? task.state;
    task.reason = row.reason;
    if (row.state === 'running') task.runningSinceMs ??= now;
    if (row.state === 'pending') {
      const why = this.#templates.status?.stuck.get(row.reason);
      if (why !== undefined) this.#stop(task, { kind: 'never-starts', reason: row.reason, message: why });
      const held = this.#templates.status?.held.get(row.reason);
      if (held !== undefined && !task.told) {
        task.told = true;
        this.#options.warn(`${task.rule} ${task.jobId} waits (${row.reason}): ${held}`);
      }
    }
    if (row.state !== undefined && row.state !== 'pending' && row.state !== 'running') task.overSinceMs ??= now;
  }

  #notSeen(task: Task, now: number): void {
    const { submission } = task;
    if (submission && now - submission.atMs < SETTLING_MS) return;
    task.missed++;
    if (task.missed >= 2 || (submission?.atMs === -Infinity && task.missed >= 1)) task.overSinceMs ??= now;
  }

  /** The scheduler says that it is over, or knows it no more: is the marker late, or was there none? */
  async #judge(task: Task, now: number): Promise<void> {
    if (this.#takeMarker(task) || task.over) return;
    const patience =
      (task.state === undefined || task.state === 'ended' ? this.latencyS : Math.min(this.latencyS, 5)) * 1000;
    if (now - (task.overSinceMs ?? now) < patience) {
      this.#statusDueMs = Math.min(this.#statusDueMs, now + 2000);
      return;
    }
    if (readExitMarker(task.jobDir, task.token) !== undefined) return;
    const outcome = endOf(task.state, task.reason, this.#schedulerLog(task), this.#templates.log);
    this.#end(task, task.stopped ?? outcome ?? (await this.#details(task)) ?? { kind: 'vanished' }, undefined);
  }

  async #details(task: Task): Promise<Outcome | undefined> {
    const { details, down } = this.#templates;
    const id = task.submission?.id;
    if (details === undefined || id === undefined) return undefined;
    const answer = await runSchedulerCommand(aboutJobs(details.command, [id]), { cwd: this.#options.root, down });
    if (answer.kind !== 'ok') return undefined;
    for (const [kind, pattern] of details.ends) {
      if (pattern.test(answer.stdout))
        return endOf(kind === 'cancelled' ? 'cancelled' : kind, '', undefined, new Map());
    }
    const code = details.exit?.exec(answer.stdout)?.[1];
    return code === undefined || Number(code) === 0 ? undefined : outcomeOfStatus(Number(code));
  }

  /** Snakemake's cluster-status: one call a job, and never more than a few at once. */
  async #askEach(): Promise<void> {
    const { status, down } = this.#templates;
    if (status === undefined) return;
    for (const task of [...this.#tasks.values()]) {
      const id = task.submission?.id;
      if (id === undefined || task.over || this.#closed) continue;
      const command = aboutJobs(status.command, [taskId(id, task.index, this.#templates)]);
      const answer = await runSchedulerCommand(command, { cwd: this.#options.root, down });
      if (answer.kind !== 'ok') continue;
      const now = performance.now();
      task.state = statusWord(answer.stdout, status) ?? task.state;
      if (task.state === 'running') task.runningSinceMs ??= now;
      else if (task.state !== undefined) {
        task.overSinceMs ??= now;
        await this.#judge(task, now);
      }
    }
  }

  // Ending.

  #stop(task: Task, outcome: Outcome): void {
    if (task.over || task.stopped !== undefined) return;
    task.stopped = outcome;
    const at = this.#waiting.indexOf(task);
    if (at >= 0) {
      this.#waiting.splice(at, 1);
      this.#end(task, outcome, undefined);
      return;
    }
    this.#cancelSoon();
  }

  /** All that is to be cancelled within a moment goes in one call. */
  #cancelSoon(): void {
    this.#cancelling ??= setTimeout(() => {
      this.#cancelling = undefined;
      void this.#cancelAll();
    }, GATHER_MS);
  }

  async #cancelAll(): Promise<void> {
    const { cancel, down } = this.#templates;
    const tasks = [...this.#tasks.values()].filter((t) => t.stopped && !t.stopAsked && t.submission?.id !== undefined);
    for (const task of tasks) task.stopAsked = true;
    for (let from = 0; from < tasks.length && cancel; from += MOST_IDS) {
      const ids = this.#idsOf(tasks.slice(from, from + MOST_IDS));
      for (let pause = FIRST_BACKOFF_MS; ; pause *= 2) {
        const answer: Answer = await runSchedulerCommand(aboutJobs(cancel, ids), { cwd: this.#options.root, down });
        if (answer.kind !== 'down') break;
        this.#notAnswering(answer.message);
        if (pause > MOST_BACKOFF_MS) break;
        await sleep(pause);
      }
    }
    this.#statusDueMs = 0;
    this.#pauseMs = FIRST_LOOK_MS;
    this.#look(FIRST_LOOK_MS);
    const patient = setTimeout(
      () => {
        for (const task of tasks) if (!task.over) this.#end(task, task.stopped ?? { kind: 'cancelled' }, undefined);
      },
      cancel ? CANCEL_PATIENCE_MS : 0,
    );
    patient.unref();
  }

  /** Ids of tasks; an array of which every task is meant goes by its own. */
  #idsOf(tasks: readonly Task[]): string[] {
    const meant = new Set(tasks);
    const ids = new Set<string>();
    for (const task of tasks) {
      const { submission } = task;
      if (submission?.id === undefined) continue;
      const whole = submission.array && submission.tasks.every((each) => meant.has(each));
      ids.add(whole ? submission.id : taskId(submission.id, task.index, this.#templates));
    }
    return [...ids];
  }

  #end(task: Task, outcome: Outcome, marker: ReturnType<typeof readExitMarker>): void {
    if (task.over) return;
    task.over = true;
    this.#tasks.delete(task.token);
    rmSync(join(this.#ended, task.token), { force: true });
    const startedAt = marker?.startedAt ?? task.startedAt;
    const finishedAt = Math.max(startedAt, marker?.finishedAt ?? Date.now() / 1000);
    const { submission } = task;
    task.settle({
      outcome,
      usage: { startedAt, finishedAt, wallS: finishedAt - startedAt, cpuS: marker?.cpuS, maxRssMb: marker?.maxRssMb },
      host: marker?.host ?? hostname(),
      executorJob: submission?.id && taskId(submission.id, task.index, this.#templates),
    });
    for (const then of this.#whenOver.get(task) ?? []) then();
    this.#whenOver.delete(task);
  }

  #notAnswering(message: string): void {
    if (this.#toldDown) return;
    this.#toldDown = true;
    this.#options.warn(`the scheduler does not answer (${lastWords(message)}); lhb waits for it`);
  }

  #answered(): void {
    if (this.#toldDown) this.#options.warn('the scheduler answers again');
    this.#toldDown = false;
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Is the file there, with something in it? */
export const isWritten = (path: string): boolean => existsSync(path) && statSync(path).size > 0;
