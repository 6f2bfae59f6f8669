// BLAKE3 of texts, bytes and files. The only file that imports blake3 and @napi-rs/blake-hash.
//
// blake3@2.1.7 is WebAssembly and always there; the native package is optional, ten times faster on big data and three times
// on a short text, as long as one hasher is used again: what it gives back as a Buffer costs more than a short hash. Both
// are loaded when first needed.
import { closeSync, openSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Digest } from '../base/brand.ts';

type Wasm = typeof import('blake3');
type Native = typeof import('@napi-rs/blake-hash');

const require = createRequire(import.meta.url);
let wasmModule: Wasm | undefined;
let nativeModule: Native | null | undefined;

const wasm = (): Wasm => (wasmModule ??= require('blake3') as Wasm);

function native(): Native | null {
  if (nativeModule === undefined) {
    try {
      nativeModule = require('@napi-rs/blake-hash') as Native;
    } catch {
      nativeModule = null; // not there for this platform
    }
  }
  return nativeModule;
}

/** Is there native code for this platform? */
export const hasNative = (): boolean => native() !== null;

/** Big files are read in pieces of this many bytes: more no longer fits the cache of a core. */
export const CHUNK = 256 * 1024;

let chunk: Buffer | undefined;

/** BLAKE3 of the text's UTF-8 bytes. */
export const hashText = (text: string): Digest => hashWhole(text);

/** BLAKE3 of a text that describes a structure. `context` keeps hashes of different kinds of structure apart. */
export const hashIn = (context: string, text: string): Digest => hashText(`${context}\0${text}`);

/** BLAKE3 of some bytes. */
export const hashBytes = (bytes: Uint8Array): Digest => hashWhole(bytes);

/** Holds nothing between two calls. */
let again: InstanceType<Native['Blake3Hasher']> | undefined;

function hashWhole(data: string | Uint8Array): Digest {
  const fast = native();
  if (fast) {
    again ??= new fast.Blake3Hasher();
    again.reset();
    return again.update(data).digest() as Digest;
  }
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  // WebAssembly copies its whole input: big ones go in piece by piece.
  if (bytes.length > CHUNK) return new Hasher().update(bytes).digest();
  return Buffer.from(wasm().hash(bytes)).toString('hex') as Digest;
}

/** BLAKE3 of bytes that come in pieces. End it with `digest` or `dispose`: WebAssembly memory is not collected. */
export class Hasher {
  readonly #hasher: { update(bytes: Uint8Array): unknown; digest(): Buffer; dispose(): void };

  /** @param implementation 'wasm' leaves the native package out; for tests. */
  constructor(implementation: 'best' | 'wasm' = 'best') {
    const fast = implementation === 'best' ? native() : null;
    if (fast) {
      const hasher = new fast.Blake3Hasher();
      this.#hasher = { update: (b) => hasher.update(b), digest: () => hasher.digestBuffer(), dispose: () => {} };
    } else {
      const hasher = wasm().createHash();
      this.#hasher = {
        update: (b) => hasher.update(b),
        digest: () => Buffer.from(hasher.digest()),
        dispose: () => hasher.dispose(),
      };
    }
  }

  update(data: Uint8Array | string): this {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    for (let at = 0; at < bytes.length; at += CHUNK) this.#hasher.update(bytes.subarray(at, at + CHUNK));
    return this;
  }

  digest(): Digest {
    return this.#hasher.digest().toString('hex') as Digest;
  }

  dispose(): void {
    this.#hasher.dispose();
  }
}

export type FileDigest = { readonly digest: Digest; readonly size: number };

/** BLAKE3 and number of the bytes that were read, at once; hash-file.ts does it while other work goes on. Throws system errors (ENOENT, EISDIR). */
export function hashFile(path: string): FileDigest {
  const fd = openSync(path, 'r');
  let hasher: Hasher | undefined;
  try {
    const buffer = (chunk ??= Buffer.allocUnsafeSlow(CHUNK));
    let filled = readFull(fd, buffer);
    if (filled < CHUNK) return { digest: hashBytes(buffer.subarray(0, filled)), size: filled };
    hasher = new Hasher();
    let size = 0;
    while (filled > 0) {
      hasher.update(buffer.subarray(0, filled));
      size += filled;
      filled = readSync(fd, buffer, 0, CHUNK, null);
    }
    return { digest: hasher.digest(), size };
  } finally {
    hasher?.dispose();
    closeSync(fd);
  }
}

/** Reads until the buffer is full or the file ends: a read may give less than was asked for. */
export function readFull(fd: number, buffer: Buffer): number {
  let filled = 0;
  while (filled < buffer.length) {
    const read = readSync(fd, buffer, filled, buffer.length - filled, null);
    if (read === 0) break;
    filled += read;
  }
  return filled;
}
