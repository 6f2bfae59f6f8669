// Takes a snapshot of a work tree when a build has ended.
import type { JobGraph } from '../graph/graph.ts';
import type { Job } from '../graph/job.ts';
import { keyedSources, sourcesOf, type KeyedSource } from '../key/keyed-sources.ts';
import type { Trace } from '../store/trace.ts';
import { makeDetails, type Details } from './details.ts';
import type { Evidence } from './evidence.ts';
import { blobBytes, outputsRow, resultNumbers, Row, sourceRow, type RowParts } from './snapshot-rows.ts';
import { RESULT_FIELDS, STATE, TOLD, type Lists, type Snapshot } from './snapshot.ts';
import { Texts } from './texts.ts';
import { toldOf, type Told } from './told.ts';

export type TakeParts = RowParts & {
  readonly graph: JobGraph;
  /** What a job's outputs on disk are a result of, as far as this build knows; undefined for a job that is not done. */
  readonly resultOf: (job: Job) => Trace | undefined;
  /** Jobs that a build without selectors is about. */
  readonly wanted: ReadonlySet<Job>;
  readonly link: Snapshot['link'];
  readonly noted: string;
  /** A job's row of details; undefined where it is to be worked out when it is asked for. */
  readonly detailOf: (job: Job, told: Told, result: Trace) => string | undefined;
};

export type Taken = { readonly snapshot: Snapshot; readonly details?: Details };

/** @param evidence is asked for when it is known which paths are sources */
export function takeSnapshot(
  parts: TakeParts,
  evidence: (isSource: (path: string) => boolean) => Evidence | undefined,
): Taken | undefined {
  const { jobs, byRule } = parts.graph;
  const rules = [...byRule.keys()];
  const ruleNumbers = new Map(rules.map((name, i) => [name, i]));
  const ranks = new Map([...byRule.values()].flatMap((list) => list.map((job, i): [Job, number] => [job, i])));
  const sources = new Sources(parts);
  const states = new Uint8Array(jobs.length);
  const told = new Uint8Array(jobs.length);
  const results = new Float64Array(jobs.length * RESULT_FIELDS);
  const built = new Uint8Array(jobs.length);
  const rows: string[] = [];
  const row = new Row();
  const pathsOfJob = new Int32Array(jobs.length + 1);
  const sourceNumbers: (readonly number[])[] = [];
  for (const [i, job] of jobs.entries()) {
    const result = parts.resultOf(job);
    sourceNumbers.push([...new Set(sourcesOf(job).map((source) => sources.number(source)))]);
    const made = result && keyedSources(job, result.parts);
    const fresh = made?.every(({ source, digest }) => sources.rows[sources.number(source)]?.digest === digest) === true;
    states[i] = (parts.wanted.has(job) ? STATE.wanted : 0) | (fresh ? STATE.fresh : 0);
    if (result !== undefined && fresh) {
      append(row, outputsRow(parts, job, result.manifest));
      results.set(resultNumbers(result), i * RESULT_FIELDS);
      built[i] = isBuilt(result);
      const known = toldOf(job, result);
      const detail = known && parts.detailOf(job, known, result);
      rows.push(detail ?? '');
      told[i] = detail !== undefined ? TOLD.byDetails : known ? TOLD.byResult : TOLD.byWorkflow;
    } else rows.push('');
    pathsOfJob[i + 1] = row.length;
  }
  const pathsOfSource = new Int32Array(sources.rows.length + 1);
  pathsOfSource[0] = row.length;
  for (const [i, { row: more }] of sources.rows.entries()) {
    append(row, more);
    pathsOfSource[i + 1] = row.length;
  }
  const found = evidence((path) => sources.has(path));
  if (found === undefined) return undefined;
  const details = makeDetails(rows);
  const snapshot = {
    evidence: found,
    rules,
    output: parts.graph.form.root,
    states,
    told,
    details: details.id,
    link: parts.link,
    noted: parts.noted,
    built,
    results,
    ruleOf: Int32Array.from(jobs, (job) => ruleNumbers.get(job.rule.name) ?? -1),
    ranks: Int32Array.from(jobs, (job) => ranks.get(job) ?? -1),
    places: listsOf(jobs.map((job) => job.place ?? [])),
    upstream: listsOf(jobs.map((job) => job.upstream.map((other) => other.index))),
    sources: listsOf(sourceNumbers),
    pathsOfJob,
    pathsOfSource,
    ids: Texts.from(jobs.map((job) => job.id)),
    labels: Texts.from(jobs.map((job) => job.label)),
    paths: Texts.from(row.paths),
    looks: new Uint8Array(row.looks),
    stats: new Float64Array(row.stats),
    blobs: blobBytes(row.blobs),
  };
  return { snapshot, details };
}

export const isBuilt = ({ origin }: Trace): number => (origin === 'built' ? 1 : 0);

function append(all: Row, { paths, looks, stats, blobs }: Row): void {
  for (const path of paths) all.paths.push(path);
  for (const look of looks) all.looks.push(look);
  for (const number of stats) all.stats.push(number);
  for (const blob of blobs) all.blobs.push(blob);
}

export function listsOf(lists: readonly (readonly number[])[]): Lists {
  const starts = new Int32Array(lists.length + 1);
  for (const [i, list] of lists.entries()) starts[i + 1] = (starts[i] ?? 0) + list.length;
  const items = new Int32Array(starts[lists.length] ?? 0);
  for (const [i, list] of lists.entries()) items.set(list, starts[i]);
  return { starts, items };
}

/** Each source once, with a number. */
class Sources {
  readonly rows: { readonly row: Row; readonly digest: string }[] = [];
  private readonly numbers = new Map<string, number>();
  private readonly parts: RowParts;

  constructor(parts: RowParts) {
    this.parts = parts;
  }

  number(source: KeyedSource): number {
    const key = keyOf(source);
    let number = this.numbers.get(key);
    if (number === undefined) {
      number = this.rows.length;
      this.numbers.set(key, number);
      this.rows.push(sourceRow(this.parts, source));
    }
    return number;
  }

  has(path: string): boolean {
    return this.numbers.has(path) || this.numbers.has(`${path}/`);
  }
}

const keyOf = ({ path, folder }: KeyedSource): string => (folder ? `${path}/` : path);
