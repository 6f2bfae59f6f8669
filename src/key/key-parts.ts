// The single walk over everything in an action key. It feeds the hash and the explanation alike, so every part of a key
// can be explained and every explanation is part of the key.
import type { ActionKey, Digest } from '../base/brand.ts';
import { toJsonText } from '../base/value.ts';
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
import type { SourceDigests } from './source-digests.ts';

const SCHEME = 'lhb action key 1';
const ABSENT = '(missing)';

/** The outputs of an upstream job as they count: those on record, or those just made. */
export type ManifestOf = (job: Job) => Manifest | undefined;

export type KeyParts = { readonly key: ActionKey; readonly parts: readonly KeyPart[] };

/** Makes action keys; keeps what does not change while lhb runs. */
export class KeyMaker {
  private readonly scopes: Scopes;
  private readonly sources: SourceDigests;
  private readonly fixed = new WeakMap<Job, readonly KeyPart[]>();

  constructor(scopes: Scopes, sources: SourceDigests) {
    this.scopes = scopes;
    this.sources = sources;
  }

  /** The key of a job and its parts, or undefined where an upstream job has no manifest yet. */
  keyOf(job: Job, manifestOf: ManifestOf): KeyParts | undefined {
    const parts = [...this.fixedParts(job)];
    for (const path of job.code) parts.push({ kind: 'code', path, value: this.sources.ofFile(path) ?? ABSENT });
    for (const other of job.boundJobs) {
      const made = this.jobParts(other, manifestOf);
      if (made === undefined) return undefined;
      parts.push(...made);
    }
    for (const input of job.inputs) {
      if (!input.keyed) {
        const makers = input.sources.flatMap((source) => ('job' in source ? throughNames(source.job) : []));
        if (makers.some((maker) => manifestOf(maker) === undefined)) return undefined;
        continue;
      }
      const made = this.inputParts(input, manifestOf);
      if (made === undefined) return undefined;
      parts.push(...made);
      if (input.sources.length > 1) parts.push(orderPart(input));
    }
    const key = hashText(SCHEME + JSON.stringify(parts.map((p) => [p.kind, p.path, p.value]))) as string as ActionKey;
    return { key, parts };
  }

  /** What depends on the workflow alone. */
  private fixedParts(job: Job): readonly KeyPart[] {
    let parts = this.fixed.get(job);
    if (parts === undefined) {
      const { rule } = job;
      const keyed = rule.unkeyed.length > 0 ? removePaths(job.portableConfig, rule.unkeyed) : job.portableConfig;
      const { run, shell, env } = keyCommand(job, this.scopes);
      const made: KeyPart[] = [
        { kind: 'job', path: '', value: job.hash },
        { kind: 'config', path: '', value: hashText(canonicalTyped(keyed, jobLeaf)) },
      ];
      if (run !== undefined) made.push({ kind: 'command', path: 'run', value: run });
      if (shell !== undefined) made.push({ kind: 'command', path: 'shell', value: shell });
      for (const { name, value } of [...env].sort((a, b) => (a.name < b.name ? -1 : 1))) {
        made.push({ kind: 'env', path: name, value });
      }
      for (const output of job.outputs) {
        const shape = `${output.path}${output.tree ? '/' : ''}`;
        const ignored = output.spec.ignore.length > 0 ? ` ignoring ${toJsonText([...output.spec.ignore].sort())}` : '';
        made.push({ kind: 'outputs', path: output.name, value: shape + ignored });
      }
      parts = made;
      this.fixed.set(job, parts);
    }
    return parts;
  }

  /** A job that counts with all its outputs; a name counts with what it names. */
  private jobParts(job: Job, manifestOf: ManifestOf): readonly KeyPart[] | undefined {
    if (isName(job)) {
      const named = job.inputs.filter((input) => input.keyed).map((input) => this.inputParts(input, manifestOf));
      return named.some((parts) => parts === undefined) ? undefined : named.flatMap((parts) => parts ?? []);
    }
    const manifest = manifestOf(job);
    return manifest && [{ kind: 'upstream', path: job.id, value: allOutputs(manifest) }];
  }

  private inputParts(input: JobInput, manifestOf: ManifestOf): readonly KeyPart[] | undefined {
    const parts: KeyPart[] = [];
    for (const source of input.sources) {
      const made = this.sourceParts(input, source, manifestOf);
      if (made === undefined) return undefined;
      parts.push(...made);
    }
    return parts;
  }

  private sourceParts(input: JobInput, source: Source, manifestOf: ManifestOf): readonly KeyPart[] | undefined {
    switch (source.kind) {
      case 'file':
      case 'folder': {
        const digest = source.kind === 'file' ? this.sources.ofFile(source.path) : this.sources.ofFolder(source.path);
        // A path outside the workflow's folder differs between people; its content does not.
        return [{ kind: 'input', path: source.outside ? input.name : source.path, value: digest ?? ABSENT }];
      }
      case 'job':
        return this.jobParts(source.job, manifestOf);
      case 'output': {
        const manifest = manifestOf(source.job);
        if (manifest === undefined) return undefined;
        const path = source.sub === '' ? source.output.path : `${source.output.path}/${source.sub}`;
        return [{ kind: 'upstream', path, value: outputDigest(manifest, source.output.inDir, source.sub) ?? ABSENT }];
      }
    }
  }
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

const allOutputs = (manifest: Manifest): Digest =>
  hashText(JSON.stringify(manifest.map((o) => [o.name, o.path, o.keyDigest])));

/** What counts of one output, or of the file or folder `sub` inside its tree. */
function outputDigest(manifest: Manifest, inDir: string, sub: string): Digest | undefined {
  const output = manifest.find((o) => o.path === inDir);
  return output && (sub === '' ? output.keyDigest : keyDigestWithin(output, sub));
}
