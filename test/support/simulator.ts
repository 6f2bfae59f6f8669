// What a random workflow must make, worked out without the program: its jobs, what they read, the bytes of their outputs,
// and names for "the same job" and "the same action" that follow the specification's table of keys.
import { createHash } from 'node:crypto';
import { readOutput, shapeLetters, type Model, type RuleModel } from './random-workflow.ts';

export type SimulatedJob = {
  readonly rule: RuleModel;
  readonly dir: string;
  /** The line that the job leaves in ran.log. */
  readonly name: string;
  /** Stands for the job hash. */
  readonly hash: string;
  /** Stands for the action key. */
  readonly action: string;
  readonly upstream: readonly SimulatedJob[];
  /** Undefined: the job fails, or one that it needs does. */
  readonly result: Result | undefined;
};

export type Result = {
  /** Path inside the job's folder → text; of m.json the part that counts. */
  readonly files: Readonly<Record<string, string>>;
};

/** All jobs of a model, those that others need first. */
export function simulate(model: Model): readonly SimulatedJob[] {
  const byRule: SimulatedJob[][] = [];
  for (const rule of model.rules) byRule.push(jobsOf(rule, model, byRule));
  return byRule.flat();
}

type Binding = { readonly up: SimulatedJob | undefined; readonly values: readonly (string | number)[] };

function jobsOf(rule: RuleModel, model: Model, before: readonly (readonly SimulatedJob[])[]): SimulatedJob[] {
  const boundLink = rule.links.find((link) => link.how === 'bound');
  const ups: readonly (SimulatedJob | undefined)[] =
    boundLink === undefined ? [undefined] : (before[boundLink.from] ?? []);
  let bindings: readonly Binding[] = ups.map((up) => ({ up, values: [] }));
  for (const axis of rule.axes) {
    const list = model.config[`${rule.name}_${axis}`];
    const values = Array.isArray(list) ? list : [];
    bindings = bindings.flatMap((binding) =>
      values.map((value) => ({ up: binding.up, values: [...binding.values, value] })),
    );
  }
  return bindings
    .filter(({ values }) => rule.without === undefined || values[0] !== rule.without)
    .map((binding) => jobOf(rule, model, before, binding));
}

function jobOf(
  rule: RuleModel,
  model: Model,
  before: readonly (readonly SimulatedJob[])[],
  { up, values }: Binding,
): SimulatedJob {
  const k = model.config[`${rule.name}_k`];
  const parts = [...(up === undefined ? [] : [up.dir.slice('out/'.length)]), ...values.map(String)];
  const dir = `out/${[rule.name, ...parts].join('_')}`;
  const label = [...parts, String(k)].join('|');
  const code = model.files[`code/${rule.name}.txt`] ?? '';
  const leaf = rule.leaf ? (model.files[`in/${rule.name}.txt`] ?? '') : undefined;

  const hashed: SimulatedJob[] = up === undefined ? [] : [up];
  const upstream = [...hashed];
  const read = leaf === undefined ? [] : [leaf];
  const seen: unknown[] = up === undefined ? [] : [up.result?.files];
  if (up !== undefined) read.push(up.result?.files['o.txt'] ?? '');
  for (const link of rule.links.filter((entry) => entry.how !== 'bound')) {
    const from = [...(before[link.from] ?? [])];
    if (link.how === 'glob') from.sort((a, b) => (`${a.dir}/` < `${b.dir}/` ? -1 : 1));
    else hashed.push(...from);
    upstream.push(...from);
    for (const job of from) {
      const path = readOutput(job.rule).path;
      read.push(job.result?.files[path] ?? '');
      seen.push(link.how === 'whole' ? job.result?.files : [job.dir, job.result?.files[path]]);
    }
  }

  const config = rule.layers ? ['layers', k, values] : ['bindings', values];
  const hash = digest([rule.name, config, hashed.map((job) => job.hash)]);
  const action = digest([hash, rule.salt, rule.mode, rule.width, shapeLetters(rule), label, leaf, code, seen]);
  const fails = code.startsWith('FAIL') || upstream.some((job) => job.result === undefined);
  const lines = code.split(/(?<=\n)/).filter((line) => !line.startsWith('#'));
  const text = [`${rule.salt}\n${rule.mode}\n${label}\n`, ...lines, ...read].join('');
  const result = fails ? undefined : { files: filesOf(rule, label, digestText(text).slice(0, rule.width)) };
  return { rule, dir, name: `${rule.name} ${label}`, hash, action, upstream, result };
}

function filesOf(rule: RuleModel, label: string, value: string): Readonly<Record<string, string>> {
  return {
    'o.txt': `${value}\n`,
    ...(rule.shape.tree ? { 't/part': `${value.slice(0, 1)}\n`, 't/sub/label': `${label}\n` } : {}),
    ...(rule.shape.meta ? { 'm.json': value } : {}),
    ...(rule.shape.temp ? { 'x.txt': `x${value}\n` } : {}),
  };
}

function digest(value: unknown): string {
  return digestText(JSON.stringify(value));
}

function digestText(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** A job and all that it needs, those of a rule's jobs together. */
export function closure(jobs: readonly SimulatedJob[], rule: string | undefined): readonly SimulatedJob[] {
  if (rule === undefined) return jobs;
  const needed = new Set<SimulatedJob>();
  const add = (job: SimulatedJob): void => {
    if (needed.has(job)) return;
    needed.add(job);
    job.upstream.forEach(add);
  };
  jobs.filter((job) => job.rule.name === rule).forEach(add);
  return jobs.filter((job) => needed.has(job));
}
