// Input paths -> sources and edges, when all rules are expanded; code globs -> files.
import { realpathSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { error, type Diagnostic, type SourceRange } from '../base/diagnostic.ts';
import { didYouMean } from '../base/nearest.ts';
import { err, ok, type Result } from '../base/result.ts';
import { evaluateText } from '../expr/template.ts';
import { unreadableText, UNREADABLE_HINT } from '../fs/errno.ts';
import { compileGlob, expandGlob, isGlob } from '../fs/glob.ts';
import { looks, type Kind } from '../fs/looks.ts';
import { topologicalOrder } from './cycles.ts';
import type { Expander } from './expand.ts';
import type { Job, JobInput, Source } from './job.ts';
import { JobView } from './job-view.ts';
import { nearestPath } from './nearest-path.ts';

/**
 * Fills in the sources of all inputs, the code files, and the edges.
 * @returns the jobs that do something (a rule with `inputs` alone is only a name), in topological order
 */
export function resolveInputs(expander: Expander, jobs: readonly Job[]): Result<Job[]> {
  const resolver = new Resolver(expander);
  for (const job of jobs) {
    for (const input of job.inputs) resolver.resolve(job, input);
    if (job.rule.code.length > 0) job.code = resolver.codeOf(job);
  }
  if (expander.errors.length > 0) return err(expander.errors);
  for (const job of jobs) connect(job);
  const sorted = topologicalOrder(jobs);
  if ('cycle' in sorted) return err([sorted.cycle]);
  const doing = sorted.order.filter((job) => !isName(job));
  for (const job of doing) {
    // A name stands for what it names.
    if (job.upstream.some(isName)) job.upstream = [...new Set(job.upstream.flatMap(throughNames))];
  }
  for (const job of sorted.order) job.downstream.length = 0;
  for (const [index, job] of doing.entries()) {
    job.index = index;
    for (const other of job.upstream) other.downstream.push(job);
  }
  return ok(doing);
}

/** Is the job of a rule with `inputs` and neither `run` nor `outputs`: a name for its inputs. */
export const isName = (job: Job): boolean => job.rule.run === undefined && job.rule.outputs.length === 0;

/** The jobs that a job stands for: itself, or for a name all that it names. */
export function throughNames(job: Job): Job[] {
  return isName(job) ? job.upstream.flatMap(throughNames) : [job];
}

function connect(job: Job): void {
  if (job.inputs.length === 0) {
    job.upstream = job.boundJobs;
    for (const other of job.upstream) other.downstream.push(job);
    return;
  }
  const upstream = new Set<Job>(job.boundJobs);
  for (const input of job.inputs) {
    for (const source of input.sources) if (source.kind === 'job' || source.kind === 'output') upstream.add(source.job);
  }
  job.upstream = [...upstream];
  for (const other of job.upstream) other.downstream.push(job);
}

class Resolver {
  private readonly expander: Expander;
  private readonly root: string;
  private readonly kinds = new Map<string, Kind>();
  /** Where folders lie, links followed. */
  private readonly places = new Map<string, string>();
  private readonly globs = new Map<string, readonly { path: string; source: Source }[]>();
  /** Of files that are named by links, the outputs that these lead to; found out once for all jobs that name them. */
  private readonly behind = new Map<string, string | undefined>();
  private readonly code = new Map<string, readonly string[]>();
  private outputPaths: readonly string[] | undefined;

  constructor(expander: Expander) {
    this.expander = expander;
    this.root = expander.workflow.root;
  }

  resolve(job: Job, input: JobInput): void {
    const sources: Source[] = [];
    const whole = !Array.isArray(input.value);
    const items: unknown[] = [];
    for (const item of [input.value].flat()) {
      if (item instanceof JobView) {
        sources.push({ kind: 'job', job: item.job });
        items.push(item);
        continue;
      }
      const path = this.expander.form.actual(String(item));
      const found = this.readable(
        () => this.path(job, input, path),
        (problem) => this.fail(job, input, 'file/unreadable', problem, UNREADABLE_HINT),
      );
      if (found === undefined) continue;
      for (const { path, source } of found.matches) {
        sources.push(source);
        items.push(source.kind === 'output' && !leadsOut(path) ? portable(source, path) : path);
      }
      if (whole && !found.isGlob) {
        input.value = items[0];
        input.sources = sources;
        return;
      }
    }
    input.sources = sources;
    if (!(whole && input.value instanceof JobView)) input.value = items;
  }

  private path(
    job: Job,
    input: JobInput,
    path: string,
  ): { isGlob: boolean; matches: readonly { path: string; source: Source }[] } | undefined {
    const { expander } = this;
    const clean = path.length > 1 ? path.replace(/\/+$/, '') : path;
    const below = this.below(clean);
    const made = expander.producerOf(below);
    if (made !== undefined) {
      const { job: maker, output } = made.producer;
      return {
        isGlob: false,
        matches: [{ path: clean, source: { kind: 'output', job: maker, output, sub: made.sub } }],
      };
    }
    const kind = this.kindOf(clean);
    const outside = leadsOut(clean);
    if (kind !== 'none') {
      const folder = path.endsWith('/');
      if (folder !== (kind === 'folder')) {
        const message = folder ? `${clean} is a file, not a folder` : `${clean} is a folder`;
        const hint = folder ? 'take the trailing slash away' : `write ${clean}/ : then its whole content is keyed`;
        this.fail(job, input, 'graph/input-kind', message, hint);
        return undefined;
      }
      if (kind === 'folder') this.checkFolder(job, input, below);
      else this.checkFile(job, input, clean, () => realpathSync.native(resolve(this.root, clean)));
      return { isGlob: false, matches: [{ path: clean, source: { kind, path: clean, outside } }] };
    }
    if (isGlob(clean)) {
      const matches = this.glob(clean).filter(({ source }) => source.kind !== 'output' || source.job !== job);
      // Whether one lies behind a link is known since the pattern was looked up.
      if (this.behind.has(clean)) this.failBehind(job, input, clean);
      if (matches.length > 0) return { isGlob: true, matches };
      this.fail(job, input, 'graph/no-match', `${clean} matches no output and no file`, this.nearestTo(clean));
      return undefined;
    }
    this.fail(
      job,
      input,
      'graph/no-such-input',
      `no job makes ${clean}, and there is no such file`,
      this.nearestTo(clean),
    );
    return undefined;
  }

  private glob(pattern: string): readonly { path: string; source: Source }[] {
    let found = this.globs.get(pattern);
    if (found !== undefined) return found;
    const below = this.below(pattern);
    const shown = (path: string): string => (below === pattern ? path : join(this.root, path));
    const matches = compileGlob(below);
    const results: { path: string; source: Source }[] = [];
    for (const [path, { job, output }] of this.expander.producers) {
      if (matches(path)) results.push({ path: shown(path), source: { kind: 'output', job, output, sub: '' } });
    }
    for (const path of expandGlob(this.root, below)) {
      if (path.startsWith('.lhb/') || this.expander.isMade(path)) continue;
      results.push({ path: shown(path), source: { kind: 'file', path: shown(path), outside: false } });
    }
    found = results.sort((a, b) => (a.path < b.path ? -1 : 1));
    this.globs.set(pattern, found);
    for (const { path, source } of found) {
      const made = source.kind === 'file' ? this.outputAt(`${this.placeOf(path)}/${basename(path)}`) : undefined;
      if (made !== undefined) this.behind.set(pattern, made);
    }
    return found;
  }

  /** A folder whose whole content is keyed must hold no output: it would change under its reader. */
  private checkFolder(job: Job, input: JobInput, folder: string): void {
    this.outputPaths ??= [...this.expander.producers.keys()];
    const inside = this.outputPaths.find((path) => folder === '.' || path.startsWith(`${folder}/`));
    if (inside === undefined) return;
    this.fail(
      job,
      input,
      'graph/output-is-source',
      `the folder ${folder}/ holds ${inside}, which is an output`,
      'put the output elsewhere, or name the files that are read',
    );
  }

  /** A path, or pattern, that leads out of the workflow's folder and back into it, from there; others as they are. */
  private below(path: string): string {
    if (!leadsOut(path)) return path;
    const absolute = resolve(this.root, path);
    if (absolute === this.root) return '.';
    return absolute.startsWith(`${this.root}/`) ? absolute.slice(this.root.length + 1) : path;
  }

  /** By way of a link a file may be an output, which would be read without waiting for its job. @param real where it lies */
  private checkFile(job: Job, input: JobInput, path: string, real: () => string): void {
    if (!this.behind.has(path)) this.behind.set(path, this.outputAt(real()));
    this.failBehind(job, input, path);
  }

  private failBehind(job: Job, input: JobInput, path: string): void {
    const made = this.behind.get(path);
    if (made === undefined) return;
    const problem = `${path} is a link, or lies behind one, to ${made}, which is an output`;
    this.fail(job, input, 'graph/output-is-source', problem, `name ${made} itself`);
  }

  /** The output that lies at an absolute path without links, from the workflow's folder. */
  private outputAt(real: string): string | undefined {
    const root = this.placeOf('x');
    if (!real.startsWith(`${root}/`)) return undefined;
    const below = real.slice(root.length + 1);
    return this.expander.producerOf(below) === undefined ? undefined : below;
  }

  /** The folder in which a path lies, links followed. */
  private placeOf(path: string): string {
    const folder = dirname(resolve(this.root, path));
    let place = this.places.get(folder);
    if (place === undefined) this.places.set(folder, (place = realpathSync.native(folder)));
    return place;
  }

  private kindOf(path: string): Kind {
    let kind = this.kinds.get(path);
    if (kind === undefined) {
      const stat = statSync(resolve(this.root, path), { throwIfNoEntry: false });
      kind = stat === undefined ? 'none' : stat.isDirectory() ? 'folder' : 'file';
      this.kinds.set(path, kind);
      looks.kind(path, kind);
    }
    return kind;
  }

  /** Files of the rule's `code` for one job, sorted, each once. */
  codeOf(job: Job): readonly string[] {
    const dynamic = job.rule.code.some((template) => template.kind !== 'constant');
    const scope = dynamic ? this.expander.scopes.ofJob(job) : new Map<string, unknown>();
    const patterns = job.rule.code.map((template) => evaluateText(template, scope));
    const key = patterns.join('\0');
    let files = this.code.get(key);
    if (files === undefined) {
      files = [...new Set(patterns.flatMap((pattern, i) => this.readCode(job, pattern, i)))].sort();
      this.code.set(key, files);
    }
    return files;
  }

  private readCode(job: Job, pattern: string, index: number): readonly string[] {
    const at = job.rule.code[index]?.at ?? job.rule.at;
    const tell = (problem: string): void => {
      const message = `rule '${job.rule.name}': code: ${problem}`;
      this.note(error('file/unreadable', message, { at, hint: UNREADABLE_HINT }));
    };
    return this.readable(() => this.codeFiles(job, pattern, at), tell) ?? [];
  }

  private codeFiles(job: Job, pattern: string, at: SourceRange): readonly string[] {
    const kind = this.kindOf(pattern);
    const found =
      kind === 'file'
        ? [pattern]
        : expandGlob(this.root, kind === 'folder' ? `${pattern.replace(/\/$/, '')}/**` : pattern);
    const files = found.filter(
      (path) => !path.startsWith('.lhb/') && !this.expander.madeBefore(path) && !this.expander.isLog(path),
    );
    const made = files.find((path) => this.expander.producerOf(path) !== undefined);
    if (made !== undefined) {
      this.note(
        error('graph/output-is-source', `rule '${job.rule.name}': the code file ${made} is an output of a job`, {
          at,
          hint: 'name it in `inputs`',
        }),
      );
    }
    if (files.length === 0) {
      this.note(
        error('graph/no-match', `rule '${job.rule.name}': code: ${pattern} matches no file`, {
          at,
          hint: this.nearestTo(pattern),
        }),
      );
    }
    return files;
  }

  /** What `look` finds; undefined where something on the way to it may not be read, which `tell` then gets in a sentence. */
  private readable<T>(look: () => T, tell: (problem: string) => void): T | undefined {
    try {
      return look();
    } catch (cause) {
      const problem = unreadableText(this.root, cause);
      if (problem === undefined) throw cause;
      tell(problem);
      return undefined;
    }
  }

  private nearestTo(path: string): string | undefined {
    return nearestPath(this.root, path) ?? didYouMean(path, [...this.expander.producers.keys()].slice(0, 5000));
  }

  private fail(
    job: Job,
    input: JobInput,
    code: 'file/unreadable' | 'graph/no-such-input' | 'graph/no-match' | 'graph/input-kind' | 'graph/output-is-source',
    problem: string,
    hint: string | undefined,
  ): void {
    const message = `rule '${job.rule.name}': input '${input.name}': ${problem}`;
    this.note(error(code, message, { at: input.at, hint }));
  }

  private note(diagnostic: Diagnostic): void {
    const { errors } = this.expander;
    if (errors.length < 50 && !errors.some((e) => e.message === diagnostic.message)) errors.push(diagnostic);
  }
}

const leadsOut = (path: string): boolean => isAbsolute(path) || path === '..' || path.startsWith('../');

function portable(source: Source & { kind: 'output' }, path: string): string {
  if (source.sub === '') return source.output.path;
  return path.endsWith(source.sub) ? `${source.output.path}/${source.sub}` : path;
}
