// What is on record of a work tree, and how its outputs on disk stand to it. The planner asks; the runner also writes.
import { existsSync, lstatSync, realpathSync, unlinkSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ActionKey, JobId } from '../base/brand.ts';
import { err, type Result } from '../base/result.ts';
import { unless } from '../fs/errno.ts';
import { below, isInside } from '../fs/rel-path.ts';
import { statOf } from '../fs/stat-signature.ts';
import type { Job } from '../graph/job.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { captureOutputs, type Captured, type OutputProblem } from '../store/capture.ts';
import { compareOutputs, type DiskState } from '../store/compare.ts';
import type { FileDigests } from '../store/file-digests.ts';
import type { IndexDb } from '../store/index-db.ts';
import { STORE_DIR } from '../store/layout.ts';
import { filesOf, type Declared, type Entry, type Manifest } from '../store/manifest.ts';
import { walkOutput } from '../store/output-walk.ts';
import { linkOutputs, removeOutputs, restoreOutputs, wrongPath } from '../store/restore.ts';
import type { Attempt, Trace, TraceCore } from '../store/trace.ts';

export type RecordsParts = {
  /** The workflow's folder, absolute. */
  readonly root: string;
  readonly index: IndexDb;
  readonly blobs: BlobStore;
  readonly files: FileDigests;
  /** The output root, from the workflow's folder: below it lies what lhb made. */
  readonly output: string;
  /** The work tree's id in the index, which several may share. */
  readonly tree: string;
  /** The other build that runs now in this work tree, if any. */
  readonly runningBuild: string | undefined;
  /** Jobs that run though their build was killed; none for the build that takes them over. */
  readonly runningJobs: ReadonlySet<string>;
  /** The last attempt of a job as a build that was killed noted it, which its record may lack. */
  readonly noted: (id: JobId) => Attempt | undefined;
};

type FileEntry = Extract<Entry, { type: 'file' }>;

/** How far the times of two files, written one after the other, may be off. */
const SKEW_S = 1;

/** A temp output is missed only where a job needs it. */
export const isTemp = (job: Job, path: string): boolean =>
  job.rule.temp || job.outputs.some((output) => output.inDir === path && output.spec.temp);

const hasTemp = (job: Job): boolean => job.rule.temp || job.rule.outputs.some((output) => output.temp);

export class Records {
  private readonly parts: RecordsParts;
  private last: Trace | undefined;
  /** The jobs with an attempt on record: few, or none, of many. Undefined: not looked up yet. */
  private attempted: Set<JobId> | undefined;
  /** No result was on record when one was first looked for, as in a new store, and none was put there since. Undefined: not looked up yet. */
  private isNew: boolean | undefined;
  /** Results that a shared cache has, for plans that bring in nothing. */
  private readonly elsewhere = new Map<ActionKey, Trace>();

  constructor(parts: RecordsParts) {
    this.parts = parts;
  }

  trace(key: ActionKey): Trace | undefined {
    // A job is asked for its current result and then for that of its key, which is mostly the same.
    if (this.last?.actionKey !== key) this.last = this.parts.index.getTrace(key);
    return this.last;
  }

  /** A result that a shared cache has, as far as it was asked. */
  sharedTrace(key: ActionKey): Trace | undefined {
    return this.elsewhere.get(key);
  }

  /** Lets plans count with a result of a shared cache. */
  noteShared(trace: Trace): void {
    this.elsewhere.set(trace.actionKey, trace);
  }

  /** Plans count with the local store alone again. */
  forgetShared(): void {
    this.elsewhere.clear();
  }

  private hasNone(): boolean {
    return (this.isNew ??= this.parts.index.isEmpty());
  }

  /** As `trace`, of what a plan keeps. */
  core(key: ActionKey): TraceCore | undefined {
    return this.hasNone() ? undefined : this.parts.index.getCore(key);
  }

  /** The key of what the work tree holds of a job on record. */
  currentKey(id: JobId): ActionKey | undefined {
    return this.parts.index.current(this.parts.tree, id);
  }

  /** What the work tree holds of a job on record. */
  current(id: JobId): Trace | undefined {
    const key = this.hasNone() ? undefined : this.currentKey(id);
    return key && this.trace(key);
  }

  /** As `current`, of what a plan keeps. */
  currentCore(id: JobId): TraceCore | undefined {
    const key = this.currentKey(id);
    return key && this.core(key);
  }

  /** The latest result under an id, whatever its key. */
  newest(id: JobId): Trace | undefined {
    return this.hasNone() ? undefined : this.parts.index.newestOf(id);
  }

  /** The key of the result that a job's reasons are told against: what the work tree holds, else the latest under the id. */
  lastKey(id: JobId): ActionKey | undefined {
    // A first build asks for each job, and there is nothing.
    return this.hasNone() ? undefined : (this.currentKey(id) ?? this.newest(id)?.actionKey);
  }

  /** The last attempt without a result under a key, or without one under any. */
  attempt(id: JobId, key?: ActionKey): Attempt | undefined {
    const { index, tree } = this.parts;
    this.attempted ??= new Set(index.attemptedJobs(tree));
    const recorded = this.attempted.has(id) ? index.attempt(tree, id, key) : undefined;
    const noted = this.parts.noted(id);
    if (noted === undefined || (key !== undefined && noted.actionKey !== key)) return recorded;
    const known = Math.max(recorded?.startedAt ?? 0, index.getTrace(noted.actionKey)?.recordedAt ?? 0);
    return noted.startedAt > known ? noted : recorded;
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
    const expected =
      whole || !hasTemp(job)
        ? manifest
        : manifest.filter((o) => !isTemp(job, o.path) || existsSync(join(root, job.dir, o.path)));
    return compareOutputs(root, job.dir, expected, files);
  }

  /** Paths of outputs whose bytes the store no longer has; empty where all could be restored. */
  evicted(job: Job, manifest: Manifest): string[] {
    const { blobs } = this.parts;
    return [...filesOf(manifest)].flatMap(({ path: inDir, entry }) => {
      const path = join(job.dir, inDir);
      const isThere = blobs.has(entry.digest, entry.exec, entry.size) && !this.isDamagedBlob(path, entry);
      return isThere ? [] : [path];
    });
  }

  /** Is the file at a path of the work tree the blob's own (a hard link), with other bytes than the blob's? */
  private isDamagedBlob(path: string, { digest, exec }: FileEntry): boolean {
    const { root, blobs, files } = this.parts;
    const stats = unless(['ENOTDIR', 'EACCES'], () => lstatSync(join(root, path), { throwIfNoEntry: false }));
    if (stats === undefined || stats.nlink < 2) return false;
    const blob = statOf(blobs.path(digest, exec));
    if (blob?.ino !== stats.ino || blob.dev !== stats.dev) return false;
    // One that may only not be read is put right when it is brought out.
    const now = unless(['EACCES'], () => files.digest(path, stats));
    return now !== undefined && now.digest !== digest;
  }

  // What follows changes the work tree or the record.

  removeOutputs(job: Job): void {
    const stats = this.folderStats(job);
    // Where there is no folder there are no outputs.
    if (stats === undefined) return;
    if (stats.isSymbolicLink()) this.removeStrayFolder(job);
    removeOutputs(this.parts.root, job.dir, declared(job));
  }

  /**
   * Output files that were written to after a moment (seconds since the epoch): for a job that ended unseen, by someone
   * else. What the store shares has a whole second as its mtime, cut down from the real one.
   */
  writtenAfter(job: Job, moment: number): string[] {
    const after = (moment + SKEW_S) * 1000;
    const { root } = this.parts;
    return declared(job).flatMap((output) => {
      const walk = walkOutput(root, job.dir, output);
      const files = walk.kind === 'found' ? walk.found : [];
      return files.flatMap((file) => {
        if (file.type !== 'file' || file.followed) return [];
        const { mtimeMs } = file.stats;
        return mtimeMs > after && mtimeMs % 1000 !== 0 ? [join(job.dir, output.path, file.path)] : [];
      });
    });
  }

  /**
   * A job's own folder below the output root that is a link out of the workflow's folder and out of that root: put there
   * since, for lhb makes folders. Nothing behind it is the job's.
   */
  private strayFolder({ dir }: Job): string | undefined {
    const { root, output } = this.parts;
    if (dir === output || !isInside(output, dir)) return undefined;
    const folder = join(root, dir);
    if (this.folderStats({ dir })?.isSymbolicLink() !== true) return undefined;
    const real = unless(['ENOENT', 'ELOOP', 'ENOTDIR', 'EACCES'], () => realpathSync(folder));
    const inside = [root, join(root, output)].some((each) => real !== undefined && isInside(realpathSync(each), real));
    return inside ? undefined : folder;
  }

  /** Of a job's folder, links not followed. */
  private folderStats({ dir }: Pick<Job, 'dir'>): Stats | undefined {
    return unless(['ENOTDIR'], () => lstatSync(below(this.parts.root, dir), { throwIfNoEntry: false }));
  }

  private removeStrayFolder(job: Job): void {
    const link = this.strayFolder(job);
    if (link !== undefined) unlinkSync(link);
  }

  /** Takes the outputs on disk into the store. */
  async capture(job: Job): Promise<Result<Captured, OutputProblem>> {
    if (this.strayFolder(job) !== undefined) {
      return err({
        kind: 'invalid',
        message: `${job.dir}, the job's folder, is a link that leads out of the workflow's folder`,
      });
    }
    const { root, blobs, files } = this.parts;
    return captureOutputs(root, job.dir, declared(job), blobs, files);
  }

  /** Puts a result on record as what the work tree holds: the last step of a job. Throws a DiagnosticError where the disk is full. */
  commit(job: Job, trace: Trace): void {
    const { index, tree, files } = this.parts;
    this.last = undefined;
    this.isNew = false;
    index.record(tree, trace, pathsMade(job), () => files.flush());
  }

  /** Puts a result on record that came from elsewhere; the work tree does not hold it yet. */
  putTrace(trace: Trace): void {
    this.last = undefined;
    this.isNew = false;
    this.parts.index.recordTrace(trace);
  }

  /** Is it on record that the work tree holds this result? */
  holds(job: Job, trace: TraceCore): boolean {
    return this.currentKey(job.id) === trace.actionKey;
  }

  setCurrent(job: Job, trace: TraceCore): void {
    const { index, tree } = this.parts;
    index.transaction(() => {
      index.setCurrent(tree, job.id, trace.actionKey);
      index.putMade(tree, pathsMade(job));
    });
  }

  /** One that begins is in `.lhb/launches` already, so that its record can wait. Throws a DiagnosticError where the disk is full. */
  putAttempt(attempt: Attempt): void {
    const { index, tree } = this.parts;
    index.recordAttempt(tree, attempt);
    this.attempted?.add(attempt.jobId);
  }

  /**
   * Brings a result's outputs back from the store; false where bytes are missing or damaged.
   * What is on record of it follows some time after (`settled`): lost, it is found out again.
   * @param unrecorded a result from elsewhere, which goes on record too
   */
  async restore(job: Job, trace: TraceCore, unrecorded?: Trace): Promise<boolean> {
    if (!(await this.bringBack(job, trace.manifest))) return false;
    const { index, tree } = this.parts;
    this.last = undefined;
    this.isNew = false;
    index.recordRestored(tree, job.id, trace.actionKey, pathsMade(job), unrecorded);
    return true;
  }

  /** Brings the index up to what is on record. Throws a DiagnosticError where the disk is full. */
  settle(): void {
    this.parts.index.settle();
  }

  /**
   * Brings back the outputs of a job that is no longer in the workflow; `same`: they are all there.
   * @returns else, in a sentence, why it is not done: no workflow vouches for the paths of such a record
   */
  async restoreTrace(trace: Trace): Promise<'same' | 'restored' | 'evicted' | { readonly refused: string }> {
    const { root, index, tree, blobs, files } = this.parts;
    const wrong = wrongPath(trace.dir, trace.manifest);
    if (wrong !== undefined) return { refused: wrong };
    if (compareOutputs(root, trace.dir, trace.manifest, files).state === 'same') return 'same';
    const refused = this.whyNotThere(trace);
    if (refused !== undefined) return { refused };
    if (!(await restoreOutputs(root, trace.dir, trace.manifest, blobs, files)).ok) return 'evicted';
    index.transaction(() => {
      index.setCurrent(tree, trace.jobId, trace.actionKey);
      index.putMade(tree, this.pathsOf(trace));
    });
    return 'restored';
  }

  private whyNotThere(trace: Trace): string | undefined {
    const { root, output, index, tree } = this.parts;
    const lstatOf = (path: string): Stats | undefined =>
      unless(['ENOTDIR', 'ELOOP'], () => lstatSync(join(root, path), { throwIfNoEntry: false }));
    for (const path of this.pathsOf(trace)) {
      if (isInside(STORE_DIR, path)) return `${path} lies in lhb's own folder`;
      for (let at = dirname(path); at !== '.' && at !== '/'; at = dirname(at)) {
        // The output root, and what is above it, may be a link: it is the user's own.
        if (!isInside(at, output) && lstatOf(at)?.isSymbolicLink()) return `${path} lies behind the link ${at}`;
      }
      if (lstatOf(path) && !index.wasMade(tree, path)) return `${path} is there, and no job of this work tree made it`;
    }
    return undefined;
  }

  /** Paths of a result's outputs, from the workflow's folder. */
  pathsOf(trace: Trace): string[] {
    return trace.manifest.map((output) => join(trace.dir, output.path));
  }

  /** Brings outputs back, without a word on record. */
  async bringBack(job: Job, manifest: Manifest): Promise<boolean> {
    const { root, blobs, files } = this.parts;
    // A record may come from elsewhere; what the job does not declare is not its to write.
    const paths = new Set(job.outputs.map((output) => output.inDir));
    if (!manifest.every((output) => paths.has(output.path))) return false;
    if (linkOutputs(root, job.dir, manifest, blobs, files)) return true;
    this.removeStrayFolder(job);
    if (compareOutputs(root, job.dir, manifest, files).state === 'same') return true;
    return (await restoreOutputs(root, job.dir, manifest, blobs, files)).ok;
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

/** Paths of its outputs, and of its log where the rule places it, from the workflow's folder. */
const pathsMade = (job: Job): string[] => {
  const outputs = job.outputs.map((output) => job.pathOf(output));
  return job.rule.log ? [...outputs, job.log] : outputs;
};

/** The outputs as the store takes them. */
export const declared = (job: Job): Declared[] =>
  job.outputs.map((output) => ({
    name: output.name,
    path: output.inDir,
    tree: output.tree,
    ignore: output.spec.ignore,
  }));
