// One HTTP request on node:http(s), which streams with constant memory (fetch buffers a body that is streamed). Limits are
// on connecting, on the first byte and on silence, never on the whole. Redirects are not followed: credentials would go with
// them. HTTPS_PROXY and HTTP_PROXY are honoured, as clusters need it.
import { createReadStream } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import type { Duplex } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import { errno } from '../fs/errno.ts';
import { CacheError, type Transfer } from './shared-cache.ts';

export type Body = Uint8Array | { readonly file: string; readonly start: number; readonly size: number };

export type Request = {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'DELETE';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Body;
};

/** Requests at the same time to one server. */
export const WIDTH = 32;

/** Keeps connections to one server. */
export class HttpClient {
  readonly #agent: http.Agent;
  readonly #module: typeof http | typeof https;
  readonly #env: Readonly<Record<string, string | undefined>>;

  constructor(url: URL, env: Readonly<Record<string, string | undefined>>) {
    this.#env = env;
    const options = { keepAlive: true, maxSockets: WIDTH };
    this.#module = url.protocol === 'https:' ? https : http;
    this.#agent = url.protocol === 'https:' ? new https.Agent(options) : new http.Agent(options);
  }

  /**
   * Sends a request; resolves with the headers of the answer, whatever its status. The body is to be read or destroyed.
   * Rejects with a CacheError.
   */
  async send(request: Request, transfer: Transfer): Promise<http.IncomingMessage> {
    const { url, method, headers, body } = request;
    const { limits, signal, onBytes } = transfer;
    if (signal?.aborted) throw new CacheError('aborted', 'ended');
    const proxy = proxyFor(url, this.#env);
    const socket = proxy && url.protocol === 'https:' ? await tunnel(proxy, url, limits.connectMs) : undefined;
    return await new Promise((resolve, reject) => {
      const length = body === undefined ? undefined : body instanceof Uint8Array ? body.length : body.size;
      const sent = this.#module.request({
        ...(proxy && !socket ? viaProxy(proxy, url) : target(url)),
        method,
        agent: socket || proxy ? false : this.#agent,
        ...(socket && { createConnection: () => socket }),
        headers: {
          ...headers,
          'user-agent': 'lhb',
          'accept-encoding': 'identity',
          ...(proxy && !socket && { host: url.host }),
          ...(length !== undefined && { 'content-length': String(length) }),
        },
      });
      const fail = (error: CacheError): void => {
        clearTimeout(timer);
        sent.destroy();
        reject(error);
      };
      let timer: NodeJS.Timeout | undefined;
      const waitFor = (ms: number, what: string): void => {
        clearTimeout(timer);
        timer = setTimeout(() => fail(new CacheError('timeout', `${what} within ${ms / 1000} s`)), ms);
      };
      const onAbort = (): void => fail(new CacheError('aborted', 'ended'));
      signal?.addEventListener('abort', onAbort);
      waitFor(limits.connectMs, `${url.host} did not take a connection`);
      const answer = (): void => waitFor(limits.firstByteMs, `${url.host} did not answer`);
      sent.on('socket', (s) => {
        const connected = (): void => (body === undefined || body instanceof Uint8Array ? answer() : idle());
        // While a body is sent, what counts is that bytes leave.
        const idle = (): void => waitFor(limits.idleMs, `${url.host} took no bytes`);
        if (s.connecting) s.once(url.protocol === 'https:' && !proxy ? 'secureConnect' : 'connect', connected);
        else connected();
      });
      sent.on('response', (response) => {
        clearTimeout(timer);
        response.once('close', () => signal?.removeEventListener('abort', onAbort));
        response.setTimeout(limits.idleMs, () =>
          response.destroy(new CacheError('timeout', `${url.host} sent nothing for ${limits.idleMs / 1000} s`)),
        );
        resolve(response);
      });
      sent.on('error', (problem) => {
        signal?.removeEventListener('abort', onAbort);
        fail(networkFailure(problem, url));
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
    const response = await this.send(request, transfer);
    const encoding = response.headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'identity') {
      // Nothing is unpacked, so nothing small can grow large here.
      response.destroy();
      throw new CacheError('answer', `${request.url.host} sent ${encoding} where raw bytes were asked for`);
    }
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > most) throw new CacheError('answer', `${request.url.host} sent more than ${most} bytes`);
        chunks.push(chunk);
      }
    } catch (problem) {
      throw networkFailure(problem, request.url);
    }
    checkLength(response, size, request);
    return { status: response.statusCode ?? 0, body: Buffer.concat(chunks), response };
  }

  close(): void {
    this.#agent.destroy();
  }
}

function checkLength(response: http.IncomingMessage, size: number, { method, url }: Request): void {
  const said = response.headers['content-length'];
  if (method === 'HEAD' || said === undefined || Number(said) === size) return;
  throw new CacheError('down', `${url.host} broke off in the middle`, true);
}

/** A problem of the network as a CacheError. */
export function networkFailure(problem: unknown, url: URL): CacheError {
  if (problem instanceof CacheError) return problem;
  const code = errno(problem);
  switch (code) {
    case 'ECONNREFUSED':
      return new CacheError('down', `${url.host} refuses connections`);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new CacheError('down', `the name ${url.hostname} is not known`);
    case 'ECONNRESET':
    case 'EPIPE':
    case 'HPE_INVALID_EOF_STATE':
      return new CacheError('down', `${url.host} broke the connection`, true);
    case undefined:
      if (problem instanceof Error && /aborted|premature/i.test(problem.message)) {
        return new CacheError('down', `${url.host} broke the connection`, true);
      }
      throw problem;
    default:
      return new CacheError(code.startsWith('HPE_') ? 'answer' : 'down', `${url.host} cannot be used (${code})`);
  }
}

/** What a status that is no success means. */
export function statusFailure(status: number, { method, url }: Request, location?: string): CacheError {
  const said = `${url.host} answers ${status} to ${method}`;
  if (status === 401 || status === 403)
    return new CacheError(
      'denied',
      `${said}: ${status === 401 ? 'it wants other credentials' : 'these credentials may not do that'}`,
    );
  if (status >= 300 && status < 400) {
    const to = location && URL.canParse(location, url.href) ? ` to ${new URL(location, url).origin}` : '';
    return new CacheError('answer', `${said}, a redirect${to}, which is not followed`);
  }
  if (status === 507) return new CacheError('full', `${said}: its disk is full`);
  if (status === 413) return new CacheError('answer', `${said}: it takes no files of this size`);
  return new CacheError('server', said, status === 502 || status === 503 || status === 504);
}

function proxyFor(url: URL, env: Readonly<Record<string, string | undefined>>): URL | undefined {
  const name = url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const text = env[name] ?? env[name.toLowerCase()];
  if (!text || !URL.canParse(text)) return undefined;
  const no = (env['NO_PROXY'] ?? env['no_proxy'] ?? '').split(',').map((item) => item.trim());
  const local = url.hostname === 'localhost' || url.hostname.startsWith('127.') || url.hostname === '[::1]';
  const excepted = no.some(
    (item) =>
      item === '*' ||
      item === url.hostname ||
      (item !== '' && url.hostname.endsWith(item.startsWith('.') ? item : `.${item}`)),
  );
  return local || excepted ? undefined : new URL(text);
}

const proxyHeaders = (proxy: URL): Record<string, string> =>
  proxy.username === ''
    ? {}
    : {
        'proxy-authorization': `Basic ${Buffer.from(`${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`).toString('base64')}`,
      };

const target = (url: URL): http.RequestOptions => ({
  host: url.hostname.replace(/^\[|\]$/g, ''),
  port: url.port || (url.protocol === 'https:' ? 443 : 80),
  path: `${url.pathname}${url.search}`,
});

const viaProxy = (proxy: URL, url: URL): http.RequestOptions => ({
  host: proxy.hostname,
  port: proxy.port || 80,
  path: url.href,
});

/** A TLS connection through a proxy (CONNECT). */
function tunnel(proxy: URL, url: URL, connectMs: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const target = `${url.hostname}:${url.port || 443}`;
    const asked = http.request({
      host: proxy.hostname,
      port: proxy.port || 80,
      method: 'CONNECT',
      path: target,
      headers: { host: target, ...proxyHeaders(proxy) },
      timeout: connectMs,
    });
    asked.on('timeout', () => asked.destroy(new CacheError('timeout', `the proxy ${proxy.host} did not answer`)));
    asked.on('error', (problem) => reject(networkFailure(problem, proxy)));
    asked.on('connect', (response, socket) => {
      if (response.statusCode !== 200) {
        socket.destroy();
        reject(new CacheError('down', `the proxy ${proxy.host} answers ${response.statusCode}`));
        return;
      }
      const secure = tlsConnect({ socket, servername: url.hostname }, () => resolve(secure));
      secure.on('error', (problem) => reject(networkFailure(problem, url)));
    });
    asked.end();
  });
}
