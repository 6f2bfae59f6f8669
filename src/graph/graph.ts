// All jobs of a workflow, with their edges.
import type { JobId, RuleName } from '../base/brand.ts';
import type { Diagnostic } from '../base/diagnostic.ts';
import type { Workflow } from '../workflow/workflow.ts';
import type { Job, JobOutput } from './job.ts';
import type { PathForm } from './path-form.ts';

export type Producer = { readonly job: Job; readonly output: JobOutput };

export type JobGraph = {
  readonly workflow: Workflow;
  readonly form: PathForm;
  /** In topological order: a job stands after all it reads from. */
  readonly jobs: readonly Job[];
  readonly byId: ReadonlyMap<JobId, Job>;
  /** In the order of expansion, in which `for` names vary with the last one fastest. */
  readonly byRule: ReadonlyMap<RuleName, readonly Job[]>;
  /** Declared output paths as they are on disk (no trailing slash). */
  readonly producers: ReadonlyMap<string, Producer>;
  readonly warnings: readonly Diagnostic[];
};

/** `jobs` and all that they read from, as a set. */
export function withUpstream(jobs: Iterable<Job>): Set<Job> {
  return closure(jobs, (job) => job.upstream);
}

/** `jobs` and all that read from them. */
export function withDownstream(jobs: Iterable<Job>): Set<Job> {
  return closure(jobs, (job) => job.downstream);
}

function closure(jobs: Iterable<Job>, next: (job: Job) => readonly Job[]): Set<Job> {
  const found = new Set<Job>();
  const stack = [...jobs];
  for (let job = stack.pop(); job !== undefined; job = stack.pop()) {
    if (found.has(job)) continue;
    found.add(job);
    for (const other of next(job)) if (!found.has(other)) stack.push(other);
  }
  return found;
}
