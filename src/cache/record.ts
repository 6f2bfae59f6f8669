// The record of a result as caches keep it: what came out, not how. No command, environment, config or input path is in it;
// whoever looks it up knows these, for the key is their hash.
//
// Two lines of text. The first is the record as canonical JSON (members sorted, no blanks), so that it can be read by eye
// and `jq`; the second says what vouches for it: its BLAKE3, and a signature where the writer has a key. Rejected: a nested
// tree of directories (one reading would not give all), a tar (no blob shared or verified by itself).
import { list, Malformed, map, number, text as text_, type Fields } from '../base/fields.ts';
import type { ActionKey, Digest } from '../base/brand.ts';
import { err, ok, type Result } from '../base/result.ts';
import { hashIn } from '../hash/digest.ts';
import { keyDigestOf, type Declared, type Entry, type Manifest } from '../store/manifest.ts';
import { wrongPath } from '../store/restore.ts';
import type { BlobRef, Piece, RecordKey } from './shared-cache.ts';

export const RECORD_VERSION = 1;
/** Why a record of somebody else is none. */
export const OTHER_NAMESPACE = 'it belongs to another namespace';
/** Records longer than this are not read: a hundred thousand files have a list of 20 MB. */
export const MAX_RECORD = 64 * 1024 * 1024;
/** Files below this size are in the record itself, while they are together below the other. */
const INLINE_BELOW = 4096;
const INLINE_IN_ALL = 64 * 1024;

/** A file of a record: what the manifest says, and where its bytes are. */
export type SharedFile = {
  readonly entry: Extract<Entry, { type: 'file' }>;
  readonly blob: BlobRef;
  /** The bytes themselves, of small files. */
  readonly inline?: Uint8Array;
};

export type Producer = {
  readonly lhb: string;
  readonly host: string;
  readonly user: string;
  readonly platform: string;
};

export type SharedRecord = {
  readonly key: RecordKey;
  readonly ns: string;
  readonly rule: string;
  readonly jobId: string;
  /** Seconds since the epoch: when the job began, and when it was done. */
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly wallS: number;
  readonly cpuS: number | undefined;
  readonly maxRssMb: number | undefined;
  readonly producer: Producer;
  readonly manifest: Manifest;
  /** Every file of the manifest, in its order. */
  readonly files: readonly SharedFile[];
};

/** Where a result lies in a cache. The version is in it, so that two of them live side by side. */
export const recordKey = (ns: string, key: ActionKey): RecordKey =>
  hashIn(`lhb ac ${RECORD_VERSION}`, `${ns}\0${key}`) as string as RecordKey;

/** Bytes that go into the record and not into a blob; '' is neither. */
export function inlineChoice(sizes: readonly number[]): boolean[] {
  let left = INLINE_IN_ALL;
  return sizes.map((size) => {
    const fits = size < INLINE_BELOW && size <= left;
    if (fits) left -= size;
    return fits;
  });
}

/** The blobs that must lie in the cache before the record: what is empty or inline needs none. */
export const blobsOf = (record: SharedRecord): BlobRef[] => {
  const blobs = new Map<string, BlobRef>();
  for (const { blob, inline } of record.files) if (inline === undefined && blob.size > 0) blobs.set(blob.b3, blob);
  return [...blobs.values()];
};

/** The pieces that servers hold of a blob. */
export const piecesOf = (blob: BlobRef): readonly Piece[] => blob.parts ?? [blob];

/** The first line of a record. */
export function encodeRecord(record: SharedRecord): string {
  let at = 0;
  const outputs = record.manifest.map(({ name, path, tree, entries }) => ({
    n: name,
    p: path,
    t: tree ? 'd' : 'f',
    e: entries.map((entry): unknown => {
      if (entry.type === 'dir') return { p: entry.path, t: 'd' };
      if (entry.type === 'link') return { p: entry.path, t: 'l', to: entry.target };
      const file = record.files[at++];
      if (file === undefined) throw new Error('invariant broken: a record without the blob of a file');
      const { blob, inline } = file;
      return {
        p: entry.path,
        t: 'f',
        m: entry.exec ? '755' : '644',
        s: entry.size,
        b3: entry.digest,
        ...(entry.keyDigest !== undefined && { k: entry.keyDigest }),
        ...(inline !== undefined && { inline: Buffer.from(inline).toString('base64') }),
        ...(blob.sha !== '' && { sha: blob.sha }),
        ...(blob.parts && { parts: blob.parts.map(({ size, b3, sha }) => ({ s: size, b3, sha })) }),
      };
    }),
  }));
  const { producer } = record;
  return canonicalJson({
    v: RECORD_VERSION,
    key: record.key,
    ns: record.ns,
    rule: record.rule,
    job: record.jobId,
    started: record.startedAt,
    finished: record.finishedAt,
    wall_s: record.wallS,
    cpu_s: record.cpuS ?? null,
    max_rss_mb: record.maxRssMb ?? null,
    producer: { lhb: producer.lhb, host: producer.host, user: producer.user, platform: producer.platform },
    outputs,
  });
}

/** JSON with sorted members and no blanks. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, item]) => `${JSON.stringify(name)}:${canonicalJson(item)}`).join(',')}}`;
}

/**
 * A record from its first line; the error is a sentence on what is wrong. All that a hostile one could do is refused here:
 * paths that lead out, files below links, lists that contradict themselves.
 * @param key what was asked for: a record under another name is none
 */
export function decodeRecord(text: string, key: RecordKey, ns: string): Result<SharedRecord, string> {
  try {
    const fields = map(JSON.parse(text));
    if (fields['v'] !== RECORD_VERSION) return err(`it has the format ${String(fields['v'])}`);
    if (fields['key'] !== key) return err('it is the record of another key');
    if (fields['ns'] !== ns) return err(OTHER_NAMESPACE);
    const files: SharedFile[] = [];
    const manifest = list(fields['outputs']).map((item) => output(map(item), files));
    const wrong = wrongPath('.', manifest);
    if (wrong !== undefined) return err(wrong);
    const producer = map(fields['producer']);
    return ok({
      key,
      ns,
      rule: text_(fields['rule']),
      jobId: text_(fields['job']),
      startedAt: within(fields['started'], MOST_S),
      finishedAt: within(fields['finished'], MOST_S),
      wallS: within(fields['wall_s'], MOST_S),
      cpuS: fields['cpu_s'] === null ? undefined : within(fields['cpu_s'], MOST_S),
      maxRssMb: fields['max_rss_mb'] === null ? undefined : within(fields['max_rss_mb'], Number.MAX_VALUE),
      producer: {
        lhb: text_(producer['lhb']),
        host: text_(producer['host']),
        user: text_(producer['user']),
        platform: text_(producer['platform']),
      },
      manifest,
      files,
    });
  } catch (problem) {
    if (problem instanceof Malformed || problem instanceof SyntaxError) return err('it is not of the form of a record');
    throw problem;
  }
}

function output(fields: Fields, files: SharedFile[]): Manifest[number] {
  const tree = fields['t'] === 'd';
  if (!tree && fields['t'] !== 'f') throw new Malformed();
  const entries = list(fields['e']).map((item): Entry => {
    const { t, p, ...rest } = map(item);
    const path = text_(p);
    if (t === 'd') return { type: 'dir', path };
    if (t === 'l') return { type: 'link', path, target: text_(rest['to']) };
    if (t !== 'f' || (rest['m'] !== '644' && rest['m'] !== '755')) throw new Malformed();
    const file = sharedFile(path, rest);
    files.push(file);
    return file.entry;
  });
  for (const [at, entry] of entries.entries()) {
    const before = entries[at - 1];
    if (before !== undefined && before.path >= entry.path) throw new Malformed();
  }
  return { name: text_(fields['n']), path: text_(fields['p']), tree, entries, keyDigest: keyDigestOf(tree, entries) };
}

function sharedFile(path: string, fields: Fields): SharedFile {
  const size = count(fields['s']);
  const b3 = hex(fields['b3']) as Digest;
  const keyDigest = fields['k'] === undefined ? {} : { keyDigest: hex(fields['k']) as Digest };
  const entry = { type: 'file', path, size, digest: b3, exec: fields['m'] === '755', ...keyDigest } as const;
  if (fields['inline'] !== undefined) {
    const inline = Buffer.from(text_(fields['inline']), 'base64');
    if (inline.length !== size) throw new Malformed();
    return { entry, blob: { size, b3, sha: '' }, inline };
  }
  if (size === 0) return { entry, blob: { size, b3, sha: '' }, inline: new Uint8Array() };
  if (fields['parts'] === undefined) return { entry, blob: { size, b3, sha: hex(fields['sha']) } };
  const parts = list(fields['parts']).map((item): Piece => {
    const part = map(item);
    return { size: count(part['s']), b3: hex(part['b3']) as Digest, sha: hex(part['sha']) };
  });
  if (parts.reduce((sum, part) => sum + part.size, 0) !== size) throw new Malformed();
  return { entry, blob: { size, b3, sha: '', parts } };
}

/** A sentence on why a record does not fit the outputs that the rule declares; undefined where it does. */
export function undeclared(manifest: Manifest, declared: readonly Declared[]): string | undefined {
  const shape = (o: Pick<Declared, 'name' | 'path' | 'tree'>): string => JSON.stringify([o.name, o.path, o.tree]);
  const wanted = new Set(declared.map(shape));
  for (const output_ of manifest) {
    if (!wanted.has(shape(output_))) return `it has an output '${output_.path}' that the rule does not declare`;
  }
  const has = new Set(manifest.map(shape));
  const isWhole = manifest.length === declared.length && declared.every((d) => has.has(shape(d)));
  return isWhole ? undefined : 'it does not have the outputs that the rule declares';
}

/** The latest moment that a date can tell, in seconds since the epoch. */
const MOST_S = 8.64e12;

function within(item: unknown, most: number): number {
  const value = number(item);
  if (!(value >= 0 && value <= most)) throw new Malformed();
  return value;
}

function count(item: unknown): number {
  if (typeof item !== 'number' || !Number.isSafeInteger(item) || item < 0) throw new Malformed();
  return item;
}

function hex(item: unknown): string {
  if (typeof item !== 'string' || !/^[0-9a-f]{64}$/.test(item)) throw new Malformed();
  return item;
}
