// Circles among rules and among jobs, printed as the circle they are.
import { error, type Diagnostic, type SourceRange } from '../base/diagnostic.ts';
import type { Rule } from '../workflow/workflow.ts';
import { referencePlace } from '../workflow/references.ts';
import type { Job } from './job.ts';

/** @param circle rule names, the first again at the end */
export function ruleCycle(circle: readonly string[], rules: ReadonlyMap<string, Rule>): Diagnostic {
  const [first, ...others] = circle.slice(0, -1).flatMap((name, i) => {
    const rule = rules.get(name);
    return rule === undefined ? [] : [{ rule, at: referencePlace(rule, circle[i + 1] ?? name) ?? rule.at }];
  });
  if (others.length === 0) {
    const hint = 'a job cannot need the jobs of its own rule: take the name out';
    return error('graph/cycle', `rule '${first?.rule.name}' names itself`, { at: first?.at, hint });
  }
  return error('graph/cycle', `rules name one another in a circle: ${circle.join(' -> ')}`, {
    at: first?.at,
    related: others.map(({ rule, at }) => ({ message: `in rule '${rule.name}'`, at })),
    hint: 'an arrow points to the rule that must come first; take one of them out',
  });
}

/**
 * Jobs in topological order (a job after all it reads from, else in the given order), or the error that prints one circle.
 */
export function topologicalOrder(jobs: readonly Job[]): { order: Job[] } | { cycle: Diagnostic } {
  // How many of the jobs that it reads from are not in the order yet.
  const left = new Int32Array(jobs.length);
  const order: Job[] = [];
  for (const [i, job] of jobs.entries()) {
    job.index = i;
    left[i] = job.upstream.length;
    if (job.upstream.length === 0) order.push(job);
  }
  for (let i = 0; i < order.length; i++) {
    for (const next of order[i]?.downstream ?? []) {
      const other = (left[next.index] ?? 0) - 1;
      left[next.index] = other;
      if (other === 0) order.push(next);
    }
  }
  if (order.length === jobs.length) return { order };
  return { cycle: jobCycle(new Set(jobs.filter((job) => (left[job.index] ?? 0) > 0))) };
}

function jobCycle(stuck: ReadonlySet<Job>): Diagnostic {
  // Every stuck job reads from a stuck one: walking up must come round.
  const path: Job[] = [];
  let job = [...stuck][0];
  while (job !== undefined && !path.includes(job)) {
    path.push(job);
    job = job.upstream.find((other) => stuck.has(other));
  }
  const circle = job === undefined ? path : path.slice(path.indexOf(job));
  const [first] = circle;
  const edges = circle.map((j, i) => readingOf(j, circle[(i + 1) % circle.length] ?? j));
  const places = edges.flatMap(({ at, message }, i) => (i === 0 ? [] : [{ at, message }]));
  const at = edges[0]?.at;
  if (circle.length === 1) {
    const message = `rule '${first?.rule.name}': ${edges[0]?.message}, its own output`;
    return error('graph/cycle', message, { at, hint: 'give the input or the output another path' });
  }
  const names = [...circle, first].map((j) => `${j?.rule.name} ${j?.id}`);
  return error('graph/cycle', `jobs need one another in a circle: ${names.join(' -> ')}`, {
    at,
    related: places,
    hint: 'an arrow points to the job whose output is read; one of these inputs must go',
  });
}

/** Where and what a job reads of another one. */
function readingOf(job: Job, other: Job): { at: SourceRange; message: string } {
  for (const input of job.inputs) {
    for (const source of input.sources) {
      if (source.kind === 'output' && source.job === other) {
        const path = [other.pathOf(source.output), source.sub].filter((part) => part !== '').join('/');
        return { at: input.at, message: `input '${input.name}' is ${path}` };
      }
      if (source.kind === 'job' && source.job === other) {
        return { at: input.at, message: `input '${input.name}' is the job ${other.id}` };
      }
    }
  }
  return { at: job.rule.at, message: `rule '${job.rule.name}'` };
}
