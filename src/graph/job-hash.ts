// Job hash and job id: what a job computes, known before anything runs.
import type { JobHash, JobId } from '../base/brand.ts';
import type { Value } from '../base/value.ts';
import { hashText } from '../hash/digest.ts';
import { canonical } from '../hash/encode.ts';
import type { Job } from './job.ts';
import { JobView } from './job-view.ts';

/** Part of every job hash, so that a change of the scheme changes all of them. */
const SCHEME = 'lhb job hash 1';

/** How a job counts where it stands inside a value: by its job hash. */
export const jobLeaf = (value: unknown): string | undefined =>
  value instanceof JobView ? `job ${value.job.hash}` : undefined;

/**
 * BLAKE3 of the prefix, the config without its unkeyed paths (by value: 1 is 1.0, the order of keys does not count),
 * and the hashes of the jobs that `for` and `inputs` name.
 * @param upstream a list for each `for` name and input that names jobs; sorted within, so that order does not count
 */
export function jobHash(prefix: string, keyedConfig: Value, upstream: readonly (readonly Job[])[]): JobHash {
  const named = upstream.map((jobs) => [...new Set(jobs.map((job) => job.hash))].sort().join(' '));
  return hashText([SCHEME, prefix, canonical(keyedConfig, jobLeaf), ...named].join('\n')) as string as JobHash;
}

export const jobId = (prefix: string, hash: JobHash): JobId => `${prefix}_${hash.slice(0, 12)}` as JobId;
