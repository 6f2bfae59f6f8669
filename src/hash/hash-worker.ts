// A thread that hashes big files, one after the other; see workers.ts.
import { parentPort } from 'node:worker_threads';
import { errno } from '../fs/errno.ts';
import { hashInPieces } from './hash-file.ts';
import type { Answer, Request } from './workers.ts';

parentPort?.on('message', ({ path, copyTo }: Request) => {
  const answer = (text: Answer): void => parentPort?.postMessage(text);
  hashInPieces(path, copyTo).then(
    (result) => answer({ result }),
    (error: unknown) => answer({ message: error instanceof Error ? error.message : String(error), code: errno(error) }),
  );
});
