// What goes wrong on the network, and what statuses mean, as failures of a cache.
import { errno } from '../fs/errno.ts';
import type { Request } from './http-request.ts';
import { CacheError } from './shared-cache.ts';

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
    case 'CERT_HAS_EXPIRED':
      return new CacheError('down', `the certificate of ${url.host} has expired`);
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return new CacheError('down', `the certificate of ${url.host} is for another name`);
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return new CacheError(
        'down',
        `the certificate of ${url.host} is by an authority that is not known here; ` +
          'the variable NODE_EXTRA_CA_CERTS names a file (PEM) of further ones',
      );
    case undefined:
      if (problem instanceof Error && /aborted|premature/i.test(problem.message)) {
        return new CacheError('down', `${url.host} broke the connection`, true);
      }
      throw problem;
    default:
      return new CacheError(code.startsWith('HPE_') ? 'answer' : 'down', `${url.host} cannot be used (${code})`);
  }
}

/** S3 says in a word what is wrong. */
const s3Word = (body: Buffer | undefined): string | undefined =>
  /<Code>(\w{1,60})<\/Code>/.exec(body?.subarray(0, 4096).toString() ?? '')?.[1];

/** Is there nothing of this name, in a place that there is? */
export const isMissing = (status: number, body?: Buffer): boolean =>
  status === 410 || (status === 404 && s3Word(body) !== 'NoSuchBucket');

/** What a status that is no success means. */
export function statusFailure(status: number, { method, url }: Request, location?: string, body?: Buffer): CacheError {
  const word = s3Word(body);
  const said = `${url.host} answers ${status}${word ? ` (${word})` : ''} to ${method}`;
  const answer = (why: string, advice?: string): CacheError => new CacheError('answer', `${said}${why}`, false, advice);
  if (status === 401 || status === 403)
    return new CacheError(
      'denied',
      `${said}: ${status === 401 ? 'it wants other credentials' : 'these credentials may not do that'}`,
    );
  if (status >= 300 && status < 400) {
    const to = location && URL.canParse(location, url.href) ? ` to ${new URL(location, url).origin}` : '';
    return answer(`, a redirect${to}, which is not followed`, 'make the address that it leads to the url of the cache');
  }
  if (word === 'NoSuchBucket')
    return answer(': there is no bucket of this name', 'make the bucket, or correct the url of the cache');
  if (status === 507) return new CacheError('full', `${said}: its disk is full`);
  if (status === 413)
    return answer(
      ': it takes no files of this size',
      'let it take files of 256 MiB (nginx: client_max_body_size 0), and proxies before it too',
    );
  if (status < 500 && status !== 429) return answer('');
  return new CacheError('server', said, status === 502 || status === 503 || status === 504);
}

/** Bytes came packed: nothing is unpacked, so nothing small can grow large here. */
export const packedFailure = ({ url }: Pick<Request, 'url'>, encoding: string): CacheError =>
  new CacheError(
    'answer',
    `${url.host} sent ${encoding} where raw bytes were asked for`,
    false,
    'switch compression off there (nginx: gzip off), and in what is between here and there',
  );
