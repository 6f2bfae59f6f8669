// Attempts on a cluster make their outputs in a folder of their own: one that was given up, since its node was lost, may run on
// and write late, and must not write into what another made. At its end an attempt's folder becomes the job's.
import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Job } from '../graph/job.ts';

/** A folder for an attempt, from the workflow's folder: in the job's own, so that a rename brings the outputs out. */
export const ownPlace = (job: Job): string => join(job.dir, `.lhb-${randomBytes(6).toString('hex')}`);

/**
 * Moves all that an attempt made to where it belongs, over what is there; its folder goes. What is not there is no error.
 * @param root the workflow's folder, absolute; @param place, @param dir from it
 */
export function bringOut(root: string, place: string, dir: string): void {
  const from = join(root, place);
  if (isFolder(from)) moveInto(from, join(root, dir));
}

function moveInto(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) {
    const source = join(from, name);
    const target = join(to, name);
    // Folders are merged: other jobs may have theirs in them.
    if (isFolder(source) && isFolder(target)) {
      moveInto(source, target);
      continue;
    }
    if (isFolder(source) || isFolder(target)) rmSync(target, { recursive: true, force: true });
    renameSync(source, target);
  }
  rmdirSync(from);
}

const isFolder = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
