// The sources whose content counts in a job's key, in the order in which they stand in it.
import type { Job, JobInput } from '../graph/job.ts';
import { isName } from '../graph/resolve.ts';
import type { KeyPart } from '../store/trace.ts';

/** `path` from the workflow's folder, or absolute. */
export type KeyedSource = { readonly path: string; readonly folder: boolean };

/** A source, or undefined for the part that says which order a list of inputs has. */
type Place = KeyedSource | undefined;

/**
 * The sources of a job, each with the digest that a key of it has for them; undefined where the parts are those of another
 * workflow.
 */
export function keyedSources(
  job: Job,
  parts: readonly KeyPart[],
): readonly { readonly source: KeyedSource; readonly digest: string }[] | undefined {
  const places = placesOf(job);
  const values = parts.filter(({ kind }) => kind === 'code' || kind === 'input');
  if (places.length !== values.length) return undefined;
  return places.flatMap((source, i) => (source === undefined ? [] : [{ source, digest: values[i]?.value ?? '' }]));
}

/** All sources that count in a job's key. */
export const sourcesOf = (job: Job): KeyedSource[] => placesOf(job).filter((source) => source !== undefined);

/** As KeyMaker walks them. */
function placesOf(job: Job): Place[] {
  const places: Place[] = job.code.map((path) => ({ path, folder: false }));
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

const placesOfInput = ({ sources }: JobInput): Place[] =>
  sources.flatMap((source): Place[] => {
    if (source.kind === 'job') return placesOfName(source.job);
    return source.kind === 'output' ? [] : [{ path: source.path, folder: source.kind === 'folder' }];
  });
