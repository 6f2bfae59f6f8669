// The part of a snapshot's jobs that a change concerns, as jobs again; the others stand as they are in the snapshot.
import type { RuleName } from '../base/brand.ts';
import type { JobGraph } from '../graph/graph.ts';
import type { Job } from '../graph/job.ts';
import { rulesSeenWhole, type Some } from '../graph/some.ts';
import { ruleReferences } from '../workflow/references.ts';
import type { Rule, Workflow } from '../workflow/workflow.ts';
import { concernedBy, itemsOf, reached, type Concerned } from './snapshot-jobs.ts';
import { STATE, type Snapshot } from './snapshot.ts';

/** Beyond a fifth of the jobs, to expand all of them is as fast, and simpler. */
const MOST_OF_ALL = 0.2;
/** So many are fast whatever part of all they are. */
const FEW = 2000;

export type Part = {
  readonly concerned: Concerned;
  /** The jobs to be made, by rule and in the order of expansion: the concerned ones and all that they need. */
  readonly numbers: ReadonlyMap<RuleName, readonly number[]>;
  readonly some: Some;
};

const isTooMuch = ({ states }: Snapshot, jobs: ReadonlySet<number>): boolean =>
  jobs.size > Math.max(FEW, states.length * MOST_OF_ALL);

/** What the changed paths concern; undefined where that is so much that it is better to expand all. */
export function concernedPart(snapshot: Snapshot, changed: readonly number[]): Concerned | undefined {
  const { states, evidence } = snapshot;
  // What globs leave out are the outputs of all jobs, and those of a job that is not done are not in the snapshot.
  if (evidence.folders.length > 0 && states.some((state) => (state & STATE.fresh) === 0)) return undefined;
  const concerned = concernedBy(snapshot, changed);
  return isTooMuch(snapshot, reached(snapshot.upstream, concerned.jobs)) ? undefined : concerned;
}

/** Which jobs must be made for those that are concerned; undefined where it is better to expand all. */
export function choosePart(snapshot: Snapshot, workflow: Workflow, concerned: Concerned): Part | undefined {
  const ofRule = jobsOfRules(snapshot);
  let needed = reached(snapshot.upstream, concerned.jobs);
  for (const seen = new Set<string>(); !isTooMuch(snapshot, needed);) {
    const more = new Set<number>();
    for (const name of rulesOf(snapshot, needed)) {
      const rule = workflow.rules.get(name as RuleName);
      // The job of a name is not in the snapshot.
      if (rule === undefined || namesName(rule, workflow)) return undefined;
      for (const other of rulesSeenWhole(rule, (word) => workflow.rules.has(word as RuleName))) {
        if (!seen.has(other)) for (const job of ofRule.get(other) ?? []) more.add(job);
        seen.add(other);
      }
    }
    if (more.size === 0) break;
    needed = reached(snapshot.upstream, [...needed, ...more]);
  }
  if (isTooMuch(snapshot, needed)) return undefined;
  const numbers = new Map<RuleName, number[]>();
  for (const job of needed) {
    const name = snapshot.rules[snapshot.ruleOf[job] ?? -1] as RuleName;
    const list = numbers.get(name);
    if (list === undefined) numbers.set(name, [job]);
    else list.push(job);
  }
  const some = new Map(
    [...numbers].map(([name, list]): [RuleName, ReturnType<typeof someOfRule>] => {
      list.sort((a, b) => (snapshot.ranks[a] ?? 0) - (snapshot.ranks[b] ?? 0));
      return [name, someOfRule(snapshot, list, ofRule.get(name)?.length ?? 0)];
    }),
  );
  return { concerned, numbers, some };
}

/** Does an expression of the rule name a rule whose jobs are only names? */
const namesName = (rule: Rule, { rules }: Workflow): boolean =>
  [...ruleReferences(rule, rules.keys())].some((name) => {
    const other = rules.get(name as RuleName);
    return other?.run === undefined && other?.outputs.length === 0;
  });

const someOfRule = (snapshot: Snapshot, list: readonly number[], total: number) => ({
  total,
  ranks: list.map((job) => snapshot.ranks[job] ?? 0),
  places: list.map((job) => [...itemsOf(snapshot.places, job)]),
});

function jobsOfRules({ rules, ruleOf }: Snapshot): Map<string, number[]> {
  const found = rules.map((): number[] => []);
  for (let job = 0; job < ruleOf.length; job++) found[ruleOf[job] ?? -1]?.push(job);
  return new Map(rules.map((name, i) => [name, found[i] ?? []]));
}

const rulesOf = ({ rules, ruleOf }: Snapshot, jobs: ReadonlySet<number>): Set<string> =>
  new Set([...new Set([...jobs].map((job) => ruleOf[job] ?? -1))].map((rule) => rules[rule] ?? ''));

/** The jobs that were made, with their numbers in the snapshot; undefined where they are not those of the snapshot. */
export function numbersOf(snapshot: Snapshot, part: Part, graph: JobGraph): Map<Job, number> | undefined {
  const found = new Map<Job, number>();
  for (const [name, numbers] of part.numbers) {
    const jobs = graph.byRule.get(name) ?? [];
    if (jobs.length !== numbers.length) return undefined;
    for (const [i, job] of jobs.entries()) {
      const number = numbers[i] ?? -1;
      if (job.id !== snapshot.ids.at(number)) return undefined;
      found.set(job, number);
    }
  }
  for (const [job, number] of found) {
    const then = new Set(itemsOf(snapshot.upstream, number));
    if (then.size !== job.upstream.length) return undefined;
    if (!job.upstream.every((other) => then.has(found.get(other) ?? -1))) return undefined;
  }
  return found.size === graph.jobs.length ? found : undefined;
}
