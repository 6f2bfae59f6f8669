// What a job reads, as paths.
import type { Job } from './job.ts';

/** Input paths of a job as they are on disk, each once. */
export function inputPaths(job: Job): string[] {
  const paths = job.inputs.flatMap((input) =>
    input.sources.flatMap((source) => {
      if (source.kind === 'job') return source.job.outputs.map((output) => source.job.pathOf(output));
      if (source.kind !== 'output') return [source.path];
      const path = source.job.pathOf(source.output);
      return [source.sub === '' ? path : `${path}/${source.sub}`];
    }),
  );
  const bound = job.boundJobs.flatMap((other) => other.outputs.map((output) => other.pathOf(output)));
  return [...new Set([...bound, ...paths])];
}
