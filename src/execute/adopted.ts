// A job that an earlier driver started, watched on until its exit marker is there or its helper shell is gone.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Completion, Outcome, Running } from './executor.ts';
import { readExitMarker, type ExitMarker } from './exit-marker.ts';
import { lives } from './launches.ts';
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
    timeoutS: number | undefined,
    parts: {
      readonly sampler: MemorySampler;
      readonly others: () => ReadonlySet<number>;
      readonly graceMs: number;
    },
  ) {
    this.#orphan = orphan;
    this.#sampler = parts.sampler;
    this.#others = parts.others;
    this.#graceMs = parts.graceMs;
    const { helper, tmpdir } = orphan.launch;
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
      this.#sampler.watch(launch.helper.pid);
      marker = await this.#end();
      maxRssMb = this.#sampler.finish(launch.helper.pid);
      timer?.cancel();
    }
    this.#ended = true;
    if (hasProc) await (this.#ending ?? this.#endAll());
    else if (this.#stopped === undefined) sendSignal(-launch.helper.pid, 'SIGTERM');
    await removeTree(launch.tmpdir);
    const usage = usageOf(launch, marker, maxRssMb);
    const outcome: Outcome = this.#stopped ?? (marker === undefined ? { kind: 'lost' } : outcomeOfStatus(marker.code));
    return { outcome, usage, host: launch.helper.host, executorJob: undefined };
  }

  /** Its marker, once it is there; undefined when the helper is gone without one. */
  async #end(): Promise<ExitMarker | undefined> {
    const { launch, jobDir } = this.#orphan;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 1.5, MOST_PAUSE_MS)) {
      // In this order: the marker is written before the helper ends.
      const alive = lives(launch.helper);
      const marker = readExitMarker(jobDir, launch.token);
      if (marker !== undefined || !alive) return marker;
      await sleep(pause);
    }
  }

  #stop(outcome: Outcome): void {
    if (this.#stopped !== undefined || this.#ended) return;
    this.#stopped = outcome;
    const { helper } = this.#orphan.launch;
    if (hasProc) this.#ending = this.#endAll();
    else {
      sendSignal(-helper.pid, 'SIGTERM');
      setTimeout(() => this.#ended || sendSignal(-helper.pid, 'SIGKILL'), this.#graceMs).unref();
    }
  }

  /** Ends all its processes. Should some outlive KILL, the helper that waits for them is given up. */
  async #endAll(): Promise<boolean> {
    const find = (): number[] => findProcesses(this.#processes, this.#others());
    const all = await endProcesses(find, () => this.#ended, this.#graceMs);
    if (!all && lives(this.#orphan.launch.helper)) sendSignal(this.#orphan.launch.helper.pid, 'SIGKILL');
    return all;
  }
}

/** Waits until an orphan that is left alone runs no more; `signal` ends the waiting. */
export async function untilEnded({ launch, jobDir }: Orphan, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && lives(launch.helper) && readExitMarker(jobDir, launch.token) === undefined) {
    await sleep(MOST_PAUSE_MS, undefined, { signal }).catch(() => {});
  }
}
