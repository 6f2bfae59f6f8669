// One HTTP request on node:http(s), which streams with constant memory (fetch buffers a body that is streamed). Limits are
// on connecting, on the first byte and on silence, never on the whole. Redirects are not followed: credentials would go with
// them.
import { createReadStream } from 'node:fs';
import type * as http from 'node:http';
import type { Result } from '../base/result.ts';
import { errno } from '../fs/errno.ts';
import { networkFailure, packedFailure } from './http-failure.ts';
import { routeTo, type Environment, type Route } from './proxy.ts';
import { CacheError, inSeconds, type Transfer } from './shared-cache.ts';

export type Body = Uint8Array | { readonly file: string; readonly start: number; readonly size: number };

export type Request = {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'DELETE';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Body;
};

/** Requests at the same time to one server. */
export const WIDTH = 32;

/** Bytes a second that a server brings to its disk at the least. */
const KEPT_AT_LEAST = 5e6;

/** Keeps connections to one server. */
export class HttpClient {
  readonly #route: Result<Route, string>;
  #inFlight = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param env where proxies are named */
  constructor(url: URL, env: Environment) {
    this.#route = routeTo(url, env, WIDTH);
  }

  /**
   * Sends a request; resolves with the headers of the answer, whatever its status. The body is to be read or destroyed.
   * Rejects with a CacheError.
   */
  async send(request: Request, transfer: Transfer): Promise<http.IncomingMessage> {
    // Limits of time are on the server: waiting for one's turn here is none of its faults.
    if (this.#inFlight >= WIDTH) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#inFlight++;
    const done = (): void => {
      const next = this.#waiting.shift();
      if (next === undefined) this.#inFlight--;
      else next();
    };
    try {
      const response = await this.#send(request, transfer);
      if (response.closed) done();
      else response.once('close', done);
      return response;
    } catch (problem) {
      done();
      throw problem;
    }
  }

  #send(request: Request, transfer: Transfer): Promise<http.IncomingMessage> {
    const { url, method, headers, body } = request;
    const { limits, signal, onBytes } = transfer;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(new CacheError('aborted', 'ended'));
      if (!this.#route.ok) return reject(new CacheError('down', this.#route.error));
      const route = this.#route.value;
      const length = body === undefined ? undefined : body instanceof Uint8Array ? body.length : body.size;
      let sent: http.ClientRequest;
      try {
        sent = route.request({
          ...route.options(url),
          method,
          agent: route.agent,
          headers: {
            ...headers,
            'user-agent': 'lhb',
            'accept-encoding': 'identity',
            ...route.headers(url),
            ...(length !== undefined && { 'content-length': String(length) }),
          },
        });
      } catch (problem) {
        // Node takes no such header or path. Its own words may hold the value.
        const code = errno(problem);
        if (code === undefined) return reject(problem);
        return reject(new CacheError('answer', `${url.host} cannot be asked (${code})`));
      }
      let timer: NodeJS.Timeout | undefined;
      let isOver = false;
      const over = (): void => {
        isOver = true;
        clearTimeout(timer);
      };
      const fail = (error: CacheError): void => {
        over();
        sent.destroy();
        reject(error);
      };
      const waitFor = (ms: number, what: string): void => {
        // Some servers answer before they have the whole body, which is still on its way then.
        if (isOver) return;
        clearTimeout(timer);
        timer = setTimeout(() => fail(new CacheError('timeout', `${what} within ${inSeconds(ms)}`)), ms);
      };
      const onAbort = (): void => fail(new CacheError('aborted', 'ended'));
      signal?.addEventListener('abort', onAbort);
      waitFor(limits.connectMs, `${route.peer.host} did not take a connection`);
      // What was sent must come to a disk there before it is answered for.
      const keepingMs = ((length ?? 0) / KEPT_AT_LEAST) * 1000;
      const answer = (): void => waitFor(limits.firstByteMs + keepingMs, `${url.host} did not answer`);
      sent.on('socket', (s) => {
        const connected = (): void => (body === undefined || body instanceof Uint8Array ? answer() : idle());
        // While a body is sent, what counts is that bytes leave.
        const idle = (): void => waitFor(limits.idleMs, `${url.host} took no bytes`);
        if (s.connecting) s.once(route.connected, connected);
        else connected();
      });
      sent.on('response', (response) => {
        over();
        response.once('close', () => signal?.removeEventListener('abort', onAbort));
        response.setTimeout(limits.idleMs, () =>
          response.destroy(new CacheError('timeout', `${url.host} sent nothing for ${inSeconds(limits.idleMs)}`)),
        );
        resolve(response);
      });
      sent.on('error', (problem) => {
        signal?.removeEventListener('abort', onAbort);
        try {
          fail(networkFailure(problem, route.peer));
        } catch {
          over();
          reject(problem);
        }
      });
      if (body === undefined) sent.end();
      else if (body instanceof Uint8Array) sent.end(body);
      else {
        const source = createReadStream(body.file, {
          start: body.start,
          end: body.start + body.size - 1,
          highWaterMark: 256 * 1024,
        });
        source.on('error', (problem) => fail(new CacheError('answer', `a blob cannot be read: ${problem.message}`)));
        source.on('data', (chunk) => {
          onBytes?.(chunk.length);
          waitFor(limits.idleMs, `${url.host} took no bytes`);
        });
        source.on('end', answer);
        sent.on('close', () => source.destroy());
        source.pipe(sent);
      }
    });
  }

  /** Sends a request and reads the whole answer, up to `most` bytes. */
  async fetch(
    request: Request,
    most: number,
    transfer: Transfer,
  ): Promise<{ status: number; body: Buffer; response: http.IncomingMessage }> {
    const began = performance.now();
    const response = await this.send(request, transfer);
    const encoding = response.headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'identity') {
      response.destroy();
      throw packedFailure(request, encoding);
    }
    const { wholeMs } = transfer.limits;
    const message = `${request.url.host} did not send all of a record within ${inSeconds(wholeMs ?? 0)}`;
    const late =
      wholeMs !== undefined &&
      setTimeout(
        () => response.destroy(new CacheError('timeout', message)),
        Math.max(0, wholeMs - (performance.now() - began)),
      );
    try {
      const body = await readBody(response, most, request);
      checkLength(response, body.length, request);
      return { status: response.statusCode ?? 0, body, response };
    } finally {
      if (late) clearTimeout(late);
    }
  }

  close(): void {
    if (this.#route.ok) this.#route.value.agent.destroy();
  }
}

/** By events: an async iteration costs more than the request. */
function readBody(response: http.IncomingMessage, most: number, { method, url }: Request): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let isWhole = false;
    const closed = (): void => {
      // An error made for nothing, with its stack, would take as long as all the rest here.
      if (isWhole) return;
      // Some servers send a body after HEAD all the same: then the connection is no good any more, but the answer is.
      if (method === 'HEAD' && response.complete) resolve(Buffer.alloc(0));
      else reject(new CacheError('down', `${url.host} broke the connection`, true));
    };
    if (response.closed) return closed();
    response.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > most) response.destroy(new CacheError('answer', `${url.host} sent more than ${most} bytes`));
      else chunks.push(chunk);
    });
    response.on('end', () => {
      isWhole = true;
      resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks));
    });
    response.on('error', (problem) => {
      try {
        reject(networkFailure(problem, url));
      } catch (bug) {
        reject(bug);
      }
    });
    response.on('close', closed);
  });
}

function checkLength(response: http.IncomingMessage, size: number, { method, url }: Request): void {
  const said = response.headers['content-length'];
  if (method === 'HEAD' || said === undefined || Number(said) === size) return;
  throw new CacheError('down', `${url.host} broke off in the middle`, true);
}
