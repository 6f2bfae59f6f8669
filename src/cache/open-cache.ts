// A configured cache, ready to be used. Opening one asks nothing of it.
import { awsCredentials, awsRegion, httpAuthorization, type Environment } from './credentials.ts';
import { DirectoryCache } from './directory.ts';
import { HttpCache } from './http.ts';
import { HttpClient } from './http-request.ts';
import { s3Authorise } from './s3.ts';
import type { CacheSpec, SharedCache } from './shared-cache.ts';
import { bucketOf, dirRoot } from './url.ts';

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
