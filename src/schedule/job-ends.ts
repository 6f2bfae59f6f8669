// What follows from a job's end: it is noted and said, what waits for it may be looked at or is skipped, temp outputs go.
import type { Outcome } from '../execute/executor.ts';
import type { Job } from '../graph/job.ts';
import { sameForKeys, type Manifest } from '../store/manifest.ts';
import type { TraceCore } from '../store/trace.ts';
import { isFull } from '../store/write-failed.ts';
import type { Announcer } from './announcer.ts';
import type { Progress } from './progress.ts';
import type { AttemptEnd } from './runner.ts';
import type { End, ScheduleOptions, ScheduleParts } from './schedule-parts.ts';
import { TempOutputs } from './temp-outputs.ts';

export class JobEnds {
  /** Jobs that this build ran or restored. */
  readonly acted = new Set<Job>();
  /** Jobs whose forced rerun made other bytes than before. */
  readonly rerunMadeOther: Job[] = [];
  private readonly parts: ScheduleParts;
  private readonly forced: ReadonlySet<Job>;
  private readonly progress: Progress;
  private readonly announce: Announcer;
  private readonly temps: TempOutputs;
  private saidFullDisk = false;

  constructor(parts: ScheduleParts, options: ScheduleOptions, progress: Progress, announce: Announcer) {
    this.parts = parts;
    this.forced = options.forced;
    this.progress = progress;
    this.announce = announce;
    this.temps = new TempOutputs(parts.root, parts.plan, (job) => options.keepTemp || options.selected.has(job));
  }

  /** The work tree holds a result that was there, or came back. */
  settled(job: Job, end: 'fresh' | 'restored', trace: TraceCore, durationS: number): void {
    this.settle(job, end, trace.manifest, trace);
    this.announce.finished(job, end, durationS);
  }

  built(job: Job, { manifest, actionKey, durationS, maxRssMb }: Extract<AttemptEnd, { ok: true }>): void {
    const judgement = this.parts.plan.steps.get(job)?.judgement;
    const last = judgement?.current ?? judgement?.trace;
    const before = last?.manifest;
    const unchanged = before !== undefined && sameForKeys(before, manifest);
    this.settle(job, 'built', manifest, undefined);
    this.parts.shared?.made(job, actionKey);
    this.announce.finished(job, 'built', durationS, {
      maxRssMb,
      unchanged,
      changed: before !== undefined && !unchanged,
    });
    // Other bytes from other inputs are what is expected.
    if (before === undefined || unchanged || last?.actionKey !== actionKey || !this.forced.has(job)) return;
    this.rerunMadeOther.push(job);
    const names = manifest.filter((o) => !before.some((b) => b.path === o.path && b.keyDigest === o.keyDigest));
    const paths = names.map((o) => `${job.dir}/${o.path}`).join(', ');
    this.announce.warn(`${job.rule.name} ${job.id}: the rerun made other bytes than before: ${paths}`);
  }

  /** For good: there is no further attempt. */
  failed(job: Job, attempt: number, outcome: Outcome, durationS: number): void {
    this.progress.end(job, 'failed');
    this.announce.failed(job, attempt, outcome, durationS, false);
    this.sayFullDisk();
    this.skipBelow(job);
  }

  cancelled(job: Job): void {
    this.progress.end(job, 'cancelled');
    this.announce.cancelled(job);
  }

  /** The job makes its outputs once more, for a reader that lacks them. */
  again(job: Job): void {
    this.temps.again(job);
  }

  /** All that has not come to an end. */
  skipRest(because: string): void {
    for (const { job } of this.parts.plan.steps.values()) if (!this.progress.hasEnded(job)) this.skip(job, because);
  }

  private settle(job: Job, end: End, manifest: Manifest, core: TraceCore | undefined): void {
    this.progress.settle(job, end, manifest, core);
    this.temps.done(job, this.acted);
  }

  private skipBelow(job: Job): void {
    const stack = [...job.downstream];
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      if (this.progress.hasEnded(next) || !this.parts.plan.steps.has(next)) continue;
      this.skip(next, `${job.rule.name} ${job.id} failed`);
      stack.push(...next.downstream);
    }
  }

  private skip(job: Job, because: string): void {
    this.progress.end(job, 'skipped');
    this.announce.skipped(job, because);
  }

  /** A job that finds no space may not even have said so in its log. */
  private sayFullDisk(): void {
    const { root } = this.parts;
    if (this.saidFullDisk || !isFull(root)) return;
    this.saidFullDisk = true;
    this.announce.warn(`no space is left on the disk of ${root}: free some, and build again`);
  }
}
