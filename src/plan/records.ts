// What is on record of a work tree, and how its outputs on disk stand to it. The planner asks; the runner also writes.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ActionKey, JobId } from '../base/brand.ts';
import type { Result } from '../base/result.ts';
import type { Job } from '../graph/job.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { captureOutputs, type Captured, type OutputProblem } from '../store/capture.ts';
import { compareOutputs, type DiskState } from '../store/compare.ts';
import type { FileDigests } from '../store/file-digests.ts';
import type { IndexDb } from '../store/index-db.ts';
import type { Declared, Manifest } from '../store/manifest.ts';
import { removeOutputs, restoreOutputs } from '../store/restore.ts';
import type { Attempt, Origin, Trace } from '../store/trace.ts';

export type RecordsParts = {
  /** The workflow's folder, absolute. */
  readonly root: string;
  readonly index: IndexDb;
  readonly blobs: BlobStore;
  readonly files: FileDigests;
  /** The work tree's id in the index, which several may share. */
  readonly tree: string;
  /** The other build that runs now in this work tree, if any. */
  readonly runningBuild: string | undefined;
  /** Jobs that run though their build was killed; none for the build that takes them over. */
  readonly runningJobs: ReadonlySet<string>;
};

/** A temp output is missed only where a job needs it. */
const isTemp = (job: Job, path: string): boolean =>
  job.rule.temp || job.outputs.some((output) => output.inDir === path && output.spec.temp);

export class Records {
  private readonly parts: RecordsParts;
  private last: Trace | undefined;

  constructor(parts: RecordsParts) {
    this.parts = parts;
  }

  trace(key: ActionKey): Trace | undefined {
    // A job is asked for its current result and then for that of its key, which is mostly the same.
    if (this.last?.actionKey !== key) this.last = this.parts.index.getTrace(key);
    return this.last;
  }

  /** What the work tree holds of a job on record. */
  current(id: JobId): Trace | undefined {
    const key = this.parts.index.current(this.parts.tree, id);
    return key && this.trace(key);
  }

  /** The latest result under an id, whatever its key. */
  newest(id: JobId): Trace | undefined {
    return this.parts.index.newestOf(id);
  }

  /** The last attempt without a result under a key, or without one under any. */
  attempt(id: JobId, key?: ActionKey): Attempt | undefined {
    return this.parts.index.attempt(this.parts.tree, id, key);
  }

  /** Does the attempt belong to the build that runs now? */
  isRunning(attempt: Attempt): boolean {
    return this.parts.runningBuild !== undefined && attempt.build === this.parts.runningBuild;
  }

  /** Does the job run now, under whatever key, though this build did not start it? */
  isRunningElsewhere(id: JobId): boolean {
    if (this.parts.runningJobs.has(id)) return true;
    if (this.parts.runningBuild === undefined) return false;
    const attempt = this.attempt(id);
    return attempt?.state === 'begun' && this.isRunning(attempt);
  }

  /** How the outputs on disk stand to a manifest; temp outputs may be gone, but not where the `whole` of it is wanted. */
  compare(job: Job, manifest: Manifest, whole = false): DiskState {
    const { root, files } = this.parts;
    const expected = manifest.filter((o) => whole || !isTemp(job, o.path) || existsSync(join(root, job.dir, o.path)));
    return compareOutputs(root, job.dir, expected, files);
  }

  /** Paths of outputs whose bytes the store no longer has; empty where all could be restored. */
  evicted(job: Job, manifest: Manifest): string[] {
    const gone: string[] = [];
    for (const output of manifest) {
      for (const entry of output.entries) {
        if (entry.type !== 'file' || this.parts.blobs.has(entry.digest, entry.exec, entry.size)) continue;
        gone.push(join(job.dir, output.path, entry.path));
      }
    }
    return gone;
  }

  // What follows changes the work tree or the record.

  removeOutputs(job: Job): void {
    removeOutputs(this.parts.root, job.dir, declared(job));
  }

  /** Takes the outputs on disk into the store. */
  capture(job: Job): Promise<Result<Captured, OutputProblem>> {
    const { root, blobs, files } = this.parts;
    return captureOutputs(root, job.dir, declared(job), blobs, files);
  }

  /** Puts a result on record as what the work tree holds: the last step of a job. */
  async commit(job: Job, trace: Trace): Promise<void> {
    const { index, tree, files } = this.parts;
    await index.soon(() => {
      files.flush();
      this.last = undefined;
      index.putTrace(trace);
      index.setCurrent(tree, job.id, trace.actionKey);
      index.clearAttempt(tree, job.id, trace.actionKey);
      index.putMade(
        tree,
        job.outputs.map((output) => job.pathOf(output)),
      );
    });
  }

  setCurrent(job: Job, trace: Trace): void {
    const { index, tree } = this.parts;
    index.transaction(() => {
      index.setCurrent(tree, job.id, trace.actionKey);
      index.putMade(
        tree,
        job.outputs.map((output) => job.pathOf(output)),
      );
    });
  }

  async putAttempt(attempt: Attempt): Promise<void> {
    const { index, tree } = this.parts;
    await index.soon(() => {
      index.putAttempt(tree, attempt);
    });
  }

  /** Brings a result's outputs back from the store; false where bytes are missing or damaged. */
  restore(job: Job, trace: Trace, origin: Origin): boolean {
    if (!this.bringBack(job, trace.manifest)) return false;
    const { index } = this.parts;
    if (trace.origin !== origin && trace.origin === 'built') {
      this.last = undefined;
      index.transaction(() => {
        index.putTrace({ ...trace, origin });
      });
    }
    this.setCurrent(job, trace);
    return true;
  }

  /** Brings back the outputs of a job that is no longer in the workflow; `same`: they are all there. */
  restoreTrace(trace: Trace): 'same' | 'restored' | 'evicted' {
    const { root, index, tree, blobs, files } = this.parts;
    if (compareOutputs(root, trace.dir, trace.manifest, files).state === 'same') return 'same';
    if (!restoreOutputs(root, trace.dir, trace.manifest, blobs, files).ok) return 'evicted';
    index.transaction(() => {
      index.setCurrent(tree, trace.jobId, trace.actionKey);
      index.putMade(tree, this.pathsOf(trace));
    });
    return 'restored';
  }

  /** Paths of a result's outputs, from the workflow's folder. */
  pathsOf(trace: Trace): string[] {
    return trace.manifest.map((output) => join(trace.dir, output.path));
  }

  /** Brings outputs back, without a word on record. */
  bringBack(job: Job, manifest: Manifest): boolean {
    const { root, blobs, files } = this.parts;
    if (compareOutputs(root, job.dir, manifest, files).state === 'same') return true;
    return restoreOutputs(root, job.dir, manifest, blobs, files).ok;
  }

  /** Was this path, or a folder above it, an output of a job of this work tree? */
  madeBefore(path: string): boolean {
    const { index, tree } = this.parts;
    if (index.wasMade(tree, path)) return true;
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      if (index.wasMade(tree, path.slice(0, slash))) return true;
    }
    return false;
  }
}

/** The outputs as the store takes them. */
export const declared = (job: Job): Declared[] =>
  job.outputs.map((output) => ({
    name: output.name,
    path: output.inDir,
    tree: output.tree,
    ignore: output.spec.ignore,
  }));
