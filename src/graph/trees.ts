// Output trees belong to their job alone: no other job's folder or output may lie in one, and no source.
import { error } from '../base/diagnostic.ts';
import type { Expander } from './expand.ts';
import type { Job } from './job.ts';

/** Notes an error for each output or folder that lies in another job's output tree. */
export function checkOutputTrees(expander: Expander, jobs: readonly Job[]): void {
  const trees = new Set<string>();
  for (const [path, { output }] of expander.producers) if (output.tree) trees.add(path);
  if (trees.size === 0) return;
  for (const job of jobs) {
    for (const output of job.outputs) check(job, job.pathOf(output), `output '${output.name}'`);
    check(job, job.dir, 'folder', true);
  }

  function check(job: Job, path: string, what: string, itself = false): void {
    for (let end = itself ? path.length : path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const tree = path.slice(0, end);
      if (!trees.has(tree)) continue;
      const owner = expander.producers.get(tree)?.job;
      if (owner === undefined || owner === job) continue;
      expander.errors.push(
        error(
          'graph/output-in-tree',
          `rule '${job.rule.name}': the ${what} ${path} of ${job.id} lies in ${tree}/, an output tree of ${owner.id}`,
          { at: job.rule.at, related: [{ message: `rule '${owner.rule.name}' has the tree`, at: owner.rule.at }] },
        ),
      );
      return;
    }
  }
}
