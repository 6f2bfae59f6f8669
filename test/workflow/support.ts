// Helpers of the workflow's tests: sources in memory, workflows in a temp folder, errors as short text.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { lineColumn, type Diagnostic, type SourceFile } from '../../src/base/diagnostic.ts';
import type { Result } from '../../src/base/result.ts';
import type { Value } from '../../src/base/value.ts';
import { createEngine } from '../../src/expr/cel.ts';
import { loadWorkflow, type LoadOptions } from '../../src/workflow/check.ts';
import { EnvRecord } from '../../src/workflow/env-record.ts';
import { nodeToValue } from '../../src/workflow/node.ts';
import { readYaml } from '../../src/workflow/read.ts';
import type { Rule, Workflow } from '../../src/workflow/workflow.ts';

export const source = (text: string, name = 'f.yaml'): SourceFile => ({ name, text });

export const engine = createEngine({ glob: () => [], load: () => null, listfile: () => 'list.txt', fileMb: () => 1 });

/** `2:5 code: message`, with `| hint` where there is one. */
export function brief({ at, code, message, hint }: Diagnostic): string {
  const place = at ? `${lineColumn(at.file, at.start).line}:${lineColumn(at.file, at.start).column} ` : '';
  return `${place}${code}: ${message}${hint === undefined ? '' : ` | ${hint}`}`;
}

export const errorsOf = (result: Result<unknown>): string[] => (result.ok ? [] : result.error.map(brief));

/** The text that a diagnostic points at. */
export const pointedAt = ({ at }: Diagnostic): string => at?.file.text.slice(at.start, at.end) ?? '';

export function valueOf<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Error(result.error.map(brief).join('\n'));
}

export const yaml = (text: string): Value => nodeToValue(valueOf(readYaml(source(text))));

/** Runs `use` with a folder that holds the files, by path; the folder is removed afterwards. */
export function inFolder<T>(files: Readonly<Record<string, string | Buffer>>, use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'lhb-workflow-'));
  try {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Loads a workflow: the text of lhb.yaml, or several files by path. */
export function load(
  files: string | Readonly<Record<string, string>>,
  options: Partial<LoadOptions> & { files?: readonly string[] } = {},
): Result<Workflow> {
  return inFolder(typeof files === 'string' ? { 'lhb.yaml': files } : files, (folder) =>
    loadWorkflow({
      file: join(folder, 'lhb.yaml'),
      engine,
      env: new EnvRecord({ HOME: '/home/ann', SCALE: '3' }),
      ...options,
      ...(options.files && { configFiles: options.files.map((name) => ({ path: join(folder, name) })) }),
    }),
  );
}

/** The one rule of a workflow whose `rules:` is this text, indented by two. */
export function ruleOf(text: string): Rule {
  const [rule] = valueOf(load(`lhb: 1\nrules:\n${text}`)).rules.values();
  if (rule === undefined) throw new Error('no rule');
  return rule;
}

/** Errors of a workflow whose `rules:` is this text; lines count from the first line of `rules:`' content. */
export const ruleErrors = (text: string): string[] =>
  errorsOf(load(`lhb: 1\nrules:\n${text}`)).map((line) => line.replace(/^(\d+)/, (n) => String(Number(n) - 2)));
