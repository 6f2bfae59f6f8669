// Selectors, the same for every command: a whole id, a rule's name, an output path or a glob over output paths,
// `where:EXPR`, a unique beginning of an id; tried in this order.
import { posix } from 'node:path';
import { DiagnosticError, error, type Diagnostic, type SourceRange } from '../base/diagnostic.ts';
import { didYouMean, nearest } from '../base/nearest.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { Engine } from '../expr/types.ts';
import { compileGlob, isGlob } from '../fs/glob.ts';
import type { JobGraph } from './graph.ts';
import type { Job } from './job.ts';
import { throughNames } from './resolve.ts';

export type Selector = {
  readonly text: string;
  readonly at: SourceRange;
  /** The option before it that takes a number, where there may be none: `-j`, which this text may have been meant for. */
  readonly behind?: string;
};

export type SelectContext = {
  readonly graph: JobGraph;
  readonly engine: Engine;
  /** Where one stands, from the workflow's folder: what `./x` and `../x` are relative to. */
  readonly here: string;
};

/** How many candidates an error lists. */
const CANDIDATES = 10;

/** The jobs that any of the selectors names, or all that is wrong with them. */
export function selectJobs(context: SelectContext, selectors: readonly Selector[]): Result<Set<Job>> {
  const jobs = new Set<Job>();
  const errors: Diagnostic[] = [];
  for (const selector of selectors) {
    const found = selectOne(context, selector);
    if (found.ok) for (const job of found.value) jobs.add(job);
    else errors.push(...found.error);
  }
  return errors.length > 0 ? err(errors) : ok(jobs);
}

/** The one job that a selector names; more or none is an error. */
export function selectJob(context: SelectContext, selector: Selector): Result<Job> {
  const found = selectOne(context, selector);
  if (!found.ok) return found;
  const [first, ...rest] = found.value;
  if (first !== undefined && rest.length === 0) return ok(first);
  const list = listed(found.value.map((job) => job.id));
  return err([
    error('select/many', `'${selector.text}' names ${found.value.length} jobs, where one is expected: ${list}`, {
      at: selector.at,
      hint: 'give the id of one of them',
    }),
  ]);
}

function selectOne(context: SelectContext, selector: Selector): Result<Job[]> {
  const { graph } = context;
  const { text } = selector;
  const whole = graph.byId.get(text as Job['id']);
  if (whole !== undefined) return ok(throughNames(whole));
  const ofRule = graph.byRule.get(text);
  if (ofRule !== undefined) return ofRuleJobs(selector, ofRule);
  if (text.startsWith('where:')) return selectWhere(context, selector);
  const byPath = selectPath(context, text);
  if (byPath.length > 0) return ok(byPath);
  return selectPrefix(context, selector);
}

function ofRuleJobs(selector: Selector, jobs: readonly Job[]): Result<Job[]> {
  if (jobs.length > 0) return ok([...new Set(jobs.flatMap(throughNames))]);
  return err([
    error('select/nothing', `rule '${selector.text}' has no jobs: its \`for\` or \`where\` leaves none`, {
      at: selector.at,
    }),
  ]);
}

function selectPath({ graph, here }: SelectContext, text: string): Job[] {
  const relative = /^\.\.?(\/|$)/.test(text);
  const path = (relative ? posix.join(here, text) : text).replace(/\/+$/, '');
  const exact = graph.producers.get(path);
  if (exact !== undefined) return [exact.job];
  if (isGlob(path)) {
    const matches = compileGlob(path);
    const jobs = new Set<Job>();
    for (const [output, { job }] of graph.producers) if (matches(output)) jobs.add(job);
    return [...jobs];
  }
  for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
    const producer = graph.producers.get(path.slice(0, slash));
    if (producer?.output.tree) return [producer.job];
  }
  return [];
}

function selectWhere({ graph, engine }: SelectContext, selector: Selector): Result<Job[]> {
  const source = selector.text.slice('where:'.length);
  const at = placeIn(selector.at, source);
  const compiled = engine.compile(source, at);
  if (!compiled.ok) return compiled;
  const expression = compiled.value;
  const jobs: Job[] = [];
  let lacking: Diagnostic | undefined;
  let answered = false;
  for (const job of graph.jobs) {
    const { view } = job;
    // A job that lacks a name used here does not match.
    if (![...expression.names].every((name) => name === 'job' || view.has(name))) continue;
    try {
      const seen = [...expression.names].map((name): [string, unknown] => [
        name,
        name === 'job' ? view : view.get(name),
      ]);
      const value = expression.evaluate(new Map(seen));
      answered = true;
      if (value === true) jobs.push(job);
      if (typeof value === 'boolean') continue;
      const hint = 'write a condition, such as where:a.x == 1';
      const message = `a \`where:\` selector must be true or false, and this is ${String(value)}`;
      return err([error('select/where-not-a-bool', message, { at, hint })]);
    } catch (problem) {
      if (!(problem instanceof DiagnosticError)) throw problem;
      if (problem.diagnostics.some((d) => d.code !== 'expr/no-field')) return err([...problem.diagnostics]);
      lacking ??= problem.diagnostics[0];
    }
  }
  if (jobs.length > 0) return ok(jobs);
  // No job that has the names has the field: a slip in its name.
  if (!answered && lacking) {
    const message = `no job matches '${selector.text}': ${lacking.message}`;
    return err([error('select/nothing', message, { at: lacking.at ?? at, hint: lacking.hint })]);
  }
  const known = new Set(graph.jobs.flatMap((job) => [...job.view.names()]));
  const unknown = [...expression.names].find((name) => !known.has(name));
  return err([
    error('select/nothing', `no job matches '${selector.text}'`, {
      at: selector.at,
      hint:
        unknown === undefined
          ? undefined
          : (didYouMean(unknown, known) ?? `no job has a name '${unknown}'; there are ${listed([...known])}`),
    }),
  ]);
}

/** Where a text stands in what was typed, which may have quotes around it. */
function placeIn(at: SourceRange, text: string): SourceRange {
  const found = at.file.text.slice(at.start, at.end).indexOf(text);
  return found === -1 ? at : { file: at.file, start: at.start + found, end: at.start + found + text.length };
}

function selectPrefix({ graph }: SelectContext, selector: Selector): Result<Job[]> {
  const { text, behind } = selector;
  const ids = text === '' ? [] : [...graph.byId.keys()].filter((id) => id.startsWith(text));
  const [first, ...rest] = ids;
  const job = first && graph.byId.get(first);
  if (job !== undefined && rest.length === 0) return ok(throughNames(job));
  if (job !== undefined) {
    return err([
      error('select/ambiguous', `'${text}' is the beginning of ${ids.length} ids: ${listed(ids)}`, {
        at: selector.at,
        hint: 'give more of the id',
      }),
    ]);
  }
  const message = isGlob(text)
    ? `no output path matches '${text}'`
    : `nothing is called '${text}': no id, rule or output path`;
  return err([
    error('select/nothing', message, {
      at: selector.at,
      hint: behind === undefined ? nearestName(graph, text) : `${behind} takes a whole number, and '${text}' is none`,
    }),
  ]);
}

function nearestName(graph: JobGraph, text: string): string | undefined {
  const rules = [...graph.byRule.keys()];
  const paths = [...graph.producers.keys()].slice(0, 2000);
  const folder = `${text.replace(/\/+$/, '')}/`;
  if (paths.some((path) => path.startsWith(folder))) return `it is a folder of outputs: '${folder}**' is all of them`;
  if (isGlob(text)) {
    const names = new Set(paths.map((path) => posix.basename(path)));
    const name = posix.basename(text);
    const near = names.has(name) ? undefined : nearest(name, names);
    if (near !== undefined) return `did you mean '${posix.join(posix.dirname(text), near)}'?`;
    return '`lhb ls` lists all output paths';
  }
  const near = didYouMean(text, rules) ?? didYouMean(text, paths);
  const prefix = didYouMean(text.slice(0, 16), graph.byId.keys());
  if ((near ?? prefix) === undefined && text.includes('/')) return '`lhb ls` lists all output paths';
  return near ?? prefix ?? `the rules are ${listed(rules)}; \`lhb ls\` lists all output paths, \`lhb summary\` all ids`;
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, CANDIDATES).join(', ');
  return names.length > CANDIDATES ? `${shown}, and ${names.length - CANDIDATES} more` : shown;
}
