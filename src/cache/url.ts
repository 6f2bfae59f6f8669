// What the URL of a cache says. Read with every workflow, so nothing is loaded for it.
import { err, ok, type Result } from '../base/result.ts';
import type { CacheSpec } from './shared-cache.ts';

/** The kind of cache that a URL names, or a sentence on what is wrong with it. */
export function kindOf(url: string): Result<CacheSpec['kind'], string> {
  if (url.startsWith('dir:'))
    return dirRoot(url).startsWith('/') ? ok('dir') : err('the path after dir: must be absolute');
  if (/^https?:/.test(url)) {
    if (!URL.canParse(url)) return err('it is no URL');
    const { username, password, search, hash } = new URL(url);
    if (username !== '' || password !== '')
      return err('credentials do not belong into it: they come from the environment or netrc');
    return search + hash === '' ? ok('http') : err('it has a part after ? or #, which caches do not have');
  }
  if (url.startsWith('s3:')) {
    const bucket = bucketOf(url, undefined);
    return typeof bucket === 'string' ? err(bucket) : ok('s3');
  }
  return err('expected dir:/path, http(s)://… or s3://bucket/prefix');
}

/** The folder of a `dir:` URL; `~` is the user's. */
export const dirRoot = (url: string, home = process.env['HOME'] ?? ''): string =>
  url
    .slice('dir:'.length)
    .replace(/^\/\/(?=\/)/, '')
    .replace(/^~(?=\/)/, home)
    .replace(/(?<=.)\/+$/, '');

export type Bucket = { readonly base: URL; readonly region: string };

/**
 * Where a bucket is, from `s3://BUCKET/PREFIX?endpoint=URL&region=REGION`. With an endpoint addresses are path-style, as
 * all servers but AWS take them; without one they are those of AWS.
 * @param region where the URL names none; undefined: us-east-1
 */
export function bucketOf(text: string, region: string | undefined): Bucket | string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '') return 'expected s3://BUCKET/PREFIX?endpoint=URL&region=REGION';
  const endpoint = url.searchParams.get('endpoint');
  const where = url.searchParams.get('region') ?? region ?? 'us-east-1';
  for (const name of url.searchParams.keys()) {
    if (name !== 'endpoint' && name !== 'region')
      return `there is no parameter '${name}': expected endpoint and region`;
  }
  const prefix = url.pathname.replace(/^\/+|\/+$/g, '');
  const path = prefix === '' ? '/' : `/${prefix}/`;
  if (endpoint === null)
    return { base: new URL(`https://${url.hostname}.s3.${where}.amazonaws.com${path}`), region: where };
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol))
    return `'${endpoint}' is no http(s) endpoint`;
  const base = new URL(endpoint);
  base.pathname = `${base.pathname.replace(/\/+$/, '')}/${url.hostname}${path}`;
  return { base, region: where };
}
