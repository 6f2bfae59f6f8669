// One rule -> its jobs: `for`, `where`, config, inputs, job hash, dir, outputs, log, in this order.
import { error, DiagnosticError } from '../base/diagnostic.ts';
import { isMap, type Key, type Value } from '../base/value.ts';
import { scalarText } from '../expr/text.ts';
import { each, evaluate, evaluateText, pathsOf } from '../expr/template.ts';
import type { Scope, Template } from '../expr/types.ts';
import { isGlob } from '../fs/glob.ts';
import { parseRelPath } from '../fs/rel-path.ts';
import { removePaths } from '../workflow/layers.ts';
import type { OutputSpec, Rule } from '../workflow/workflow.ts';
import type { Expander } from './expand.ts';
import { jobHash, jobId } from './job-hash.ts';
import { Job, NONE, type JobInput, type JobOutput } from './job.ts';
import { JobView } from './job-view.ts';
import { OUTPUT_TOKEN, type TwoForms } from './path-form.ts';
import { bindingsOf, eachForm, layeredConfig, pathHolder, withPortable, type BothScopes } from './two-forms.ts';

/** How many errors of one rule are worth reading: the jobs of a rule tend to fail alike. */
const ENOUGH_ERRORS = 20;

/**
 * The jobs of a rule, each once. What is wrong is noted in the expander.
 * @param named the rules that this rule's expressions name
 * @param only where given, the jobs to make, by their places (see Job.place), in their order
 */
export function expandRule(
  expander: Expander,
  rule: Rule,
  named: ReadonlySet<string>,
  only: readonly (readonly number[])[] = [],
): Job[] {
  const jobs = new Set<Job>();
  const errorsBefore = expander.errors.length;
  const { form, scopes } = expander;
  const scope: BothScopes = { actual: scopes.base(), portable: form.inPortable(() => scopes.base()) };
  const frame: Frame = {
    expander,
    rule,
    named,
    scope,
    holdsPaths: pathHolder(rule, named),
    lists: iteratedLists(rule),
    sortedNames: rule.for.map(({ name }) => name).sort(),
    jobsOf: rememberingJobs(),
  };
  const axisHolds = rule.for.map((axis) => frame.holdsPaths(axis.value));

  const place: number[] = [];

  // `from` and `to`: which of the places in `only` begin as `place` does.
  const bind = (depth: number, from: number, to: number): void => {
    if (expander.errors.length - errorsBefore >= ENOUGH_ERRORS) return;
    const axis = rule.for[depth];
    if (axis === undefined) {
      try {
        if (!accepts(rule, scope.actual)) return;
        const job = expander.add(makeJob(frame));
        if (job !== undefined) jobs.add(job);
        if (job !== undefined) job.place ??= [...place];
      } catch (problem) {
        expander.note(rule, problem);
      }
      return;
    }
    let values: TwoForms<readonly unknown[]>;
    try {
      const actual = axisValues(rule, axis.name, axis.value, scope.actual);
      const again = (): readonly unknown[] => axisValues(rule, axis.name, axis.value, scope.portable);
      values = axisHolds[depth] ? withPortable(form, actual, again) : { actual, portable: actual };
    } catch (problem) {
      expander.note(rule, problem);
      return;
    }
    const portable = values.portable.length === values.actual.length ? values.portable : values.actual;
    const bindTo = (i: number, first: number, end: number): void => {
      place[depth] = i;
      scope.actual.set(axis.name, values.actual[i]);
      scope.portable.set(axis.name, portable[i]);
      bind(depth + 1, first, end);
    };
    if (only.length === 0) for (const i of values.actual.keys()) bindTo(i, 0, 0);
    for (let first = from, end = from; first < to; first = end) {
      const i = only[first]?.[depth] ?? 0;
      while (end < to && only[end]?.[depth] === i) end++;
      bindTo(i, first, end);
    }
    scope.actual.delete(axis.name);
    scope.portable.delete(axis.name);
  };
  bind(0, 0, only.length);
  return [...jobs];
}

function axisValues(rule: Rule, name: string, template: Template, scope: Map<string, unknown>): readonly unknown[] {
  const value = evaluate(template, scope);
  if (Array.isArray(value)) return value;
  // A one-job rule is its job, and as an axis the list of it.
  if (value instanceof JobView) return [value];
  const found = isMap(value)
    ? 'a map'
    : value === null
      ? 'null'
      : typeof value === 'string'
        ? 'text'
        : (scalarText(value) ?? 'something else');
  throw new DiagnosticError([
    error('graph/for-not-a-list', `rule '${rule.name}': \`for\` name '${name}' must be a list, and is ${found}`, {
      at: template.at,
      hint: isMap(value) ? 'entries(map) gives a list of {key, value}' : 'write [x] for a list of one',
    }),
  ]);
}

function accepts(rule: Rule, scope: Map<string, unknown>): boolean {
  if (rule.where === undefined) return true;
  const value = rule.where.evaluate(scope);
  if (typeof value === 'boolean') return value;
  throw new DiagnosticError([
    error('graph/where-not-a-bool', `rule '${rule.name}': \`where\` must be true or false, and is ${String(value)}`, {
      at: rule.where.at,
      hint: 'write a condition, such as a.x == 1',
    }),
  ]);
}

/** `for` names and paths in them over which a later `for` name iterates: `exp` -> [['seeds']] for `exp.seeds`. */
function iteratedLists(rule: Rule): ReadonlyMap<string, readonly (readonly string[])[]> {
  const earlier = new Set<string>();
  const found = new Map<string, (readonly string[])[]>();
  for (const axis of rule.for) {
    for (const path of pathsOf(axis.value)) {
      const [name = '', ...rest] = path.split('.');
      if (!earlier.has(name) || rest.length === 0) continue;
      const paths = found.get(name) ?? [];
      paths.push(rest);
      found.set(name, paths);
    }
    earlier.add(axis.name);
  }
  return found;
}

/** What the jobs of a rule have in common while they are made. */
type Frame = {
  readonly expander: Expander;
  readonly rule: Rule;
  readonly named: ReadonlySet<string>;
  readonly scope: BothScopes;
  readonly holdsPaths: (template: Template) => boolean;
  readonly lists: ReadonlyMap<string, readonly (readonly string[])[]>;
  /** The `for` names by code unit: the order in which their jobs count. */
  readonly sortedNames: readonly string[];
  readonly jobsOf: (value: unknown) => readonly Job[];
};

function makeJob(frame: Frame): Job {
  const { expander, rule, scope, holdsPaths, lists } = frame;
  const { form } = expander;
  const bindings = bindingsOf(rule, scope);
  const config = rule.config
    ? layeredConfig(expander, rule.config, scope, holdsPaths)
    : eachForm(bindings, (values) => bindingsConfig(values, lists));
  const keyed = rule.unkeyed.length > 0 ? removePaths(config.portable, rule.unkeyed) : config.portable;
  const upstream: (readonly Job[])[] = [];
  for (const name of frame.sortedNames) {
    const jobs = frame.jobsOf(bindings.actual.get(name));
    if (jobs.length > 0) upstream.push(jobs);
  }
  const boundJobs = eachOnce(upstream);
  return form.inPortable(() => {
    const { inputs, jobs: inputJobs } = evaluateInputs(expander, rule, frame.named, scope.portable);
    upstream.push(...inputJobs);
    const named = inputJobs.length === 0 ? boundJobs : eachOnce(upstream);
    const hash = jobHash(rule.prefix, keyed, upstream);
    const id = jobId(rule.prefix, hash);
    const job = new Job({ rule, form, bindings, config, inputs, named, boundJobs, hash, id });
    placeJob(expander, job);
    return job;
  });
}

/** All jobs of some lists, each once. */
function eachOnce(lists: readonly (readonly Job[])[]): readonly Job[] {
  const [first] = lists;
  if (first === undefined) return NONE;
  return lists.length === 1 && first.length === 1 ? first : [...new Set(lists.flat())];
}

/** jobsIn, which looks into an object once: a job, a map or a list is bound again and again. */
function rememberingJobs(): (value: unknown) => readonly Job[] {
  const known = new Map<object, readonly Job[]>();
  return (value) => {
    if (typeof value !== 'object' || value === null) return NONE;
    let jobs = known.get(value);
    if (jobs === undefined) known.set(value, (jobs = jobsIn(value)));
    return jobs;
  };
}

/** The default config: the bindings, without lists over which a later `for` name iterates. */
function bindingsConfig(
  bindings: ReadonlyMap<string, unknown>,
  lists: ReadonlyMap<string, readonly (readonly string[])[]>,
): Value {
  if (lists.size === 0) return bindings as ReadonlyMap<Key, Value>;
  const config = new Map<Key, Value>();
  for (const [name, value] of bindings) {
    let kept = value as Value;
    for (const path of lists.get(name) ?? []) kept = withoutList(kept, path);
    config.set(name, kept);
  }
  return config;
}

function withoutList(value: Value, path: readonly string[]): Value {
  const [key, ...rest] = path;
  if (key === undefined || !isMap(value)) return value;
  const child = value.get(key);
  if (child === undefined) return value;
  if (rest.length === 0 && !Array.isArray(child)) return value;
  const copy = new Map(value);
  if (rest.length === 0) copy.delete(key);
  else copy.set(key, withoutList(child, rest));
  return copy;
}

/** All jobs in a value, in the order in which they stand there. */
export function jobsIn(value: unknown): Job[] {
  if (value instanceof JobView) return [value.job];
  if (Array.isArray(value)) return value.flatMap(jobsIn);
  if (isMap(value)) return [...value.values()].flatMap(jobsIn);
  return [];
}

const NO_INPUTS = { inputs: [], jobs: [] };

/** The inputs as expressions give them, and for each that names jobs these jobs, in the order of the inputs' names. */
function evaluateInputs(
  expander: Expander,
  rule: Rule,
  named: ReadonlySet<string>,
  scope: ReadonlyMap<string, unknown>,
): { inputs: JobInput[]; jobs: Job[][] } {
  if (rule.inputs.length === 0) return NO_INPUTS;
  const inputs: JobInput[] = [];
  const byName = new Map<string, Job[]>();
  const values = each(rule.inputs, (spec) => checkedInput(rule, spec.name, evaluate(spec.value, scope), spec.value.at));
  for (const [i, spec] of rule.inputs.entries()) {
    const value = values[i];
    inputs.push({ name: spec.name, keyed: spec.keyed, at: spec.value.at, value, sources: NONE });
    if (!spec.keyed) continue;
    const jobs = [value].flat().flatMap((item) => {
      if (item instanceof JobView) return [item.job];
      if (typeof item !== 'string' || isGlob(item)) return [];
      const producer = expander.producerOf(expander.form.actual(item).replace(/\/$/, ''))?.producer;
      return producer && named.has(producer.job.rule.name) ? [producer.job] : [];
    });
    if (jobs.length > 0) byName.set(spec.name, jobs);
  }
  const names = [...byName.keys()].sort();
  return { inputs, jobs: names.map((name) => byName.get(name) ?? []) };
}

/** Text, a job, or a flat list of these; paths normalised, a trailing slash kept. */
function checkedInput(rule: Rule, name: string, value: unknown, at: Template['at']): unknown {
  if (Array.isArray(value)) return value.flatMap((item) => checkedInput(rule, name, item, at));
  if (value instanceof JobView) return value;
  if (typeof value === 'string' && value !== '') return normalInput(value);
  const found = isMap(value) ? 'a map' : value === '' ? 'empty text' : String(value);
  throw new DiagnosticError([
    error(
      'graph/input-not-a-path',
      `rule '${rule.name}': input '${name}' must be a path, a job, or a list of these, and is ${found}`,
      {
        at,
      },
    ),
  ]);
}

function normalInput(path: string): string {
  const parsed = parseRelPath(path);
  if (!parsed.ok) return path; // absolute, or outside the workflow's folder: counts by its content
  return path.endsWith('/') ? `${parsed.value}/` : parsed.value;
}

/** Works out `dir`, `outputs` and `log`. Paths are portable here. */
function placeJob(expander: Expander, job: Job): void {
  const { rule } = job;
  const scope = expander.scopes.ofJob(job);
  job.portableDir = rule.dir
    ? relPath(rule, 'dir', evaluateText(rule.dir, scope), rule.dir)
    : `${OUTPUT_TOKEN}/${rule.name}/${job.id}`;
  const [first] = rule.outputs;
  if (first !== undefined) {
    job.outputs =
      rule.outputs.length === 1
        ? outputPaths(job, first, scope)
        : rule.outputs.flatMap((spec) => outputPaths(job, spec, scope));
  }
  if (rule.log) scope.set('outputs', job.outputsValue());
  job.portableLog = rule.log
    ? relPath(rule, 'log', evaluateText(rule.log, scope), rule.log)
    : `.lhb/logs/${rule.name}/${job.id}.log`;
}

function outputPaths(job: Job, spec: OutputSpec, scope: Scope): JobOutput[] {
  if (spec.path.kind !== 'list') return [outputPath(job, spec, evaluateText(spec.path, scope))];
  return spec.path.items.map((item) => outputPath(job, spec, evaluateText(item, scope)));
}

function outputPath(job: Job, spec: OutputSpec, text: string): JobOutput {
  const parsed = parseRelPath(text);
  if (!parsed.ok) throw escapes(job.rule, `output '${spec.name}'`, parsed.error, spec.path);
  const inDir = parsed.value;
  if (inDir === '.')
    throw escapes(job.rule, `output '${spec.name}'`, `'${text}' is the job's folder itself`, spec.path);
  const path = job.portableDir === '.' ? inDir : `${job.portableDir}/${inDir}`;
  return { name: spec.name, path, inDir, onDisk: job.form.actual(path), tree: text.endsWith('/'), spec };
}

function relPath(rule: Rule, what: string, text: string, template: Template): string {
  const parsed = parseRelPath(text);
  if (!parsed.ok) throw escapes(rule, what, parsed.error, template);
  return parsed.value;
}

const escapes = (rule: Rule, what: string, problem: string, template: Template): DiagnosticError =>
  new DiagnosticError([
    error('graph/bad-path', `rule '${rule.name}': ${what}: ${problem}`, {
      at: template.at,
      hint: "output paths lie below the job's `dir`, and `dir` below the workflow's folder",
    }),
  ]);
