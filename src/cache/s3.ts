// A cache in an S3 bucket: the names of http.ts, requests signed (sigv4.ts). One signed PUT with Content-Length and the
// body's SHA-256 works on every server; If-None-Match, chunked signing and the multipart API do not, and are not used.
import type { AwsCredentials } from './credentials.ts';
import type { Authorise } from './http.ts';
import { EMPTY_SHA256, signV4 } from './sigv4.ts';

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
