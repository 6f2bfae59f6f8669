// A job that an earlier driver started, watched on until its exit marker is there or its helper shell is gone.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Completion, Outcome, Running } from './executor.ts';
import { readExitMarker, type ExitMarker } from './exit-marker.ts';
import { lives, type Helper } from './launches.ts';
import { usageOf, type Orphan } from './orphans.ts';
import { outcomeOfStatus } from './outcome.ts';
import { hasProc } from './proc.ts';
import { endProcesses, findProcesses, sendSignal, type JobProcesses } from './process-group.ts';
import { removeTree } from './scratch.ts';
import { afterMs } from './timer.ts';
import type { MemorySampler } from './usage.ts';

/** How often it is looked at: often at first, as it may have ended just now. */
const FIRST_PAUSE_MS = 10;
const MOST_PAUSE_MS = 250;

export class Adopted implements Running {
  readonly done: Promise<Completion>;
  readonly #orphan: Orphan;
  readonly #helper: Helper;
  readonly #processes: JobProcesses;
  readonly #sampler: MemorySampler;
  /** Helpers of other jobs. */
  readonly #others: () => ReadonlySet<number>;
  readonly #graceMs: number;
  #ended = false;
  #stopped: Outcome | undefined;
  #ending: Promise<boolean> | undefined;

  constructor(
    orphan: Orphan,
    helper: Helper,
    timeoutS: number | undefined,
    parts: {
      readonly sampler: MemorySampler;
      readonly others: () => ReadonlySet<number>;
      readonly graceMs: number;
    },
  ) {
    this.#orphan = orphan;
    this.#helper = helper;
    this.#sampler = parts.sampler;
    this.#others = parts.others;
    this.#graceMs = parts.graceMs;
    const { tmpdir } = orphan.launch;
    // The helper is older than all of its jobs; ids may have gone round since.
    const since = { ms: -Infinity, ticks: helper.ticks, lastId: undefined };
    this.#processes = { helper: lives(helper) ? helper.pid : -1, mark: `TMPDIR=${tmpdir}`, since };
    this.done = this.#follow(timeoutS);
  }

  cancel(): void {
    this.#stop({ kind: 'cancelled' });
  }

  async #follow(timeoutS: number | undefined): Promise<Completion> {
    const { launch, marker: known } = this.#orphan;
    let marker = known;
    let maxRssMb: number | undefined;
    if (marker === undefined) {
      const left = timeoutS === undefined ? undefined : timeoutS - (Date.now() / 1000 - launch.startedAt);
      // A clock that was set back must not give it more than it had.
      const timer =
        left === undefined || timeoutS === undefined
          ? undefined
          : afterMs(Math.min(left, timeoutS) * 1000, () => this.#stop({ kind: 'timed-out', limitS: timeoutS }));
      this.#sampler.watch(this.#helper.pid);
      marker = await this.#end();
      maxRssMb = this.#sampler.finish(this.#helper.pid);
      timer?.cancel();
    }
    this.#ended = true;
    if (hasProc) await (this.#ending ?? this.#endAll());
    else if (this.#stopped === undefined) sendSignal(-this.#helper.pid, 'SIGTERM');
    await removeTree(launch.tmpdir);
    const usage = usageOf(launch, marker, maxRssMb);
    const outcome: Outcome = this.#stopped ?? (marker === undefined ? { kind: 'lost' } : outcomeOfStatus(marker.code));
    return { outcome, usage, host: this.#helper.host, executorJob: undefined };
  }

  /** Its marker, once it is there; undefined when the helper is gone without one. */
  async #end(): Promise<ExitMarker | undefined> {
    const { launch, jobDir } = this.#orphan;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 1.5, MOST_PAUSE_MS)) {
      // In this order: the marker is written before the helper ends.
      const alive = lives(this.#helper);
      const marker = readExitMarker(jobDir, launch.token);
      if (marker !== undefined || !alive) return marker;
      await sleep(pause);
    }
  }

  #stop(outcome: Outcome): void {
    if (this.#stopped !== undefined || this.#ended) return;
    this.#stopped = outcome;
    const helper = this.#helper;
    if (hasProc) this.#ending = this.#endAll();
    else {
      sendSignal(-helper.pid, 'SIGTERM');
      setTimeout(() => this.#ended || sendSignal(-helper.pid, 'SIGKILL'), this.#graceMs).unref();
    }
  }

  /** Ends all its processes. Should some outlive KILL, the helper that waits for them is given up. */
  async #endAll(): Promise<boolean> {
    const find = (): number[] => findProcesses(this.#processes, this.#others);
    const all = await endProcesses(find, () => this.#ended, this.#graceMs);
    if (!all && lives(this.#helper)) sendSignal(this.#helper.pid, 'SIGKILL');
    return all;
  }
}

/** Waits until an orphan that is left alone runs no more; `signal` ends the waiting. */
export async function untilEnded({ launch, jobDir }: Orphan, signal: AbortSignal): Promise<void> {
  const { helper } = launch;
  while (!signal.aborted && helper && lives(helper) && readExitMarker(jobDir, launch.token) === undefined) {
    await sleep(MOST_PAUSE_MS, undefined, { signal }).catch(() => {});
  }
}
