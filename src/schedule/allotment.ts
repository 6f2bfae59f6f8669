// What each job asks for, worked out when it is about to start, and what it is given.
import { DiagnosticError, error, warning, type Diagnostic } from '../base/diagnostic.ts';
import { toJsonText, type Value } from '../base/value.ts';
import { each, evaluate, evaluateText } from '../expr/template.ts';
import type { Scope, Template } from '../expr/types.ts';
import type { Job } from '../graph/job.ts';
import type { Scopes } from '../graph/scope.ts';
import type { LaneOf } from './lane.ts';
import { parseDuration, parseResource, type Request, type ResourceValue } from './resources.ts';
import { InputSize } from './snakemake-values.ts';

export type Allotment = {
  /** As expressions and records see them: cpus, mem_mb and gpus numbers. */
  readonly resources: ReadonlyMap<string, Value>;
  /** LHB_CPUS: what the job asked for, or what there is where that is less. */
  readonly cpus: number;
  readonly gpus: readonly string[] | undefined;
  /** Gives all back. */
  give(): void;
};

/** `asks` (Queued) of a job that runs here and needs no more than a slot. */
export const ASKS_NOTHING = 'local ';

export type ResourceOverrides = {
  /** `--default-resources`: below the rule's own. */
  readonly defaults: readonly { readonly name: string; readonly value: Template }[];
  /** `--set-resources`: above the rule's own. */
  readonly sets: readonly { readonly rule: string; readonly name: string; readonly value: Template }[];
};

const NOTHING: Request = new Map();

export class Allotments {
  private readonly scopes: Scopes;
  private readonly laneOf: LaneOf;
  private readonly overrides: ResourceOverrides;
  private readonly known = new Map<string, Request>();

  constructor(scopes: Scopes, laneOf: LaneOf, overrides: ResourceOverrides) {
    this.scopes = scopes;
    this.laneOf = laneOf;
    this.overrides = overrides;
  }

  /** What a job asks for at this attempt: --default-resources < the rule's < --set-resources. */
  requestOf(job: Job, attempt: number): Request {
    const { defaults, sets } = this.overrides;
    if (job.rule.resources.length + defaults.length + sets.length === 0) return NOTHING;
    const key = `${job.id} ${attempt}`;
    let request = this.known.get(key);
    if (request === undefined) {
      const scope = this.scopes.ofResources(job, attempt);
      if (!scope.has('input')) scope.set('input', new InputSize(this.scopes.root, job));
      const merged = new Map<string, ResourceValue>();
      const layers = [defaults, job.rule.resources, sets.filter((set) => set.rule === job.rule.name)];
      each(layers.flat(), ({ name, value }) => merged.set(name, resourceValue(job, name, value, scope)));
      request = merged;
      this.known.set(key, request);
    }
    return request;
  }

  /** Everything that is needed to start a job, or undefined while others hold it. */
  tryTake(job: Job, attempt: number): Allotment | undefined {
    const request = this.requestOf(job, attempt);
    const lane = this.laneOf(job);
    if (!lane.pool.fits(request)) return undefined;
    const wanted = lane.gpus ? Number(request.get('gpus') ?? 0) : 0;
    const gpus = wanted > 0 ? lane.gpus?.take(wanted) : undefined;
    if (wanted > 0 && gpus === undefined) return undefined;
    lane.pool.take(request);
    const cpus = lane.pool.grantedCpus(request);
    const resources = seenResources(request);
    const give = (): void => {
      lane.pool.give(request);
      if (gpus !== undefined) lane.gpus?.give(gpus);
    };
    return { resources, cpus, gpus, give };
  }

  /** What a job is given that asks for nothing; nothing is taken for it. */
  ofNothing(job: Job, attempt: number): Allotment {
    const request = this.requestOf(job, attempt);
    const cpus = this.laneOf(job).pool.grantedCpus(request);
    return { resources: seenResources(request), cpus, gpus: undefined, give: () => {} };
  }

  /** What a job holds that runs already, whether or not it fits. @param gpus those that it was given */
  claim(job: Job, attempt: number, gpus: readonly string[] | undefined): Allotment {
    const request = this.requestOrNothing(job, attempt);
    const lane = this.laneOf(job);
    const claimed = lane.gpus?.claim(gpus ?? []) ?? [];
    lane.pool.hold(request);
    const give = (): void => {
      lane.pool.give(request);
      lane.gpus?.give(claimed);
    };
    return { resources: seenResources(request), cpus: lane.pool.grantedCpus(request), gpus, give };
  }

  private requestOrNothing(job: Job, attempt: number): Request {
    try {
      return this.requestOf(job, attempt);
    } catch (problem) {
      if (problem instanceof DiagnosticError) return new Map();
      throw problem;
    }
  }

  /**
   * Looks at what jobs will ask for before anything starts. More memory, GPUs or another limited resource than there is, is an
   * error; more cpus is a warning, one a rule: such a job runs alone. What cannot be known yet (`file_mb` of an output) waits.
   */
  check(jobs: Iterable<Job>): { errors: Diagnostic[]; warnings: Diagnostic[] } {
    const errors = new Map<string, Diagnostic>();
    const warnings = new Map<string, Diagnostic>();
    const noteProblem = (job: Job, d: Diagnostic): void => {
      const owner = `rule '${job.rule.name}'`;
      const message = d.message.includes(owner) ? d.message : `${owner}: ${d.message}`;
      // A value of the wrong kind is one mistake, however many jobs have one.
      const key = `${d.code === 'schedule/bad-resource' ? d.code : message} ${d.at?.file.name} ${d.at?.start}`;
      if (!errors.has(key)) errors.set(key, { ...d, message, at: d.at ?? job.rule.at });
    };
    for (const job of jobs) {
      let request: Request;
      try {
        const rest = [() => this.priority(job), () => this.firstTimeout(job), () => this.retries(job, 0)];
        each([() => this.requestOf(job, 1), ...rest], (ask) => ask());
        request = this.requestOf(job, 1);
      } catch (problem) {
        if (!(problem instanceof DiagnosticError)) throw problem;
        for (const d of problem.diagnostics) if (d.code !== 'expr/no-file') noteProblem(job, d);
        continue;
      }
      const at = (name: string): Diagnostic['at'] => job.rule.resources.find((r) => r.name === name)?.at ?? job.rule.at;
      for (const { name, asked, limit } of this.laneOf(job).pool.neverFits(request)) {
        const key = `${job.rule.name} ${name}`;
        if (errors.has(key)) continue;
        const message = `rule '${job.rule.name}': ${job.id} asks for ${name}=${asked}, and there is ${limit}`;
        errors.set(key, error('schedule/too-much', message, { at: at(name), hint: hintFor(name) }));
      }
      const excess = this.laneOf(job).pool.excessCpus(request);
      if (excess !== undefined && !warnings.has(job.rule.name)) {
        const { asked, limit } = excess;
        const message = `rule '${job.rule.name}': ${job.id} asks for ${asked} cpus and there are ${limit}: it runs alone, with LHB_CPUS=${limit}`;
        warnings.set(job.rule.name, warning('schedule/too-many-cpus', message, { at: at('cpus') }));
      }
    }
    return { errors: [...errors.values()], warnings: [...warnings.values()] };
  }

  /** Where a job stands in the queue, or what is wrong with what it asks for at this attempt. */
  standing(job: Job, attempt: number): { priority: number; asks: string; problem: string | undefined } {
    const refused = (problem: string): { priority: number; asks: string; problem: string } => ({
      priority: 0,
      asks: '',
      problem,
    });
    try {
      const request = this.requestOf(job, attempt);
      const { kind, pool } = this.laneOf(job);
      const [first] = pool.neverFits(request);
      if (first !== undefined) return refused(`it asks for ${first.name}=${first.asked}, and there is ${first.limit}`);
      return { priority: this.priority(job), asks: `${kind} ${pool.signature(request)}`, problem: undefined };
    } catch (problem) {
      if (!(problem instanceof DiagnosticError)) throw problem;
      return refused(problem.message);
    }
  }

  private priority(job: Job): number {
    const template = job.rule.priority;
    if (template === undefined) return 0;
    const value = evaluate(template, this.scopes.ofResources(job, 1));
    if (typeof value === 'bigint' || typeof value === 'number') return Number(value);
    throw bad(job, `priority must be a number, not '${String(value)}'`, template);
  }

  private firstTimeout(job: Job): number | undefined {
    return job.rule.timeout && this.timeoutS(job, 1, seenResources(this.requestOf(job, 1)));
  }

  /** Seconds, undefined for no limit. */
  timeoutS(job: Job, attempt: number, resources: ReadonlyMap<string, Value>): number | undefined {
    const template = job.rule.timeout;
    if (template === undefined) return undefined;
    const parsed = parseDuration(evaluate(template, this.scopes.ofCommand(job, attempt, resources)) as Value);
    if (parsed.ok) return parsed.value;
    throw bad(job, `timeout ${parsed.error}`, template);
  }

  /** How often a job may be tried again. */
  retries(job: Job, otherwise: number): number {
    const template = job.rule.retries;
    if (template === undefined) return otherwise;
    const text = evaluateText(template, this.scopes.ofResources(job, 1));
    const value = Number(text);
    if (text.trim() !== '' && Number.isInteger(value) && value >= 0) return value;
    throw bad(job, `retries must be a whole number from 0, not '${text}'`, template);
  }
}

function resourceValue(job: Job, name: string, template: Template, scope: Scope): ResourceValue {
  const parsed = parseResource(name, evaluate(template, scope) as Value);
  if (parsed.ok) return parsed.value;
  throw bad(job, `resource ${name} ${parsed.error}`, template);
}

/** What a job was given, as records have it. */
export function plainResources(allotment: Allotment): Record<string, string | number> {
  const entries = [...allotment.resources].map(([name, value]): [string, string | number] => {
    if (typeof value === 'bigint' || typeof value === 'number') return [name, Number(value)];
    return [name, typeof value === 'string' ? value : toJsonText(value)];
  });
  return Object.fromEntries(entries);
}

/** Resources as templates and launches see them. */
export const plainRequest = (request: Request): Record<string, string | number> => ({
  cpus: 1,
  ...Object.fromEntries(request),
});

/** Resources as expressions and records see them. */
function seenResources(request: Request): ReadonlyMap<string, Value> {
  const seen = new Map<string, Value>([['cpus', 1n]]);
  for (const [name, value] of request) seen.set(name, typeof value === 'number' ? numberValue(value) : value);
  return seen;
}

const numberValue = (value: number): Value => (Number.isSafeInteger(value) ? BigInt(value) : value);

const bad = (job: Job, problem: string, template: Template): DiagnosticError =>
  new DiagnosticError([error('schedule/bad-resource', `rule '${job.rule.name}': ${problem}`, { at: template.at })]);

const hintFor = (name: string): string =>
  name === 'mem_mb' || name === 'gpus'
    ? 'ask for less, or run it where there is more'
    : `raise the limit with --resources ${name}=N, or ask for less`;
