// What the URL of a cache says. Read with every workflow, so nothing is loaded for it.
import { err, ok, type Result } from '../base/result.ts';
import type { CacheSpec } from './shared-cache.ts';

/** The kind of cache that a URL names, or a sentence on what is wrong with it. */
export function kindOf(url: string): Result<CacheSpec['kind'], string> {
  if (url.startsWith('dir:'))
    return dirRoot(url).startsWith('/') ? ok('dir') : err('the path after dir: must be absolute');
  if (/^https?:/.test(url)) {
    if (!URL.canParse(url)) return err('it is no URL');
    const { search, hash } = new URL(url);
    if (hasCredentials(new URL(url)))
      return err('credentials do not belong into it: they come from the environment or netrc');
    return search + hash === '' ? ok('http') : err('it has a part after ? or #, which caches do not have');
  }
  if (url.startsWith('s3:')) {
    const bucket = bucketOf(url, undefined);
    return typeof bucket === 'string' ? err(bucket) : ok('s3');
  }
  return err('expected dir:/path, http(s)://… or s3://bucket/prefix');
}

const hasCredentials = ({ username, password }: URL): boolean => username !== '' || password !== '';

/** Is it of the form of a region? Such a word may stand in the name of a host and in a header. */
export const isRegion = (text: string): boolean => /^[\w-]+$/.test(text);

/** The folder of a `dir:` URL; `~` is the user's. */
export const dirRoot = (url: string, home = process.env['HOME'] ?? ''): string =>
  url
    .slice('dir:'.length)
    .replace(/^\/\/(?=\/)/, '')
    .replace(/^~(?=\/)/, home)
    .replace(/(?<=.)\/+$/, '');

/** Does each % stand for a byte of some text? Signatures, listings and passwords need what is meant. */
export function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

export type Bucket = {
  /** What entries lie below. */
  readonly base: URL;
  /** The bucket itself, and what the names of all entries begin with, not escaped. */
  readonly root: URL;
  readonly prefix: string;
  readonly region: string;
};

/**
 * Where a bucket is, from `s3://BUCKET/PREFIX?endpoint=URL&region=REGION`. With an endpoint addresses are path-style, as
 * all servers but AWS take them; without one they are those of AWS.
 * @param region where the URL names none; undefined: us-east-1
 */
export function bucketOf(text: string, region: string | undefined): Bucket | string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '') return 'expected s3://BUCKET/PREFIX?endpoint=URL&region=REGION';
  const endpoint = url.searchParams.get('endpoint');
  if (hasCredentials(url) || (endpoint !== null && URL.canParse(endpoint) && hasCredentials(new URL(endpoint))))
    return 'credentials do not belong into it: they come from the environment or ~/.aws';
  const where = url.searchParams.get('region') ?? region ?? 'us-east-1';
  for (const name of url.searchParams.keys()) {
    if (name !== 'endpoint' && name !== 'region')
      return `there is no parameter '${name}': expected endpoint and region`;
  }
  if (!isRegion(where)) return `'${where}' is no region`;
  if (!isDecodable(url.pathname)) return 'a % in the prefix must be written %25';
  const prefix = url.pathname.replace(/^\/+|\/+$/g, '');
  const path = prefix === '' ? '/' : `/${prefix}/`;
  const start = path.slice(1);
  if (endpoint === null) {
    const address = `https://${url.hostname}.s3.${where}.amazonaws.com/`;
    if (!URL.canParse(address)) return `'${url.hostname}' is no bucket`;
    const root = new URL(address);
    return { base: new URL(start, root), root, prefix: decodeURIComponent(start), region: where };
  }
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol))
    return 'the endpoint is no http(s)://HOST';
  const root = new URL(endpoint);
  root.pathname = `${root.pathname.replace(/\/+$/, '')}/${url.hostname}`;
  if (!isDecodable(root.pathname)) return 'a % in the bucket or the endpoint must be written %25';
  const base = new URL(root);
  base.pathname = `${root.pathname}${path}`;
  return { base, root, prefix: decodeURIComponent(start), region: where };
}
