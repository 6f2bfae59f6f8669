// Evidence that the workflow would be read and expanded as before: everything that reading and expansion looked at.
import { readFileSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { digestOf, lookAtFolder, looks, type Kind, type Seen } from '../fs/looks.ts';
import { sameSignature, signatureOf, statOf, type StatSignature } from '../fs/stat-signature.ts';

export type Evidence = {
  /** What must be the same word by word: versions, the workflow's place, options. By name. */
  readonly words: Readonly<Record<string, string>>;
  /** Environment variables that expressions asked for, and those that place the store; null: not set. */
  readonly env: Readonly<Record<string, string | null>>;
  readonly files: readonly SeenAt[];
  readonly folders: readonly SeenAt[];
  readonly kinds: readonly (readonly [path: string, kind: Kind])[];
  readonly sizes: readonly (readonly [path: string, size: number])[];
};

/** A path, its signature (null: none that proves anything), the digest of what was read there. */
export type SeenAt = readonly [path: string, signature: readonly number[] | null, digest: string];

export type EnvValues = Readonly<Record<string, string | undefined>>;

/** Variables on which the place of the store and of the user's own config rest. */
const PLACES = ['HOME', 'XDG_CONFIG_HOME', 'XDG_CACHE_HOME', 'LHB_INDEX_DIR'];

/**
 * What this process looked at since it began to read the workflow; undefined where that was in change meanwhile.
 * @param words see Evidence
 * @param asked environment variables that expressions asked for
 * @param others absolute paths of further files that count, there or not
 * @param isSource paths that are watched as a job's source, and need not be here
 */
export function takeEvidence(
  words: Evidence['words'],
  env: EnvValues,
  asked: readonly string[],
  others: readonly string[],
  isSource: (path: string) => boolean,
): Evidence | undefined {
  if (looks.torn) return undefined;
  if ([...looks.sizes].some(([path, size]) => statOf(path)?.size !== size)) return undefined;
  const kinds = [...looks.kinds].filter(([path]) => !isSource(path));
  const files = [...looks.files].map(seenAt);
  for (const path of others) {
    const there = statOf(path)?.isFile() === true;
    if (there) files.push([path, null, digestOf(readFileSync(path))]);
    else kinds.push([path, 'none']);
  }
  return {
    words,
    env: Object.fromEntries([...PLACES, ...asked].map((name) => [name, env[name] ?? null])),
    files,
    folders: [...looks.folders].map(seenAt),
    kinds,
    sizes: [...looks.sizes],
  };
}

const seenAt = ([path, { signature, digest }]: readonly [string, Seen]): SeenAt => [
  path,
  signature === undefined ? null : [signature.size, signature.mtimeMs, signature.ctimeMs, signature.ino],
  digest,
];

/** Would all be read as before? @param root the workflow's folder, absolute */
export function evidenceHolds(evidence: Evidence, words: Evidence['words'], env: EnvValues, root: string): boolean {
  return (
    sameWords(evidence.words, words) &&
    Object.entries(evidence.env).every(([name, value]) => (env[name] ?? null) === value) &&
    evidence.files.every(fileHolds) &&
    evidence.folders.every(folderHolds) &&
    evidence.kinds.every(([path, kind]) => kindOf(isAbsolute(path) ? path : join(root, path)) === kind) &&
    evidence.sizes.every(([path, size]) => statOf(path)?.size === size)
  );
}

export const sameWords = (a: Evidence['words'], b: Evidence['words']): boolean => {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
};

/** Is all that this process looked at since it began to read the workflow as it was then? A part may have been looked at. */
export function seenAsThen({ files, folders, kinds }: Evidence): boolean {
  const asThen = (now: ReadonlyMap<string, Seen>, then: readonly SeenAt[]): boolean => {
    const digests = new Map(then.map(([path, , digest]) => [path, digest]));
    return [...now].every(([path, { digest }]) => digests.get(path) === digest);
  };
  const kindsThen = new Map(kinds);
  return (
    !looks.torn &&
    asThen(looks.files, files) &&
    asThen(looks.folders, folders) &&
    [...looks.kinds].every(([path, kind]) => (kindsThen.get(path) ?? kind) === kind)
  );
}

function fileHolds([path, signature, digest]: SeenAt): boolean {
  const stats = statOf(path);
  if (stats?.isFile() !== true) return false;
  return holds(signature, signatureOf(stats)) || digestOf(readFileSync(path)) === digest;
}

function folderHolds([path, signature, digest]: SeenAt): boolean {
  const stats = signature && statOf(path);
  if (stats && holds(signature, signatureOf(stats))) return true;
  return lookAtFolder(path).digest === digest;
}

function holds(then: readonly number[] | null, now: StatSignature): boolean {
  if (then === null) return false;
  const [size = NaN, mtimeMs = NaN, ctimeMs = NaN, ino = NaN] = then;
  return sameSignature({ size, mtimeMs, ctimeMs, ino }, now);
}

/** As the resolution of inputs tells them apart. */
function kindOf(path: string): Kind {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? 'none' : stat.isDirectory() ? 'folder' : 'file';
}
