// Small files that someone else may have written: never read whole where they are large.
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { unless } from './errno.ts';

/**
 * The text of a small regular file; undefined where there is none, or one with more bytes than `most`, or something else
 * (a folder, a pipe, which would block). Throws other system errors.
 */
export function readSmall(path: string, most = 64 * 1024): string | undefined {
  const fd = unless(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'], () =>
    openSync(path, constants.O_RDONLY | constants.O_NONBLOCK),
  );
  if (fd === undefined) return undefined;
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile() || stats.size > most) return undefined;
    const buffer = Buffer.alloc(most + 1);
    let length = 0;
    for (let read = 1; read > 0 && length <= most; length += read)
      read = readSync(fd, buffer, length, most + 1 - length, length);
    return length > most ? undefined : buffer.toString('utf8', 0, length);
  } finally {
    closeSync(fd);
  }
}

/** The fields of a JSON object in a small file; undefined where it is none. */
export function readSmallJson(path: string): Readonly<Record<string, unknown>> | undefined {
  const text = readSmall(path);
  if (text === undefined) return undefined;
  try {
    const fields: unknown = JSON.parse(text);
    return typeof fields === 'object' && fields !== null && !Array.isArray(fields)
      ? (fields as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
