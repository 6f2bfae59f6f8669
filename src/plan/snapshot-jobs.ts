// The jobs of a snapshot by their numbers: who reads from whom, what a changed path concerns.
import { STATE, type Lists, type Snapshot } from './snapshot.ts';

/** How many jobs a build without selectors is about. */
export function wantedJobs({ states }: Snapshot): number {
  let count = 0;
  // Not by an iterator, which is slow before it is compiled.
  for (let job = 0; job < states.length; job++) count += (states[job] ?? 0) & STATE.wanted;
  return count;
}

export const jobRef = (
  { ids, labels, rules, ruleOf }: Snapshot,
  job: number,
): { id: string; rule: string; label: string } => ({
  id: ids.at(job),
  rule: rules[ruleOf[job] ?? -1] ?? '',
  label: labels.at(job),
});

/** What belongs to `index`. */
export const itemsOf = ({ starts, items }: Lists, index: number): Int32Array =>
  items.subarray(starts[index], starts[index + 1]);

/** For each of `count` numbers, the lists that it is in, ascending. */
export function inverted({ starts, items }: Lists, count: number): Lists {
  const to = new Int32Array(count + 1);
  for (const item of items) to[item + 1] = (to[item + 1] ?? 0) + 1;
  for (let i = 0; i < count; i++) to[i + 1] = (to[i + 1] ?? 0) + (to[i] ?? 0);
  const next = to.slice();
  const found = new Int32Array(items.length);
  for (let list = 0; list + 1 < starts.length; list++) {
    for (let at = starts[list] ?? 0; at < (starts[list + 1] ?? 0); at++) {
      const item = items[at] ?? 0;
      const place = next[item] ?? 0;
      found[place] = list;
      next[item] = place + 1;
    }
  }
  return { starts: to, items: found };
}

/** `jobs` and all that can be reached from them. */
export function reached(lists: Lists, jobs: Iterable<number>): Set<number> {
  const found = new Set<number>();
  const stack = [...jobs];
  for (let job = stack.pop(); job !== undefined; job = stack.pop()) {
    if (found.has(job)) continue;
    found.add(job);
    for (const other of itemsOf(lists, job)) if (!found.has(other)) stack.push(other);
  }
  return found;
}

/** The wanted jobs in the order in which the scheduler finds that all are fresh. */
export function* inOrder({ states, upstream }: Snapshot): Generator<number> {
  const downstream = inverted(upstream, states.length);
  const waiting = new Int32Array(states.length);
  const ready: number[] = [];
  for (let job = 0; job < states.length; job++) {
    waiting[job] = itemsOf(upstream, job).length;
    if (waiting[job] === 0) ready.push(job);
  }
  ready.reverse();
  for (let job = ready.pop(); job !== undefined; job = ready.pop()) {
    if (((states[job] ?? 0) & STATE.wanted) === 0) continue;
    yield job;
    for (const next of itemsOf(downstream, job)) {
      const left = (waiting[next] ?? 0) - 1;
      waiting[next] = left;
      if (left === 0) ready.push(next);
    }
  }
}

/** What changed paths come to. */
export type Concerned = {
  /** Jobs to be judged anew, with all wanted ones below them. */
  readonly jobs: ReadonlySet<number>;
  /** Sources that are to be looked at anew. */
  readonly sources: ReadonlySet<number>;
};

/** @param changed numbers of paths */
export function concernedBy(snapshot: Snapshot, changed: readonly number[]): Concerned {
  const { states, pathsOfJob, pathsOfSource, upstream } = snapshot;
  const count = states.length;
  const sources = new Set<number>();
  const jobs = new Set<number>();
  for (const path of changed) {
    if (path < (pathsOfJob[count] ?? 0)) jobs.add(owner(pathsOfJob, path));
    else sources.add(owner(pathsOfSource, path));
  }
  if (sources.size > 0) {
    const readers = inverted(snapshot.sources, pathsOfSource.length - 1);
    for (const source of sources) for (const job of itemsOf(readers, source)) jobs.add(job);
  }
  for (let job = 0; job < count; job++) if (states[job] === STATE.wanted) jobs.add(job);
  const wanted = [...reached(inverted(upstream, count), jobs)].filter(
    (job) => ((states[job] ?? 0) & STATE.wanted) !== 0,
  );
  return { jobs: new Set(wanted), sources };
}

/** The last index whose start is at most `item`, by halves. */
function owner(starts: Int32Array, item: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? 0) <= item) low = middle;
    else high = middle;
  }
  return low;
}
