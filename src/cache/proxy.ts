// The way to a server, perhaps through a proxy (HTTPS_PROXY, HTTP_PROXY, NO_PROXY), which Node does not take by itself and
// clusters need. https goes through a tunnel (CONNECT), so the proxy sees no bytes; http is asked of the proxy.
import * as http from 'node:http';
import * as https from 'node:https';
import type { Duplex } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import { err, ok, type Result } from '../base/result.ts';
import { networkFailure } from './http-failure.ts';
import { CacheError } from './shared-cache.ts';
import { isDecodable } from './url.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** How requests go to one server: what `request` takes, and connections that are used again. */
export type Route = {
  readonly request: typeof http.request;
  readonly agent: http.Agent;
  readonly options: (url: URL) => http.RequestOptions;
  readonly headers: (url: URL) => Readonly<Record<string, string>>;
  /** Who takes the connections. */
  readonly peer: URL;
  /** The event of a new connection after which bytes can be sent. */
  readonly connected: 'connect' | 'secureConnect';
};

/** How long a proxy may take to make a tunnel (ms). */
const TUNNEL_MS = 5000;

/**
 * The way to a server, or what is wrong with the proxy that is named.
 * @param env where the proxies are named
 * @param width connections at the same time
 */
export function routeTo(url: URL, env: Environment, width: number): Result<Route, string> {
  const proxy = proxyFor(url, env);
  return proxy.ok ? ok(routeBy(proxy.value, url, width)) : proxy;
}

function routeBy(proxy: URL | undefined, url: URL, width: number): Route {
  const options = { keepAlive: true, maxSockets: width };
  const isTls = url.protocol === 'https:';
  if (proxy === undefined || isTls) {
    const agent = !isTls
      ? new http.Agent(options)
      : proxy === undefined
        ? new https.Agent(options)
        : new TunnelAgent(proxy, options);
    const connected = isTls ? 'secureConnect' : 'connect';
    return {
      request: (isTls ? https : http).request,
      agent,
      options: target,
      headers: () => ({}),
      peer: url,
      connected,
    };
  }
  const secure = proxy.protocol === 'https:';
  return {
    request: (secure ? https : http).request,
    agent: secure ? new https.Agent(options) : new http.Agent(options),
    options: (to) => ({ ...target(proxy), path: to.href }),
    headers: (to) => ({ host: to.host, ...proxyHeaders(proxy) }),
    peer: proxy,
    connected: secure ? 'secureConnect' : 'connect',
  };
}

/**
 * The proxy for a URL; none for this machine itself, and for what NO_PROXY names: hosts, `.domains`, `*`. An error does not
 * repeat what the variable holds, for that may be a password.
 */
function proxyFor(url: URL, env: Environment): Result<URL | undefined, string> {
  const upper = url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const name = env[upper] === undefined ? upper.toLowerCase() : upper;
  const text = env[name];
  const no = (env['NO_PROXY'] ?? env['no_proxy'] ?? '').split(',').map((item) => item.trim());
  const local = url.hostname === 'localhost' || url.hostname.startsWith('127.') || url.hostname === '[::1]';
  const excepted = no.some(
    (item) =>
      item === '*' ||
      item === url.hostname ||
      item === url.host ||
      (item !== '' && url.hostname.endsWith(item.startsWith('.') ? item : `.${item}`)),
  );
  if (!text || local || excepted) return ok(undefined);
  const address = text.includes('://') ? text : `http://${text}`;
  if (!URL.canParse(address)) return err(`${name} names no proxy: expected http://HOST:PORT`);
  const proxy = new URL(address);
  if (!/^https?:$/.test(proxy.protocol))
    return err(
      `${name} names a proxy of the kind ${proxy.protocol}//, which is not supported: expected http://HOST:PORT`,
    );
  if (isDecodable(proxy.username) && isDecodable(proxy.password)) return ok(proxy);
  return err(`${name} has a % in the user or the password, which must be written %25`);
}

const proxyHeaders = (proxy: URL): Record<string, string> => {
  if (proxy.username === '') return {};
  const pair = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` };
};

const target = (url: URL): http.RequestOptions => ({
  host: url.hostname.replace(/^\[|\]$/g, ''),
  port: url.port || (url.protocol === 'https:' ? 443 : 80),
  path: `${url.pathname}${url.search}`,
});

type Connected = (error: Error | null, socket?: Duplex) => void;

/** Makes connections through a proxy, and keeps them as any agent does. */
class TunnelAgent extends https.Agent {
  readonly #proxy: URL;

  constructor(proxy: URL, options: https.AgentOptions) {
    super(options);
    this.#proxy = proxy;
  }

  override createConnection(to: https.RequestOptions, done: Connected): undefined {
    tunnel(this.#proxy, `${to.host}:${to.port}`, String(to.servername ?? to.host)).then(
      (socket) => done(null, socket),
      (problem: unknown) => done(problem instanceof Error ? problem : new Error(String(problem))),
    );
  }
}

function tunnel(proxy: URL, to: string, servername: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const refuse = (why: string): CacheError => new CacheError('down', `the proxy ${proxy.host} ${why}`);
    const asked = (proxy.protocol === 'https:' ? https : http).request({
      ...target(proxy),
      method: 'CONNECT',
      path: to,
      headers: { host: to, ...proxyHeaders(proxy) },
      timeout: TUNNEL_MS,
      agent: false,
    });
    const fail = (problem: Error): void => {
      try {
        reject(networkFailure(problem, proxy));
      } catch {
        reject(problem);
      }
    };
    asked.on('timeout', () => asked.destroy(refuse('did not answer')));
    asked.on('error', fail);
    // Any other answer than that of a tunnel.
    asked.on('response', (response) => {
      response.destroy();
      reject(refuse(`answers ${response.statusCode} to CONNECT`));
    });
    asked.on('connect', (response, socket) => {
      if (response.statusCode !== 200) {
        socket.destroy();
        reject(refuse(`answers ${response.statusCode} to CONNECT`));
        return;
      }
      socket.setTimeout(0);
      const secure = tlsConnect({ socket, servername }, () => {
        secure.off('error', reject);
        resolve(secure);
      });
      secure.on('error', reject);
    });
    asked.end();
  });
}
