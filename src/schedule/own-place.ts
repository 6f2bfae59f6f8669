// Attempts on a cluster make their outputs in a folder of their own: one that was given up, since its node was lost, may run on
// and write late, and must not write into what another made. At its end an attempt's folder becomes the job's.
import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { unless } from '../fs/errno.ts';
import type { Job } from '../graph/job.ts';

/** The places of attempts: made, and removed where one was given up and another made the result. */
export class OwnPlaces {
  readonly #root: string;
  /** By the folders that hold them: the names of those that an earlier build left, or this one gave up. */
  readonly #stale = new Map<string, Set<string>>();

  /** @param root the workflow's folder, absolute */
  constructor(root: string) {
    this.#root = root;
  }

  /** A folder for an attempt, from the workflow's folder: in the job's own, so that a rename brings the outputs out. */
  make(job: Job): string {
    this.#staleIn(job.dir);
    return join(job.dir, `${beginning(job)}${randomBytes(5).toString('hex')}`);
  }

  /** What runs there may run on. */
  giveUp(job: Job, place: string): void {
    this.#staleIn(job.dir).add(basename(place));
  }

  /** The job has its result: what its other attempts made, or may still make, is wanted no more. */
  dropOthers(job: Job): void {
    const names = this.#staleIn(job.dir);
    for (const name of names) {
      if (!name.startsWith(beginning(job))) continue;
      names.delete(name);
      rmSync(join(this.#root, job.dir, name), { recursive: true, force: true });
    }
  }

  #staleIn(dir: string): Set<string> {
    const known = this.#stale.get(dir);
    if (known) return known;
    const names = unless(['ENOENT'], () => readdirSync(join(this.#root, dir))) ?? [];
    const stale = new Set(names.filter((name) => name.startsWith('.lhb-')));
    this.#stale.set(dir, stale);
    return stale;
  }
}

const beginning = (job: Job): string => `.lhb-${job.id}-`;

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
