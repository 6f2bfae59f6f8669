// What every trace says of its job: what it is, and what its result is made from.
import type { Job } from '../graph/job.ts';
import { recordedConfig } from '../graph/plain.ts';
import { commandIn, type KeyParts } from '../key/key-parts.ts';
import type { Trace } from '../store/trace.ts';

export type Subject = Pick<
  Trace,
  'actionKey' | 'jobHash' | 'jobId' | 'rule' | 'label' | 'dir' | 'parts' | 'log' | 'config' | 'command'
>;

/** @param key the key under which the result is on record */
export function subjectOf(job: Job, { key, parts }: KeyParts): Subject {
  return {
    actionKey: key,
    jobHash: job.hash,
    jobId: job.id,
    rule: job.rule.name,
    label: job.label,
    dir: job.dir,
    parts,
    log: job.log,
    config: recordedConfig(job),
    command: commandIn(parts),
  };
}
