// The temporary folders of jobs: each job has one of its own while it runs, and what it left there is removed after it.
// A folder that a job did not touch goes to the next job as it is: making and removing one costs up to a millisecond,
// as much as the rest of a short job. The last ones go when the executor is closed.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { chmod, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const isErrno = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code));

/** File times may stand still for this long: what is younger may have been changed without showing it. */
const TICK_MS = 50;

export type Scratch = {
  /** Absolute. */
  readonly path: string;
  readonly base: string;
  readonly ctimeMs: number;
  readonly madeMs: number;
};

/** How the names of this process's folders begin, and those of no other process on any machine. */
const prefix = `lhb-${randomBytes(5).toString('hex')}-`;
let made = 0;

export class ScratchFolders {
  readonly #free = new Map<string, Scratch[]>();

  /** An empty folder below `base` (created if need be), of which nobody else knows. */
  take(base: string): Scratch {
    return this.#free.get(base)?.pop() ?? makeFolder(base);
  }

  /** After the job, with none of its processes left. What cannot be removed stays: it is only scratch. */
  async give(scratch: Scratch): Promise<void> {
    if (!isUntouched(scratch)) {
      await removeTree(scratch.path);
      return;
    }
    const free = this.#free.get(scratch.base);
    if (free === undefined) this.#free.set(scratch.base, [scratch]);
    else free.push(scratch);
  }

  /** How the paths of all folders of this process below `base` begin. */
  static beginning(base: string): string {
    return join(base, prefix);
  }

  async close(): Promise<void> {
    const all = [...this.#free.values()].flat();
    this.#free.clear();
    await Promise.all(all.map((scratch) => removeTree(scratch.path)));
  }
}

function makeFolder(base: string): Scratch {
  for (;;) {
    const path = join(base, prefix + (made++).toString(36));
    try {
      mkdirSync(path, { mode: 0o700 });
      return { path, base, ctimeMs: statSync(path).ctimeMs, madeMs: performance.now() };
    } catch (error) {
      if (isErrno(error, 'ENOENT')) mkdirSync(base, { recursive: true });
      else if (!isErrno(error, 'EEXIST')) throw error;
    }
  }
}

/** Removes the folders that a process which is no more left, but for those in use; `beginning` is as above. */
export async function removeScratch(beginning: string, inUse: ReadonlySet<string>): Promise<void> {
  const base = dirname(beginning);
  const names = await readdir(base).catch(() => []);
  const left = names.map((name) => join(base, name)).filter((path) => path.startsWith(beginning) && !inUse.has(path));
  await Promise.all(left.map(removeTree));
}

function isUntouched(scratch: Scratch): boolean {
  try {
    const stat = statSync(scratch.path);
    if (stat.ctimeMs !== scratch.ctimeMs || !stat.isDirectory()) return false;
    if (performance.now() - scratch.madeMs > TICK_MS) return true;
    return (stat.mode & 0o777) === 0o700 && readdirSync(scratch.path).length === 0;
  } catch {
    return false;
  }
}

/** Removes the folder of one job; what cannot be removed stays. */
export async function removeTree(path: string): Promise<void> {
  try {
    rmdirSync(path); // where it is empty, this costs a tenth of the rest
    return;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return;
  }
  const remove = (): Promise<void> => rm(path, { recursive: true, force: true, maxRetries: 2 });
  await remove()
    .catch(async () => {
      await openFolders(path);
      await remove();
    })
    .catch(() => undefined);
}

/** Makes every folder below writable for its owner; links are not followed. */
async function openFolders(folder: string): Promise<void> {
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await openFolders(join(folder, entry.name));
  }
}
