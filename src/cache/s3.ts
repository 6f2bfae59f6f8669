// A cache in an S3 bucket: the names of http.ts, requests signed (sigv4.ts). One signed PUT with Content-Length and the
// body's SHA-256 works on every server; If-None-Match, chunked signing and the multipart API do not, and are not used.
import type { AwsCredentials } from './credentials.ts';
import type { Authorise } from './http.ts';
import { EMPTY_SHA256, signV4 } from './sigv4.ts';

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

/** Signs requests; without credentials they go out bare, as public buckets take them. */
export const s3Authorise =
  (credentials: AwsCredentials | undefined, region: string): Authorise =>
  ({ method, url, headers }, bodySha) =>
    credentials === undefined
      ? {}
      : signV4(
          { method, url, headers: lower(headers), bodySha: bodySha === '' ? EMPTY_SHA256 : bodySha },
          credentials,
          region,
          new Date(),
        );

const lower = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
