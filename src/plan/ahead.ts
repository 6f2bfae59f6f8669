// A second thread that finds out, while this one makes jobs and their keys, of which jobs the outputs on disk are the result
// that the work tree holds on record: half of what a plan of ten thousand jobs does. What it has not looked at yet, or finds
// otherwise, is looked at as ever.
import { existsSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ActionKey, JobId } from '../base/brand.ts';

/** Loads the bundle, of which the other thread runs ahead-worker.ts. */
const LOADER = fileURLToPath(new URL('../../../bin/load.js', import.meta.url));

/** Fewer bytes of index than this (some 2000 jobs) are read sooner than a thread is there. */
const WORTH_A_THREAD = 4_000_000;

/** How often it is looked whether the other thread has said something: a look costs as much as some questions. */
const LOOK_EACH = 32;

/** What the other thread is given. */
export type AheadWork = {
  /** The index's folder. */
  readonly dir: string;
  readonly root: string;
  readonly tree: string;
  readonly port: import('node:worker_threads').MessagePort;
  /** 1: it is to end. */
  readonly stop: Int32Array;
};

/** What it says of some jobs: `states[i]`, as of `stateOf`, is that of `ids[i]`. */
export type AheadFound = { readonly ids: readonly string[]; readonly states: readonly string[] };

/** The outputs of a job in this folder are those of this result. */
export const stateOf = (key: string, dir: string): string => `${key} ${dir}`;

export class Ahead {
  readonly #found = new Map<string, string>();
  readonly #receive: () => AheadFound | undefined;
  readonly #stop: () => void;
  #asked = 0;

  private constructor(receive: () => AheadFound | undefined, stop: () => void) {
    this.#receive = receive;
    this.#stop = stop;
  }

  /**
   * Starts the other thread; undefined where that would not pay. Nobody may write to the index in this process meanwhile.
   * @param dir the index's folder; @param root the workflow's folder; @param tree the work tree's id
   */
  static start(dir: string, root: string, tree: string): Ahead | undefined {
    const size = statSync(join(dir, 'data.mdb'), { throwIfNoEntry: false })?.size ?? 0;
    if (size < WORTH_A_THREAD || availableParallelism() < 2 || !existsSync(LOADER)) return undefined;
    // Loaded where it is used.
    const { MessageChannel, receiveMessageOnPort, Worker } = process.getBuiltinModule('node:worker_threads');
    const { port1, port2 } = new MessageChannel();
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const workerData: AheadWork = { dir, root, tree, port: port2, stop };
    const text = `require(${JSON.stringify(LOADER)}).load('main.cjs').lookAhead(require('node:worker_threads').workerData);`;
    const worker = new Worker(text, { eval: true, execArgv: [], workerData, transferList: [port2] });
    worker.on('error', () => {}); // its share is done without it
    worker.unref();
    const receive = (): AheadFound | undefined =>
      (receiveMessageOnPort(port1) as { message: AheadFound } | undefined)?.message;
    return new Ahead(receive, () => {
      Atomics.store(stop, 0, 1);
      port1.close();
    });
  }

  /** Were the outputs of a job in this folder seen to be those of this result? False: nothing is known. */
  hasSeen(id: JobId, key: ActionKey, dir: string): boolean {
    if (this.#asked++ % LOOK_EACH === 0) {
      for (let more = this.#receive(); more !== undefined; more = this.#receive())
        for (const [i, each] of more.ids.entries()) this.#found.set(each, more.states[i] ?? '');
    }
    return this.#found.get(id) === stateOf(key, dir);
  }

  /** To be called before the index is closed. */
  end(): void {
    this.#stop();
  }
}
