// Two entries of a sweep with one job hash are one job, if they agree in all else.
import { keyCommand } from './command.ts';
import type { Job } from './job.ts';
import { JobView } from './job-view.ts';
import type { Scopes } from './scope.ts';

/** What differs between two jobs of one hash, in words, or undefined where they agree. */
export function duplicateOf(a: Job, b: Job, scopes: Scopes): string | undefined {
  const aspects: [string, (job: Job) => string][] = [
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
  ];
  for (const [name, of] of aspects) {
    const [left, right] = [of(a), of(b)];
    if (left !== right) return `${name} is '${left}' in one and '${right}' in the other`;
  }
  return undefined;
}

function shown(value: unknown): string {
  if (value instanceof JobView) return value.id;
  return Array.isArray(value) ? `[${value.map(shown).join(', ')}]` : String(value);
}
