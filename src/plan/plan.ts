// All decisions before anything runs.
import { DiagnosticError, type Diagnostic } from '../base/diagnostic.ts';
import { withDownstream } from '../graph/graph.ts';
import type { Job } from '../graph/job.ts';
import type { KeyParts, ManifestOf } from '../key/key-parts.ts';
import type { Manifest } from '../store/manifest.ts';
import { Foresight, type Foreseen } from './foresight.ts';
import { reason, upstreamPending, type Pending, type Reason } from './reason.ts';
import { standingManifest, type Judgement, type Rebuilder, type Status } from './rebuilder.ts';

export type Action = 'none' | 'restore' | 'run' | 'check';

export type Step = {
  readonly job: Job;
  readonly status: Status;
  readonly action: Action;
  readonly reasons: readonly Reason[];
  /** By what is on record of the jobs above. */
  readonly judgement: Judgement;
  /** The key for which a result is looked for: that of the judgement, or the one after what is above was restored. */
  readonly key: KeyParts | undefined;
};

/** In topological order. A job that is not in it was not asked for. */
export type Plan = {
  readonly steps: ReadonlyMap<Job, Step>;
};

/**
 * Plans the given jobs, which hold all their upstream.
 * @param jobs in topological order
 * @param forced jobs to run whatever is on record
 * @param whole jobs whose temp outputs are wanted as well
 * @param known what is known of a job without judging it
 * @throws DiagnosticError with all that is wrong in the jobs' commands and environments
 */
export function makePlan(
  jobs: Iterable<Job>,
  rebuilder: Rebuilder,
  forced: ReadonlySet<Job> = new Set(),
  whole: ReadonlySet<Job> = new Set(),
  known: (job: Job) => Judgement | undefined = () => undefined,
): Plan {
  const steps = new Map<Job, Step>();
  const standing = (job: Job): Manifest | undefined => {
    const step = steps.get(job);
    return step && standingManifest(step.judgement);
  };
  const judge = (job: Job, manifestOf: ManifestOf): Judgement => rebuilder.judge(job, manifestOf, whole.has(job));
  const foresight = new Foresight(judge, standing);
  const problems = new Map<string, Diagnostic>();
  for (const job of jobs) {
    let judgement = known(job);
    try {
      judgement ??= judge(job, standing);
    } catch (problem) {
      note(problem, problems);
      continue;
    }
    const unsettled = unsettledAbove(job, steps);
    const wouldRun = unsettled.length > 0 && judgement.decision === 'run' && !forced.has(job);
    const foreseen = wouldRun ? foresight.below(job) : undefined;
    const { action, reasons } = actionFor(judgement, unsettled, forced.has(job), foreseen);
    const { key } = foreseen?.judgement ?? judgement;
    const step = { job, status: judgement.status, action, reasons, judgement, key };
    steps.set(job, step);
    if (willChange(step) !== undefined) foresight.note(step);
  }
  if (problems.size > 0) throw new DiagnosticError([...problems.values()]);
  return { steps };
}

/** How many mistakes in commands are worth reading: the jobs of a rule tend to have them all alike. */
const ENOUGH_PROBLEMS = 50;

/** Takes down what is wrong with a job's command or environment, each problem once. */
function note(problem: unknown, problems: Map<string, Diagnostic>): void {
  if (!(problem instanceof DiagnosticError)) throw problem;
  for (const d of problem.diagnostics) {
    if (problems.size < ENOUGH_PROBLEMS) problems.set(`${d.message} ${d.at?.file.name} ${d.at?.start}`, d);
  }
}

type Unsettled = { readonly job: Job; readonly pending: Pending };

const SETTLED: readonly Unsettled[] = [];

/** The jobs above that may leave other outputs than those on record. */
function unsettledAbove(job: Job, steps: ReadonlyMap<Job, Step>): readonly Unsettled[] {
  let found: Unsettled[] | undefined;
  for (const other of job.upstream) {
    const pending = willChange(steps.get(other));
    if (pending !== undefined) (found ??= []).push({ job: other, pending });
  }
  return found ?? SETTLED;
}

/** How the outputs of this job may turn out other than they stand on record; undefined where they cannot. */
function willChange(step: Step | undefined): Pending | undefined {
  if (step === undefined || step.action === 'none') return undefined;
  if (step.action !== 'restore') return step.action;
  const { trace, current } = step.judgement;
  // Without a trace for the key on record the result is one for the key that is foreseen.
  if (trace === undefined) return 'restore';
  return current !== undefined && current.actionKey !== trace.actionKey ? 'restore' : undefined;
}

function actionFor(
  judgement: Judgement,
  unsettled: readonly Unsettled[],
  forced: boolean,
  foreseen: Foreseen | undefined,
): { action: Action; reasons: readonly Reason[] } {
  if (forced) return { action: 'run', reasons: [reason('forced'), ...judgement.reasons] };
  const { decision, reasons } = judgement;
  const coming = decision === 'run' ? (foreseen?.judgement.decision ?? 'run') : decision;
  if (unsettled.length === 0 || coming === 'run') return { action: coming, reasons };
  const told = new Set(reasons.flatMap((r) => (r.kind === 'upstream' ? [r.path] : [])));
  const below = unsettled.filter(({ job }) => !told.has(job.id));
  return {
    action: foreseen?.sure && coming === 'restore' ? 'restore' : 'check',
    reasons: [...reasons, ...below.map(({ job, pending }) => upstreamPending(job.id, pending))],
  };
}

/** The jobs that `forcerun` reruns: the selected ones and, unless `only`, all that follows from them. */
export function forcedJobs(selected: Iterable<Job>, only: boolean): Set<Job> {
  return only ? new Set(selected) : withDownstream(selected);
}
