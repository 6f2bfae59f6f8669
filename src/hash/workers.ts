// Threads that hash big files, started when the first one comes, as many at once as there are cores (four at most: more
// would wait for the disk). An idle one keeps neither the process nor its end waiting.
import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import type { FileDigest } from './digest.ts';

export type Request = { readonly path: string; readonly copyTo: string | undefined };
/** System errors as they were, or what went wrong besides. */
export type Answer = { readonly result: FileDigest } | { readonly message: string; readonly code?: string | undefined };

type Task = Request & {
  readonly resolve: (result: FileDigest | undefined) => void;
  readonly reject: (error: Error) => void;
};

export class HashWorkers {
  readonly #limit = Math.min(4, availableParallelism());
  readonly #idle: Worker[] = [];
  readonly #waiting: Task[] = [];
  #count = 0;
  #broken = false;

  /** Digest of a file, copied on the way if asked. Undefined where threads cannot be had: the caller does it itself. */
  digest(path: string, copyTo: string | undefined): Promise<FileDigest | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ path, copyTo, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    while (this.#waiting.length > 0) {
      if (this.#broken) {
        this.#waiting.pop()?.resolve(undefined);
        continue;
      }
      const worker = this.#idle.pop() ?? this.#start();
      if (worker === undefined) return;
      const task = this.#waiting.shift();
      if (task !== undefined) this.#run(worker, task);
    }
  }

  #start(): Worker | undefined {
    if (this.#count === this.#limit) return undefined;
    this.#count++;
    // Loaded where it is used: 3 ms, which most commands can spare.
    const threads = process.getBuiltinModule('node:worker_threads');
    const worker = new threads.Worker(new URL('./hash-worker.js', import.meta.url), { stdin: false });
    worker.unref();
    return worker;
  }

  #run(worker: Worker, task: Task): void {
    const done = (): void => {
      worker.off('message', answered).off('error', failed).unref();
      this.#next();
    };
    const answered = (answer: Answer): void => {
      this.#idle.push(worker);
      if ('result' in answer) task.resolve(answer.result);
      else task.reject(Object.assign(new Error(answer.message), { code: answer.code }));
      done();
    };
    // Not of the file: there is no memory for a thread, or no file of this program.
    const failed = (): void => {
      this.#broken = true;
      task.resolve(undefined);
      done();
    };
    worker.on('message', answered).on('error', failed).ref();
    const { path, copyTo } = task;
    worker.postMessage({ path, copyTo } satisfies Request);
  }
}
