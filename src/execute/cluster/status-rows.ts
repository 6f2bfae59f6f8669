// What a scheduler answers when it is asked for jobs -> their states.
import type { ClusterState, StatusTemplates } from './profile.ts';

export type StatusRow = {
  readonly id: string;
  /** The tasks of an array that the row is about; undefined: it is about no array. */
  readonly tasks: readonly number[] | undefined;
  /** Undefined: a state that the profile does not know, as it is written. */
  readonly state: ClusterState | undefined;
  readonly shown: string;
  readonly reason: string;
  /** The comment or name that the job was submitted with. */
  readonly key: string;
};

/** Ranges longer than this are no honest answer. */
const MOST_TASKS = 1_000_000;

/** Every job that the answer lists, in its order. */
export function statusRows(answer: string, { row, states }: StatusTemplates): StatusRow[] {
  if (row === undefined) return [];
  return [...answer.matchAll(row)].flatMap(({ groups }) => {
    const { id, state, index, reason = '', key = '' } = groups ?? {};
    if (id === undefined || state === undefined) return [];
    // PBS names an element of its array 12[].server so: 12[3].server
    const [, before, element, after] = /^(\d+)\[(\d+)\](.*)$/.exec(id) ?? [];
    const numbers = element ?? index;
    return [
      {
        id: element === undefined ? id : `${before}[]${after}`,
        tasks: numbers === undefined || numbers === '' ? undefined : tasksOf(numbers),
        state: states.get(state),
        shown: state,
        reason: reason.trim(),
        key: key.trim(),
      },
    ];
  });
}

/** `3`, `14-20:1`, `1,4-6`: the numbers of tasks. */
export function tasksOf(text: string): number[] {
  const tasks: number[] = [];
  for (const part of text.split(',')) {
    const [, from, to, step] = /^(\d+)(?:-(\d+)(?::(\d+))?)?$/.exec(part.trim()) ?? [];
    if (from === undefined) continue;
    const last = Number(to ?? from);
    const by = Math.max(1, Number(step ?? 1));
    if ((last - Number(from)) / by > MOST_TASKS) continue;
    for (let task = Number(from); task <= last; task += by) tasks.push(task);
  }
  return tasks;
}

/** What Snakemake's cluster-status prints for one job: running, success or failed. */
export function statusWord(answer: string, { states }: StatusTemplates): ClusterState | undefined {
  return states.get(answer.trim().split(/\s+/).at(-1) ?? '');
}
