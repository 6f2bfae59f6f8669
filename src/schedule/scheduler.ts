// The main loop of a build: decides order and number. Staleness is the rebuilder's; running a job is the runner's.
import { DiagnosticError } from '../base/diagnostic.ts';
import { invariant } from '../base/invariant.ts';
import type { Job } from '../graph/job.ts';
import type { Hit } from '../cache/tier.ts';
import type { Outcome, Pack } from '../execute/executor.ts';
import type { Orphan } from '../execute/orphans.ts';
import type { ManifestOf } from '../key/key-parts.ts';
import { standingManifest, type Judgement } from '../plan/rebuilder.ts';
import type { Reason } from '../plan/reason.ts';
import { reason } from '../plan/reason.ts';
import { Ahead, mayGoAhead } from './ahead.ts';
import { Announcer } from './announcer.ts';
import type { Left } from './event.ts';
import { expectedDurations, type Expected } from './expected.ts';
import { packOf } from './pack.ts';
import { JobEnds } from './job-ends.ts';
import { Progress } from './progress.ts';
import { RunQueue, type Queued } from './queue.ts';
import type { Allotment } from './allotment.ts';
import type { AttemptEnd, JobRunner } from './runner.ts';
import { RunningJobs } from './running-jobs.ts';
import type { BuildResult, ScheduleOptions, ScheduleParts } from './schedule-parts.ts';
import { finishSharing, isShared, type Asked, type SharedResults } from './shared-results.ts';
import { hasTemp } from './temp-outputs.ts';

type Followed = ReturnType<JobRunner['launch']>;

/** How long the loop may hold the process before others get a turn (ms). */
const TURN_MS = 40;
/** How long slots stay empty while the order of what is ready is being found (ms). */
const PATIENCE_MS = 1000;
/** How often a build that is to leave looks whether it may (ms). */
const LOOK_MS = 100;

export class Scheduler {
  private readonly parts: ScheduleParts;
  private readonly options: ScheduleOptions;
  private readonly expected: Expected;
  private readonly announce: Announcer;
  private readonly queue = new RunQueue();
  private readonly progress: Progress;
  /** Jobs that would run, if no shared cache has their results. */
  private asking: { readonly job: Job; readonly judgement: Judgement }[] = [];
  private readonly running: RunningJobs;
  /** Why a job runs, as it was found when its upstream was done. */
  private readonly reasons = new Map<Job, readonly Reason[]>();
  private readonly ends: JobEnds;
  private readonly ahead: Ahead;
  private stopping = false;
  private background = 0;
  private heldByOthers = 0;
  /** How many jobs have a slot and wait for temp outputs. */
  private bringing = 0;
  private left: Left | undefined;
  /** A bug met in the background; the loop throws it. */
  private broken: { problem: unknown } | undefined;
  private wake: () => void = () => {};
  private readonly made: ManifestOf = (other) => this.progress.manifestOf(other);

  constructor(parts: ScheduleParts, options: ScheduleOptions) {
    this.parts = parts;
    this.options = options;
    this.expected = expectedDurations(parts.plan);
    this.progress = new Progress(parts.plan);
    this.running = new RunningJobs(parts.lanes, parts.laneOf);
    this.ahead = new Ahead(parts.turns, this.running);
    this.announce = new Announcer(parts.emit, parts.runner);
    this.ends = new JobEnds(parts, options, this.progress, this.announce);
  }

  /** Brings all jobs of the plan up to date. Never rejects for what a job does. */
  async run(): Promise<BuildResult> {
    const { plan } = this.parts;
    const { announce } = this;
    const { others } = this.options;
    const slots = this.parts.lanes.reduce((sum, lane) => sum + lane.slots, 0);
    announce.buildStarted(plan.steps.size + (others?.count ?? 0), slots);
    for (const ref of others?.refs() ?? []) announce.settled(ref, 'fresh', 0);
    this.reportEdits();
    for (const held of this.parts.held) this.awaitOther(held);
    // First of all: they run already, and count.
    for (const [job, orphan] of this.parts.orphans) this.adopt(job, orphan);
    const onInterrupt = (): void => this.interrupt();
    this.options.interrupt.addEventListener('abort', onInterrupt);
    const onLeave = (): void => this.wake();
    this.options.leave?.addEventListener('abort', onLeave);
    if (this.options.interrupt.aborted) this.interrupt();
    await this.loop();
    this.parts.runner.settle();
    this.options.interrupt.removeEventListener('abort', onInterrupt);
    this.options.leave?.removeEventListener('abort', onLeave);
    const counts = this.progress.count(others?.count ?? 0);
    const interrupted = this.options.interrupt.aborted;
    const { shared } = this.parts;
    const given = shared && (await finishSharing(shared, this.options.interrupt, announce));
    announce.buildFinished(counts, given, this.left);
    return { counts, changed: this.ends.rerunMadeOther, results: this.progress.results, interrupted, left: this.left };
  }

  /** Outputs that someone wrote to are put right: whoever did so should know. */
  private reportEdits(): void {
    for (const { job, reasons, action } of this.parts.plan.steps.values()) {
      const paths = reasons.filter((r) => r.kind === 'edited').map((r) => r.path);
      if (paths.length === 0) continue;
      const then = action === 'restore' ? 'restored' : 'made again';
      this.announce.warn(
        `${job.rule.name} ${job.id}: ${paths.join(', ')} was edited since it was made, and is ${then}`,
      );
    }
  }

  private async loop(): Promise<void> {
    for (;;) {
      const began = Date.now();
      let turnEnds = began + TURN_MS;
      for (let job = this.progress.takeReady(); job !== undefined; job = this.progress.takeReady()) {
        this.check(job);
        if (Date.now() < turnEnds) continue;
        // What goes first is known once all have been looked at; but slots should not stand empty for long.
        if (Date.now() - began > PATIENCE_MS) this.startWhatFits();
        await new Promise((resolve) => setImmediate(resolve));
        turnEnds = Date.now() + TURN_MS;
      }
      this.askCaches();
      this.startWhatFits();
      if (this.broken !== undefined) throw this.broken.problem;
      if (this.progress.hasReady) continue;
      if (this.running.size === 0 && this.background === 0 && (this.queue.size === 0 || this.heldByOthers === 0)) {
        invariant(this.stopping || this.queue.size === 0, 'jobs wait for resources that nobody holds');
        break;
      }
      if (this.mayLeave()) {
        const ended = this.progress.ended + this.running.size;
        this.left = { running: this.running.size, to_begin: this.parts.plan.steps.size - ended };
        return;
      }
      await this.untilWoken();
    }
    this.skipRest();
  }

  private async untilWoken(): Promise<void> {
    // That a job is with its scheduler now wakes nobody.
    const timer = this.options.detach ? setTimeout(() => this.wake(), LOOK_MS) : undefined;
    await new Promise<void>((resolve) => (this.wake = resolve));
    clearTimeout(timer);
  }

  /** Is all that is still going on elsewhere, and may it be left there? */
  private mayLeave(): boolean {
    const { leave, detach } = this.options;
    if (!(leave?.aborted ?? false) && !(detach && !this.options.interrupt.aborted)) return false;
    const { isAway } = this.parts;
    return this.background === this.running.size && this.running.every((job) => isAway?.(job) ?? false);
  }

  /** All upstream jobs are done: is this job fresh, to be restored, or to be run? */
  private check(job: Job): void {
    const step = this.parts.plan.steps.get(job);
    if (step === undefined || this.progress.hasEnded(job) || this.running.has(job)) return;
    const forced = this.options.forced.has(job);
    const settled = !this.progress.hasMovedAbove(job) && (step.action !== 'check' || forced);
    const judgement = settled ? step.judgement : this.judge(job);
    if (judgement === undefined) return;
    this.reasons.set(job, forced ? [reason('forced'), ...judgement.reasons] : judgement.reasons);
    if (forced) return this.enqueue(job, 1);
    switch (judgement.decision) {
      case 'none':
        return this.fresh(job, judgement);
      case 'restore':
        return this.restore(job, judgement);
      case 'run':
        if (this.stopping) return;
        if (this.parts.shared === undefined || !isShared(job)) return this.enqueue(job, 1);
        this.asking.push({ job, judgement });
    }
  }

  /** Undefined, and the job fails, where a source of it cannot be read since the build began. */
  private judge(job: Job): Judgement | undefined {
    try {
      return this.parts.rebuilder.judge(job, this.made, this.options.selected.has(job));
    } catch (problem) {
      if (!(problem instanceof DiagnosticError)) throw problem;
      if (!this.stopping) this.refuse(job, 1, problem.message);
      return undefined;
    }
  }

  /** Asks the shared caches for all that is ready, at once; what they do not have is run. */
  private askCaches(): void {
    const { shared } = this.parts;
    if (shared === undefined || this.asking.length === 0) return;
    const { asking } = this;
    this.asking = [];
    this.inBackground(async () => {
      const asked = asking.flatMap(({ job, judgement: { key } }) => (key ? [{ job, key }] : []));
      const hits = await shared.find(asked);
      if (this.stopping) return;
      for (const { job, judgement } of asking) {
        const hit = hits.get(job);
        if (hit === undefined || judgement.key === undefined) this.enqueue(job, 1);
        else this.takeShared({ job, key: judgement.key }, hit, shared);
      }
    });
  }

  private takeShared(asked: Asked, hit: Hit, shared: SharedResults): void {
    const { job } = asked;
    this.inBackground(async () => {
      const begun = Date.now();
      const trace = await shared.fetch(asked, hit);
      if (trace === undefined || !(await this.parts.runner.restore(job, trace, trace))) {
        if (!this.stopping) this.enqueue(job, 1);
        return;
      }
      this.ends.acted.add(job);
      this.ends.settled(job, 'restored', trace, (Date.now() - begun) / 1000);
    });
  }

  private fresh(job: Job, judgement: Judgement): void {
    const { trace } = judgement;
    if (trace === undefined) return;
    this.parts.runner.setCurrent(job, trace);
    this.ends.settled(job, 'fresh', trace, 0);
  }

  private restore(job: Job, judgement: Judgement): void {
    const { trace } = judgement;
    if (trace === undefined) return;
    this.inBackground(async () => {
      const begun = Date.now();
      if (!(await this.parts.runner.restore(job, trace))) {
        // A blob went missing meanwhile: its record is a miss.
        this.reasons.set(job, [...judgement.reasons, reason('evicted')]);
        if (!this.stopping) this.enqueue(job, 1);
        return;
      }
      this.ends.acted.add(job);
      this.parts.shared?.countLocal();
      this.ends.settled(job, 'restored', trace, (Date.now() - begun) / 1000);
    });
  }

  /** Work that holds no slot; the loop goes on when it is done. */
  private inBackground(work: () => Promise<void>): void {
    this.background++;
    void work()
      .catch((problem: unknown) => (this.broken ??= { problem }))
      .then(() => {
        this.background--;
        this.wake();
      });
  }

  private enqueue(job: Job, attempt: number): void {
    const { priority, asks, problem } = this.parts.allotments.standing(job, attempt);
    if (problem !== undefined) return this.refuse(job, attempt, problem);
    this.queue.add({ job, attempt, priority, path: this.expected.path(job), asks });
  }

  /** Fails a job that cannot be started. */
  private refuse(job: Job, attempt: number, message: string): void {
    this.inBackground(async () => {
      const end = await this.parts.runner.refuse(job, attempt, message, this.made);
      this.fail(job, attempt, end.outcome, end.durationS);
    });
  }

  private startWhatFits(): void {
    while (!this.stopping && this.running.hasRoom()) {
      let allotment: Allotment | undefined;
      const next = this.queue.take(
        ({ job, attempt }) =>
          this.running.hasRoomFor(job) && (allotment = this.parts.allotments.tryTake(job, attempt)) !== undefined,
      );
      if (next === undefined || allotment === undefined) return;
      this.start(next, allotment);
    }
    this.startAhead();
  }

  /** Where all slots are taken by short jobs, the next one is made ready already, to begin when one of them has ended well. */
  private startAhead(): void {
    // A job that has a slot, and will take its turn only then, must find it.
    if (this.stopping || this.bringing > 0 || !this.ahead.isWanted) return;
    let tried = 0;
    // None but the first: others would go before it.
    const next = this.queue.take((item) => tried++ === 0 && mayGoAhead(item, this.reasons.get(item.job) ?? []));
    if (next !== undefined) this.launchAhead(next);
  }

  private start(next: Queued, allotment: Allotment): void {
    const { job, attempt } = next;
    const absent = job.upstream.filter(hasTemp);
    const onCluster = this.parts.laneOf(job).kind === 'cluster';
    const pack = onCluster ? packOf(job, attempt, this.expected.seconds(job), this.parts.packS) : undefined;
    if (absent.length > 0) {
      this.running.begin(job, { cancel: () => {}, share: pack?.share ?? 1 });
      this.bringing++;
      this.inBackground(async () => {
        // It keeps its slot meanwhile.
        const ready = await this.bringBackTemp(job, absent);
        this.bringing--;
        this.running.end(job);
        if (ready && !this.stopping) this.launch(next, allotment, pack);
        else allotment.give();
      });
    } else this.launch(next, allotment, pack);
  }

  private launch({ job, attempt }: Queued, allotment: Allotment, pack: Pack | undefined): void {
    const reasons = this.reasonsOf(job);
    const launched = this.parts.runner.launch(job, attempt, allotment, this.made, reasons, pack, undefined);
    this.announce.started(job, attempt, reasons, this.expected.seconds(job));
    this.follow(job, launched, allotment, pack?.share ?? 1, (end) => this.ended(job, attempt, end));
  }

  /** Hands a job over that begins in the turn of another; it has no slot before. */
  private launchAhead(next: Queued): void {
    const { job, attempt } = next;
    const reasons = this.reasonsOf(job);
    const say = (): void => this.announce.started(job, attempt, reasons, this.expected.seconds(job));
    const begin = (): void => {
      this.ahead.begin();
      say();
      this.wake();
    };
    const allotment = this.parts.allotments.ofNothing(job, attempt);
    const launched = this.parts.runner.launch(job, attempt, allotment, this.made, reasons, undefined, begin);
    this.ahead.wait(job, launched.cancel);
    this.follow(job, launched, allotment, 0, (end) => {
      if (!this.ahead.isWaiting(job)) return this.ended(job, attempt, end);
      this.ahead.drop();
      if (end.ok || end.outcome.kind === 'called-off') {
        if (!this.stopping) this.queue.add(next);
        return;
      }
      say();
      this.attemptFailed(job, attempt, end.outcome, end.durationS);
    });
  }

  private ended(job: Job, attempt: number, end: AttemptEnd): void {
    if (end.ok) this.ends.built(job, end);
    else this.attemptFailed(job, attempt, end.outcome, end.durationS);
    if (!this.stopping && this.parts.laneOf(job).kind === 'local') this.ahead.goOn(end.ok);
  }

  private reasonsOf(job: Job): string[] {
    const found = this.reasons.get(job) ?? this.parts.plan.steps.get(job)?.reasons ?? [];
    return found.map((r) => this.parts.runner.describeReason(r));
  }

  private follow(
    job: Job,
    attempt: Followed,
    allotment: Allotment,
    share: number,
    then: (end: AttemptEnd) => void,
  ): void {
    this.running.begin(job, { cancel: attempt.cancel, share });
    this.inBackground(async () => {
      const end = await attempt.done;
      this.running.end(job);
      allotment.give();
      if (end.ok || end.outcome.kind !== 'called-off') this.ends.acted.add(job);
      then(end);
    });
    if (this.options.interrupt.aborted) attempt.cancel();
  }

  /** Takes over what an earlier build started. Nothing above the job will change: what it reads is what is on record. */
  private adopt(job: Job, orphan: Orphan): void {
    const { attempt, gpus, startedAt } = orphan.launch;
    const step = this.parts.plan.steps.get(job);
    const allotment = this.parts.allotments.claim(job, attempt, gpus);
    // It was not cut off, after all.
    const found = (step?.reasons ?? []).filter(({ kind }) => kind !== 'incomplete');
    const reasons = (found.length > 0 ? found : [reason('new')]).map((r) => this.parts.runner.describeReason(r));
    const standing: ManifestOf = (other) => {
      const judgement = this.parts.plan.steps.get(other)?.judgement;
      return this.progress.manifestOf(other) ?? (judgement && standingManifest(judgement));
    };
    const adopted = this.parts.runner.adopt(job, orphan, allotment, standing, reasons);
    this.announce.started(job, attempt, reasons, this.expected.seconds(job), { state: orphan.state, since: startedAt });
    this.follow(job, adopted, allotment, 1, (end) => {
      // Its slot is free as any other.
      if (!this.stopping && this.parts.laneOf(job).kind === 'local') this.ahead.goOn(end.ok);
      if (end.ok) return this.ends.built(job, end);
      const { kind } = end.outcome;
      // What nobody saw end is no attempt of this build.
      const unseen = kind === 'lost' || (orphan.state === 'ended' && kind !== 'cancelled');
      if (!unseen) return this.attemptFailed(job, attempt, end.outcome, end.durationS);
      this.announce.failed(job, attempt, end.outcome, end.durationS, true);
      this.reasons.set(job, step?.reasons ?? []);
      this.progress.lookAgain(job);
    });
  }

  private awaitOther({ allotment, ended }: ScheduleParts['held'][number]): void {
    this.heldByOthers++;
    void ended.then(() => {
      this.heldByOthers--;
      allotment.give();
      this.wake();
    });
  }

  private attemptFailed(job: Job, attempt: number, outcome: Outcome, durationS: number): void {
    if (outcome.kind === 'cancelled') {
      this.ends.cancelled(job);
      return;
    }
    if (!this.stopping && this.parts.runner.mayRetry(job, attempt, outcome, this.options.retries)) {
      const { problem } = this.parts.allotments.standing(job, attempt + 1);
      if (problem === undefined) {
        this.announce.failed(job, attempt, outcome, durationS, true);
        this.enqueue(job, attempt + 1);
        return;
      }
      this.announce.warn(`${job.rule.name} ${job.id}: there is no attempt ${attempt + 1}: ${problem}`);
    }
    this.fail(job, attempt, outcome, durationS);
  }

  private fail(job: Job, attempt: number, outcome: Outcome, durationS: number): void {
    this.ends.failed(job, attempt, outcome, durationS);
    if (!this.options.keepGoing) this.stop();
  }

  /** Nothing more begins. */
  private stop(): void {
    this.stopping = true;
    this.ahead.callOff();
  }

  /** Temp outputs that were dropped are brought back for a job that needs them; false where their maker must run again first. */
  private async bringBackTemp(job: Job, makers: readonly Job[]): Promise<boolean> {
    let ready = true;
    for (const maker of makers) {
      const manifest = this.progress.manifestOf(maker);
      if (manifest === undefined || (await this.parts.runner.bringBack(maker, manifest))) continue;
      ready = false;
      this.announce.warn(`${maker.rule.name} ${maker.id}: its temp outputs are gone from the store and are made again`);
      if (!this.progress.undo(maker, job)) continue;
      this.ends.again(maker);
      this.enqueue(maker, 1);
    }
    return ready;
  }

  private skipRest(): void {
    const because = this.options.interrupt.aborted ? 'interrupted' : 'the build stopped after a failure';
    this.ends.skipRest(because);
  }

  private interrupt(): void {
    this.stop();
    const count = this.running.size - this.ahead.size;
    if (count > 0) {
      const what = count === 1 ? 'the running job is' : `${count} running jobs are`;
      this.announce.warn(`interrupted: ${what} ended; the next build runs what is missing`);
    }
    this.running.cancelAll();
    this.parts.shared?.abort();
    this.wake();
  }
}
