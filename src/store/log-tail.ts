// The end of a log, which may be large and still growing.
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { unless } from '../fs/errno.ts';

const TAIL_BYTES = 64 * 1024;
/** Of a longer line its end. */
const LINE_CHARS = 1000;

/**
 * The last lines of a text file, at most `count`, without their line ends; of a line that was written over again and again
 * (progress bars) what stood there last, of a line of more than 1000 characters its end. Only the last 64 KiB are read. []
 * where there is no regular file.
 */
export function readTail(path: string, count: number): string[] {
  const fd = unless(['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENXIO'], () =>
    openSync(path, constants.O_RDONLY | constants.O_NONBLOCK),
  );
  if (fd === undefined) return [];
  try {
    const stats = fstatSync(fd);
    // A pipe in its place would be waited for.
    if (!stats.isFile()) return [];
    const { size } = stats;
    const start = Math.max(0, size - TAIL_BYTES);
    const buffer = Buffer.alloc(size - start);
    const text = buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, start));
    const lines = text.split('\n').map((line) => afterLastReturn(line.replace(/\r$/, '')));
    if (lines.at(-1) === '') lines.pop();
    // The first line is cut where there is more before it.
    if (start > 0 && lines.length > 1) lines.shift();
    return lines.slice(Math.max(0, lines.length - count)).map(endOf);
  } finally {
    closeSync(fd);
  }
}

const endOf = (line: string): string => (line.length > LINE_CHARS ? `…${line.slice(-LINE_CHARS)}` : line);

const afterLastReturn = (line: string): string => line.slice(line.lastIndexOf('\r') + 1);
