// What the result on record of a fresh job tells of the job itself. Where it tells all that a detailed summary shows, which is
// found out when a snapshot is taken, the workflow need not be read for that.
import { inputPaths } from '../graph/inputs.ts';
import type { Job } from '../graph/job.ts';
import type { PathForm } from '../graph/path-form.ts';
import type { Trace, TraceTold } from '../store/trace.ts';

export type Told = {
  readonly label: string;
  /** Paths as they are on disk, from the workflow's folder; of a tree without a slash at the end. */
  readonly outputs: readonly { readonly path: string; readonly tree: boolean }[];
  readonly inputs: readonly string[];
  /** As it would run now. */
  readonly command: string;
  readonly log: string;
};

/** @param command as of `shownCommand` */
export const toldByJob = (job: Job, command: string): Told => ({
  label: job.label,
  outputs: job.outputs.map((output) => ({ path: job.pathOf(output), tree: output.tree })),
  inputs: inputPaths(job),
  command,
  log: job.log,
});

/**
 * The same by a trace of the key that the job has, which its command is a part of.
 * @param outputsOf paths of the outputs of a job, by its id; undefined for a text that is no id of a job
 */
export function toldByTrace(
  trace: TraceTold,
  form: PathForm,
  outputsOf: (id: string) => readonly string[] | undefined,
): Told {
  const inputs = new Set<string>();
  for (const { kind, path } of trace.parts) {
    if (kind === 'upstream') for (const made of outputsOf(path) ?? [form.actual(path)]) inputs.add(made);
    else if (kind === 'input' && !path.endsWith(' (order)')) inputs.add(path);
  }
  return {
    label: trace.label,
    outputs: trace.manifest.map(({ path, tree }) => ({ path: trace.dir === '' ? path : `${trace.dir}/${path}`, tree })),
    inputs: [...inputs],
    command: form.actual(trace.command),
    log: trace.log,
  };
}

/**
 * What the trace tells of the job; undefined where that is not what the job does: inputs that do not count in the key, for
 * one, are in no trace.
 */
export function toldOf(job: Job, trace: Trace): Told | undefined {
  const told = toldByTrace(trace, job.form, (id) =>
    job.upstream.find((other) => other.id === id)?.outputs.map((output) => output.onDisk),
  );
  const own = toldByJob(job, told.command);
  const isAll =
    told.label === own.label &&
    told.log === own.log &&
    sameItems(told.inputs, own.inputs, (a, b) => a === b) &&
    sameItems(told.outputs, own.outputs, (a, b) => a.path === b.path && a.tree === b.tree);
  return isAll ? told : undefined;
}

const sameItems = <T>(a: readonly T[], b: readonly T[], same: (a: T, b: T) => boolean): boolean =>
  a.length === b.length && a.every((item, i) => same(item, b[i] as T));
