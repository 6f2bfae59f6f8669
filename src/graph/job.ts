// A job: one instance of a rule, as the graph holds it.
import type { JobHash, JobId } from '../base/brand.ts';
import type { SourceRange } from '../base/diagnostic.ts';
import type { Value } from '../base/value.ts';
import type { OutputSpec, Rule } from '../workflow/workflow.ts';
import { JobView } from './job-view.ts';
import { jobLabel } from './label.ts';
import type { PathForm, TwoForms } from './path-form.ts';

/** One declared output path of a job; an output with a list of paths has several, with one name. */
export type JobOutput = {
  readonly name: string;
  /** From the workflow's folder, portable, without a trailing slash. */
  readonly path: string;
  /** From the job's folder. */
  readonly inDir: string;
  /** As it is on disk, from the workflow's folder. */
  readonly onDisk: string;
  readonly tree: boolean;
  readonly spec: OutputSpec;
};

/**
 * Where one input path comes from.
 * - `job`: a job given whole; all its outputs count.
 * - `output`: another job's output, or (`sub` not empty) a file or folder inside its output tree.
 * - `file`, `folder`: a source on disk, which no job makes. `outside` the workflow's folder it counts by its content alone.
 */
export type Source =
  | { readonly kind: 'job'; readonly job: Job }
  | { readonly kind: 'output'; readonly job: Job; readonly output: JobOutput; readonly sub: string }
  | { readonly kind: 'file' | 'folder'; readonly path: string; readonly outside: boolean };

export type JobInput = {
  readonly name: string;
  readonly keyed: boolean;
  readonly at: SourceRange;
  /** As expressions gave it, paths portable: text, a job, or lists of these. Globs are resolved to lists. */
  value: unknown;
  /** Filled when all rules are expanded. */
  sources: readonly Source[];
};

/** Shared by all jobs that have none of something. */
export const NONE: readonly never[] = [];

export class Job {
  readonly rule: Rule;
  readonly form: PathForm;
  /** The values of the `for` names, jobs among them: paths as they are on disk, and portable. */
  readonly actualBindings: ReadonlyMap<string, unknown>;
  readonly portableBindings: ReadonlyMap<string, unknown>;
  /** The composed config; jobs may stand in it. Paths as the job sees them, and portable, as keys see them. */
  readonly actualConfig: Value;
  readonly portableConfig: Value;
  readonly inputs: readonly JobInput[];
  /** The jobs that count in the job hash: bound in `for`, or named by `inputs`. */
  readonly named: readonly Job[];
  /** Those of them that stand in a `for` binding: all their outputs count. */
  readonly boundJobs: readonly Job[];
  /** Files that the rule's `code` names for this job, sorted; filled when all rules are expanded. */
  code: readonly string[] = NONE;
  readonly hash: JobHash;
  readonly id: JobId;
  /** Which of the values of each `for` name it has, by number: where a later run finds it again. */
  place: readonly number[] | undefined;
  /** Position in the graph's list, which is in topological order once the graph is done. */
  index = -1;
  /** From the workflow's folder, portable. Undefined until worked out. */
  portableDir: string | undefined;
  outputs: readonly JobOutput[] = NONE;
  /** From the workflow's folder, portable. */
  portableLog: string | undefined;
  /** Jobs whose outputs this one reads, each once; and the other way round. */
  upstream: readonly Job[] = NONE;
  readonly downstream: Job[] = [];
  readonly view: JobView;
  private cachedLabel: string | undefined;
  /** Where expressions see the job's folder at the moment, if not where it is. */
  private shownIn: string | undefined;
  private cachedDir: string | undefined;
  private cachedOutputs: { portable: unknown; actual: unknown } | undefined;

  constructor(fields: {
    rule: Rule;
    form: PathForm;
    bindings: TwoForms<ReadonlyMap<string, unknown>>;
    config: TwoForms<Value>;
    inputs: readonly JobInput[];
    named: readonly Job[];
    boundJobs: readonly Job[];
    hash: JobHash;
    id: JobId;
  }) {
    this.rule = fields.rule;
    this.form = fields.form;
    this.actualBindings = fields.bindings.actual;
    this.portableBindings = fields.bindings.portable;
    this.actualConfig = fields.config.actual;
    this.portableConfig = fields.config.portable;
    this.inputs = fields.inputs;
    this.named = fields.named;
    this.boundJobs = fields.boundJobs;
    this.hash = fields.hash;
    this.id = fields.id;
    this.view = new JobView(this);
  }

  /** The values of the `for` names, in the form of the moment. */
  get bindings(): ReadonlyMap<string, unknown> {
    return this.form.isPortable ? this.portableBindings : this.actualBindings;
  }

  /** The composed config, in the form of the moment. */
  get config(): Value {
    return this.form.isPortable ? this.portableConfig : this.actualConfig;
  }

  get hash8(): string {
    return this.hash.slice(0, 8);
  }

  get label(): string {
    return (this.cachedLabel ??= jobLabel(this));
  }

  /** The job's folder as it is on disk, from the workflow's folder. */
  get dir(): string {
    return (this.cachedDir ??= this.form.actual(this.portableDir ?? ''));
  }

  /** The job's folder as expressions see it, in the form and place of the moment. */
  get shownDir(): string {
    return this.shownIn ?? this.form.show(this.portableDir ?? '');
  }

  /**
   * Runs `work` with expressions seeing the job's own folder and outputs in another place, where an attempt of its own makes
   * them. Undefined: where they are.
   * @param place from the workflow's folder
   */
  inPlace<T>(place: string | undefined, work: () => T): T {
    this.shownIn = place;
    try {
      return work();
    } finally {
      this.shownIn = undefined;
    }
  }

  get log(): string {
    return this.form.actual(this.portableLog ?? '');
  }

  get configFile(): string {
    return `.lhb/jobs/${this.id}/config.yaml`;
  }

  get jobFile(): string {
    return `.lhb/jobs/${this.id}/job.json`;
  }

  /** An output's path as it is on disk, from the workflow's folder. */
  pathOf(output: JobOutput): string {
    return output.onDisk;
  }

  /** `outputs` as expressions see it, in the form of the moment: a map by name, or a list. */
  outputsValue(): unknown {
    if (this.shownIn !== undefined) return this.makeOutputsValue();
    const slot = (this.cachedOutputs ??= { portable: undefined, actual: undefined });
    const key = this.form.isPortable ? 'portable' : 'actual';
    return (slot[key] ??= this.makeOutputsValue());
  }

  private makeOutputsValue(): unknown {
    const byName = new Map<string, string | string[]>();
    for (const output of this.outputs) {
      const path =
        this.shownIn !== undefined
          ? `${this.shownIn}/${output.inDir}`
          : this.form.isPortable
            ? output.path
            : output.onDisk;
      if (output.spec.path.kind === 'list') {
        const list = byName.get(output.name);
        if (Array.isArray(list)) list.push(path);
        else byName.set(output.name, [path]);
      } else byName.set(output.name, path);
    }
    return this.rule.outputsAreList ? [...byName.values()] : byName;
  }

  /** `inputs` as expressions see it: a map by name, paths in the form of the moment. */
  inputsValue(): ReadonlyMap<string, unknown> {
    return new Map(this.inputs.map((input) => [input.name, this.showPaths(input.value)]));
  }

  private showPaths(value: unknown): unknown {
    if (typeof value === 'string') return this.form.show(value);
    return Array.isArray(value) ? value.map((item) => this.showPaths(item)) : value;
  }
}
