// Runs jobs on this machine, each by a persistent helper shell (slot.ts).
//
// When the command has ended, what it left running is ended too (TERM, then KILL), also what moved to a session of its
// own: nothing may write to outputs after they are captured, and a cluster's scheduler does the same at a job's end.
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { unreachable } from '../base/invariant.ts';
import { step } from '../base/step.ts';
import { Adopted } from './adopted.ts';
import type { Completion, Executor, Launch, Outcome, Running } from './executor.ts';
import { wholeEnvironment } from './environment.ts';
import { commandWords, helperEnvironment, jobScript, slotText } from './job-script.ts';
import { LaunchLog } from './launches.ts';
import { Gate, type Turn } from './gate.ts';
import type { Orphan } from './orphans.ts';
import { outcomeOfStatus } from './outcome.ts';
import { hasProc, moment } from './proc.ts';
import { endProcesses, findProcesses, GRACE_MS, sendSignal, type JobProcesses } from './process-group.ts';
import { ScratchFolders } from './scratch.ts';
import { Slot, type Report } from './slot.ts';
import { refusal } from './start-limits.ts';
import { afterMs } from './timer.ts';
import { MemorySampler } from './usage.ts';

const HOST = hostname();

export type LocalOptions = {
  /** Jobs at once. */
  readonly slots: number;
  /** Helpers to start now, while this process is small; default: one a slot. More are started when needed. */
  readonly helpers?: number;
  /** The folder most jobs run in: the workflow's. */
  readonly cwd: string;
  /** What most jobs inherit; default: `process.env`. It only makes starting them cheaper. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Where launches are noted for the next build; default: nowhere. */
  readonly launches?: LaunchLog;
  /** Time between TERM and KILL; default 5000. */
  readonly graceMs?: number;
};

type Job = {
  readonly launch: Launch;
  readonly slot: Slot;
  readonly processes: JobProcesses;
  readonly turn: Turn;
  startedAt: number;
  startMs: number;
  /** Whether the command has ended (or its helper is gone). */
  reported: boolean;
  /** Set once the job is to end before its time. */
  stopped: Outcome | undefined;
  /** Until every process is gone. */
  ending: Promise<boolean> | undefined;
  timer: { cancel(): void } | undefined;
};

export class LocalExecutor implements Executor {
  readonly name = 'local';
  readonly latencyS = 0;
  readonly apart = false;
  readonly #cwd: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #graceMs: number;
  readonly #launches: LaunchLog;
  readonly #sampler = new MemorySampler();
  readonly #scratch = new ScratchFolders();
  readonly #idle: Slot[] = [];
  /** Helpers that live, by process id. */
  readonly #slots = new Map<number, Slot>();
  /** Helpers of adopted jobs. */
  readonly #adopted = new Set<number>();
  readonly #running = new Map<Running, Promise<Completion>>();
  readonly #gate: Gate;

  constructor(options: LocalOptions) {
    this.#cwd = options.cwd;
    this.#env = { ...helperEnvironment(options.env ?? process.env), PWD: options.cwd };
    this.#graceMs = options.graceMs ?? GRACE_MS;
    this.#launches = options.launches ?? new LaunchLog(undefined);
    this.#gate = new Gate(options.slots, hasProc);
    for (let n = 0; n < (options.helpers ?? options.slots); n++) this.#idle.push(this.#newSlot());
  }

  /** May a job be handed over before its turn? No other may wait. */
  get takesAhead(): boolean {
    return this.#gate.isOpen;
  }

  /** Nothing that has failed keeps others from beginning. */
  release(): void {
    this.#gate.release();
  }

  /**
   * The job that waits for its turn does not begin, if it has not: its outcome is `called-off`.
   * @param isFinal whether nothing will begin any more
   */
  callOff(isFinal: boolean): void {
    this.#gate.callOff(isFinal);
  }

  /** Starts a job; it never throws: what keeps a job from starting is its outcome, `spawn-failed`. */
  start(launch: Launch, begun: () => void): Running {
    begun();
    return this.#start(launch, undefined);
  }

  /**
   * Starts a job in the turn of the next one that ends well (`takesAhead`).
   * @param begun is called once, when it has begun; never where it does not: then its outcome is `called-off`
   */
  startAhead(launch: Launch, begun: () => void): Running {
    return this.#start(launch, begun);
  }

  #start(launch: Launch, ahead: (() => void) | undefined): Running {
    const startedAt = Date.now() / 1000;
    let cancel: () => void = () => undefined;
    const done = new Promise<Completion>((resolve) => {
      try {
        cancel = this.#launch(launch, startedAt, ahead, resolve);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        resolve(completion({ kind: 'spawn-failed', message }, startedAt, 0, undefined, undefined));
      }
    });
    return this.#note({ done, cancel: () => cancel() });
  }

  /** Watches on a job of an earlier local executor on this machine. */
  adopt(orphan: Orphan, timeoutS: number | undefined): Running | undefined {
    const { executor, helper } = orphan.launch;
    if (executor !== this.name || helper === undefined || orphan.state === 'gone') return undefined;
    this.#adopted.add(helper.pid);
    const others = (): ReadonlySet<number> => this.#helpersBut(helper.pid);
    const adopted = new Adopted(orphan, helper, timeoutS, { sampler: this.#sampler, others, graceMs: this.#graceMs });
    void adopted.done.then(() => this.#adopted.delete(helper.pid));
    return this.#note(adopted);
  }

  #note(running: Running): Running {
    this.#running.set(running, running.done);
    void running.done.then(() => this.#running.delete(running));
    return running;
  }

  /** Helpers of all jobs but one. */
  #helpersBut(helper: number): ReadonlySet<number> {
    const others = new Set([...this.#slots.keys(), ...this.#adopted]);
    others.delete(helper);
    return others;
  }

  /** Cancels what runs, waits for it, and ends the helpers. */
  async close(): Promise<void> {
    for (const running of this.#running.keys()) running.cancel();
    await Promise.all(this.#running.values());
    this.#gate.close();
    this.#sampler.close();
    await this.#scratch.close();
    const slots = [...this.#slots.values()];
    for (const slot of slots) slot.close();
    await Promise.all(slots.map((slot) => slot.ended()));
  }

  /** Gives the function that cancels the job. */
  #launch(
    launch: Launch,
    startedAt: number,
    ahead: (() => void) | undefined,
    resolve: (completion: Completion) => void,
  ): () => void {
    const { words, file } = commandWords(launch);
    const { inherited } = launch;
    const env: Record<string, string> = { ...launch.env, PWD: launch.cwd };
    if (launch.gpus !== undefined) env['CUDA_VISIBLE_DEVICES'] = launch.gpus.join(',');
    const refused = refusal(words, { inherited, env });
    if (refused !== undefined) throw new Error(refused);
    if (launch.cwd !== this.#cwd && !existsSync(launch.cwd)) throw new Error(`the folder ${launch.cwd} does not exist`);
    if (file !== undefined && launch.command.kind === 'script') writeFileSync(file, launch.command.text);
    this.#launches.addScratch(ScratchFolders.beginning(launch.scratch));
    const scratch = this.#scratch.take(launch.scratch);
    const tmpdir = scratch.path;
    env['TMPDIR'] = tmpdir;
    const slot = this.#takeSlot();
    const job: Job = {
      launch,
      slot,
      processes: { helper: slot.pid ?? -1, mark: `TMPDIR=${tmpdir}`, since: moment() },
      turn: this.#gate.newTurn(ahead !== undefined),
      startedAt,
      startMs: performance.now(),
      reported: false,
      stopped: undefined,
      ending: undefined,
      timer: undefined,
    };
    const token = this.#launches.newToken();
    const turn = this.#gate.linesFor(job.turn, !slot.hasTurns);
    const hasTurns = slot.hasTurns || turn !== undefined;
    const text = slotText({
      token,
      words,
      inherited,
      env,
      helperEnv: this.#env,
      helperCwd: this.#cwd,
      startedAt,
      turn,
      hasTurns,
      ...where(launch),
    });
    const { helper } = job.processes;
    step('launch:before');
    // On disk before the job can begin: should this process be killed, the next build knows of it.
    const waits = ahead !== undefined;
    const begun = waits ? false : undefined;
    const noted = { executor: this.name, startedAt, tmpdir, cpuBefore: slot.cpuS, begun };
    try {
      this.#launches.add(token, launch, noted, helper);
    } catch (problem) {
      this.#idle.push(slot);
      this.#gate.takeBack(job.turn);
      void this.#scratch.give(scratch);
      throw problem;
    }
    step('launch:noted');
    slot.hasTurns = hasTurns;
    this.#gate.add(job.turn);
    if (!waits) this.#watch(job);
    const settle = (report: Report): void => {
      this.#finish(job, report)
        .then(async (ended) => {
          const { kind } = ended.outcome;
          if (kind !== 'success' && kind !== 'called-off')
            keepScript(launch, token, words, wholeEnvironment({ inherited, env }), tmpdir);
          await this.#scratch.give(scratch);
          resolve(ended);
        })
        .catch((error: unknown) => {
          const message = error instanceof Error ? error.message : String(error);
          resolve(completion({ kind: 'spawn-failed', message }, startedAt, 0, undefined, undefined));
        });
    };
    slot.run(text, settle, () => {
      try {
        this.#launches.addBegun(token);
      } catch {
        // A full disk: should lhb be killed, the next build does not know that it had begun.
      }
      this.#begin(job, ahead);
    });
    step('launch:started');
    return () => this.#stop(job, { kind: 'cancelled' });
  }

  /** Its turn has come. */
  #begin(job: Job, tell: (() => void) | undefined): void {
    job.timer?.cancel();
    job.startedAt = Date.now() / 1000;
    job.startMs = performance.now();
    this.#gate.begin(job.turn);
    this.#watch(job);
    tell?.();
    // It was to be stopped while it waited.
    if (job.stopped !== undefined) this.#end(job);
  }

  /** From its beginning on. */
  #watch(job: Job): void {
    this.#sampler.watch(job.processes.helper);
    const { timeoutS } = job.launch;
    if (timeoutS === undefined) return;
    job.timer = afterMs(timeoutS * 1000, () => this.#stop(job, { kind: 'timed-out', limitS: timeoutS }));
  }

  #stop(job: Job, outcome: Outcome): void {
    if (job.stopped !== undefined) return;
    job.stopped = outcome;
    if (job.turn.begun) return this.#end(job);
    this.callOff(false);
    job.timer = afterMs(this.#graceMs, () => job.slot.kill());
  }

  #end(job: Job): void {
    if (hasProc) job.ending ??= this.#endAll(job);
    else this.#endGroup(job);
  }

  /** Ends all processes of the job. Should some outlive KILL, the helper that waits for them is given up. */
  async #endAll(job: Job): Promise<boolean> {
    const find = (): number[] => findProcesses(job.processes, () => this.#helpersBut(job.processes.helper));
    const all = await endProcesses(find, () => job.reported, this.#graceMs);
    if (!all) job.slot.kill();
    return all;
  }

  /** Without /proc only the group is known, and the helper is in it: it survives TERM, and not KILL. */
  #endGroup(job: Job): void {
    const { helper } = job.processes;
    if (helper < 0) return;
    sendSignal(-helper, 'SIGTERM');
    job.timer?.cancel();
    job.timer = afterMs(this.#graceMs, () => sendSignal(-helper, 'SIGKILL'));
  }

  async #finish(job: Job, report: Report): Promise<Completion> {
    job.reported = true;
    const wallS = (performance.now() - job.startMs) / 1000;
    // What it has done with its turn nobody knows.
    if (report.kind === 'helper-gone') this.#gate.close();
    if (!job.turn.begun) return this.#neverBegun(job, report);
    this.#gate.ended(job.turn, wallS, isWell(report));
    const maxRssMb = this.#sampler.finish(job.processes.helper);
    if (hasProc) {
      job.ending ??= this.#leavesNothing(job) ? undefined : this.#endAll(job);
      if (job.ending !== undefined) await job.ending;
    } else if (job.processes.helper >= 0) {
      sendSignal(-job.processes.helper, 'SIGTERM');
    }
    job.timer?.cancel();
    if (report.kind === 'ended' && !job.slot.gone) this.#rest(job.slot, job.launch.scratch);
    const outcome = job.stopped ?? this.#outcome(job, report);
    const cpuS = report.kind === 'ended' ? report.cpuS : undefined;
    return completion(outcome, job.startedAt, wallS, cpuS, maxRssMb);
  }

  #neverBegun(job: Job, report: Report): Completion {
    job.timer?.cancel();
    this.#gate.drop(job.turn);
    if (report.kind === 'called-off') this.#idle.push(job.slot);
    return completion({ kind: 'called-off' }, job.startedAt, 0, undefined, undefined);
  }

  /** A helper has nothing to do, but perhaps to make the turns. */
  #rest(slot: Slot, folder: string): void {
    const path = `${ScratchFolders.beginning(folder)}turns`;
    const text = this.#adopted.size === 0 ? this.#gate.textToMake(path) : undefined;
    if (text === undefined) this.#idle.push(slot);
    else {
      slot.run(text, (report) => {
        if (report.kind !== 'ended') return;
        this.#idle.push(slot);
        if (report.status === 0) this.#gate.open(path);
      });
    }
  }

  #leavesNothing(job: Job): boolean {
    return findProcesses(job.processes, () => this.#helpersBut(job.processes.helper)).length === 0;
  }

  #outcome(job: Job, report: Report): Outcome {
    switch (report.kind) {
      case 'helper-gone':
        return report.signal === null
          ? { kind: 'spawn-failed', message: report.message }
          : { kind: 'signal', signal: report.signal };
      case 'ended': {
        const { status } = report;
        if (status !== 0 && !existsSync(job.launch.log))
          return { kind: 'spawn-failed', message: `cannot write the log ${job.launch.log}` };
        return outcomeOfStatus(status);
      }
      case 'called-off':
        return { kind: 'called-off' };
      default:
        return unreachable(report);
    }
  }

  #takeSlot(): Slot {
    for (;;) {
      const slot = this.#idle.pop() ?? this.#newSlot();
      if (!slot.gone) return slot;
    }
  }

  #newSlot(): Slot {
    const slot = new Slot(this.#cwd, this.#env);
    const { pid } = slot;
    if (pid === undefined) throw new Error('cannot start /bin/sh');
    try {
      this.#launches.addHelper(pid);
    } catch (problem) {
      // What is not on record would not be found, should this process be killed.
      slot.close();
      throw problem;
    }
    this.#slots.set(pid, slot);
    void slot.ended().then(() => this.#slots.delete(pid));
    return slot;
  }
}

const isWell = (report: Report): boolean => report.kind === 'ended' && report.status === 0;

const where = ({ cwd, log, jobDir }: Launch): { cwd: string; log: string; jobDir: string } => ({ cwd, log, jobDir });

function completion(
  outcome: Outcome,
  startedAt: number,
  wallS: number,
  cpuS: number | undefined,
  maxRssMb: number | undefined,
): Completion {
  const usage = { startedAt, finishedAt: startedAt + wallS, wallS, cpuS, maxRssMb };
  return { outcome, usage, host: HOST, executorJob: undefined };
}

/** Leaves the job's script for who looks into a failure: `sh job.sh` runs it again as it was. Its owner alone may read the environment in it. */
function keepScript(
  launch: Launch,
  token: string,
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  tmpdir: string,
): void {
  const file = `${launch.jobDir}/job.sh`;
  try {
    rmSync(file, { force: true });
    writeFileSync(file, jobScript(launch, token, words, env, tmpdir), { mode: 0o700 });
  } catch {
    // it helps with a failure, it must not be one
  }
}
