// Two entries of a sweep with one job hash are one job, if they agree in all else.
import { DiagnosticError } from '../base/diagnostic.ts';
import { isMap } from '../base/value.ts';
import { evaluate, placedAt } from '../expr/template.ts';
import { jsonText, textOf } from '../expr/text.ts';
import type { Template } from '../expr/types.ts';
import { canonicalTyped } from '../hash/encode.ts';
import { keyCommand } from './command.ts';
import { jobLeaf } from './job-hash.ts';
import type { Job } from './job.ts';
import { JobView } from './job-view.ts';
import type { Scopes } from './scope.ts';

type Aspect = [name: string, of: (job: Job) => string];

/** What differs between two jobs of one hash, in words, or undefined where they agree. */
export function duplicateOf(a: Job, b: Job, scopes: Scopes): string | undefined {
  const aspects: Aspect[] = [
    ['dir', (job) => job.portableDir ?? ''],
    ['outputs', (job) => job.outputs.map((o) => o.path).join(', ')],
    ['inputs', (job) => job.inputs.map((i) => `${i.name}: ${shown(i.value)}`).join(', ')],
    ['command', (job) => keyCommand(job, scopes).run ?? ''],
    ['shell', (job) => keyCommand(job, scopes).shell ?? ''],
    [
      'env',
      (job) =>
        keyCommand(job, scopes)
          .env.map((e) => `${e.name}=${e.value}`)
          .join(' '),
    ],
    ['log', (job) => job.portableLog ?? ''],
    ...a.rule.resources.map(({ name, value }): Aspect => [`resource ${name}`, valueOf(value, scopes)]),
    ['retries', valueOf(a.rule.retries, scopes)],
    ['timeout', valueOf(a.rule.timeout, scopes)],
    ['priority', valueOf(a.rule.priority, scopes)],
  ];
  for (const [name, of] of aspects) {
    const [left, right] = [of(a), of(b)];
    if (left !== right) return `${name} is '${left}' in one and '${right}' in the other`;
  }
  return configDifference(a.portableConfig, b.portableConfig, []);
}

/** The first path at which two configs differ: unkeyed fields, or an int and a float of one value. */
function configDifference(a: unknown, b: unknown, path: readonly string[]): string | undefined {
  if (canonicalTyped(a, jobLeaf) === canonicalTyped(b, jobLeaf)) return undefined;
  if (isMap(a) && isMap(b)) {
    for (const key of new Set([...a.keys(), ...b.keys()])) {
      const inside = a.has(key) && b.has(key) && configDifference(a.get(key), b.get(key), [...path, String(key)]);
      if (inside) return inside;
      if (a.has(key) !== b.has(key)) return `config ${[...path, key].join('.')} is in one of them alone`;
    }
  }
  return `config ${path.join('.')} is ${configText(a)} in one and ${configText(b)} in the other`;
}

const configText = (value: unknown): string => (value instanceof JobView ? value.id : jsonText(value));

/** What an expression of each job gives, as text; nothing where it cannot be known yet. */
function valueOf(template: Template | undefined, scopes: Scopes): (job: Job) => string {
  return (job) => {
    if (template === undefined) return '';
    try {
      const value = evaluate(template, scopes.ofResources(job, 1));
      return placedAt(template.at, () => textOf(value));
    } catch (problem) {
      if (!(problem instanceof DiagnosticError)) throw problem;
      return '';
    }
  };
}

function shown(value: unknown): string {
  if (value instanceof JobView) return value.id;
  return Array.isArray(value) ? `[${value.map(shown).join(', ')}]` : String(value);
}
