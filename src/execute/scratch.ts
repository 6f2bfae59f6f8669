// A job's own temporary folder: made before it starts, removed after it, whatever it left there.
import { mkdirSync, rmdirSync } from 'node:fs';
import { chmod, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

const isErrno = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code));

let made = 0;

/** Makes a new folder below `scratch` (created if need be; another build may use the same one) and returns its path. */
export function makeScratch(scratch: string, jobId: string): string {
  for (;;) {
    const path = join(scratch, `${jobId}-${process.pid.toString(36)}-${(made++).toString(36)}`);
    try {
      mkdirSync(path, { mode: 0o700 });
      return path;
    } catch (error) {
      if (isErrno(error, 'ENOENT')) mkdirSync(scratch, { recursive: true });
      else if (!isErrno(error, 'EEXIST')) throw error;
    }
  }
}

/** Removes the folder, read-only folders in it included. What cannot be removed stays: it is only scratch. */
export async function removeScratch(path: string): Promise<void> {
  try {
    rmdirSync(path); // most jobs leave it empty, and this costs a hundredth of the rest
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
