// A configured cache, ready to be used. Opening one asks nothing of it.
import { err, ok, type Result } from '../base/result.ts';
import { awsCredentials, awsRegion, httpAuthorization, type Environment } from './credentials.ts';
import { DirectoryCache } from './directory.ts';
import { HttpCache } from './http.ts';
import { HttpClient } from './http-request.ts';
import { bucketOf, s3Authorise } from './s3.ts';
import type { CacheSpec, SharedCache } from './shared-cache.ts';

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

/** @param env where credentials and proxies are looked up */
export function openCache(spec: CacheSpec, env: Environment): SharedCache {
  switch (spec.kind) {
    case 'dir':
      return new DirectoryCache(spec, dirRoot(spec.url));
    case 'http': {
      const base = new URL(spec.url.endsWith('/') ? spec.url : `${spec.url}/`);
      const authorization = httpAuthorization(spec.name, base, env);
      return new HttpCache(spec, base, new HttpClient(base, env), () =>
        authorization === undefined ? {} : { authorization },
      );
    }
    case 's3': {
      const bucket = bucketOf(spec.url, awsRegion(env));
      if (typeof bucket === 'string') throw new Error(`invariant broken: a bucket that was not checked: ${bucket}`);
      const authorise = s3Authorise(awsCredentials(env), bucket.region);
      return new HttpCache(spec, bucket.base, new HttpClient(bucket.base, env), authorise);
    }
  }
}
