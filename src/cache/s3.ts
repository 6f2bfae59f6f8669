// A cache in an S3 bucket: the names of http.ts, requests signed (sigv4.ts). One signed PUT with Content-Length and the
// body's SHA-256 works on every server; If-None-Match, chunked signing and the multipart API do not, and are not used. And
// it can be asked what it has.
import type { AwsCredentials } from './credentials.ts';
import { HttpCache, type Authorise } from './http.ts';
import type { HttpClient } from './http-request.ts';
import { CacheError, type CacheSpec, type Listed, type RecordKey, type Transfer } from './shared-cache.ts';
import { EMPTY_SHA256, signV4 } from './sigv4.ts';
import type { Bucket } from './url.ts';

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

/** A page of a listing has a thousand names at most. */
const MAX_PAGE = 4 * 1024 * 1024;

export class S3Cache extends HttpCache {
  readonly #bucket: Bucket;

  constructor(spec: CacheSpec, bucket: Bucket, client: HttpClient, authorise: Authorise) {
    super(spec, bucket.base, client, authorise);
    this.#bucket = bucket;
  }

  /** https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html */
  async *listRecords(transfer: Transfer): AsyncIterable<Listed> {
    const { root, prefix } = this.#bucket;
    for (let next: string | undefined = ''; next !== undefined;) {
      const url: URL = new URL(root);
      const query = { 'list-type': '2', prefix: `${prefix}ac/`, ...(next !== '' && { 'continuation-token': next }) };
      url.search = Object.entries(query)
        .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
        .join('&');
      const page = (await this.get(url, MAX_PAGE, transfer))?.toString();
      if (page === undefined) throw new CacheError('answer', `${root.host} has no such bucket`);
      for (const [, item = ''] of page.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
        const [, key] = /<Key>[^<]*?([0-9a-f]{64})<\/Key>/.exec(item) ?? [];
        const [, modified = ''] = /<LastModified>([^<]*)</.exec(item) ?? [];
        const [, size] = /<Size>(\d+)</.exec(item) ?? [];
        if (key !== undefined)
          yield { key: key as RecordKey, size: Number(size ?? 0), modifiedMs: Date.parse(modified) };
      }
      const isLast = !/<IsTruncated>\s*true/.test(page);
      next = isLast ? undefined : unescaped(/<NextContinuationToken>([^<]+)</.exec(page)?.[1]);
    }
  }
}

/** The text of an XML element, if there is one. */
const unescaped = (text: string | undefined): string | undefined =>
  text
    ?.replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&');
