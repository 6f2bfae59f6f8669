// The names that expressions see, in the order in which a job is worked out.
import type { RecordObject, Scope } from '../expr/types.ts';
import type { Workflow } from '../workflow/workflow.ts';
import type { Job } from './job.ts';
import type { PathForm } from './path-form.ts';

/** Makes scopes: the workflow's names, then a job's own. */
export class Scopes {
  private readonly workflow: Workflow;
  private readonly env: RecordObject;
  private readonly form: PathForm;
  /** A rule's name: the list of its jobs, or for a rule without `for` its one job. */
  private readonly rules = new Map<string, unknown>();

  constructor(workflow: Workflow, env: RecordObject, form: PathForm) {
    this.workflow = workflow;
    this.env = env;
    this.form = form;
  }

  /** The workflow's folder, absolute. */
  get root(): string {
    return this.workflow.root;
  }

  defineRule(name: string, value: unknown): void {
    this.rules.set(name, value);
  }

  /** `config`, `env`, `output` and the rules expanded so far; the caller adds `for` names. */
  base(): Map<string, unknown> {
    return new Map([...this.baseNames()].map((name) => [name, this.baseValue(name)]));
  }

  baseNames(): string[] {
    return [...this.rules.keys(), 'config', 'env', 'output'];
  }

  /** The value of a name of the workflow, in the form of the moment. */
  baseValue(name: string): unknown {
    switch (name) {
      case 'config':
        return this.workflow.config;
      case 'env':
        return this.env;
      case 'output':
        return this.form.output;
      default:
        return this.rules.get(name);
    }
  }

  /** All names that `dir`, `outputs` and `log` see. */
  ofJob(job: Job): JobScope {
    return new JobScope(this, job);
  }

  /** All names that `resources` see. */
  ofResources(job: Job, attempt: number): JobScope {
    return new JobScope(this, job, attempt);
  }

  /** All names that `run` and `env` see; `resources` by name. */
  ofCommand(job: Job, attempt: number, resources: ReadonlyMap<string, unknown>): Scope {
    const scope = this.ofResources(job, attempt);
    scope.set('resources', resources);
    return scope;
  }
}

/**
 * What the expressions of one job see. A name is worked out when it is asked for, in the form of that moment: most
 * expressions ask for one or two of a dozen.
 */
class JobScope implements Scope {
  private readonly scopes: Scopes;
  private readonly job: Job;
  private readonly attempt: number | undefined;
  private added: Map<string, unknown> | undefined;

  /** @param attempt from 1; undefined: neither it nor `outputs` is known yet */
  constructor(scopes: Scopes, job: Job, attempt?: number) {
    this.scopes = scopes;
    this.job = job;
    this.attempt = attempt;
  }

  set(name: string, value: unknown): void {
    this.added ??= new Map();
    this.added.set(name, value);
  }

  get(name: string): unknown {
    const { job, attempt } = this;
    switch (name) {
      case 'job':
        return job.view;
      case 'inputs':
        return job.inputsValue();
      case 'outputs':
        if (attempt !== undefined) return job.outputsValue();
        break;
      case 'attempt':
        if (attempt !== undefined) return BigInt(attempt);
        break;
      default: {
        const bound = job.bindings.get(name);
        if (bound !== undefined) return bound;
      }
    }
    return this.added?.get(name) ?? this.scopes.baseValue(name);
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  keys(): Iterable<string> {
    const late = this.attempt === undefined ? [] : ['outputs', 'attempt'];
    const own = [...this.job.bindings.keys(), 'inputs', 'job', ...late, ...(this.added?.keys() ?? [])];
    return new Set([...this.scopes.baseNames(), ...own]);
  }
}
