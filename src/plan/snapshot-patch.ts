// A snapshot brought up to date where a build changed something; the rest is copied in runs.
import { isAbsolute, join } from 'node:path';
import { statOf } from '../fs/stat-signature.ts';
import type { Job } from '../graph/job.ts';
import { keyedSources } from '../key/keyed-sources.ts';
import type { Trace } from '../store/trace.ts';
import { blobBytes, outputsRow, resultNumbers, Row, sourceRow, type RowParts } from './snapshot-rows.ts';
import { BLOB_BYTES, RESULT_FIELDS, STATE, STAT_FIELDS, TOLD, type Snapshot } from './snapshot.ts';
import { Texts } from './texts.ts';
import { isBuilt, type TakeParts } from './snapshot-take.ts';
import { toldOf } from './told.ts';

export type PatchParts = RowParts & {
  /** The jobs that were judged anew, by number. */
  readonly jobs: ReadonlyMap<Job, number>;
  /** The numbers of sources that were seen to have changed: all jobs that read them are among `jobs`. */
  readonly changed: ReadonlySet<number>;
  readonly resultOf: (job: Job) => Trace | undefined;
  readonly detailOf: TakeParts['detailOf'];
  /** The row of a job in the details that the snapshot speaks of. */
  readonly rowOf: (job: number) => string | undefined;
};

const NO_RESULT: readonly number[] = Array.from({ length: RESULT_FIELDS }, () => 0);

/** Details stay as they are: of jobs that were judged anew they count where they would be the same. */
export function patchSnapshot(snapshot: Snapshot, parts: PatchParts): Snapshot {
  const count = snapshot.states.length;
  const states = snapshot.states.slice();
  const told = snapshot.told.slice();
  const results = snapshot.results.slice();
  const built = snapshot.built.slice();
  const rows = new Map<number, Row>();
  const digests = new Map<string, string>();
  for (const source of parts.changed) {
    const first = snapshot.pathsOfSource[source] ?? 0;
    const path = snapshot.paths.at(first);
    // The row of a folder begins with itself. What was one is one, or the workflow would not have been expanded.
    const absolute = isAbsolute(path) ? path : join(parts.root, path);
    const seen = sourceRow(parts, { path, folder: statOf(absolute)?.isDirectory() === true });
    digests.set(path, seen.digest);
    rows.set(count + source, seen.row);
  }
  for (const [job, number] of parts.jobs) {
    const result = parts.resultOf(job);
    const made = result && keyedSources(job, result.parts);
    // A source that was not seen to change is as its row says; where that is no longer so, the next build finds out.
    const fresh = made?.every(({ source, digest }) => (digests.get(source.path) ?? digest) === digest) === true;
    states[number] = ((states[number] ?? 0) & STATE.wanted) | (fresh ? STATE.fresh : 0);
    rows.set(number, result && fresh ? outputsRow(parts, job, result.manifest) : new Row());
    const known = result && fresh ? toldOf(job, result) : undefined;
    const detail = known && result && parts.detailOf(job, known, result);
    const isSame = told[number] === TOLD.byDetails && detail !== undefined && detail === parts.rowOf(number);
    told[number] = isSame ? TOLD.byDetails : known ? TOLD.byResult : TOLD.byWorkflow;
    built[number] = result && fresh ? isBuilt(result) : 0;
    results.set(result && fresh ? resultNumbers(result) : NO_RESULT, number * RESULT_FIELDS);
  }
  return { ...snapshot, noted: '', states, told, built, results, ...spliced(snapshot, rows) };
}

type Paths = Pick<Snapshot, 'pathsOfJob' | 'pathsOfSource' | 'paths' | 'looks' | 'stats' | 'blobs'>;

/** @param rows new ones, by number; sources are numbered after jobs */
function spliced(snapshot: Snapshot, rows: ReadonlyMap<number, Row>): Paths {
  const { pathsOfJob, pathsOfSource, paths } = snapshot;
  const jobs = pathsOfJob.length - 1;
  const starts = new Int32Array(jobs + pathsOfSource.length);
  starts.set(pathsOfJob);
  starts.set(pathsOfSource, jobs);
  const next = new Int32Array(starts.length);
  let total = paths.count;
  for (const [at, row] of rows) total += row.length - ((starts[at + 1] ?? 0) - (starts[at] ?? 0));
  const copy = new Copy(snapshot, total);
  for (let at = 0; at + 1 < starts.length; at++) {
    const row = rows.get(at);
    if (row !== undefined) {
      copy.upTo(starts[at] ?? 0);
      copy.add(row);
      copy.skipTo(starts[at + 1] ?? 0);
    }
    next[at + 1] = (starts[at + 1] ?? 0) + copy.shift;
  }
  copy.upTo(paths.count);
  return { pathsOfJob: next.slice(0, jobs + 1), pathsOfSource: next.slice(jobs), ...copy.done() };
}

/** Paths copied from a snapshot in runs, with rows put in between. */
class Copy {
  private readonly from: Snapshot;
  private readonly looks: Uint8Array;
  private readonly stats: Float64Array;
  private readonly blobs: Uint8Array;
  private readonly ends: Int32Array;
  private readonly bytes: Uint8Array[] = [];
  private read = 0;
  private written = 0;
  private end = 0;

  constructor(from: Snapshot, total: number) {
    this.from = from;
    this.looks = new Uint8Array(total);
    this.stats = new Float64Array(total * STAT_FIELDS);
    this.blobs = new Uint8Array(total * BLOB_BYTES);
    this.ends = new Int32Array(total);
  }

  /** How much further on the next path stands than in the snapshot. */
  get shift(): number {
    return this.written - this.read;
  }

  upTo(path: number): void {
    const { paths, looks, stats, blobs } = this.from;
    const { read } = this;
    if (path <= read) return;
    this.looks.set(looks.subarray(read, path), this.written);
    this.stats.set(stats.subarray(read * STAT_FIELDS, path * STAT_FIELDS), this.written * STAT_FIELDS);
    this.blobs.set(blobs.subarray(read * BLOB_BYTES, path * BLOB_BYTES), this.written * BLOB_BYTES);
    const begin = read === 0 ? 0 : (paths.ends[read - 1] ?? 0);
    const moved = this.end - begin;
    for (let i = read; i < path; i++) this.ends[this.written + i - read] = (paths.ends[i] ?? 0) + moved;
    const end = paths.ends[path - 1] ?? 0;
    this.bytes.push(paths.bytes.subarray(begin, end));
    this.end += end - begin;
    this.written += path - read;
    this.read = path;
  }

  add({ paths, looks, stats, blobs, length }: Row): void {
    this.looks.set(looks, this.written);
    this.stats.set(stats, this.written * STAT_FIELDS);
    this.blobs.set(blobBytes(blobs), this.written * BLOB_BYTES);
    for (const [i, path] of paths.entries()) {
      const bytes = Buffer.from(path);
      this.bytes.push(bytes);
      this.end += bytes.length;
      this.ends[this.written + i] = this.end;
    }
    this.written += length;
  }

  skipTo(path: number): void {
    this.read = path;
  }

  done(): Pick<Snapshot, 'paths' | 'looks' | 'stats' | 'blobs'> {
    const paths = new Texts({ bytes: Buffer.concat(this.bytes), ends: this.ends });
    return { paths, looks: this.looks, stats: this.stats, blobs: this.blobs };
  }
}
