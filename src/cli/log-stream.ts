// Copies a log to a stream, and goes on while it grows.
import { closeSync, openSync, readSync } from 'node:fs';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { LogText } from '../report/log-text.ts';

const POLL_MS = 200;

/** A stream that writes a log's bytes to a terminal, with what a terminal would obey made visible. To be ended. */
export function terminalLog(terminal: NodeJS.WritableStream): Writable {
  const text = new LogText();
  return new Writable({
    write(bytes: Buffer, _encoding, done) {
      terminal.write(text.write(bytes), () => done());
    },
    final(done) {
      terminal.write(text.end(), () => done());
    },
  });
}

/**
 * Writes a file's bytes as they are.
 * @param goesOn undefined: what is there now; else: until it says no, and all that was written by then
 */
export async function pipeText(
  file: string,
  to: NodeJS.WritableStream,
  goesOn: (() => boolean) | undefined,
): Promise<void> {
  const buffer = Buffer.alloc(64 * 1024);
  let offset = 0;
  for (;;) {
    // Asked before reading: what is written before the end is then read.
    const more = goesOn?.() ?? false;
    for (let read = readAt(file, buffer, offset); read > 0; read = readAt(file, buffer, offset)) {
      offset += read;
      const chunk = Buffer.from(buffer.subarray(0, read));
      if (!to.write(chunk)) await new Promise<void>((resolve) => to.once('drain', () => resolve()));
    }
    if (!more) return;
    await sleep(POLL_MS);
  }
}

/** The same bytes as one text. */
export async function readText(file: string, goesOn: (() => boolean) | undefined): Promise<string> {
  const chunks: Buffer[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  await pipeText(file, sink, goesOn);
  return Buffer.concat(chunks).toString('utf8');
}

function readAt(file: string, buffer: Buffer, offset: number): number {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch {
    return 0; // not there yet
  }
  try {
    return readSync(fd, buffer, 0, buffer.length, offset);
  } finally {
    closeSync(fd);
  }
}
