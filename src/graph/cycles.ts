// Circles among rules and among jobs, printed as the circle they are.
import { error, type Diagnostic } from '../base/diagnostic.ts';
import type { Rule } from '../workflow/workflow.ts';
import type { Job } from './job.ts';

/** @param circle rule names, the first again at the end */
export function ruleCycle(circle: readonly string[], rules: ReadonlyMap<string, Rule>): Diagnostic {
  const named = circle.slice(0, -1).flatMap((name) => rules.get(name) ?? []);
  return error('graph/cycle', `rules name one another in a circle: ${circle.join(' -> ')}`, {
    ...(named[0] && { at: named[0].at }),
    related: named.slice(1).map((rule) => ({ message: `rule '${rule.name}'`, at: rule.at })),
    hint: 'an arrow points to the rule that must come first; take one of them out',
  });
}

/**
 * Jobs in topological order (a job after all it reads from, else in the given order), or the error that prints one circle.
 */
export function topologicalOrder(jobs: readonly Job[]): { order: Job[] } | { cycle: Diagnostic } {
  const waiting = new Map<Job, number>();
  const order: Job[] = [];
  for (const job of jobs) {
    if (job.upstream.length === 0) order.push(job);
    else waiting.set(job, job.upstream.length);
  }
  for (let i = 0; i < order.length; i++) {
    for (const next of order[i]?.downstream ?? []) {
      const left = (waiting.get(next) ?? 0) - 1;
      waiting.set(next, left);
      if (left === 0) {
        waiting.delete(next);
        order.push(next);
      }
    }
  }
  return waiting.size === 0 ? { order } : { cycle: jobCycle(new Set(waiting.keys())) };
}

function jobCycle(stuck: ReadonlySet<Job>): Diagnostic {
  // Every stuck job reads from a stuck one: walking up must come round.
  const path: Job[] = [];
  let job = [...stuck][0];
  while (job !== undefined && !path.includes(job)) {
    path.push(job);
    job = job.upstream.find((other) => stuck.has(other));
  }
  const circle = job === undefined ? path : [...path.slice(path.indexOf(job)), job];
  const names = circle.map((j) => `${j.rule.name} ${j.id}`);
  return error('graph/cycle', `jobs need one another in a circle: ${names.join(' -> ')}`, {
    ...(circle[0] && { at: circle[0].rule.at }),
    hint: 'an arrow points to the job whose output is read; one of these inputs must go',
  });
}
