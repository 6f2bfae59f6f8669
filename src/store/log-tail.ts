// The end of a log, which may be large and still growing.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { unless } from '../fs/errno.ts';

const TAIL_BYTES = 64 * 1024;

/**
 * The last lines of a text file, at most `count`, without their line ends; of a line that was written over again and again
 * (progress bars) what stood there last. Only the last 64 KiB are read. [] where there is no file.
 */
export function readTail(path: string, count: number): string[] {
  const fd = unless(['ENOENT', 'ENOTDIR'], () => openSync(path, 'r'));
  if (fd === undefined) return [];
  try {
    const { size } = fstatSync(fd);
    const start = Math.max(0, size - TAIL_BYTES);
    const buffer = Buffer.alloc(size - start);
    const text = buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, start));
    const lines = text.split('\n').map((line) => afterLastReturn(line.replace(/\r$/, '')));
    if (lines.at(-1) === '') lines.pop();
    // The first line is cut where there is more before it.
    if (start > 0 && lines.length > 1) lines.shift();
    return lines.slice(Math.max(0, lines.length - count));
  } finally {
    closeSync(fd);
  }
}

const afterLastReturn = (line: string): string => line.slice(line.lastIndexOf('\r') + 1);
