// A job's label: its scalar `for` values as people read them, safe in file names.
import { floatText } from '../base/value.ts';
import type { Job } from './job.ts';
import { JobView } from './job-view.ts';

const LONGEST = 120;

/**
 * `n=5,mu=0.1`: the scalar `for` values of a job, those of bound jobs included, at most 120 characters, then shortened
 * with the id; '' where there are none.
 */
export function jobLabel(job: Job): string {
  const parts: string[] = [];
  addScalars(job, parts, new Set());
  const label = parts.join(',');
  if (label.length <= LONGEST) return label;
  return `${label.slice(0, LONGEST - job.id.length - 1)}-${job.id}`;
}

function addScalars(job: Job, parts: string[], seen: Set<string>): void {
  for (const [name, value] of job.actualBindings) {
    if (value instanceof JobView) {
      addScalars(value.job, parts, seen);
      continue;
    }
    const text = scalarText(value);
    if (text === undefined) continue;
    const part = `${name}=${text.replace(/[^A-Za-z0-9._+-]+/g, '_')}`;
    if (!seen.has(part)) parts.push(part);
    seen.add(part);
  }
}

function scalarText(value: unknown): string | undefined {
  if (typeof value === 'number') return floatText(value);
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint' || typeof value === 'boolean' || value === null) return String(value);
  return undefined;
}
