// The sources whose content counts in a job's key, and the digests that a key on record has of them.
import type { Job, JobInput } from '../graph/job.ts';
import { isName } from '../graph/resolve.ts';
import type { KeyPart } from '../store/trace.ts';

/** `path` from the workflow's folder, or absolute. */
export type KeyedSource = { readonly path: string; readonly folder: boolean };

/** A source, and how its part of a key is called; undefined for the part that says which order a list of inputs has. */
type Place = { readonly source: KeyedSource; readonly kind: 'code' | 'input'; readonly label: string } | undefined;

/**
 * The sources of a job, each with the digest that a key of it has for them; undefined where the parts are those of another
 * workflow.
 */
export function keyedSources(
  job: Job,
  parts: readonly KeyPart[],
): readonly { readonly source: KeyedSource; readonly digest: string }[] | undefined {
  const values = new Map<string, string[]>();
  let left = 0;
  for (const { kind, path, value } of parts) {
    if (kind !== 'code' && kind !== 'input') continue;
    left++;
    const same = values.get(`${kind} ${path}`);
    if (same) same.push(value);
    else values.set(`${kind} ${path}`, [value]);
  }
  const found = new Map<string, { readonly source: KeyedSource; readonly digest: string }>();
  for (const place of placesOf(job)) {
    if (place === undefined) {
      left--;
      continue;
    }
    const { source, kind, label } = place;
    const name = `${kind} ${label}`;
    const isByPath = label === source.path;
    if (isByPath && found.has(name)) continue;
    // By its label, as the maps of the workflow may have been in another order. A path has one digest, under however many names
    // of inputs; files outside that have one name stand in the order of a list.
    const own = values.get(name) ?? [];
    const [digest] = own;
    if (digest === undefined) return undefined;
    left -= own.splice(0, isByPath ? own.length : 1).length;
    found.set(isByPath ? name : `${name} ${found.size}`, { source, digest });
  }
  return left === 0 ? [...found.values()] : undefined;
}

/** All sources that count in a job's key. */
export const sourcesOf = (job: Job): KeyedSource[] => placesOf(job).flatMap((place) => place?.source ?? []);

/** As KeyMaker walks them. */
function placesOf(job: Job): Place[] {
  const places: Place[] = job.code.map((path) => ({ source: { path, folder: false }, kind: 'code', label: path }));
  for (const other of job.boundJobs) places.push(...placesOfName(other));
  for (const input of job.inputs) {
    if (!input.keyed) continue;
    places.push(...placesOfInput(input));
    if (input.sources.length > 1) places.push(undefined);
  }
  return places;
}

/** A name counts with what it names. */
const placesOfName = (job: Job): Place[] =>
  isName(job) ? job.inputs.filter((input) => input.keyed).flatMap(placesOfInput) : [];

const placesOfInput = ({ name, sources }: JobInput): Place[] =>
  sources.flatMap((source): Place[] => {
    if (source.kind === 'job') return placesOfName(source.job);
    if (source.kind === 'output') return [];
    const { path, outside } = source;
    return [{ source: { path, folder: source.kind === 'folder' }, kind: 'input', label: outside ? name : path }];
  });
