// lhb graph and `build -n --dag`: the DAG as text.
import { withUpstream, type JobGraph } from '../../graph/graph.ts';
import type { Job } from '../../graph/job.ts';
import { graphToDot, graphToJson, graphToMermaid, type TextGraph } from '../../report/graph-text.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import type { CommonOptions, GraphFormat, Word } from '../invocation.ts';
import { fail, withWorkspace } from '../query.ts';
import type { Screen } from '../screen.ts';

export type GraphOptions = { readonly rules: boolean; readonly format: GraphFormat };

export const graph = (
  common: CommonOptions,
  selectors: readonly Word[],
  options: GraphOptions,
  screen: Screen,
): Promise<ExitCode> =>
  withWorkspace(common, screen, false, (workspace) => {
    const selected = selectors.length > 0 ? workspace.select(selectors) : undefined;
    if (selected?.ok === false) return fail(screen, selected.error);
    const jobs = selected ? withUpstream(selected.value) : new Set(workspace.graph.jobs);
    printGraph(screen, workspace.graph, jobs, { ...options, format: screen.json ? 'json' : options.format });
    return EXIT.ok;
  });

/** Prints the given jobs and the edges between them, or their rules. */
export function printGraph(screen: Screen, jobGraph: JobGraph, jobs: ReadonlySet<Job>, options: GraphOptions): void {
  const shown = jobGraph.jobs.filter((job) => jobs.has(job));
  const text = options.rules ? ruleGraph(shown) : jobsGraph(shown, jobs);
  switch (options.format) {
    case 'dot':
      return screen.text(graphToDot(text));
    case 'mermaid':
      return screen.text(graphToMermaid(text));
    case 'json':
      return screen.text(graphToJson(text));
  }
}

const jobsGraph = (jobs: readonly Job[], among: ReadonlySet<Job>): TextGraph => ({
  nodes: jobs.map((job) => ({ id: job.id, rule: job.rule.name, label: job.label || job.id })),
  edges: jobs.flatMap((job) => job.upstream.filter((o) => among.has(o)).map((o) => [o.id, job.id] as const)),
});

function ruleGraph(jobs: readonly Job[]): TextGraph {
  const counts = new Map<string, number>();
  const edges = new Map<string, readonly [string, string]>();
  for (const job of jobs) {
    counts.set(job.rule.name, (counts.get(job.rule.name) ?? 0) + 1);
    for (const other of job.upstream) {
      edges.set(`${other.rule.name}\0${job.rule.name}`, [other.rule.name, job.rule.name]);
    }
  }
  const nodes = [...counts].map(([rule, count]) => ({
    id: rule,
    rule,
    label: `${count} job${count === 1 ? '' : 's'}`,
  }));
  return { nodes, edges: [...edges.values()] };
}
