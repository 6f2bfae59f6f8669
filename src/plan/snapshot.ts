// The snapshot: what the last build found, as flat arrays, so that the next one need not parse, expand and hash a hundred
// thousand jobs to learn that nothing changed. A view, never the truth: whatever does not match in it is asked of the index.
//
// The file `.lhb/snapshot`, little endian: 16 bytes of magic with the format version; CRC-32 of all that follows it, uint32;
// length of the header, uint32; the header, JSON: evidence and the table of sections; the sections, each at a multiple of 8
// bytes.
// Rejected: JSON or msgpack of objects (300 ms to read for 100 000 jobs), a table of LMDB (50 ms to load it).
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { writeAtomic } from '../fs/atomic-write.ts';
import type { LinkMode } from '../fs/link.ts';
import type { Evidence } from './evidence.ts';
import { Texts, type TextBytes } from './texts.ts';

const MAGIC = Buffer.from('lhb snapshot 6\n\0', 'latin1');
const CHECKSUM_AT = 16;
const HEADER_LENGTH_AT = 20;
const HEADER_AT = 24;

/** How a path is looked at, and what counts as unchanged. */
export const LOOK = {
  /** `stat`: the signature. */
  stat: 0,
  /** `lstat`: the signature of a link itself. */
  lstat: 1,
  /** Nothing may stand there: a temp output that was dropped. */
  absent: 2,
  /** Changed whatever is there: its signature would prove nothing. */
  unknown: 3,
} as const;

/** Bits of a job's state. */
export const STATE = {
  /** A build without selectors is about it. */
  wanted: 1,
  /** Its result is on record, and its outputs were that result. */
  fresh: 2,
} as const;

/** What a detailed summary shows of a job beside its numbers is told by what. */
export const TOLD = {
  /** The workflow alone. */
  byWorkflow: 0,
  /** Its result on record (told.ts). */
  byResult: 1,
  /** The row of details (details.ts), and so by its result as well. */
  byDetails: 2,
} as const;

/** Bytes a path of what the store has of it: first one of BLOB, then its digest. */
export const BLOB_BYTES = 33;

/** How an output comes back, should it be gone. */
export const BLOB = {
  /** Only a plan can tell. */
  none: 0,
  /** It is a link to a blob, or a copy of it. */
  file: 1,
  executable: 2,
} as const;

/** Numbers of float64 a path: size, mtimeMs, ctimeMs, ino. */
export const STAT_FIELDS = 4;

/** Numbers of float64 a job: when its run ended (seconds since the epoch), seconds it took, bytes of its outputs. */
export const RESULT_FIELDS = 3;

/** `items[starts[i]]` to `items[starts[i + 1]]`, excluded, belong to `i`. */
export type Lists = { readonly starts: Int32Array; readonly items: Int32Array };

/** Jobs are numbered in topological order, and so are rules, sources and paths. */
export type Snapshot = {
  readonly evidence: Evidence;
  readonly rules: readonly string[];
  /** The output root, from the workflow's folder. */
  readonly output: string;
  readonly states: Uint8Array;
  /** Of each job, of TOLD; of one that is not fresh `byWorkflow`. */
  readonly told: Uint8Array;
  /** Which details (details.ts) the snapshot speaks of; '' for none. */
  readonly details: string;
  /** The list of all these results, where the last build on record looked at them (build-lists.ts); '' where that is not known. */
  readonly noted: string;
  /** How blobs and outputs share bytes, where it is enough to link what is gone (BLOB); else undefined. */
  readonly link: LinkMode | undefined;
  /** 1 for a job whose result is on record as built here: once it was restored, it is on record as that. */
  readonly built: Uint8Array;
  /** Of jobs that are fresh; 0 of the others. */
  readonly results: Float64Array;
  readonly ruleOf: Int32Array;
  /** A job's position in the list of its rule's jobs. */
  readonly ranks: Int32Array;
  /** For each `for` name of a job, which of its values it has. */
  readonly places: Lists;
  readonly upstream: Lists;
  /** Sources whose content counts in the job's key. */
  readonly sources: Lists;
  /** The paths of a job's outputs begin here; those of sources follow, from `pathsOfSource`. */
  readonly pathsOfJob: Int32Array;
  readonly pathsOfSource: Int32Array;
  readonly ids: Texts;
  readonly labels: Texts;
  /** From the workflow's folder, or absolute. */
  readonly paths: Texts;
  readonly looks: Uint8Array;
  readonly stats: Float64Array;
  /** BLOB_BYTES a path. */
  readonly blobs: Uint8Array;
};

const TYPES = { Uint8Array, Int32Array, Float64Array } as const;

type Section = {
  readonly name: string;
  readonly type: keyof typeof TYPES;
  readonly from: number;
  readonly length: number;
};
type Header = Pick<Snapshot, 'evidence' | 'rules' | 'output' | 'details' | 'link' | 'noted'> & {
  readonly sections: readonly Section[];
};
type Numbers = Uint8Array | Int32Array | Float64Array;

const typeOf = (array: Numbers): Section['type'] =>
  array instanceof Float64Array ? 'Float64Array' : array instanceof Int32Array ? 'Int32Array' : 'Uint8Array';

/** Of what follows its place: against damage. SHA-256 takes 3 ms more, most of it to load node:crypto. */
const checksumOf = (file: Buffer): number => crc32(file.subarray(HEADER_LENGTH_AT));

const align = (offset: number): number => Math.ceil(offset / 8) * 8;

/** Writes a snapshot whole. Throws system errors. */
export function writeSnapshot(file: string, snapshot: Snapshot): void {
  writeAtomic(file, encodeSnapshot(snapshot));
}

export function encodeSnapshot(snapshot: Snapshot): Uint8Array {
  const { places, upstream, sources, ids, labels, paths } = snapshot;
  const text = (name: string, { bytes, ends }: TextBytes): [string, Numbers][] => [
    [`${name}.bytes`, bytes],
    [`${name}.ends`, ends],
  ];
  const lists = (name: string, { starts, items }: Lists): [string, Numbers][] => [
    [`${name}.starts`, starts],
    [`${name}.items`, items],
  ];
  const arrays: [string, Numbers][] = [
    ['stats', snapshot.stats],
    ['looks', snapshot.looks],
    ...text('paths', paths),
    ['blobs', snapshot.blobs],
    ['states', snapshot.states],
    ['built', snapshot.built],
    ['told', snapshot.told],
    ['results', snapshot.results],
    ['ruleOf', snapshot.ruleOf],
    ['ranks', snapshot.ranks],
    ...lists('places', places),
    ...lists('upstream', upstream),
    ...lists('sources', sources),
    ['pathsOfJob', snapshot.pathsOfJob],
    ['pathsOfSource', snapshot.pathsOfSource],
    ...text('ids', ids),
    ...text('labels', labels),
  ];
  let end = 0;
  const sections = arrays.map(([name, array]): Section => {
    const from = align(end);
    end = from + array.byteLength;
    return { name, type: typeOf(array), from, length: array.length };
  });
  const { evidence, rules, output, details, link, noted } = snapshot;
  const header: Header = { evidence, rules, output, details, link, noted, sections };
  const json = Buffer.from(JSON.stringify(header));
  const base = align(HEADER_AT + json.length);
  const file = Buffer.alloc(base + end);
  MAGIC.copy(file);
  file.writeUInt32LE(json.length, HEADER_LENGTH_AT);
  json.copy(file, HEADER_AT);
  for (const [i, [, array]] of arrays.entries()) {
    file.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), base + (sections[i]?.from ?? 0));
  }
  file.writeUInt32LE(checksumOf(file), CHECKSUM_AT);
  return file;
}

/** Reads a snapshot; undefined where there is none, it is damaged, or another version wrote it. */
export function readSnapshot(file: string): Snapshot | undefined {
  const bytes = readShared(file);
  return bytes && decodeSnapshot(bytes);
}

/** Into memory that a worker can share. */
function readShared(file: string): Buffer | undefined {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch {
    return undefined;
  }
  try {
    const bytes = Buffer.from(new SharedArrayBuffer(fstatSync(fd).size));
    return readSync(fd, bytes) === bytes.length ? bytes : undefined;
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}

export function decodeSnapshot(bytes: Buffer): Snapshot | undefined {
  if (bytes.length < HEADER_AT || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  if (bytes.readUInt32LE(CHECKSUM_AT) !== checksumOf(bytes)) return undefined;
  const length = bytes.readUInt32LE(HEADER_LENGTH_AT);
  const { sections, ...head } = JSON.parse(bytes.toString('utf8', HEADER_AT, HEADER_AT + length)) as Header;
  const base = bytes.byteOffset + align(HEADER_AT + length);
  if (!sections.every((s) => Object.hasOwn(TYPES, s.type) && base + s.from <= bytes.byteOffset + bytes.length))
    return undefined;
  const found = new Map(
    sections.map(({ name, type, from, length: count }) => [
      name,
      new TYPES[type](bytes.buffer as ArrayBuffer, base + from, count),
    ]),
  );
  // What the checksum covers was written as it stands.
  const array = <T extends Numbers>(name: string): T => found.get(name) as T;
  const text = (name: string): Texts => new Texts({ bytes: array(`${name}.bytes`), ends: array(`${name}.ends`) });
  const lists = (name: string): Lists => ({ starts: array(`${name}.starts`), items: array(`${name}.items`) });
  return {
    ...head,
    states: array('states'),
    built: array('built'),
    told: array('told'),
    results: array('results'),
    ruleOf: array('ruleOf'),
    ranks: array('ranks'),
    places: lists('places'),
    upstream: lists('upstream'),
    sources: lists('sources'),
    pathsOfJob: array('pathsOfJob'),
    pathsOfSource: array('pathsOfSource'),
    ids: text('ids'),
    labels: text('labels'),
    paths: text('paths'),
    looks: array('looks'),
    stats: array('stats'),
    blobs: array('blobs'),
  };
}
