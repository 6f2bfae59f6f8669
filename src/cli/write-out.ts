// Text to stdout without process.stdout, which takes Node 5 ms to set up: for commands that print a few lines and end.
import { writeSync } from 'node:fs';
import { errno } from '../fs/errno.ts';

/** Writes all of it; a reader that has gone is no error. A pipe that is full for now is left to process.stdout. */
export function writeOut(text: string): void {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if (errno(error) === 'EAGAIN') process.stdout.write(rest);
      else if (errno(error) !== 'EPIPE') throw error;
      return;
    }
  }
}
