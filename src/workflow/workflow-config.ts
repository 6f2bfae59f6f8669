// The workflow's config: files and inline maps merged in order, then --configfile, then --config.
import * as path from 'node:path';
import { DiagnosticError, error, type Diagnostic, type SourceRange } from '../base/diagnostic.ts';
import { err, ok, type Result } from '../base/result.ts';
import { isList, isMap, type Value, type ValueMap } from '../base/value.ts';
import { evaluate } from '../expr/template.ts';
import type { Scope, Template } from '../expr/types.ts';
import { compileNode, type Compiler } from './compile.ts';
import { loadDataFile } from './data-file.ts';
import type { EnvRecord } from './env-record.ts';
import { mergeMaps } from './layers.ts';
import { checkNames, RESERVED } from './names.ts';
import { nodeToValue, textOf, type Node } from './node.ts';
import { getPath, obstacle, setPath } from './paths.ts';
import { readYaml } from './read.ts';

/** `--configfile`: an absolute path, and where it stands on the command line. */
export type ConfigFile = { readonly path: string; readonly at?: SourceRange };

/** `--config name=value`: a dotted path and a YAML value, and where both stand on the command line. */
export type ConfigAssignment = { readonly name: string; readonly value: string; readonly at?: SourceRange };

type Context = {
  readonly root: string;
  readonly compiler: Compiler;
  readonly env: EnvRecord;
  readonly configFiles?: readonly ConfigFile[];
  readonly configSets?: readonly ConfigAssignment[];
  /** Gets the files' paths from the workflow's folder. */
  readonly filesRead: Set<string>;
};

/** The workflow's config, or undefined where some part of it is wrong; all that is wrong is in the issues. */
export function readWorkflowConfig(node: Node | undefined, context: Context): ValueMap | undefined {
  const { issues } = context.compiler;
  let config: ValueMap = new Map();
  let failed = false;
  const merge = (part: ValueMap | undefined): void => {
    if (part === undefined) failed = true;
    else config = mergeMaps(config, part);
  };
  const parts = node === undefined ? [] : node.kind === 'list' ? node.items : [node];
  for (const part of parts) {
    const scope = new Map<string, unknown>([
      ['config', config],
      ['env', context.env],
    ]);
    merge(part.kind === 'map' ? inlineMap(part, scope, context) : namedFile(part, scope, context));
  }
  for (const { path: file, at } of context.configFiles ?? []) {
    const relative = path.relative(context.root, file);
    merge(issues.take(readConfigFile(file, relative.startsWith('..') ? file : relative, at, context)));
  }
  for (const assignment of context.configSets ?? []) {
    const assigned = issues.take(assign(config, assignment));
    if (assigned === undefined) failed = true;
    else config = assigned;
  }
  return failed ? undefined : config;
}

function inlineMap(node: Node, scope: Scope, context: Context): ValueMap | undefined {
  const template = compileNode(node, context.compiler);
  const value = template && evaluated(template, scope, context);
  return isMap(value) ? (value as ValueMap) : undefined;
}

function namedFile(node: Node, scope: Scope, context: Context): ValueMap | undefined {
  const template = textOf(node) === undefined ? undefined : compileNode(node, context.compiler);
  const name = template && evaluated(template, scope, context);
  if (typeof name !== 'string') {
    if (name !== undefined) {
      const message = '`config` must name a file or be a map, and this expression gives neither';
      context.compiler.issues.add(error('workflow/type', message, { at: node.at }));
    }
    return undefined;
  }
  return context.compiler.issues.take(readConfigFile(path.resolve(context.root, name), name, node.at, context));
}

/** What a template of the config gives; its expressions see `env` and the config so far. */
function evaluated(template: Template, scope: Scope, { compiler: { issues } }: Context): unknown {
  const names = new Set(scope.keys());
  const advice = 'expressions in `config` may use env, and the config so far';
  const later = new Map(RESERVED.filter((name) => !names.has(name)).map((name) => [name, advice]));
  const problems = checkNames(template, { field: '`config`', owner: 'the workflow', names, later });
  issues.add(...problems);
  if (problems.length > 0) return undefined;
  try {
    return evaluate(template, scope);
  } catch (problem) {
    if (!(problem instanceof DiagnosticError)) throw problem;
    issues.add(...problem.diagnostics);
    return undefined;
  }
}

function readConfigFile(file: string, shown: string, at: SourceRange | undefined, context: Context): Result<ValueMap> {
  context.filesRead.add(path.relative(context.root, file));
  const read = loadDataFile(file, shown, at);
  if (!read.ok) return read;
  if (read.value === null) return ok(new Map());
  if (isMap(read.value)) return ok(read.value);
  const found = isList(read.value) ? 'a list' : typeof read.value === 'string' ? 'text' : String(read.value);
  return err([error('config/not-a-map', `the config file '${shown}' must hold a map, found ${found}`, { at })]);
}

function assign(config: ValueMap, { name, value, at }: ConfigAssignment): Result<ValueMap> {
  const segments = name.split('.');
  if (segments.includes('')) {
    const message = `--config: '${name}' is no dotted path`;
    return err([error('config/option', message, { at, hint: 'write --config a.b=1' })]);
  }
  const blocked = obstacle(config, segments);
  if (blocked !== undefined) {
    const message = `--config: '${name}' cannot be set, since '${blocked.join('.')}' in the config is no map`;
    return err([error('config/option', message, { at })]);
  }
  const read = readYaml({ name: '--config', text: value });
  if (!read.ok) return err(read.error.map((d) => relocate(d, name, value, at)));
  const given = nodeToValue(read.value);
  const before = getPath(config, segments);
  const merged: Value = isMap(before) && isMap(given) ? mergeMaps(before as ValueMap, given) : given;
  return ok(setPath(config, segments, merged) as ValueMap);
}

/** An error in the YAML of a value, at its place on the command line where the value stands there as it is. */
function relocate(d: Diagnostic, name: string, value: string, at: SourceRange | undefined): Diagnostic {
  const message = `--config ${name}: ${d.message}`;
  if (at === undefined || d.at === undefined) return { ...d, message };
  const offset = at.file.text.slice(at.start, at.end).lastIndexOf(value);
  if (offset === -1) return { ...d, message, at };
  const from = at.start + offset;
  return { ...d, message, at: { file: at.file, start: from + d.at.start, end: from + d.at.end } };
}
