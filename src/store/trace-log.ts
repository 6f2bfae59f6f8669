// The trace log of a work tree, `traces/TREE.log` in the store: from it an index that was lost or damaged is made again, so
// that no job runs again for it.
//
// Text, append only: first `lhb traces 1`, then sealed lines (sealed-line.ts) of records (log-record.ts). Only who holds the
// work tree's lock appends, a batch with one write, before the index commits the same. So a log may have what the index
// lacks, by a kill between the two, and the index takes it up when it is opened; never the other way round. A line that
// was cut off fails its check sum and is passed over; the next batch begins on a new line.
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { step } from '../base/step.ts';
import { temporaryBeside, temporaryName } from '../fs/atomic-write.ts';
import { errno, unless } from '../fs/errno.ts';
import type { StoreLayout } from './layout.ts';
import { writeFailed } from './write-failed.ts';

const HEADER = 'lhb traces 1\n';
const ENDING = '.log';
const CHUNK = 1 << 20;

export class TraceLog {
  readonly path: string;
  readonly tree: string;
  #fd: number | undefined;
  #size = 0;
  #torn = false;
  #dirty = false;

  /** @param tree the work tree's id */
  constructor(layout: Pick<StoreLayout, 'traces'>, tree: string) {
    this.tree = tree;
    this.path = join(layout.traces, `${tree}${ENDING}`);
  }

  /** Its bytes so far; undefined where there is none. Throws system errors. */
  size(): number | undefined {
    if (this.#fd !== undefined) return this.#size;
    const fd = unless(['ENOENT'], () => openSync(this.path, 'r'));
    if (fd === undefined) return undefined;
    try {
      return fstatSync(fd).size;
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Appends sealed lines, whole or not at all.
   * @returns the bytes of the log after. Throws a DiagnosticError where the disk is full or refuses.
   */
  append(lines: readonly string[]): number {
    try {
      const fd = (this.#fd ??= this.#open());
      const text = Buffer.from(`${this.#torn ? '\n' : ''}${lines.join('\n')}\n`);
      try {
        for (let at = 0; at < text.length;) at += writeSync(fd, text, at);
      } catch (cause) {
        // A part of it may stand there; if it cannot be taken back the next batch begins on a new line.
        this.#torn = unless(['EIO', 'EPERM', 'ENOSPC'], () => (ftruncateSync(fd, this.#size), false)) ?? true;
        throw cause;
      }
      this.#torn = false;
      this.#dirty = true;
      this.#size += text.length;
    } catch (cause) {
      throw writeFailed('the trace log', this.path, cause) ?? cause;
    }
    step('log:appended');
    return this.#size;
  }

  #open(): number {
    mkdirSync(dirname(this.path), { recursive: true });
    const fd = openSync(this.path, 'a+');
    this.#size = fstatSync(fd).size;
    if (this.#size === 0) this.#size = writeSync(fd, HEADER);
    const last = Buffer.alloc(1);
    readSync(fd, last, 0, 1, this.#size - 1);
    this.#torn = last[0] !== 0x0a;
    return fd;
  }

  /** Writes a log that does not exist yet: it appears whole. @returns its bytes */
  create(lines: readonly string[]): number {
    const temporary = temporaryBeside(this.path);
    try {
      mkdirSync(dirname(this.path), { recursive: true });
      const fd = openSync(temporary, 'wx');
      let size = 0;
      try {
        for (const part of inParts(lines)) size += writeWhole(fd, part);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      renameSync(temporary, this.path);
      return size;
    } catch (cause) {
      rmSync(temporary, { force: true });
      throw writeFailed('the trace log', this.path, cause) ?? cause;
    }
  }

  /** Flushes what was appended to the disk. */
  close(): void {
    if (this.#fd === undefined) return;
    try {
      if (this.#dirty) unless(['EIO', 'ENOSPC', 'EDQUOT', 'EROFS'], () => fsyncSync(this.#fd as number));
    } finally {
      closeSync(this.#fd);
      this.#fd = undefined;
    }
  }
}

function* inParts(lines: readonly string[]): Generator<string> {
  let part = HEADER;
  for (const line of lines) {
    part += `${line}\n`;
    if (part.length < CHUNK) continue;
    yield part;
    part = '';
  }
  yield part;
}

function writeWhole(fd: number, text: string): number {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
  return bytes.length;
}

/** The ids of the work trees that have a log in the store, sorted. */
export function loggedTrees(layout: Pick<StoreLayout, 'traces'>): string[] {
  const names = unless(['ENOENT', 'ENOTDIR'], () => readdirSync(layout.traces)) ?? [];
  return names.flatMap((name) => (name.endsWith(ENDING) ? [name.slice(0, -ENDING.length)] : [])).sort();
}

export type LogLine = {
  /** Without its newline; what it is worth, its seal tells. */
  readonly line: Buffer;
  /** The bytes of the log up to its end. */
  readonly end: number;
};

/** Every line of a log that ends in a newline, from an offset where one begins. None where there is no log. */
export function* readLog(log: Pick<TraceLog, 'path'>, from = 0): Generator<LogLine> {
  const fd = unless(['ENOENT', 'EISDIR', 'ENOTDIR'], () => openSync(log.path, 'r'));
  if (fd === undefined) return;
  try {
    let rest: Buffer = Buffer.alloc(0);
    for (let at = from; ;) {
      const chunk = Buffer.allocUnsafe(CHUNK);
      const count = unless(['EISDIR'], () => readSync(fd, chunk, 0, CHUNK, at)) ?? 0;
      if (count === 0) return;
      const bytes = rest.length === 0 ? chunk.subarray(0, count) : Buffer.concat([rest, chunk.subarray(0, count)]);
      let start = 0;
      const base = at - rest.length;
      for (let newline = bytes.indexOf(0x0a); newline >= 0; newline = bytes.indexOf(0x0a, start)) {
        yield { line: bytes.subarray(start, newline), end: base + newline + 1 };
        start = newline + 1;
      }
      rest = bytes.subarray(start);
      at += count;
    }
  } finally {
    closeSync(fd);
  }
}

/**
 * Moves what stands in the place of the log folder or of this log, and is none, to damaged/.
 * @returns its new path, or undefined where nothing is wrong. Throws system errors.
 */
export function clearLogPlace(layout: StoreLayout, log: TraceLog): string | undefined {
  const wrong = [
    [layout.traces, 'd'],
    [log.path, 'f'],
  ].find(([path, kind]) => isOther(path ?? '', kind === 'd'));
  if (!wrong?.[0]) return undefined;
  mkdirSync(layout.damaged, { recursive: true });
  const to = join(layout.damaged, `log${temporaryName()}`);
  renameSync(wrong[0], to);
  return to;
}

function isOther(path: string, folder: boolean): boolean {
  if (!existsSync(path)) return false;
  try {
    const fd = openSync(path, 'r');
    try {
      return fstatSync(fd).isDirectory() !== folder;
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    if (errno(cause) === 'ENOTDIR') return false;
    throw cause;
  }
}
