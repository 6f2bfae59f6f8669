// The names that expressions see, in the order in which a job is worked out.
import type { Scope } from '../expr/types.ts';
import type { RecordObject } from '../expr/types.ts';
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
    const scope = new Map<string, unknown>(this.rules);
    scope.set('config', this.workflow.config);
    scope.set('env', this.env);
    scope.set('output', this.form.output);
    return scope;
  }

  /** All names that `dir`, `outputs` and `log` see. */
  ofJob(job: Job): Map<string, unknown> {
    const scope = this.base();
    for (const [name, value] of job.bindings) scope.set(name, value);
    scope.set('inputs', job.inputsValue());
    scope.set('job', job.view);
    return scope;
  }

  /** All names that `resources` see. */
  ofResources(job: Job, attempt: number): Map<string, unknown> {
    const scope = this.ofJob(job);
    scope.set('outputs', job.outputsValue());
    scope.set('attempt', BigInt(attempt));
    return scope;
  }

  /** All names that `run` and `env` see; `resources` by name. */
  ofCommand(job: Job, attempt: number, resources: ReadonlyMap<string, unknown>): Scope {
    const scope = this.ofResources(job, attempt);
    scope.set('resources', resources);
    return scope;
  }
}
