// What every kind of shared cache can do, and how it fails. Nothing here trusts what comes out of a cache: records are
// checked by record.ts and trust.ts, bytes by their BLAKE3 when they enter the store.
import { setMaxListeners } from 'node:events';
import type { Brand, Digest } from '../base/brand.ts';

/** 64 hex digits: where a cache keeps the record of an action, under a namespace. */
export type RecordKey = Brand<string, 'RecordKey'>;

/** Some bytes in a cache: `b3` is what they are to lhb, `sha` (SHA-256) what servers with a /cas name them by. */
export type Piece = { readonly size: number; readonly b3: Digest; readonly sha: string };

/** The bytes of a file. Where there are `parts`, servers hold these one by one, and directories the whole. */
export type BlobRef = Piece & { readonly parts?: readonly Piece[] };

/** A cache as it was configured. */
export type CacheSpec = {
  /** How reports and options call it. */
  readonly name: string;
  readonly kind: 'dir' | 'http' | 's3';
  /** As it was written. */
  readonly url: string;
  readonly mode: 'r' | 'rw';
  /** Files or folders of public keys, absolute; `any`: whoever may write there; undefined: not said. */
  readonly trust: 'any' | readonly string[] | undefined;
  /** Keeps entries of different teams apart. */
  readonly ns: string;
  /** Under which what waits to be sent is noted; default: the name. */
  readonly outbox?: string;
};

/** Limits of one request, in milliseconds. There is none on the whole: as long as bytes flow a transfer goes on. */
export type Limits = {
  readonly connectMs: number;
  readonly firstByteMs: number;
  readonly idleMs: number;
  /** For small answers: the most that all of it may take, however it trickles. */
  readonly wholeMs?: number;
};

/** For commands on caches: nobody waits for anything else, so they give a cache more time than a build does. */
export const COMMAND_LIMITS: Limits = { connectMs: 2000, firstByteMs: 10_000, idleMs: 15_000 };

/** A limit in a message. */
export const inSeconds = (ms: number): string => `${Number((ms / 1000).toFixed(1))} s`;

/** A transfer that is followed and may be ended. */
export type Transfer = {
  readonly limits: Limits;
  readonly signal?: AbortSignal;
  /** Called with the number of bytes that have just come or gone. */
  readonly onBytes?: (count: number) => void;
};

export type Listed = { readonly key: RecordKey; readonly size: number; readonly modifiedMs: number };

export interface SharedCache {
  readonly spec: CacheSpec;
  /** The bytes of a record as they were put, or undefined where there is none. */
  getRecord(key: RecordKey, transfer: Transfer): Promise<Uint8Array | undefined>;
  /**
   * Publishes a record, whole or not at all; all its blobs must be there already.
   * @param blobs what the record names: servers that know the format keep them as long as the record
   * @param replace put it in the place of another one
   * @returns 'exists' where there is another one, which stays
   */
  putRecord(
    key: RecordKey,
    bytes: Uint8Array,
    blobs: readonly Piece[],
    replace: boolean,
    transfer: Transfer,
  ): Promise<'stored' | 'exists'>;
  /** Which of these are there, by name and size. */
  hasBlobs(blobs: readonly BlobRef[], transfer: Transfer): Promise<boolean[]>;
  /**
   * Brings a blob's bytes to `file`, unverified; what `file` holds already is the beginning that came earlier. False: the
   * blob is gone. Never writes more than its size.
   */
  fetchBlob(blob: BlobRef, file: string, transfer: Transfer): Promise<boolean>;
  /** Publishes the bytes of `file`. What is there already is left alone, unless `replace`. */
  putBlob(blob: BlobRef, file: string, replace: boolean, transfer: Transfer): Promise<void>;
  /** All records, where the cache can tell. Throws a CacheError. */
  listRecords?(transfer: Transfer): AsyncIterable<Listed>;
  /** Notes that these records were read, where that decides what is kept. Never fails. */
  noteUse?(keys: readonly RecordKey[]): Promise<void>;
  close(): void;
}

export type FailureKind =
  /** 401, 403, EACCES: it will not get better in this run. */
  | 'denied'
  /** Nothing answers, or it broke off. */
  | 'down'
  | 'timeout'
  /** 429 and 5xx. */
  | 'server'
  /** An answer that makes no sense: a redirect, a 404 to PUT, packed bytes, no JSON. */
  | 'answer'
  /** It is there, with other bytes than it should have: that is the entry's fault, not the server's. */
  | 'bytes'
  /** No space left there. */
  | 'full'
  /** It would take longer than running the job. */
  | 'slow'
  /** The caller ended it. */
  | 'aborted';

/** A cache did not do what was asked. `message` follows the cache's name, and holds no credentials. */
export class CacheError extends Error {
  readonly kind: FailureKind;
  /** Trying once more may help. */
  readonly transient: boolean;
  /** What to do, where the kind alone does not tell. */
  readonly advice: string | undefined;
  constructor(kind: FailureKind, message: string, transient = false, advice?: string) {
    super(message);
    this.kind = kind;
    this.transient = transient;
    this.advice = advice;
  }
}

/** Runs `work` on each item, at most `width` at a time; the answers are in the order of the items. */
export async function inParallel<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const answers: R[] = [];
  answers.length = items.length;
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const at = next++;
      answers[at] = await work(items[at] as T);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
  return answers;
}

/** Ends many transfers at once; Node warns of more than ten listeners. */
export function manyListeners(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
