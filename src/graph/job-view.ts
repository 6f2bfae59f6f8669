// A job as expressions see it.
import { DiagnosticError, error } from '../base/diagnostic.ts';
import { didYouMean } from '../base/nearest.ts';
import { RecordObject } from '../expr/types.ts';
import type { Job } from './job.ts';

const FIELDS = [
  'id',
  'hash',
  'hash8',
  'label',
  'rule',
  'dir',
  'config',
  'inputs',
  'outputs',
  'log',
  'config_file',
  'file',
];

export class JobView extends RecordObject {
  readonly job: Job;
  constructor(job: Job) {
    super();
    this.job = job;
  }

  get id(): string {
    return this.job.id;
  }

  override form(): string {
    return this.job.form.isPortable ? 'portable' : '';
  }

  override asList(): readonly unknown[] | undefined {
    return this.job.rule.for.length === 0 ? [this] : undefined;
  }

  override has(name: string): boolean {
    return this.job.bindings.has(name) || FIELDS.includes(name);
  }

  override names(): readonly string[] {
    return [...FIELDS, ...this.job.bindings.keys()];
  }

  override get(name: string): unknown {
    const { job } = this;
    switch (name) {
      case 'id':
        return job.id;
      case 'hash':
        return job.hash;
      case 'hash8':
        return job.hash8;
      case 'label':
        return job.label;
      case 'rule':
        return job.rule.name;
      case 'dir':
        if (job.portableDir === undefined) throw tooEarly(job, 'dir');
        return job.shownDir;
      case 'config':
        return job.config;
      case 'inputs':
        return job.inputsValue();
      case 'outputs':
        if (job.portableDir === undefined) throw tooEarly(job, 'outputs');
        return job.outputsValue();
      case 'log':
        if (job.portableLog === undefined) throw tooEarly(job, 'log');
        return job.form.isPortable ? '${{ job.log }}' : job.log;
      case 'config_file':
        return job.form.isPortable ? '${{ job.config_file }}' : job.configFile;
      case 'file':
        return job.form.isPortable ? '${{ job.file }}' : job.jobFile;
      default:
        break;
    }
    const bound = job.bindings.get(name);
    if (bound !== undefined) return bound;
    throw new DiagnosticError([
      error('expr/no-field', `a job of rule '${job.rule.name}' has no field '${name}'`, {
        hint: didYouMean(name, this.names()) ?? `it has ${this.names().join(', ')}`,
      }),
    ]);
  }
}

const tooEarly = (job: Job, field: string): DiagnosticError =>
  new DiagnosticError([
    error('expr/too-early', `rule '${job.rule.name}': job.${field} is not known yet here`, {
      hint: '`dir` is worked out first, then `outputs`, then `log`',
    }),
  ]);
