// For an id without an earlier result: which job on record comes nearest to it, and in what they differ.
import type { JobId, RuleName } from '../base/brand.ts';
import { keyedConfig, recordedConfig } from '../graph/plain.ts';
import type { Job } from '../graph/job.ts';
import { diffConfigs, type Difference } from '../key/key-diff.ts';
import { fromDifference, inActualPaths, reason, type Reason } from '../plan/reason.ts';
import type { TraceHead } from '../store/index-db.ts';
import type { Trace } from '../store/trace.ts';
import type { Workspace } from './workspace.ts';

export type Near = { readonly head: TraceHead; readonly reasons: Reason[] };

/** A job of the workflow, or one on record. */
export type Subject = { readonly job: Job } | { readonly record: Trace };

/**
 * The job on record of the same rule whose config differs least, the latest of these.
 * @param before only results from before this time (seconds since the epoch)
 */
export function nearestEarlier(workspace: Workspace, subject: Subject, before = Infinity): Near | undefined {
  const [id, rule, config] =
    'job' in subject
      ? [subject.job.id, subject.job.rule.name, recordedConfig(subject.job)]
      : [subject.record.jobId, subject.record.rule, subject.record.config];
  const unkeyed = unkeyedOf(workspace, rule);
  const configs = new Configs(workspace, 'job' in subject ? undefined : before);
  const own = configs.expand(config, unkeyed);
  let best: { head: TraceHead; differences: Difference[] } | undefined;
  const seen = new Set<JobId>([id]);
  for (const head of workspace.index.headsOfRule(rule)) {
    if (head.recordedAt >= before || seen.has(head.jobId)) continue;
    seen.add(head.jobId);
    const differences = diffConfigs(configs.expand(head.config, unkeyed), own);
    // Newest first: of equally near ones the first stays.
    if (best === undefined || differences.length < best.differences.length) best = { head, differences };
  }
  if (best === undefined) return undefined;
  const reasons = best.differences.map(fromDifference);
  return { head: best.head, reasons: reasons.length > 0 ? reasons : upstreamReasons(workspace, subject, best.head) };
}

/** The config paths of a rule that do not count in keys; none of a rule that the workflow no longer has. */
export const unkeyedOf = ({ workflow }: Workspace, rule: string): readonly string[] =>
  workflow.rules.get(rule as RuleName)?.unkeyed ?? [];

/** Of two jobs with one config: which jobs the one reads from, and not the other. */
function upstreamReasons(workspace: Workspace, subject: Subject, head: TraceHead): Reason[] {
  const old = namesInRecord(workspace.index.getTrace(head.actionKey));
  const now = 'job' in subject ? namesOfUpstream(subject.job) : namesInRecord(subject.record);
  const { form } = workspace.graph;
  return [
    ...[...now].filter((name) => !old.has(name)).map((name) => reason('upstream', name, undefined, name)),
    ...[...old].filter((name) => !now.has(name)).map((name) => reason('upstream', name, name, undefined)),
  ].map((found) => inActualPaths(found, form));
}

/** Upstream jobs and their outputs, by the names that key parts give them. */
const namesInRecord = (trace: Trace | undefined): Set<string> =>
  new Set(trace?.parts.flatMap((part) => (part.kind === 'upstream' ? [part.path] : [])) ?? []);

function namesOfUpstream(job: Job): Set<string> {
  const read = job.inputs.flatMap((input) =>
    input.sources.flatMap((source) => {
      if (source.kind === 'job') return [source.job.id];
      if (source.kind !== 'output') return [];
      return [source.sub === '' ? source.output.path : `${source.output.path}/${source.sub}`];
    }),
  );
  return new Set<string>([...job.boundJobs.map((other) => other.id), ...read]);
}

/** A job's id as a value in JSON text, not as a name. */
const ID_VALUE = /"([A-Za-z_]\w*_[0-9a-f]{12})"(?!\s*:)/g;

/** Recorded configs in which a job is its id, with that job's own config in its place, so that paths go on into it. */
class Configs {
  private readonly workspace: Workspace;
  private readonly asOf: number | undefined;
  private readonly known = new Map<string, string>();

  /** @param asOf takes jobs as they were on record then (seconds since the epoch); undefined: as they are in the workflow */
  constructor(workspace: Workspace, asOf: number | undefined) {
    this.workspace = workspace;
    this.asOf = asOf;
  }

  /** Takes and gives JSON text, so that numbers keep their digits. @param unkeyed what is left out */
  expand(config: string, unkeyed: readonly string[]): string {
    return keyedConfig(config, unkeyed).replaceAll(ID_VALUE, (shown: string, id: string) => this.configOf(id) ?? shown);
  }

  private configOf(id: string): string | undefined {
    const known = this.known.get(id);
    if (known !== undefined) return known === '' ? undefined : known;
    this.known.set(id, '');
    const found = this.jobOf(id as JobId);
    if (found === undefined || found.config === '') return undefined;
    const config = this.expand(found.config, unkeyedOf(this.workspace, found.rule));
    this.known.set(id, config);
    return config;
  }

  private jobOf(id: JobId): Pick<Trace, 'rule' | 'config'> | undefined {
    const { asOf } = this;
    const { graph, index } = this.workspace;
    const job = asOf === undefined ? graph.byId.get(id) : undefined;
    if (job !== undefined) return { rule: job.rule.name, config: recordedConfig(job) };
    const traces = index.tracesOf(id);
    return traces.find(({ recordedAt }) => asOf === undefined || recordedAt < asOf) ?? traces[0];
  }
}
