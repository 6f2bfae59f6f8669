// Every path inside `.lhb/`.
//
// The store (index, blobs) may lie elsewhere and be shared by several work trees (`store:`); lock, jobs, logs, lists and
// snapshot always lie in the work tree. Both have a `tmp/` of their own: what is renamed into place starts on the same disk.
import { join } from 'node:path';
import type { Digest } from '../base/brand.ts';

/** Paths of the store. */
export type StoreLayout = {
  readonly root: string;
  /** The file with the format version. */
  readonly format: string;
  readonly index: string;
  readonly blobs: string;
  /** Trace logs, one a work tree: what the index is made again from. */
  readonly traces: string;
  /** Blobs whose bytes were not what their name says, and other damage, moved out of the way. */
  readonly damaged: string;
  readonly tmp: string;
  /** Which work trees use the store (trees.ts). */
  readonly trees: string;
  /** Which results the last builds of each work tree looked at (build-lists.ts). */
  readonly builds: string;
  /** Results that are kept whatever else goes (pins.ts). */
  readonly pins: string;
  /** There while gc removes something (collecting.ts). */
  readonly collecting: string;
};

/** @param root the store's folder, absolute; @param index where its LMDB lies, if not in it (see placeIndex) */
export const storeLayout = (root: string, index: string = join(root, 'index')): StoreLayout => ({
  root,
  format: join(root, 'format'),
  index,
  blobs: join(root, 'blobs'),
  traces: join(root, 'traces'),
  damaged: join(root, 'damaged'),
  tmp: join(root, 'tmp'),
  trees: join(root, 'trees'),
  builds: join(root, 'builds'),
  pins: join(root, 'pins'),
  collecting: join(root, 'collecting.json'),
});

/** `blobs/ab/cdef…`; an executable file's blob has a name of its own, for its mode is shared with hard links. */
export const blobPath = (layout: StoreLayout, digest: Digest, exec: boolean): string =>
  `${layout.blobs}/${digest.slice(0, 2)}/${digest.slice(2)}${exec ? 'x' : ''}`;

/** The store's folder in a work tree, from the workflow's folder. */
export const STORE_DIR = '.lhb';

/** Paths of one work tree, absolute. */
export type WorkLayout = {
  readonly dir: string;
  /** A folder while a build holds the lock, with its holder in `lockInfo`. */
  readonly lock: string;
  readonly lockInfo: string;
  /** The work tree's id. */
  readonly tree: string;
  /** What a build has started, while it runs. */
  readonly launches: string;
  readonly jobs: string;
  /** Exit markers of a scheduler's jobs, and what was submitted to it. */
  readonly ended: string;
  readonly scheduler: string;
  readonly logs: string;
  readonly lists: string;
  readonly tmp: string;
  /** Results that still have to go to shared caches: OUTBOX/CACHE/ACTIONKEY. */
  readonly outbox: string;
  readonly snapshot: string;
  /** Beside the snapshot: what a detailed summary shows. */
  readonly details: string;
};

/** @param root the workflow's folder, absolute */
export function workLayout(root: string): WorkLayout {
  const dir = join(root, STORE_DIR);
  return {
    dir,
    lock: join(dir, 'lock'),
    lockInfo: join(dir, 'lock.json'),
    tree: join(dir, 'tree.json'),
    launches: join(dir, 'launches'),
    jobs: join(dir, 'jobs'),
    ended: join(dir, 'ended'),
    scheduler: join(dir, 'scheduler'),
    logs: join(dir, 'logs'),
    lists: join(dir, 'lists'),
    tmp: join(dir, 'tmp'),
    outbox: join(dir, 'outbox'),
    snapshot: join(dir, 'snapshot'),
    details: join(dir, 'details'),
  };
}

// These are from the workflow's folder, as commands and records name them.
export const jobDir = (jobId: string): string => `${STORE_DIR}/jobs/${jobId}`;
export const configFile = (jobId: string): string => `${jobDir(jobId)}/config.yaml`;
export const JOB_FILE = 'job.json';
export const jobFile = (jobId: string): string => `${jobDir(jobId)}/${JOB_FILE}`;
export const logFile = (rule: string, jobId: string): string => `${STORE_DIR}/logs/${rule}/${jobId}.log`;
export const listFile = (digest: Digest): string => `${STORE_DIR}/lists/${digest.slice(0, 24)}.txt`;

/** Of how many builds of a work tree it is kept what they looked at (build-lists.ts). */
export const MOST_BUILDS = 30;
