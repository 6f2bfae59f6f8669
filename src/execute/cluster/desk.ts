// What the parts of a cluster's executor share.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readMarker, type ExitMarker } from '../exit-marker.ts';
import type { Outcome } from '../executor.ts';
import type { LaunchLog } from '../launches.ts';
import type { ClusterTemplates, Profile } from './profile.ts';
import { CANCELLED } from './node-script.ts';
import { lastWords, runSchedulerCommand, type Answer } from './scheduler-command.ts';
import type { Submission, Task } from './task.ts';

export type ClusterOptions = {
  readonly profile: Profile & { readonly cluster: ClusterTemplates };
  readonly name: string;
  /** The workflow's folder, absolute. */
  readonly root: string;
  /** The folder of exit markers, each by its launch's token; absolute. */
  readonly ended: string;
  /** The folder of scripts, lists and logs of submissions; absolute. */
  readonly scheduler: string;
  readonly launches: LaunchLog;
  readonly warn: (text: string) => void;
};

const DEFAULT_LATENCY_S = 60;

export class Desk {
  readonly options: ClusterOptions;
  readonly templates: ClusterTemplates;
  /** How long files may take to be seen here that were written on a node. */
  readonly latencyS: number;
  /** What was submitted and is not over, by token. */
  readonly tasks = new Map<string, Task>();
  /** Ends a task; once. */
  readonly end: (task: Task, outcome: Outcome, marker: ExitMarker | undefined) => void;
  /** No more is asked or submitted. */
  closed = false;
  readonly #over = new AbortController();
  #toldDown = false;

  constructor(options: ClusterOptions, end: Desk['end']) {
    this.options = options;
    this.templates = options.profile.cluster;
    this.latencyS = options.profile.latencyWaitS ?? DEFAULT_LATENCY_S;
    this.end = end;
  }

  /** No more is asked; what is being asked is ended. A submit command is not: what becomes of it should be noted. */
  close(): void {
    this.closed = true;
    this.#over.abort();
  }

  /** Runs a command of the scheduler's, and says once when it does not answer, and when it answers again. */
  async run(command: string): Promise<Answer> {
    const { root: cwd } = this.options;
    const { down } = this.templates;
    const answer = await runSchedulerCommand(command, { cwd, down, signal: this.#over.signal });
    return this.closed ? answer : this.heard(answer);
  }

  heard(answer: Answer): Answer {
    if (answer.kind === 'down' && !this.#toldDown)
      this.options.warn(`the scheduler does not answer (${lastWords(answer.message)}); lhb waits for it`);
    if (answer.kind === 'ok' && this.#toldDown) this.options.warn('the scheduler answers again');
    if (answer.kind !== 'failed') this.#toldDown = answer.kind === 'down';
    return answer;
  }

  hasJob(jobId: string): boolean {
    for (const task of this.tasks.values()) if (task.jobId === jobId) return true;
    return false;
  }

  /** How many jobs the scheduler has. */
  countJobs(): number {
    const jobs = new Set<string>();
    for (const { submission, index, pack, token } of this.tasks.values())
      jobs.add(pack === undefined ? token : `${submission?.key} ${index}`);
    return jobs.size;
  }

  /** Has the command of a job begun? */
  hasBegun(task: Task): boolean {
    return existsSync(task.log);
  }

  /** The others that the scheduler has as one job with a task, as far as they are not over: their tokens. */
  packedWith({ token, pack = [] }: Task): readonly string[] {
    // One that is not watched may be wanted by a later driver.
    const isOver = (other: string): boolean =>
      !this.tasks.has(other) && ['', CANCELLED].some((end) => existsSync(`${this.markerFile(other)}${end}`));
    return pack.filter((other) => other !== token && !isOver(other));
  }

  /** Did the scheduler begin with the pack of a task? */
  hasBegunPack(task: Task): boolean {
    const log = this.schedulerLog(task);
    if (log !== undefined && existsSync(log)) return true;
    return (task.pack ?? []).some((token) => {
      const other = this.tasks.get(token);
      return other === undefined ? existsSync(this.markerFile(token)) : this.hasBegun(other);
    });
  }

  markerFile(token: string): string {
    return join(this.options.ended, token);
  }

  marker(task: Task): ExitMarker | undefined {
    return readMarker(this.markerFile(task.token), task.token);
  }

  /** How the paths of a submission's files begin. */
  base(key: string): string {
    return join(this.options.scheduler, key);
  }

  /** The scheduler's own log of a task; undefined where it was not submitted. */
  schedulerLog({ submission, index }: Task): string | undefined {
    if (submission === undefined) return undefined;
    const base = this.base(submission.key);
    return submission.array ? `${base}.${index}` : `${base}.out`;
  }

  /** The id is known now: the next driver should know it too. */
  setId(submission: Submission, id: string): void {
    submission.id = id;
    this.options.launches.addSubmitted(submission.key, id);
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
