// A cache on an HTTP server in Bazel's layout, so that nginx and bazel-remote both serve: PUT and GET of /ac/KEY and
// /cas/SHA256, with Content-Length. s3.ts has the same names in a bucket.
//
// What lies under /ac is an ActionResult of the Remote Execution API as JSON. It names every blob, so that a server which
// knows the format answers 404 once one of them is gone. Such a server writes it anew, so it cannot be signed: the record is
// itself a blob, the first one, and stands in `stdoutRaw` too, which spares a request. Only that is read.
import { createHash } from 'node:crypto';
import { createWriteStream, statSync, truncateSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { Transform } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { isMissing, networkFailure, packedFailure, statusFailure } from './http-failure.ts';
import { WIDTH, type Body, type HttpClient, type Request } from './http-request.ts';
import { MAX_RECORD, piecesOf } from './record.ts';
import { EMPTY_SHA256 } from './sigv4.ts';
import {
  CacheError,
  inParallel,
  type BlobRef,
  type CacheSpec,
  type Piece,
  type RecordKey,
  type SharedCache,
  type Transfer,
} from './shared-cache.ts';

/** The headers of a request that let it in; for S3 they sign it. */
export type Authorise = (request: Omit<Request, 'body'>, bodySha: string) => Readonly<Record<string, string>>;

const RECORD_PATH = '.lhb/record';
/** Records up to this size stand in the ActionResult as well. */
const RAW_BELOW = 64 * 1024;

export class HttpCache implements SharedCache {
  readonly spec: CacheSpec;
  readonly #base: URL;
  readonly #client: HttpClient;
  readonly #authorise: Authorise;

  /** @param base what `ac/` and `cas/` lie below; its path ends with a slash */
  constructor(spec: CacheSpec, base: URL, client: HttpClient, authorise: Authorise) {
    this.spec = spec;
    this.#base = base;
    this.#client = client;
    this.#authorise = authorise;
  }

  async getRecord(key: RecordKey, transfer: Transfer): Promise<Uint8Array | undefined> {
    const found = await this.get(`ac/${key}`, MAX_RECORD, transfer, { accept: 'application/json' });
    if (found === undefined) return undefined;
    const { raw, record } = readActionResult(found);
    if (raw !== undefined) return raw;
    if (record === undefined) return found;
    return await this.get(`cas/${record.sha}`, Math.min(record.size, MAX_RECORD), transfer);
  }

  async putRecord(
    key: RecordKey,
    bytes: Uint8Array,
    blobs: readonly Piece[],
    replace: boolean,
    transfer: Transfer,
  ): Promise<'stored' | 'exists'> {
    const sha = shaOf(bytes);
    const piece = { sha, size: bytes.length };
    if (!(await this.#has(piece, transfer))) await this.#putPiece(piece, bytes, false, transfer);
    const result = Buffer.from(actionResult(bytes, sha, blobs));
    return this.#put(`ac/${key}`, result, shaOf(result), replace, transfer, { 'content-type': 'application/json' });
  }

  hasBlobs(blobs: readonly BlobRef[], transfer: Transfer): Promise<boolean[]> {
    return inParallel(blobs, WIDTH, async (blob) => {
      for (const piece of piecesOf(blob)) if (!(await this.#has(piece, transfer))) return false;
      return true;
    });
  }

  async fetchBlob(blob: BlobRef, file: string, transfer: Transfer): Promise<boolean> {
    const kept = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    let at = 0;
    for (const piece of piecesOf(blob)) {
      const end = at + piece.size;
      // Whole pieces that came earlier stay; half a one comes again.
      if (kept < end && !(await this.#fetchPiece(piece, file, at, transfer))) return false;
      at = end;
    }
    return true;
  }

  async putBlob(blob: BlobRef, file: string, replace: boolean, transfer: Transfer): Promise<void> {
    let start = 0;
    for (const piece of piecesOf(blob)) {
      // Pieces of an upload that was cut off are there already.
      const there = await this.#state(piece, transfer);
      if (replace || there !== 'whole') {
        const body = { file, start, size: piece.size };
        await this.#putPiece(piece, body, replace || there === 'other', transfer);
      }
      start += piece.size;
    }
  }

  /** Takes out what was put to try it, as far as the server lets one. */
  async remove(key: RecordKey, blobs: readonly Uint8Array[], transfer: Transfer): Promise<void> {
    try {
      for (const path of [`ac/${key}`, ...blobs.map((bytes) => `cas/${shaOf(bytes)}`)])
        await this.#client.fetch(this.#request('DELETE', path), MAX_RECORD, transfer);
    } catch (problem) {
      if (!(problem instanceof CacheError)) throw problem;
    }
  }

  close(): void {
    this.#client.close();
  }

  /** Appends a piece to a file; breaks off and goes on once, and with wrong bytes starts over once. */
  async #fetchPiece(piece: Piece, file: string, start: number, transfer: Transfer): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      const kept = Math.max(
        0,
        Math.min(piece.size, (statSync(file, { throwIfNoEntry: false })?.size ?? start) - start),
      );
      try {
        return await this.#fetchRest(piece, file, start, attempt === 1 ? 0 : kept, transfer);
      } catch (problem) {
        const transient = problem instanceof CacheError && problem.transient;
        if (!transient || attempt === 2) throw problem;
        await delay(100 + Math.random() * 200);
      }
    }
  }

  async #fetchRest(piece: Piece, file: string, start: number, from: number, transfer: Transfer): Promise<boolean> {
    const request = this.#request('GET', `cas/${piece.sha}`, from > 0 ? { range: `bytes=${from}-` } : {});
    const response = await this.#client.send(request, transfer);
    const status = response.statusCode ?? 0;
    if (isMissing(status)) {
      response.resume();
      return false;
    }
    if (status !== 200 && status !== 206) {
      response.destroy();
      throw statusFailure(status, request, response.headers.location);
    }
    // A server without ranges sends all of it again.
    const offset = status === 206 ? from : 0;
    let size = offset;
    const measure = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        size += chunk.length;
        if (size > piece.size) return done(new CacheError('bytes', `${request.url.host} sent more than was announced`));
        transfer.onBytes?.(chunk.length);
        done(null, chunk);
      },
    });
    const length = response.headers['content-length'];
    if (length !== undefined && Number(length) !== piece.size - offset) {
      response.destroy();
      throw new CacheError(
        'bytes',
        `${request.url.host} has ${length} bytes where ${piece.size - offset} were announced`,
      );
    }
    const encoding = response.headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'identity') {
      response.destroy();
      throw packedFailure(request, encoding);
    }
    try {
      truncate(file, start + offset);
      await pipeline(response, measure, createWriteStream(file, { flags: 'a', mode: 0o600 }));
    } catch (problem) {
      throw networkFailure(problem, request.url);
    }
    if (size < piece.size) throw new CacheError('down', `${request.url.host} broke off in the middle`, true);
    return true;
  }

  protected async get(
    path: string | URL,
    most: number,
    transfer: Transfer,
    headers: Record<string, string> = {},
  ): Promise<Buffer | undefined> {
    const request = this.#request('GET', path, headers);
    const { status, body, response } = await again(() =>
      this.#client.fetch(request, most, transfer).then(served(request)),
    );
    if (isMissing(status, body)) return undefined;
    if (status === 200) return body;
    throw statusFailure(status, request, response.headers.location, body);
  }

  async #has(piece: Pick<Piece, 'sha' | 'size'>, transfer: Transfer): Promise<boolean> {
    return (await this.#state(piece, transfer)) === 'whole';
  }

  /** 'other': something of another size has its name. */
  async #state(piece: Pick<Piece, 'sha' | 'size'>, transfer: Transfer): Promise<'whole' | 'other' | 'none'> {
    const request = this.#request('HEAD', `cas/${piece.sha}`);
    const { status, response } = await again(() => this.#client.fetch(request, 0, transfer).then(served(request)));
    if (status === 200) return Number(response.headers['content-length']) === piece.size ? 'whole' : 'other';
    if (isMissing(status)) return 'none';
    throw statusFailure(status, request, response.headers.location);
  }

  async #putPiece(piece: Pick<Piece, 'sha' | 'size'>, body: Body, replace: boolean, transfer: Transfer): Promise<void> {
    const path = `cas/${piece.sha}`;
    const put = await this.#put(path, body, piece.sha, replace, transfer);
    // Another may have put it meanwhile. Where nobody has, the server takes nothing.
    if (put === 'stored' || (await this.#has(piece, transfer))) return;
    const { host } = new URL(path, this.#base);
    throw new CacheError('answer', `${host} says to PUT that it has the file already, and has it not`);
  }

  async #put(
    path: string,
    body: Body,
    sha: string,
    replace: boolean,
    transfer: Transfer,
    headers: Record<string, string> = { 'content-type': 'application/octet-stream' },
  ): Promise<'stored' | 'exists'> {
    const put = async (): Promise<number> => {
      const request = { ...this.#request('PUT', path, headers, sha), body };
      const { status, response, body: said } = await this.#client.fetch(request, MAX_RECORD, transfer);
      if ([200, 201, 204, 409, 412].includes(status)) return status;
      throw statusFailure(status, request, response.headers.location, said);
    };
    const taken = (status: number): boolean => status === 409 || status === 412;
    let status = await put();
    if (taken(status) && replace) {
      const request = this.#request('DELETE', path);
      const gone = (await this.#client.fetch(request, MAX_RECORD, transfer)).status;
      if (gone >= 300 && gone !== 404) throw statusFailure(gone, request);
      status = await put();
    }
    return taken(status) ? 'exists' : 'stored';
  }

  #request(
    method: Request['method'],
    path: string | URL,
    headers: Record<string, string> = {},
    bodySha = EMPTY_SHA256,
  ): Request {
    const request = { method, url: new URL(path, this.#base), headers };
    return { ...request, headers: { ...headers, ...this.#authorise(request, bodySha) } };
  }
}

const shaOf = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

/** Turns statuses that pass into failures that may be tried again. */
const served =
  (request: Request) =>
  <T extends { status: number }>(answer: T): T => {
    if (answer.status >= 502 && answer.status <= 504) throw statusFailure(answer.status, request);
    return answer;
  };

/** Once more for a reading that failed by something that may pass. */
async function again<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (problem) {
    if (!(problem instanceof CacheError) || !problem.transient) throw problem;
    await delay(100 + Math.random() * 200);
    return read();
  }
}

function truncate(file: string, size: number): void {
  if (statSync(file, { throwIfNoEntry: false }) !== undefined) truncateSync(file, size);
}

/** google/devtools/build/v1 ActionResult in the JSON of protobuf: 64-bit numbers are text, bytes base64. */
function actionResult(record: Uint8Array, sha: string, blobs: readonly Piece[]): string {
  const file = (path: string, hash: string, size: number): unknown => ({
    path,
    digest: { hash, sizeBytes: String(size) },
  });
  return JSON.stringify({
    outputFiles: [
      file(RECORD_PATH, sha, record.length),
      ...blobs.map((b) => file(`.lhb/blobs/${b.sha}`, b.sha, b.size)),
    ],
    exitCode: 0,
    ...(record.length <= RAW_BELOW && { stdoutRaw: Buffer.from(record).toString('base64') }),
  });
}

function readActionResult(bytes: Buffer): { raw?: Buffer; record?: Pick<Piece, 'sha' | 'size'> } {
  try {
    const fields = JSON.parse(bytes.toString()) as { stdoutRaw?: unknown; outputFiles?: unknown };
    if (typeof fields.stdoutRaw === 'string') return { raw: Buffer.from(fields.stdoutRaw, 'base64') };
    const files = (Array.isArray(fields.outputFiles) ? fields.outputFiles : []) as {
      path?: unknown;
      digest?: { hash?: unknown; sizeBytes?: unknown };
    }[];
    const found = files.find((file) => file.path === RECORD_PATH)?.digest;
    const size = Number(found?.sizeBytes);
    if (typeof found?.hash !== 'string' || !/^[0-9a-f]{64}$/.test(found.hash) || !Number.isSafeInteger(size)) return {};
    return { record: { sha: found.hash, size } };
  } catch {
    return {};
  }
}
