// One attempt of one job: prepare, launch, check, capture, commit. The trace is committed last.
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ActionKey } from '../base/brand.ts';
import { DiagnosticError, type Diagnostic } from '../base/diagnostic.ts';
import { err, ok, type Result } from '../base/result.ts';
import { step } from '../base/step.ts';
import type { Completion, Executor, Outcome, Pack, Running } from '../execute/executor.ts';
import type { LocalExecutor } from '../execute/local.ts';
import type { Orphan } from '../execute/orphans.ts';
import { outcomeOf } from '../execute/output-problem.ts';
import { below } from '../fs/rel-path.ts';
import type { Job } from '../graph/job.ts';
import type { FreshKey, KeyMaker, KeyParts, ManifestOf } from '../key/key-parts.ts';
import type { Reason } from '../plan/reason.ts';
import { readTail } from '../store/log-tail.ts';
import type { Manifest } from '../store/manifest.ts';
import type { Attempt, Trace, TraceCore, Usage } from '../store/trace.ts';
import { plainResources, type Allotment } from './allotment.ts';
import { bringOut, OwnPlaces } from './own-place.ts';
import { prepareLaunch, type PrepareParts } from './prepare-launch.ts';
import { subjectOf } from '../plan/subject.ts';
import { jobDir } from '../store/layout.ts';

/** The sentences for outcomes and reasons; they are the report's, and come from outside. */
export type Words = {
  readonly outcome: (outcome: Outcome) => string;
  readonly reason: (reason: Reason) => string;
  readonly warn: (text: string) => void;
};

export type RunnerParts = PrepareParts & {
  readonly keys: KeyMaker;
  /** What runs a job. */
  readonly executorOf: (job: Job) => Executor;
  /** That of this machine. */
  readonly local: LocalExecutor;
  /** What can tell of an earlier driver's launch; undefined where nothing can. */
  readonly executorNamed: (name: string) => Executor | undefined;
  readonly words: Words;
  /** Names this build in records of attempts, so that a cut-off one is told from a running one. */
  readonly build: string;
};

export type Failure = Exclude<Outcome, { kind: 'success' }>;

export type AttemptEnd = {
  readonly durationS: number;
  readonly maxRssMb: number | undefined;
} & (
  | { readonly ok: true; readonly manifest: Manifest; readonly actionKey: ActionKey }
  | { readonly ok: false; readonly outcome: Failure }
);

/** An attempt that was started, by this build or an earlier one. */
type Begun = {
  readonly job: Job;
  readonly key: FreshKey;
  readonly attempt: number;
  readonly allotment: Allotment;
  readonly manifestOf: ManifestOf;
  readonly reasons: readonly string[];
  /** It ended while no build watched. */
  readonly unseen: boolean;
  readonly executor: Executor;
  /** As Launch.place. */
  readonly place: string | undefined;
};

const HOST = hostname();

/** How much of a log an event shows. */
const TAIL_LINES = 12;
/** How many reasons a record keeps. */
const MOST_REASONS = 50;

export class JobRunner {
  private readonly parts: RunnerParts;

  private readonly places: OwnPlaces;

  constructor(parts: RunnerParts) {
    this.parts = parts;
    this.places = new OwnPlaces(parts.root);
  }

  /**
   * Starts an attempt. `done` settles once, and never rejects for what the job does.
   * @param ahead as for LocalExecutor.startAhead, what to call when it begins; undefined: it begins at once
   */
  launch(
    job: Job,
    attempt: number,
    allotment: Allotment,
    manifestOf: ManifestOf,
    reasons: readonly string[],
    pack: Pack | undefined,
    ahead: (() => void) | undefined,
  ): { cancel: () => void; done: Promise<AttemptEnd> } {
    const startedAt = Date.now();
    try {
      return this.tryLaunch(job, attempt, allotment, manifestOf, reasons, pack, ahead);
    } catch (problem) {
      const message = problemText(problem);
      if (message === undefined) throw problem;
      const key = this.keyToRecord(job, manifestOf);
      const outcome = { kind: 'spawn-failed', message } as const;
      const durationS = (Date.now() - startedAt) / 1000;
      const done = this.failed(job, key, attempt, allotment, outcome, { durationS, maxRssMb: undefined }, undefined);
      return { cancel: () => {}, done };
    }
  }

  /** Puts on record that an attempt could not be started. */
  async refuse(
    job: Job,
    attempt: number,
    message: string,
    manifestOf: ManifestOf,
  ): Promise<AttemptEnd & { readonly ok: false }> {
    const nothing: Allotment = { resources: new Map(), cpus: 0, gpus: undefined, give: () => {} };
    const key = this.keyToRecord(job, manifestOf);
    const took = { durationS: 0, maxRssMb: undefined };
    return this.failed(job, key, attempt, nothing, { kind: 'spawn-failed', message }, took, undefined);
  }

  /** Undefined where a source cannot be read any more: without a key nothing goes on record. */
  private keyToRecord(job: Job, manifestOf: ManifestOf): FreshKey | undefined {
    try {
      return this.parts.keys.keyOf(job, manifestOf);
    } catch (problem) {
      if (!(problem instanceof DiagnosticError)) throw problem;
      return undefined;
    }
  }

  private tryLaunch(
    job: Job,
    attempt: number,
    allotment: Allotment,
    manifestOf: ManifestOf,
    reasons: readonly string[],
    pack: Pack | undefined,
    ahead: (() => void) | undefined,
  ): { cancel: () => void; done: Promise<AttemptEnd> } {
    const { parts } = this;
    const key = parts.keys.keyOf(job, manifestOf, new Map());
    if (key === undefined) throw new Error(`invariant broken: ${job.id} started before its upstream was done`);
    const executor = ahead ? parts.local : parts.executorOf(job);
    const place = executor.apart ? this.places.make(job) : undefined;
    const launch = prepareLaunch(parts, job, key.key, attempt, allotment, place, pack);
    const begun = { job, key, attempt, allotment, manifestOf, reasons, unseen: false, executor, place };
    const note = (): void => this.note(begun, Date.now() / 1000);
    if (ahead === undefined) return this.follow(begun, executor.start(launch, note));
    const running = parts.local.startAhead(launch, () => {
      try {
        note();
      } catch (problem) {
        // It runs; that it was cut off would be told by its launch as well.
        if (problemText(problem) === undefined) throw problem;
      }
      ahead();
    });
    return this.follow(begun, running);
  }

  /**
   * Takes over an attempt that an earlier build started under the key that holds now: from its end on it is as any other.
   * `done` settles once, with `lost` where it left no word of how it ended.
   */
  adopt(
    job: Job,
    orphan: Orphan,
    allotment: Allotment,
    manifestOf: ManifestOf,
    reasons: readonly string[],
  ): { cancel: () => void; done: Promise<AttemptEnd> } {
    const { attempt, actionKey, startedAt } = orphan.launch;
    const { place } = orphan.launch;
    const key = this.parts.keys.keyOf(job, manifestOf, new Map());
    const executor = this.parts.executorNamed(orphan.launch.executor);
    const isSame = key?.key === actionKey;
    const running = isSame ? executor?.adopt(orphan, this.timeoutS(job, attempt, allotment)) : undefined;
    if (key === undefined || running === undefined || executor === undefined) {
      const lost = { ok: false, outcome: { kind: 'lost' }, durationS: 0, maxRssMb: undefined } as const;
      return { cancel: () => {}, done: Promise.resolve(lost) };
    }
    const unseen = orphan.state === 'ended';
    const begun = { job, key, attempt, allotment, manifestOf, reasons, unseen, executor, place };
    this.note(begun, startedAt);
    return this.follow(begun, running);
  }

  /** A limit that cannot be worked out is none: the job runs already. */
  private timeoutS(job: Job, attempt: number, { resources }: Allotment): number | undefined {
    try {
      return this.parts.allotments.timeoutS(job, attempt, resources);
    } catch (problem) {
      const message = problemText(problem);
      if (message === undefined) throw problem;
      this.parts.words.warn(`${job.rule.name} ${job.id}: it runs on without a time limit: ${message}`);
      return undefined;
    }
  }

  /** Puts on record that an attempt has begun. */
  private note({ job, key, attempt, allotment }: Begun, startedAt: number): void {
    const record = this.attemptRecord(job, key, attempt, allotment, 'begun', 'cut off', startedAt);
    this.parts.records.putAttempt(record);
  }

  /** From the end of a job on: check, capture, commit. */
  private follow(begun: Begun, running: Running): { cancel: () => void; done: Promise<AttemptEnd> } {
    const { job, key, attempt, allotment } = begun;
    const done = running.done.then(async (completion): Promise<AttemptEnd> => {
      const { wallS: durationS, maxRssMb } = completion.usage;
      let { outcome } = completion;
      if (outcome.kind === 'success') {
        try {
          const captured = await this.capture(begun, completion);
          if (captured.ok) return { ok: true, manifest: captured.value, actionKey: key.key, durationS, maxRssMb };
          outcome = captured.error;
        } catch (problem) {
          const message = problemText(problem);
          if (message === undefined) throw problem;
          outcome = { kind: 'capture-failed', message };
        }
      }
      this.bringOutForPeople(begun, outcome);
      return this.failed(job, key, attempt, allotment, outcome, { durationS, maxRssMb }, completion.usage);
    });
    return { cancel: () => running.cancel(), done };
  }

  /** What a failed attempt made is for people to look at, where it would be here; one that may still run keeps its folder. */
  private bringOutForPeople({ job, place }: Begun, outcome: Outcome): void {
    if (place === undefined) return;
    if (['vanished', 'node-failed', 'lost'].includes(outcome.kind)) return this.places.giveUp(job, place);
    try {
      bringOut(this.parts.root, place, job.dir);
    } catch {
      // it stays where it was made
    }
  }

  /** Puts a failure on record, beside an earlier success; what was cancelled or lost stays on record as begun, if it was. */
  private async failed(
    job: Job,
    key: KeyParts | undefined,
    attempt: number,
    allotment: Allotment,
    outcome: Failure,
    took: { durationS: number; maxRssMb: number | undefined },
    usage: Usage | undefined,
  ): Promise<AttemptEnd & { readonly ok: false }> {
    const isOver = outcome.kind !== 'cancelled' && outcome.kind !== 'called-off' && outcome.kind !== 'lost';
    if (key !== undefined && isOver) {
      const now = Date.now() / 1000;
      const record = this.attemptRecord(job, key, attempt, allotment, 'failed', this.describe(outcome), now, usage);
      try {
        step('attempt:before');
        this.parts.records.putAttempt(record);
        step('attempt:after');
      } catch (problem) {
        const message = problemText(problem);
        if (message === undefined) throw problem;
        this.parts.words.warn(`${job.rule.name} ${job.id}: its failure cannot be put on record: ${message}`);
      }
    }
    return { ok: false, outcome, ...took };
  }

  /** The job ended well: are its inputs what they were, and its outputs there? Then it is put on record. */
  private async capture(begun: Begun, completion: Completion): Promise<Result<Manifest, Failure>> {
    const { job, key, attempt, allotment, manifestOf, reasons, unseen, executor, place } = begun;
    const { records, words } = this.parts;
    const changed = this.changedInputs(job, key, manifestOf);
    if (changed.length > 0) return err({ kind: 'inputs-changed', paths: changed });
    // In a folder of its own nobody else writes; and a node has a clock of its own.
    const written = unseen && place === undefined ? records.writtenAfter(job, completion.usage.finishedAt) : [];
    if (written.length > 0) {
      const message = `${written.join(', ')}: written to after the job had ended, and before lhb could record it`;
      return err({ kind: 'output-invalid', message });
    }
    step('capture:before');
    const captured = await this.captureOutputs(begun);
    step('capture:after');
    if (!captured.ok) return err(outcomeOf(captured.error));
    for (const warning of captured.value.warnings) words.warn(`${job.rule.name} ${job.id}: ${warning}`);
    const trace: Trace = {
      manifest: captured.value.manifest,
      origin: 'built',
      usage: completion.usage,
      recordedAt: Date.now() / 1000,
      attempts: attempt,
      resources: plainResources(allotment),
      host: completion.host,
      executor: executor.name,
      executorJob: completion.executorJob,
      reasons: reasons.slice(0, MOST_REASONS),
      before: records.lastKey(job.id),
      // Last: where properties follow what is spread, V8 takes twenty times as long.
      ...subjectOf(job, key),
    };
    step('commit:before');
    records.commit(job, trace);
    step('commit:after');
    if (place !== undefined) this.places.dropOthers(job);
    else this.parts.folders.end(below(this.parts.root, jobDir(job.id)));
    return ok(trace.manifest);
  }

  /** Outputs that a network file system shows late are waited for, within a bound. */
  private async captureOutputs({ job, executor, place }: Begun): ReturnType<PrepareParts['records']['capture']> {
    const deadline = performance.now() + executor.latencyS * 1000;
    for (let pause = 50; ; pause = Math.min(pause * 2, 2000)) {
      if (place !== undefined) bringOut(this.parts.root, place, job.dir);
      const captured = await this.parts.records.capture(job);
      const late = !captured.ok && captured.error.kind === 'missing' && performance.now() + pause < deadline;
      if (!late) return captured;
      await sleep(pause);
    }
  }

  /** Paths of inputs, code and upstream outputs that are not what they were when the key was made. */
  private changedInputs(job: Job, key: FreshKey, manifestOf: ManifestOf): string[] {
    const changed: string[] = [];
    for (const other of job.upstream) {
      const manifest = manifestOf(other);
      if (manifest === undefined) continue;
      const state = this.parts.records.compare(other, manifest);
      if (state.state !== 'same') changed.push(...state.paths);
    }
    changed.push(...this.parts.keys.changedSince(job, key, manifestOf));
    return changed;
  }

  private attemptRecord(
    job: Job,
    key: KeyParts,
    attempt: number,
    allotment: Allotment,
    state: Attempt['state'],
    reason: string,
    startedAt: number,
    usage?: Usage,
  ): Attempt {
    return {
      jobId: job.id,
      rule: job.rule.name,
      actionKey: key.key,
      attempt,
      state,
      reason,
      usage,
      host: HOST,
      log: job.log,
      resources: plainResources(allotment),
      build: this.parts.build,
      startedAt,
    };
  }

  /**
   * Brings a result's outputs back; false where bytes are missing, which makes the record a miss.
   * @param unrecorded the result, where it is not on record yet: then it is put there
   */
  restore(job: Job, trace: TraceCore, unrecorded?: Trace): Promise<boolean> {
    return this.parts.records.restore(job, trace, unrecorded);
  }

  /** Brings the index up to what is on record. */
  settle(): void {
    this.parts.records.settle();
  }

  /** Brings back outputs that are not on disk, as temp ones, without a word on record. */
  bringBack(job: Job, manifest: Manifest): Promise<boolean> {
    return this.parts.records.bringBack(job, manifest);
  }

  /** The work tree holds this result already: notes it where that is not on record. */
  setCurrent(job: Job, trace: TraceCore): void {
    if (!this.parts.records.holds(job, trace)) this.parts.records.setCurrent(job, trace);
  }

  mayRetry(job: Job, attempt: number, outcome: Outcome, retries: number): boolean {
    if (attempt > this.parts.allotments.retries(job, retries)) return false;
    const kind = retryKind(outcome);
    return kind !== undefined && job.rule.retryOn.includes(kind);
  }

  describe(outcome: Outcome): string {
    return this.parts.words.outcome(outcome);
  }

  describeReason(reason: Reason): string {
    return this.parts.words.reason(reason);
  }

  /** The last lines of a job's log. */
  logTail(job: Job): string[] {
    return readTail(join(this.parts.root, job.log), TAIL_LINES);
  }
}

/** Which `retry_on` word an outcome is, undefined for what is never tried again. */
function retryKind(outcome: Outcome): 'timeout' | 'oom' | 'node_fail' | 'exit' | undefined {
  switch (outcome.kind) {
    case 'timed-out':
    case 'over-time':
      return 'timeout';
    case 'out-of-memory':
      return 'oom';
    case 'node-failed':
    case 'vanished':
    case 'lost':
      return 'node_fail';
    case 'scheduler-failed':
    case 'exit-code':
    case 'signal':
    case 'output-missing':
    case 'output-invalid':
      return 'exit';
    case 'success':
    case 'cancelled':
    case 'cancelled-outside':
    case 'called-off':
    case 'submit-failed':
    case 'never-starts':
    case 'spawn-failed':
    case 'inputs-changed':
    case 'capture-failed':
      return undefined;
  }
}

/** A user's or the system's problem in a sentence; undefined for a bug. */
function problemText(problem: unknown): string | undefined {
  if (problem instanceof DiagnosticError) return problem.diagnostics.map((d: Diagnostic) => d.message).join('; ');
  if (problem instanceof Error && 'code' in problem && 'syscall' in problem) return problem.message;
  return undefined;
}
