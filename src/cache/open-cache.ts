// A configured cache, ready to be used. Opening one asks nothing of it.
import { awsCredentials, awsRegion, httpAuthorization, type Environment } from './credentials.ts';
import { DirectoryCache } from './directory.ts';
import { HttpCache, type Authorise } from './http.ts';
import { HttpClient } from './http-request.ts';
import { s3Authorise, S3Cache } from './s3.ts';
import { CacheError, type CacheSpec, type SharedCache } from './shared-cache.ts';
import { bucketOf, dirRoot } from './url.ts';

/** What is wrong with credentials is told as a refusal by the server would be: no build ends by it. */
const refusing =
  (why: string): Authorise =>
  () => {
    throw new CacheError('denied', why);
  };

/** @param env where credentials and proxies are looked up */
export function openCache(spec: CacheSpec, env: Environment): SharedCache {
  switch (spec.kind) {
    case 'dir':
      return new DirectoryCache(spec, dirRoot(spec.url));
    case 'http': {
      const base = new URL(spec.url.endsWith('/') ? spec.url : `${spec.url}/`);
      const authorization = httpAuthorization(spec.name, base, env);
      const headers =
        authorization.ok && authorization.value !== undefined ? { authorization: authorization.value } : {};
      const authorise = authorization.ok ? () => headers : refusing(authorization.error);
      return new HttpCache(spec, base, new HttpClient(base, env), authorise);
    }
    case 's3': {
      const region = awsRegion(env);
      const credentials = region.ok ? awsCredentials(env) : region;
      const bucket = bucketOf(spec.url, region.ok ? region.value : undefined);
      if (typeof bucket === 'string') throw new Error(`invariant broken: a bucket that was not checked: ${bucket}`);
      const authorise = credentials.ok ? s3Authorise(credentials.value, bucket.region) : refusing(credentials.error);
      return new S3Cache(spec, bucket, new HttpClient(bucket.base, env), authorise);
    }
  }
}
