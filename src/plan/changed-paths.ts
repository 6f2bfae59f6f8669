// Which of a snapshot's paths are not as they were: one stat a path, in a plain loop, which is two to eight times as fast as
// any asynchronous way. Of many paths a worker takes a share.
import { lstatSync, statSync } from 'node:fs';
import { LOOK, STAT_FIELDS, type Snapshot } from './snapshot.ts';

/** Paths in a share of work. */
const CHUNK = 1024;
/** Fewer bytes of snapshot than this (some 30 000 paths) are looked at sooner than a worker is there. */
const WORTH_A_WORKER = 5_000_000;
/** How long the worker may be quiet before its share is done again (ms). */
const PATIENCE_MS = 10_000;

/** Counters that both threads add to: the next chunk to take, and chunks that are done. */
const NEXT = 0;
const DONE = 1;

type Share = {
  readonly control: Int32Array;
  /** 1 for a path that changed. */
  readonly changed: Uint8Array;
};

/** Takes part in `changedPaths`; to be started early, for it takes a while to come up. */
export type Helper = { readonly take: (snapshot: Snapshot, share: Share) => void; readonly end: () => void };

/** A worker for a snapshot of this size in bytes, or undefined where it would not pay. */
export function startHelper(size: number): Helper | undefined {
  if (size < WORTH_A_WORKER) return undefined;
  // Loaded where it is used: it costs a fifth of a build of some thousand jobs.
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  const worker = new Worker(HELPER, { eval: true, env: {}, execArgv: [] });
  worker.on('error', () => {}); // its share is done without it
  worker.unref();
  return {
    take({ paths, looks, stats }, share) {
      worker.postMessage({ bytes: paths.bytes, ends: paths.ends, looks, stats, ...share });
    },
    end: () => void worker.terminate(),
  };
}

/**
 * The numbers of all paths that changed, in order. Runs to its end at once.
 * @param root the workflow's folder, absolute
 */
export function changedPaths(snapshot: Snapshot, root: string, helper?: Helper): number[] {
  const { paths } = snapshot;
  const count = paths.count;
  const chunks = Math.ceil(count / CHUNK);
  const share: Share = {
    control: new Int32Array(new SharedArrayBuffer(8)),
    changed: new Uint8Array(new SharedArrayBuffer(count)),
  };
  const { control, changed } = share;
  const before = process.cwd();
  // Short paths are looked up faster.
  process.chdir(root);
  try {
    helper?.take(snapshot, share);
    for (let chunk = Atomics.add(control, NEXT, 1); chunk < chunks; chunk = Atomics.add(control, NEXT, 1)) {
      look(snapshot, chunk * CHUNK, Math.min(count, (chunk + 1) * CHUNK), changed);
      Atomics.add(control, DONE, 1);
    }
    for (let done = Atomics.load(control, DONE); done < chunks; done = Atomics.load(control, DONE)) {
      if (Atomics.wait(control, DONE, done, PATIENCE_MS) === 'timed-out') {
        look(snapshot, 0, count, changed);
        break;
      }
    }
  } finally {
    process.chdir(before);
    helper?.end();
  }
  const found: number[] = [];
  for (let i = 0; i < count; i++) if (changed[i] === 1) found.push(i);
  return found;
}

function look({ paths, looks, stats }: Snapshot, from: number, to: number, changed: Uint8Array): void {
  for (let i = from; i < to; i++) {
    if (!isAsItWas(paths.at(i), looks[i] ?? LOOK.unknown, stats, i * STAT_FIELDS)) changed[i] = 1;
  }
}

const QUIET = { throwIfNoEntry: false } as const;

function isAsItWas(path: string, how: number, stats: Float64Array, at: number): boolean {
  try {
    const now = how === LOOK.lstat ? lstatSync(path, QUIET) : statSync(path, QUIET);
    if (now === undefined) return how === LOOK.absent && lstatSync(path, QUIET) === undefined;
    return (
      how < LOOK.absent &&
      now.size === stats[at] &&
      now.mtimeMs === stats[at + 1] &&
      now.ctimeMs === stats[at + 2] &&
      now.ino === stats[at + 3]
    );
  } catch {
    return false; // a file where a folder was, no permission: the slow way says what it is
  }
}

// As `look`, for the other thread. Text, so that a bundle holds it without a file of its own.
const HELPER = `
const { lstatSync, statSync } = require('node:fs');
const { parentPort } = require('node:worker_threads');
parentPort.once('message', ({ bytes, ends, looks, stats, control, changed }) => {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const quiet = { throwIfNoEntry: false };
  const isAsItWas = (path, how, at) => {
    try {
      const now = how === ${LOOK.lstat} ? lstatSync(path, quiet) : statSync(path, quiet);
      if (now === undefined) return how === ${LOOK.absent} && lstatSync(path, quiet) === undefined;
      return how < ${LOOK.absent} && now.size === stats[at] && now.mtimeMs === stats[at + 1] &&
        now.ctimeMs === stats[at + 2] && now.ino === stats[at + 3];
    } catch {
      return false;
    }
  };
  const count = ends.length;
  for (let chunk = Atomics.add(control, ${NEXT}, 1); chunk * ${CHUNK} < count; chunk = Atomics.add(control, ${NEXT}, 1)) {
    const from = chunk * ${CHUNK};
    const to = Math.min(count, from + ${CHUNK});
    for (let i = from, start = i === 0 ? 0 : ends[i - 1]; i < to; start = ends[i++]) {
      if (!isAsItWas(text.toString('utf8', start, ends[i]), looks[i], i * ${STAT_FIELDS})) changed[i] = 1;
    }
    Atomics.add(control, ${DONE}, 1);
    Atomics.notify(control, ${DONE});
  }
});
`;
