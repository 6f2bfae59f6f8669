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
  let text = `${SCHEME}\n${prefix}\n${canonical(keyedConfig, jobLeaf)}`;
  for (const jobs of upstream) text += `\n${hashesOf(jobs)}`;
  return hashText(text) as string as JobHash;
}

function hashesOf(jobs: readonly Job[]): string {
  const [first] = jobs;
  if (first !== undefined && jobs.length === 1) return first.hash;
  return [...new Set(jobs.map((job) => job.hash))].sort().join(' ');
}

export const jobId = (prefix: string, hash: JobHash): JobId => `${prefix}_${hash.slice(0, 12)}` as JobId;
