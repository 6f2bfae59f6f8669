// Documents that the program prints with --json, checked against the names that scripts may rely on.
import * as assert from 'uvu/assert';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

export type SummaryJob = {
  readonly id: string;
  readonly rule: string;
  readonly status: string;
  readonly plan: string;
  readonly reasons: readonly { readonly kind: string; readonly detail: string }[];
  readonly outputs: readonly {
    readonly path: string;
    readonly size: number | undefined;
    readonly digest: string | undefined;
  }[];
  readonly dir: string;
  readonly log: string;
  /** Everything that was printed about the job. */
  readonly all: JsonMap;
};

export type Summary = { readonly jobs: readonly SummaryJob[]; readonly counts: Readonly<Record<string, number>> };

export type JsonMap = { readonly [name: string]: Json };

/** Checks that a value is a JSON map. */
export function asMap(value: unknown, what = 'value'): JsonMap {
  assert.ok(
    typeof value === 'object' && value !== null && !Array.isArray(value),
    `${what} is a map: ${JSON.stringify(value)}`,
  );
  return value as JsonMap;
}

/** Checks that a value is a JSON list. */
export function asList(value: unknown, what = 'value'): readonly Json[] {
  assert.ok(Array.isArray(value), `${what} is a list: ${JSON.stringify(value)}`);
  return value as readonly Json[];
}

/** Checks that a value is text. */
export function asText(value: unknown, what = 'value'): string {
  assert.type(value, 'string', `${what} is text: ${JSON.stringify(value)}`);
  return value as string;
}

/** Checks that a value is a number. */
export function asNumber(value: unknown, what = 'value'): number {
  assert.type(value, 'number', `${what} is a number: ${JSON.stringify(value)}`);
  return value as number;
}

/** Checks the document of `summary --json`: `jobs` and `counts` with the fields of the specification. */
export function parseSummary(value: unknown): Summary {
  const document = asMap(value, 'summary');
  const jobs = asList(document['jobs'], 'jobs').map((entry) => {
    const job = asMap(entry, 'a job');
    return {
      id: asText(job['id'], 'id'),
      rule: asText(job['rule'], 'rule'),
      status: asText(job['status'], 'status'),
      plan: asText(job['plan'], 'plan'),
      reasons: asList(job['reasons'], 'reasons').map((reason) => {
        const map = asMap(reason, 'a reason');
        return { kind: asText(map['kind'], 'kind'), detail: asText(map['detail'], 'detail') };
      }),
      outputs: asList(job['outputs'], 'outputs').map((output) => {
        const map = asMap(output, 'an output');
        const [size, digest] = [map['size'], map['digest']];
        return {
          path: asText(map['path'], 'path'),
          size: typeof size === 'number' ? size : undefined,
          digest: typeof digest === 'string' ? digest : undefined,
        };
      }),
      dir: asText(job['dir'], 'dir'),
      log: asText(job['log'], 'log'),
      all: job,
    };
  });
  const counts = Object.entries(asMap(document['counts'], 'counts')).map(([name, count]) => [
    name,
    asNumber(count, name),
  ]);
  return { jobs, counts: Object.fromEntries(counts) as Record<string, number> };
}

/** The events of `build --json`, one a line. */
export function parseEvents(stdout: string): readonly JsonMap[] {
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => asMap(JSON.parse(line), 'an event'));
}

/** The counts of the last event, which must be `build-finished`. */
export function finishedCounts(stdout: string): Readonly<Record<string, number>> {
  const last = parseEvents(stdout).at(-1);
  assert.is(last?.['event'], 'build-finished', stdout.slice(-2000));
  const counts = asMap(last?.['counts'], 'counts');
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, asNumber(count, name)]));
}

/** The counts of `build-finished` with these changes, all others zero. */
export function counts(some: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return { built: 0, restored: 0, fresh: 0, failed: 0, skipped: 0, cancelled: 0, ...some };
}
