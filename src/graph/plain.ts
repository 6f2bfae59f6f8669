// A job's values as data: what its config file, its job file and its record hold.
import { isMap, toJsonText, type Key, type Value, type ValueMap } from '../base/value.ts';
import { readJson } from '../workflow/json-text.ts';
import { removePaths } from '../workflow/layers.ts';
import type { Job, JobInput, Source } from './job.ts';
import { JobView } from './job-view.ts';

const plainConfigs = new WeakMap<Job, Value>();

/** A job's config as data: a job in it is a map of id, dir, config and outputs. */
export function plainConfig(job: Job): Value {
  let config = plainConfigs.get(job);
  if (config === undefined) {
    config = plain(job.actualConfig);
    plainConfigs.set(job, config);
  }
  return config;
}

function plain(value: unknown): Value {
  if (value instanceof JobView) return jobMap(value.job);
  if (Array.isArray(value)) return value.some(holdsJob) ? value.map(plain) : (value as Value[]);
  if (isMap(value)) return holdsJob(value) ? new Map([...value].map(([k, v]) => [k, plain(v)])) : value;
  return value as Value;
}

const holdsJob = (value: unknown): boolean =>
  value instanceof JobView ||
  (Array.isArray(value) && value.some(holdsJob)) ||
  (isMap(value) && [...value.values()].some(holdsJob));

const jobMap = (job: Job): ValueMap =>
  new Map<Key, Value>([
    ['id', job.id],
    ['dir', job.dir],
    ['config', plainConfig(job)],
    ['outputs', job.outputsValue() as Value],
  ]);

/** The config as JSON for the record, as keys see it: a job in it is its id, paths are portable. */
export function recordedConfig(job: Job): string {
  const withIds = (value: unknown): Value => {
    if (value instanceof JobView) return value.job.id;
    if (Array.isArray(value)) return value.map(withIds);
    if (isMap(value)) return new Map([...value].map(([k, v]) => [k, withIds(v)]));
    return value as Value;
  };
  return toJsonText(withIds(job.portableConfig));
}

/** What counts in keys of a config as `recordedConfig` gives it. @param unkeyed the rule's paths that do not */
export function keyedConfig(config: string, unkeyed: readonly string[]): string {
  if (unkeyed.length === 0 || config === '') return config;
  const read = readJson({ name: 'config', text: config });
  return read.ok ? toJsonText(removePaths(read.value, unkeyed)) : config;
}

/**
 * The text of job.json: id, rule, label, dir, config, `for` names, inputs, outputs, resources, attempt. An input that is
 * a job or a job's output stands there with that job's id, config and `for` names.
 */
export function jobFileText(job: Job, attempt: number, resources: ReadonlyMap<string, Value>): string {
  const inputs = new Map<Key, Value>(job.inputs.map((input) => [input.name, inputData(input)]));
  const data = new Map<Key, Value>([
    ['format', 1n],
    ['id', job.id],
    ['hash', job.hash],
    ['rule', job.rule.name],
    ['label', job.label],
    ['dir', job.shownDir],
    ['config', plainConfig(job)],
    ['for', forNames(job)],
    ['inputs', inputs],
    ['outputs', job.outputsValue() as Value],
    ['resources', resources],
    ['attempt', BigInt(attempt)],
  ]);
  return `${toJsonText(data, 1)}\n`;
}

function inputData(input: JobInput): Value {
  const data = input.sources.map(sourceData);
  return Array.isArray(input.value) ? data : (data[0] ?? null);
}

function sourceData(source: Source): Value {
  if (!('job' in source)) return source.path;
  const { job } = source;
  const of: [Key, Value][] = [
    ['id', job.id],
    ['rule', job.rule.name],
    ['label', job.label],
    ['dir', job.dir],
    ['config', plainConfig(job)],
    ['for', forNames(job)],
  ];
  if (source.kind === 'job') return new Map([...of, ['outputs', job.outputsValue() as Value]]);
  const path = job.pathOf(source.output);
  return new Map<Key, Value>([['path', source.sub === '' ? path : `${path}/${source.sub}`], ...of]);
}

const forNames = (job: Job): ValueMap => new Map([...job.actualBindings].map(([name, value]) => [name, plain(value)]));
