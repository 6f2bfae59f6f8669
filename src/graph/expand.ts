// Workflow -> JobGraph: every rule's jobs, then their edges.
import { join } from 'node:path';
import type { JobId } from '../base/brand.ts';
import { DiagnosticError, error, type Diagnostic } from '../base/diagnostic.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { Value } from '../base/value.ts';
import type { RecordObject } from '../expr/types.ts';
import { loadDataFile } from '../workflow/data-file.ts';
import type { Rule, Workflow } from '../workflow/workflow.ts';
import { ruleReferences } from '../workflow/references.ts';
import { ruleCycle } from './cycles.ts';
import { duplicateOf } from './duplicates.ts';
import { expandRule } from './expand-rule.ts';
import type { JobGraph, Producer } from './graph.ts';
import type { WorkspaceHost } from './host.ts';
import type { Job } from './job.ts';
import { OutputsTwice } from './output-twice.ts';
import { PathForm } from './path-form.ts';
import { resolveInputs } from './resolve.ts';
import { Scopes } from './scope.ts';
import { checkReservedPlaces } from './reserved-places.ts';
import { listOfSome, type Some } from './some.ts';
import { checkOutputTrees } from './trees.ts';

export type Expansion = { readonly graph: JobGraph; readonly scopes: Scopes };

/** What expansion asks of the record: was this path, or a folder above it, an output of some job in this work tree? */
export type MadeBefore = (path: string) => boolean;

/**
 * Expands all rules. `glob()` must never give an output, but outputs are known only afterwards: where a globbed file
 * turns out to be one, or a job's log, the expansion is done again without it.
 */
export function expand(
  workflow: Workflow,
  host: WorkspaceHost,
  env: RecordObject,
  madeBefore: MadeBefore,
): Result<Expansion> {
  const declared = new Set<string>();
  for (let round = 0; ; round++) {
    const expander = new Expander(workflow, host, env, madeBefore, declared);
    const result = expander.expand();
    if (!result.ok || round === 3) return result;
    const made = [...host.globbed].filter((path) => expander.isMade(path));
    if (made.length === 0) return result;
    for (const path of [...result.value.graph.producers.keys(), ...made]) declared.add(path);
    host.forgetGlobs();
  }
}

/** Expands some jobs of a workflow that was expanded before as it stands, with all that they read from. */
export function expandSome(
  workflow: Workflow,
  host: WorkspaceHost,
  env: RecordObject,
  madeBefore: MadeBefore,
  some: Some,
): Result<Expansion> {
  return new Expander(workflow, host, env, madeBefore, new Set()).expand(some);
}

/** What one expansion has so far. */
export class Expander {
  readonly workflow: Workflow;
  readonly host: WorkspaceHost;
  readonly form: PathForm;
  readonly scopes: Scopes;
  readonly producers = new Map<string, Producer>();
  /** Files that rules name for what their jobs say. */
  readonly logs = new Set<string>();
  readonly madeBefore: MadeBefore;
  readonly errors: Diagnostic[] = [];
  readonly warnings: Diagnostic[] = [];
  private readonly configs = new Map<string, Result<Value>>();
  private readonly twice = new OutputsTwice();
  private readonly byId = new Map<JobId, Job>();
  private readonly byRule = new Map<string, Job[]>();

  constructor(
    workflow: Workflow,
    host: WorkspaceHost,
    env: RecordObject,
    madeBefore: MadeBefore,
    declared: ReadonlySet<string>,
  ) {
    this.workflow = workflow;
    this.host = host;
    this.form = new PathForm(workflow.output);
    this.scopes = new Scopes(workflow, env, this.form);
    this.madeBefore = madeBefore;
    host.isOutput = (path) => declared.has(path) || this.isMade(path);
  }

  /** @param some the jobs to make; undefined: all */
  expand(some?: Some): Result<Expansion> {
    const order = this.ruleOrder();
    if (!order.ok) return order;
    const failed = new Set<string>();
    for (const rule of order.value) {
      const needs = ruleReferences(rule, this.workflow.rules.keys());
      // What a rule names is missing: its own errors would only follow from that.
      if ([...needs].some((name) => failed.has(name))) {
        failed.add(rule.name);
        continue;
      }
      const errorsBefore = this.errors.length;
      const part = some?.get(rule.name);
      const jobs = some !== undefined && part === undefined ? [] : expandRule(this, rule, needs, part?.places);
      this.errors.push(...this.twice.take());
      this.byRule.set(rule.name, jobs);
      const views = jobs.map((job) => job.view);
      const list = part ? listOfSome(views, part) : views;
      this.scopes.defineRule(rule.name, rule.for.length === 0 && views.length === 1 ? views[0] : list);
      if (this.errors.length > errorsBefore) failed.add(rule.name);
    }
    if (this.errors.length > 0) return err(this.errors);
    const jobs = resolveInputs(this, [...this.byRule.values()].flat());
    if (!jobs.ok) return jobs;
    checkOutputTrees(this, jobs.value);
    checkReservedPlaces(this, jobs.value);
    if (this.errors.length > 0) return err(this.errors);
    const { workflow, form, byId, byRule, producers, warnings } = this;
    return ok({ graph: { workflow, form, jobs: jobs.value, byId, byRule, producers, warnings }, scopes: this.scopes });
  }

  /**
   * Takes a worked-out job into the graph.
   * @returns the job, or the equal one that is there already, or undefined with an error noted
   */
  add(job: Job): Job | undefined {
    const there = this.byId.get(job.id);
    if (there !== undefined) {
      if (there.hash !== job.hash) {
        this.errors.push(
          error('graph/id-collision', `two job hashes have the id ${job.id}: ${there.hash} and ${job.hash}`, {
            at: job.rule.at,
            hint: 'give one of the rules another prefix',
          }),
        );
        return undefined;
      }
      const difference = duplicateOf(there, job, this.scopes);
      if (difference === undefined) return there;
      this.errors.push(
        error(
          'graph/duplicate-job',
          `rule '${job.rule.name}' has two entries with one job hash (${job.id}) that differ: ${difference}`,
          {
            at: job.rule.at,
            hint: 'put what tells them apart into the config, or make the entries equal',
          },
        ),
      );
      return undefined;
    }
    this.byId.set(job.id, job);
    if (job.rule.log) this.logs.add(job.log);
    for (const output of job.outputs) {
      const path = job.pathOf(output);
      const other = this.producers.get(path);
      if (other === undefined) this.producers.set(path, { job, output });
      else {
        this.twice.add({ path, output, job, first: other });
      }
    }
    return job;
  }

  /** The data of a config layer's file; read once. */
  readonly readConfig = (path: string): Result<Value> => {
    let read = this.configs.get(path);
    if (read === undefined) {
      read = loadDataFile(join(this.workflow.root, path), path);
      this.configs.set(path, read);
      this.host.filesRead.add(path);
    }
    return read;
  };

  /** Is this file made by a job, as an output of the workflow or of an earlier one, or as its log? */
  isMade(path: string): boolean {
    return this.producerOf(path) !== undefined || this.isLog(path) || this.madeBefore(path);
  }

  /** The log of a job, or of an earlier attempt of it. */
  isLog(path: string): boolean {
    return this.logs.has(path) || this.logs.has(path.replace(/\.\d+$/, ''));
  }

  /** Who makes a path on disk: the job whose output it is, or in whose output tree it lies. */
  producerOf(path: string): { producer: Producer; sub: string } | undefined {
    const exact = this.producers.get(path);
    if (exact !== undefined) return { producer: exact, sub: '' };
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const producer = this.producers.get(path.slice(0, slash));
      if (producer?.output.tree) return { producer, sub: path.slice(slash + 1) };
    }
    return undefined;
  }

  /** Notes what a DiagnosticError says, with the rule's name in front; other errors pass. */
  note(rule: Rule, problem: unknown): void {
    if (!(problem instanceof DiagnosticError)) throw problem;
    for (const diagnostic of problem.diagnostics) {
      const named = diagnostic.message.includes(`'${rule.name}'`);
      const message = named ? diagnostic.message : `rule '${rule.name}': ${diagnostic.message}`;
      // Each value of a `where` that is none would be one more.
      const alike = diagnostic.code === 'graph/where-not-a-bool';
      const known = this.errors.some(
        (e) => (e.message === message || (alike && e.code === diagnostic.code)) && e.at?.start === diagnostic.at?.start,
      );
      if (!known) this.errors.push({ ...diagnostic, message, at: diagnostic.at ?? rule.at });
    }
  }

  /** Rules after those that their expressions name. */
  private ruleOrder(): Result<Rule[]> {
    const { rules } = this.workflow;
    const order: Rule[] = [];
    const state = new Map<string, 'open' | 'done'>();
    const path: string[] = [];
    const visit = (rule: Rule): string[] | undefined => {
      if (state.get(rule.name) === 'done') return undefined;
      if (state.get(rule.name) === 'open') return [...path.slice(path.indexOf(rule.name)), rule.name];
      state.set(rule.name, 'open');
      path.push(rule.name);
      for (const name of ruleReferences(rule, rules.keys())) {
        const next = rules.get(name);
        const circle = next && visit(next);
        if (circle) return circle;
      }
      path.pop();
      state.set(rule.name, 'done');
      order.push(rule);
      return undefined;
    };
    for (const rule of rules.values()) {
      const circle = visit(rule);
      if (circle) return err([ruleCycle(circle, rules)]);
    }
    return ok(order);
  }
}
