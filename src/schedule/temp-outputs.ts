// Temp outputs go when the last job of this build that reads them is on record.
import { rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Job, JobOutput } from '../graph/job.ts';

/** Is this output dropped after use? */
export const isTemp = (job: Job, output: JobOutput): boolean => output.spec.temp || job.rule.temp;

/** Does a job read this output of another? */
function reads(reader: Job, job: Job, output: JobOutput): boolean {
  return (
    reader.boundJobs.includes(job) ||
    reader.inputs.some(({ sources }) =>
      sources.some((s) => (s.kind === 'job' && s.job === job) || (s.kind === 'output' && s.output === output)),
    )
  );
}

/** Drops the temp outputs of a job that some of the `readers` read from the work tree; the store keeps their bytes. */
export function dropTempOutputs(root: string, job: Job, readers: readonly Job[]): void {
  for (const output of job.outputs) {
    if (!isTemp(job, output) || !readers.some((reader) => reads(reader, job, output))) continue;
    const path = join(root, job.pathOf(output));
    if (output.tree) rmSync(path, { recursive: true, force: true });
    else {
      try {
        unlinkSync(path);
      } catch {
        // gone already
      }
    }
  }
}
