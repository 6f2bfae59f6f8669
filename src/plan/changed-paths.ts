// Which of a snapshot's paths are not as they were: one stat a path, in a plain loop, which is two to eight times as fast as
// any asynchronous way. Of many paths a worker takes a share.
import fs from 'node:fs';
import { findRawStat, type RawStat } from '../fs/raw-stat.ts';
import { LOOK, STAT_FIELDS, type Snapshot } from './snapshot.ts';

/** Paths in a chunk of work. */
const CHUNK = 1024;
/** Fewer bytes of snapshot than this (some 30 000 paths) are looked at sooner than a worker is there. */
const WORTH_A_WORKER = 5_000_000;
/** How long the worker may be quiet before its share is done again (ms). */
const PATIENCE_MS = 10_000;

/** Counters that both threads add to: the next chunk to take, and chunks that are done. */
const NEXT = 0;
const DONE = 1;

const NUMBERS = { CHUNK, STAT_FIELDS, NEXT, DONE, LOOK } as const;

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
      worker.postMessage({ bytes: paths.bytes, ends: paths.ends, looks, stats, ...share, ...NUMBERS });
    },
    end: () => void worker.terminate(),
  };
}

/**
 * The numbers of all paths that changed, in order. Runs to its end at once.
 * @param root the workflow's folder, absolute
 */
export function changedPaths(snapshot: Snapshot, root: string, helper?: Helper): number[] {
  const { paths, looks, stats } = snapshot;
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
    const rawStat = findRawStat(process, fs);
    const pathAt = (index: number): string => paths.at(index);
    const work: Work = { count, looks, stats, ...share, ...NUMBERS };
    takeChunks(fs, rawStat, pathAt, work);
    for (let done = Atomics.load(control, DONE); done < chunks; done = Atomics.load(control, DONE)) {
      if (Atomics.wait(control, DONE, done, PATIENCE_MS) === 'timed-out') {
        takeChunks(fs, rawStat, pathAt, { ...work, control: new Int32Array(2) });
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

type Work = Share & typeof NUMBERS & { readonly count: number } & Pick<Snapshot, 'looks' | 'stats'>;

/** Takes chunks until there is none left. Names nothing outside itself: the other thread is given its text. */
function takeChunks(
  { statSync, lstatSync }: Pick<typeof fs, 'statSync' | 'lstatSync'>,
  rawStat: RawStat | undefined,
  pathAt: (index: number) => string,
  work: Work,
): void {
  const { count, looks, stats, control, changed, CHUNK, STAT_FIELDS, NEXT, DONE, LOOK } = work;
  const quiet = { throwIfNoEntry: false } as const;
  const isAsItWas = (path: string, look: number, at: number): boolean => {
    try {
      if (look === LOOK.stat && rawStat !== undefined) {
        const now = rawStat(path, false, undefined, false);
        return (
          now !== undefined &&
          now[8] === stats[at] &&
          (now[12] ?? NaN) * 1000 + (now[13] ?? NaN) / 1e6 === stats[at + 1] &&
          (now[14] ?? NaN) * 1000 + (now[15] ?? NaN) / 1e6 === stats[at + 2] &&
          now[7] === stats[at + 3]
        );
      }
      const now = look === LOOK.lstat ? lstatSync(path, quiet) : statSync(path, quiet);
      if (now === undefined) return look === LOOK.absent && lstatSync(path, quiet) === undefined;
      return (
        look < LOOK.absent &&
        now.size === stats[at] &&
        now.mtimeMs === stats[at + 1] &&
        now.ctimeMs === stats[at + 2] &&
        now.ino === stats[at + 3]
      );
    } catch {
      return false; // a file where a folder was, no permission: the slow way says what it is
    }
  };
  for (;;) {
    const from = Atomics.add(control, NEXT, 1) * CHUNK;
    if (from >= count) return;
    const to = Math.min(count, from + CHUNK);
    for (let i = from; i < to; i++) {
      if (!isAsItWas(pathAt(i), looks[i] ?? LOOK.unknown, i * STAT_FIELDS)) changed[i] = 1;
    }
    Atomics.add(control, DONE, 1);
    Atomics.notify(control, DONE);
  }
}

// Text, so that a bundle holds it without a file of its own.
const HELPER = `
const fs = require('node:fs');
const takeChunks = ${takeChunks.toString()};
const findRawStat = ${findRawStat.toString()};
require('node:worker_threads').parentPort.once('message', ({ bytes, ends, ...work }) => {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const pathAt = (i) => text.toString('utf8', i === 0 ? 0 : ends[i - 1], ends[i]);
  takeChunks(fs, findRawStat(process, fs), pathAt, { count: ends.length, ...work });
});
`;
