// What the workflow reads: lhb removes none of it and puts nothing over it.
import { resolve } from 'node:path';
import type { Workspace } from './workspace.ts';

/** Paths of the workflow's files, of leaf inputs and folders, and of code, from its folder or absolute. */
export function sourcesOf({ workflow, host, graph }: Workspace): ReadonlySet<string> {
  const sources = new Set<string>([...workflow.filesRead, ...host.filesRead, ...host.globbed]);
  sources.add(resolve(workflow.root, workflow.file.name));
  for (const job of graph.jobs) {
    for (const path of job.code) sources.add(path);
    for (const input of job.inputs) {
      for (const source of input.sources) if ('path' in source) sources.add(source.path.replace(/\/$/, ''));
    }
  }
  return sources;
}
