// The single walk over everything in an action key. It feeds the hash and the explanation alike, so every part of a key
// can be explained and every explanation is part of the key.
import type { ActionKey, Digest } from '../base/brand.ts';
import { DiagnosticError, error, type Diagnostic, type SourceRange } from '../base/diagnostic.ts';
import { quoted, toJsonText } from '../base/value.ts';
import { UNREADABLE_HINT } from '../fs/errno.ts';
import { keyCommand } from '../graph/command.ts';
import type { Job, JobInput, Source } from '../graph/job.ts';
import { jobLeaf } from '../graph/job-hash.ts';
import { isName, throughNames } from '../graph/resolve.ts';
import type { Scopes } from '../graph/scope.ts';
import { hashText } from '../hash/digest.ts';
import { canonicalTyped } from '../hash/encode.ts';
import { keyDigestWithin, type Manifest } from '../store/manifest.ts';
import type { KeyPart } from '../store/trace.ts';
import { removePaths } from '../workflow/layers.ts';
import { restamped, UnreadableSource, type SourceDigests, type Stamps } from './source-digests.ts';

const SCHEME = 'lhb action key 1';
const ABSENT = '(missing)';

const MOST_FIXED = 32;

/** The outputs of an upstream job as they count: those on record, or those just made. */
export type ManifestOf = (job: Job) => Manifest | undefined;

export type KeyParts = { readonly key: ActionKey; readonly parts: readonly KeyPart[] };

/** The command that is a part of a key, with portable paths; '' where there is none. */
export const commandIn = (parts: readonly KeyPart[]): string =>
  parts.find(({ kind, path }) => kind === 'command' && path === 'run')?.value ?? '';

/**
 * A key that was made just now. `moving`: its parts that depend on files and on the outputs of other jobs; `stamps`: those of
 * its files, where they were asked for.
 */
export type FreshKey = KeyParts & { readonly moving: readonly KeyPart[]; readonly stamps: Stamps | undefined };

/** Parts of files outside, which are called by their input's name: two that are equal may be of two files. */
const outside = new WeakSet<KeyPart>();

/**
 * In an order that is not that of the workflow's maps, each once: `inputs: { a: x, b: x }` reads one file. On record they stand
 * as the workflow has them, which is how they are shown.
 */
function inOrder(parts: readonly KeyPart[]): readonly KeyPart[] {
  if (parts.length < 2) return parts;
  const sorted = [...parts].sort((a, b) => compareText(a.kind, b.kind) || compareText(a.path, b.path));
  return sorted.filter((part, i) => !isEqual(part, sorted[i - 1]) || outside.has(part));
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const isEqual = (a: KeyPart, b: KeyPart | undefined): boolean =>
  a.kind === b?.kind && a.path === b.path && a.value === b.value;

/** Makes action keys. */
export class KeyMaker {
  private readonly scopes: Scopes;
  private readonly sources: SourceDigests;
  /** What a result counts with where all its outputs do; asked by every job below. */
  private readonly wholes = new WeakMap<Manifest, Digest>();
  /** Of the last keys made: a job is judged, started and put on record within a few others. */
  private readonly fixed = new Map<Job, { readonly config: Digest; readonly parts: readonly KeyPart[] }>();
  /** What cannot be read of the sources of the job whose key is being made: told all at once. */
  private unread: Diagnostic[] = [];

  constructor(scopes: Scopes, sources: SourceDigests) {
    this.scopes = scopes;
    this.sources = sources;
  }

  /**
   * The key of a job and its parts, or undefined where an upstream job has no manifest yet.
   * @param stamps takes up how the files stand: for a job that begins now
   * @throws DiagnosticError where a source cannot be read, or the command is wrong
   */
  keyOf(job: Job, manifestOf: ManifestOf, stamps?: Stamps): FreshKey | undefined {
    const moving = this.movingParts(job, manifestOf, stamps);
    if (moving === undefined) {
      // What is wrong in the command is told all the same.
      keyCommand(job, this.scopes);
      return undefined;
    }
    let text = SCHEME;
    const add = ({ kind, path, value }: KeyPart): void => {
      text += `${text === SCHEME ? '[' : ','}["${kind}",${quoted(path)},${quoted(value)}]`;
    };
    for (const part of this.makeFixed(job)) add(part);
    for (const part of inOrder(moving)) add(part);
    return new MadeKey(hashText(`${text}]`) as string as ActionKey, moving, stamps, job, this);
  }

  /**
   * Paths of sources and upstream outputs that are others now than when the key was made, or were meanwhile.
   * @throws DiagnosticError where a source cannot be read
   */
  changedSince(job: Job, key: FreshKey, manifestOf: ManifestOf): string[] {
    const nameOf = ({ kind, path }: KeyPart): string => `${kind} ${path}`;
    const stamps: Stamps = new Map();
    const now = this.movingParts(job, manifestOf, stamps) ?? [];
    const isSame = now.length === key.moving.length && now.every((part, i) => isEqual(part, key.moving[i]));
    if (isSame) return key.stamps === undefined ? [] : restamped(key.stamps, stamps);
    const before = new Map(key.moving.map((part) => [nameOf(part), part.value]));
    return now.filter((part) => before.get(nameOf(part)) !== part.value).map(({ path }) => path);
  }

  /** What does not depend on inputs and code, as it was when the job's key was made last. */
  fixedParts(job: Job): readonly KeyPart[] {
    return this.fixed.get(job)?.parts ?? this.makeFixed(job);
  }

  /** As `fixedParts`, as it is now: a command may ask for the size of a file. */
  private makeFixed(job: Job): readonly KeyPart[] {
    const config = this.fixed.get(job)?.config ?? configDigest(job);
    const parts: KeyPart[] = [
      { kind: 'job', path: '', value: job.hash },
      { kind: 'config', path: '', value: config },
    ];
    const { run, shell, env } = keyCommand(job, this.scopes);
    if (run !== undefined) parts.push({ kind: 'command', path: 'run', value: run });
    if (shell !== undefined) parts.push({ kind: 'command', path: 'shell', value: shell });
    if (env.length > 0) {
      for (const { name, value } of byName(env)) parts.push({ kind: 'env', path: name, value });
    }
    for (const output of byName(job.outputs)) {
      const shape = output.tree ? `${output.path}/` : output.path;
      const ignored = output.spec.ignore.length > 0 ? ` ignoring ${toJsonText([...output.spec.ignore].sort())}` : '';
      parts.push({ kind: 'outputs', path: output.name, value: shape + ignored });
    }
    for (const [oldest] of this.fixed) {
      if (this.fixed.size < MOST_FIXED) break;
      this.fixed.delete(oldest);
    }
    this.fixed.set(job, { config, parts });
    return parts;
  }

  /** What depends on files and on the outputs of other jobs; undefined where an upstream job has no manifest yet. */
  private movingParts(job: Job, manifestOf: ManifestOf, stamps?: Stamps): readonly KeyPart[] | undefined {
    this.unread = [];
    const parts = this.partsByFiles(job, manifestOf, stamps);
    if (this.unread.length === 0) return parts;
    const rule = `rule '${job.rule.name}'`;
    throw new DiagnosticError(this.unread.map((each) => ({ ...each, message: `${rule}: ${each.message}` })));
  }

  private partsByFiles(job: Job, manifestOf: ManifestOf, stamps?: Stamps): readonly KeyPart[] | undefined {
    const parts: KeyPart[] = [];
    for (const other of job.boundJobs) {
      const made = this.jobParts(other, manifestOf, stamps);
      if (made === undefined) return undefined;
      for (const part of made) parts.push(part);
    }
    for (const input of job.inputs) {
      if (!input.keyed) {
        const makers = input.sources.flatMap((source) => ('job' in source ? throughNames(source.job) : []));
        if (makers.some((maker) => manifestOf(maker) === undefined)) return undefined;
        continue;
      }
      const made = this.inputParts(input, manifestOf, stamps);
      if (made === undefined) return undefined;
      for (const part of made) parts.push(part);
      if (input.sources.length > 1) parts.push(orderPart(input));
    }
    if (job.code.length === 0) return parts;
    const at = job.rule.code[0]?.at;
    const code = job.code.map((path): KeyPart => ({
      kind: 'code',
      path,
      value: this.digestOf('file', path, 'code', at, stamps),
    }));
    return [...code, ...parts];
  }

  /** @param what as it stands in the rule, at the place `at` */
  private digestOf(
    kind: 'file' | 'folder',
    path: string,
    what: string,
    at: SourceRange | undefined,
    stamps: Stamps | undefined,
  ): string {
    try {
      return (kind === 'file' ? this.sources.ofFile(path, stamps) : this.sources.ofFolder(path, stamps)) ?? ABSENT;
    } catch (problem) {
      if (!(problem instanceof UnreadableSource)) throw problem;
      this.unread.push(error('file/unreadable', `${what}: ${problem.message}`, { at, hint: UNREADABLE_HINT }));
      return ABSENT;
    }
  }

  /** A job that counts with all its outputs; a name counts with what it names. */
  private jobParts(job: Job, manifestOf: ManifestOf, stamps?: Stamps): readonly KeyPart[] | undefined {
    if (isName(job)) {
      const keyed = job.inputs.filter((input) => input.keyed);
      const named = keyed.map((input) => this.inputParts(input, manifestOf, stamps));
      return named.some((parts) => parts === undefined) ? undefined : named.flatMap((parts) => parts ?? []);
    }
    const manifest = manifestOf(job);
    return manifest && [{ kind: 'upstream', path: job.id, value: this.allOutputs(manifest) }];
  }

  private allOutputs(manifest: Manifest): Digest {
    let digest = this.wholes.get(manifest);
    if (digest === undefined) {
      digest = hashText(JSON.stringify(byName(manifest).map((o) => [o.name, o.path, o.keyDigest])));
      this.wholes.set(manifest, digest);
    }
    return digest;
  }

  private inputParts(input: JobInput, manifestOf: ManifestOf, stamps?: Stamps): readonly KeyPart[] | undefined {
    const [only] = input.sources;
    if (only !== undefined && input.sources.length === 1) return this.sourceParts(input, only, manifestOf, stamps);
    const parts: KeyPart[] = [];
    for (const source of input.sources) {
      const made = this.sourceParts(input, source, manifestOf, stamps);
      if (made === undefined) return undefined;
      parts.push(...made);
    }
    return parts;
  }

  private sourceParts(
    input: JobInput,
    source: Source,
    manifestOf: ManifestOf,
    stamps: Stamps | undefined,
  ): readonly KeyPart[] | undefined {
    switch (source.kind) {
      case 'file':
      case 'folder': {
        const value = this.digestOf(source.kind, source.path, `input '${input.name}'`, input.at, stamps);
        // A path outside the workflow's folder differs between people; its content does not.
        const part: KeyPart = { kind: 'input', path: source.outside ? input.name : source.path, value };
        if (source.outside) outside.add(part);
        return [part];
      }
      case 'job':
        return this.jobParts(source.job, manifestOf, stamps);
      case 'output': {
        const manifest = manifestOf(source.job);
        if (manifest === undefined) return undefined;
        const path = source.sub === '' ? source.output.path : `${source.output.path}/${source.sub}`;
        return [{ kind: 'upstream', path, value: outputDigest(manifest, source.output.inDir, source.sub) ?? ABSENT }];
      }
    }
  }
}

const byName = <T extends { readonly name: string }>(items: readonly T[]): readonly T[] =>
  items.length < 2 ? items : [...items].sort((a, b) => compareText(a.name, b.name));

/** Of the fields of a job's config that count in its key. */
function configDigest({ rule, portableConfig }: Job): Digest {
  const keyed = rule.unkeyed.length > 0 ? removePaths(portableConfig, rule.unkeyed) : portableConfig;
  return hashText(canonicalTyped(keyed, jobLeaf));
}

/** Which order a list of inputs has: a command or a job file shows it. */
function orderPart(input: JobInput): KeyPart {
  const labels = input.sources.map((source) => {
    if (source.kind === 'job') return source.job.id;
    if (source.kind === 'output') return `${source.output.path}/${source.sub}`;
    return source.outside ? input.name : source.path;
  });
  return { kind: 'input', path: `${input.name} (order)`, value: hashText(labels.join('\n')) };
}

/** What counts of one output, or of the file or folder `sub` inside its tree. */
function outputDigest(manifest: Manifest, inDir: string, sub: string): Digest | undefined {
  const output = manifest.find((o) => o.path === inDir);
  return output && (sub === '' ? output.keyDigest : keyDigestWithin(output, sub));
}

/**
 * A key whose parts are put together when they are asked for, which is seldom: a job that is fresh or new needs none. What
 * can change meanwhile, digests, is what it was when the key was made.
 */
class MadeKey implements FreshKey {
  readonly key: ActionKey;
  readonly moving: readonly KeyPart[];
  readonly stamps: Stamps | undefined;
  private readonly job: Job;
  private readonly maker: KeyMaker;

  constructor(key: ActionKey, moving: readonly KeyPart[], stamps: Stamps | undefined, job: Job, maker: KeyMaker) {
    this.key = key;
    this.moving = moving;
    this.stamps = stamps;
    this.job = job;
    this.maker = maker;
  }

  get parts(): readonly KeyPart[] {
    return [...this.maker.fixedParts(this.job), ...this.moving];
  }
}
