// Output trees belong to their job alone, and nothing can lie below an output file: no other job's folder or output may.
import { error } from '../base/diagnostic.ts';
import type { Template } from '../expr/types.ts';
import type { Rule } from '../workflow/workflow.ts';
import type { Expander } from './expand.ts';
import type { Job } from './job.ts';

/** Notes an error for each folder, else output, that lies in another job's output tree or below its output file: one for each two rules. */
export function checkOutputTrees(expander: Expander, jobs: readonly Job[]): void {
  const told = new Map<Rule, Set<Rule>>();
  /** Folders that are no outputs, nor are those above them: jobs share most of the way up. */
  const free = new Set<string>();
  for (const job of jobs) {
    // Where the folder lies in a tree, so do all outputs.
    if (check(job, job.dir, 'the folder', job.rule.dir, true)) continue;
    for (const output of job.outputs) {
      // Most lie right in the folder, which was looked at.
      if (output.inDir.includes('/')) check(job, job.pathOf(output), `the output '${output.name}',`, output.spec.path);
    }
  }

  function check(job: Job, path: string, what: string, template: Template | undefined, itself = false): boolean {
    const passed: string[] = [];
    for (let end = itself ? path.length : path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const above = path.slice(0, end);
      if (free.has(above)) break;
      passed.push(above);
      const owner = expander.producers.get(above);
      if (owner === undefined) continue;
      // What lies above may be another's, and it is asked of each job.
      passed.length = 0;
      if (owner.job === job) continue;
      const known = told.get(job.rule) ?? new Set();
      if (known.has(owner.job.rule)) return true;
      told.set(job.rule, known.add(owner.job.rule));
      const { tree } = owner.output;
      const place = tree ? `in ${above}/, an output tree` : `below ${above}, an output file`;
      const message = `rule '${job.rule.name}': ${what} ${path} of ${job.id} lies ${place} of ${owner.job.id}`;
      expander.errors.push(
        error('graph/output-in-tree', message, {
          at: template?.at ?? job.rule.at,
          related: [
            { message: `the ${tree ? 'tree' : 'file'} of rule '${owner.job.rule.name}'`, at: owner.output.spec.at },
          ],
          hint: tree
            ? 'a tree belongs to its job alone: choose a folder beside it'
            : 'a file cannot hold files: choose another path',
        }),
      );
      return true;
    }
    // The lowest is mostly the job's own folder, which no other comes by.
    for (let i = 1; i < passed.length; i++) free.add(passed[i] as string);
    return false;
  }
}
