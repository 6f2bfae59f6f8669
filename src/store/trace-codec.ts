// Traces and attempts as records of the index and of the trace logs, and back.
//
// Records are maps with a `format`, fit for JSON and msgpack; lists of parts and entries are tuples, for a job that gathers
// ten thousand files has twenty thousand of them. What is read is checked field by field: a record that is not of the form
// counts as absent. Of a trace the fields of its core come first, so that a plan need not parse what explains it.
import { list, Malformed, map, number, text, type Fields } from '../base/fields.ts';
import type { ActionKey, Digest, JobHash, JobId } from '../base/brand.ts';
import type { Entry, Manifest, Output } from './manifest.ts';
import {
  isInput,
  type Attempt,
  type KeyPart,
  type Origin,
  type PartKind,
  type Source,
  type Trace,
  type TraceCore,
  type TraceTold,
  type Usage,
} from './trace.ts';

const FORMAT = 1;

/** Written by a newer lhb: it is not read, and not for this one to remove. */
export function isNewer(record: unknown): boolean {
  const format = typeof record === 'object' && record !== null && 'format' in record ? record.format : undefined;
  return typeof format === 'number' && format > FORMAT;
}

const ORIGINS: readonly string[] = ['built', 'restored', 'touched', 'rekeyed'] satisfies Origin[];
const KINDS: readonly string[] = [
  'job',
  'config',
  'command',
  'env',
  'outputs',
  'code',
  'input',
  'upstream',
] satisfies PartKind[];

/** Field by field: to spread an object into another takes several times as long as all the rest. */
export function encodeTrace(trace: Trace): Fields {
  const { source } = trace;
  const encoded = {
    format: FORMAT,
    actionKey: trace.actionKey,
    manifest: encodeManifest(trace.manifest),
    origin: trace.origin,
    usage: encodeUsage(trace.usage),
    recordedAt: trace.recordedAt,
    attempts: trace.attempts,
    resources: trace.resources,
    host: trace.host,
    executor: trace.executor,
    executorJob: trace.executorJob ?? null,
  };
  const before = trace.before && { before: trace.before };
  const fields = source ? { ...encoded, source: { ...source, keyId: source.keyId ?? null } } : encoded;
  return Object.assign(fields, {
    parts: trace.parts.map(({ kind, path, value }) => [kind, path, value]),
    jobHash: trace.jobHash,
    jobId: trace.jobId,
    rule: trace.rule,
    label: trace.label,
    dir: trace.dir,
    log: trace.log,
    config: trace.config,
    command: trace.command,
    reasons: trace.reasons,
    ...before,
  });
}

/** What follows the core in the JSON of a trace. In a text of it a quote would have a backslash before it. */
const AFTER_CORE = Buffer.from(',"parts":[');

/** What follows the manifest, a list: so no quotes without a backslash before them stand in it but those of its texts. */
const AFTER_MANIFEST = ',"origin":';

/** The rest of a core as nearly all have it: what follows the manifest, with nothing in it that would have to be checked. */
const PLAIN_REST = (() => {
  const number = String.raw`-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?`;
  const text = String.raw`"[^"\\\x00-\x1f]*"`;
  const orNull = (what: string): string => `(?:null|${what})`;
  const usage = `{"startedAt":${number},"finishedAt":${number},"wallS":${number},"cpuS":${orNull(number)},"maxRssMb":${orNull(number)}}`;
  const resource = `${text}:(?:${number}|${text})`;
  const fields = [
    `,"origin":"(?:${ORIGINS.join('|')})"`,
    `"usage":${usage}`,
    `"recordedAt":${number}`,
    `"attempts":${number}`,
    `"resources":{(?:${resource}(?:,${resource})*)?}`,
    `"host":${text}`,
    `"executor":${text}`,
    `"executorJob":${orNull(text)}`,
  ];
  return new RegExp(`^${fields.join(',').replaceAll(/[{}]/g, '\\$&')}$`);
})();

/** A core of which a plan has parsed what it looks at of every job; the rest, which is sound, is parsed when it is asked for. */
class LateCore implements TraceCore {
  readonly actionKey: ActionKey;
  readonly manifest: Manifest;
  #rest: string;
  #core: TraceCore | undefined;

  /** @param rest as PLAIN_REST has it */
  constructor(fields: Fields, rest: string) {
    this.actionKey = digest(fields['actionKey']) as string as ActionKey;
    this.manifest = list(fields['manifest']).map(output);
    this.#rest = rest;
  }

  get #late(): TraceCore {
    const { actionKey, manifest } = this;
    return (this.#core ??= { ...late(JSON.parse(`{${this.#rest.slice(1)}}`) as Fields), actionKey, manifest });
  }

  get origin(): Origin {
    return this.#late.origin;
  }

  get usage(): Usage {
    return this.#late.usage;
  }

  get recordedAt(): number {
    return this.#late.recordedAt;
  }

  get attempts(): number {
    return this.#late.attempts;
  }

  get resources(): TraceCore['resources'] {
    return this.#late.resources;
  }

  get host(): string {
    return this.#late.host;
  }

  get executor(): string {
    return this.#late.executor;
  }

  get executorJob(): string | undefined {
    return this.#late.executorJob;
  }
}

/** The core in the JSON of a trace; undefined where it is not of the form, or does not stand first in it, as in one of before. */
export function readCore(json: Buffer): TraceCore | undefined {
  const end = json.indexOf(AFTER_CORE);
  if (end < 0) return undefined;
  const text = json.toString('utf8', 0, end);
  const middle = text.indexOf(AFTER_MANIFEST);
  const rest = middle < 0 ? '' : text.slice(middle);
  const isPlain = PLAIN_REST.test(rest);
  let fields: unknown;
  try {
    fields = JSON.parse(`${isPlain ? text.slice(0, middle) : text}}`);
  } catch {
    return undefined;
  }
  return decoded(fields, isPlain ? (plain) => new LateCore(plain, rest) : core);
}

export const encodeManifest = (manifest: Manifest): unknown =>
  manifest.map(({ name, path, tree, entries, keyDigest }) => [name, path, tree, keyDigest, entries.map(encodeEntry)]);

const encodeEntry = (entry: Entry): unknown => {
  switch (entry.type) {
    case 'file':
      return ['f', entry.path, entry.digest, entry.size, entry.exec, entry.keyDigest ?? null];
    case 'link':
      return ['l', entry.path, entry.target];
    case 'dir':
      return ['d', entry.path];
  }
};

const encodeUsage = (usage: Usage | undefined): unknown =>
  usage
    ? {
        startedAt: usage.startedAt,
        finishedAt: usage.finishedAt,
        wallS: usage.wallS,
        cpuS: usage.cpuS ?? null,
        maxRssMb: usage.maxRssMb ?? null,
      }
    : null;

export const encodeAttempt = (attempt: Attempt): Fields => ({
  format: FORMAT,
  ...attempt,
  usage: encodeUsage(attempt.usage),
});

/** The value, or undefined for a record of another form or format. */
function decoded<T>(record: unknown, decode: (fields: Fields) => T): T | undefined {
  if (record === undefined) return undefined;
  try {
    const fields = map(record);
    return fields['format'] === FORMAT ? decode(fields) : undefined;
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

/** A trace from what was on record; undefined where it is not of the form, or of a newer one. */
export const decodeTrace = (record: unknown): Trace | undefined =>
  decoded(record, (fields) => {
    const before = orUndefined(fields['before'], digest);
    // Spreading the core would take longer than all the rest.
    return Object.assign(core(fields), {
      jobHash: digest(fields['jobHash']) as string as JobHash,
      jobId: text(fields['jobId']) as JobId,
      rule: text(fields['rule']),
      label: text(fields['label']),
      dir: text(fields['dir']),
      parts: list(fields['parts']).map(part),
      log: text(fields['log']),
      config: text(fields['config']),
      command: text(fields['command']),
      reasons: list(fields['reasons']).map(text),
      ...(before && { before: before as string as ActionKey }),
    });
  });

/** As decodeTrace, of what a detailed summary shows. */
export const decodeTold = (record: unknown): TraceTold | undefined =>
  decoded(record, (fields) =>
    Object.assign(core(fields), {
      jobId: text(fields['jobId']) as JobId,
      label: text(fields['label']),
      dir: text(fields['dir']),
      parts: list(fields['parts']).filter(isInputPart).map(part),
      log: text(fields['log']),
      command: text(fields['command']),
    }),
  );

const isInputPart = (item: unknown): boolean => isInput(list(item)[0]);

function core(fields: Fields): TraceCore {
  const actionKey = digest(fields['actionKey']) as string as ActionKey;
  const found = Object.assign(late(fields), { actionKey, manifest: list(fields['manifest']).map(output) });
  return fields['source'] === undefined ? found : { ...found, source: source(fields['source']) };
}

/** Of a core what a plan need not look at. */
const late = (fields: Fields): Omit<TraceCore, 'actionKey' | 'manifest' | 'source'> => ({
  origin: oneOf<Origin>(fields['origin'], ORIGINS),
  usage: usage(fields['usage']),
  recordedAt: number(fields['recordedAt']),
  attempts: number(fields['attempts']),
  resources: resources(fields['resources']),
  host: text(fields['host']),
  executor: text(fields['executor']),
  executorJob: orUndefined(fields['executorJob'], text),
});

/** A manifest from what was on record; undefined where it is not of the form. */
export const decodeManifest = (record: unknown): Manifest | undefined =>
  decoded({ format: FORMAT, manifest: record }, (fields) => list(fields['manifest']).map(output));

/** As decodeTrace, of an attempt. */
export const decodeAttempt = (record: unknown): Attempt | undefined =>
  decoded(record, (fields) => ({
    jobId: text(fields['jobId']) as JobId,
    rule: text(fields['rule']),
    actionKey: digest(fields['actionKey']) as string as ActionKey,
    attempt: number(fields['attempt']),
    startedAt: number(fields['startedAt']),
    build: text(fields['build']),
    state: oneOf<Attempt['state']>(fields['state'], ['begun', 'failed']),
    reason: text(fields['reason']),
    usage: orUndefined(fields['usage'], usage),
    host: text(fields['host']),
    log: text(fields['log']),
    resources: resources(fields['resources']),
  }));

function part(item: unknown): KeyPart {
  const [kind, path, value] = list(item);
  return { kind: oneOf<PartKind>(kind, KINDS), path: text(path), value: text(value) };
}

function output(item: unknown): Output {
  const [name, path, tree, keyDigest, entries] = list(item);
  return {
    name: text(name),
    path: text(path),
    tree: flag(tree),
    keyDigest: digest(keyDigest),
    entries: list(entries).map(entry),
  };
}

function entry(item: unknown): Entry {
  const [type, path, third, size, exec, keyDigest] = list(item);
  if (type === 'd') return { type: 'dir', path: text(path) };
  if (type === 'l') return { type: 'link', path: text(path), target: text(third) };
  if (type !== 'f') throw new Malformed();
  const file = { type: 'file', path: text(path), size: number(size), digest: digest(third), exec: flag(exec) } as const;
  return keyDigest === null || keyDigest === undefined ? file : { ...file, keyDigest: digest(keyDigest) };
}

function usage(item: unknown): Usage {
  const fields = map(item);
  return {
    startedAt: number(fields['startedAt']),
    finishedAt: number(fields['finishedAt']),
    wallS: number(fields['wallS']),
    cpuS: orUndefined(fields['cpuS'], number),
    maxRssMb: orUndefined(fields['maxRssMb'], number),
  };
}

function source(item: unknown): Source {
  const fields = map(item);
  return {
    cache: text(fields['cache']),
    keyId: orUndefined(fields['keyId'], text),
    user: text(fields['user']),
    at: number(fields['at']),
  };
}

function resources(item: unknown): Readonly<Record<string, string | number>> {
  const fields = map(item);
  for (const value of Object.values(fields)) if (typeof value !== 'string') number(value);
  return fields as Readonly<Record<string, string | number>>;
}

function flag(item: unknown): boolean {
  if (typeof item !== 'boolean') throw new Malformed();
  return item;
}

function digest(item: unknown): Digest {
  if (typeof item !== 'string' || !/^[0-9a-f]{64}$/.test(item)) throw new Malformed();
  return item as Digest;
}

function oneOf<T extends string>(item: unknown, known: readonly string[]): T {
  if (typeof item !== 'string' || !known.includes(item)) throw new Malformed();
  return item as T;
}

const orUndefined = <T>(item: unknown, decode: (item: unknown) => T): T | undefined =>
  item === null || item === undefined ? undefined : decode(item);
