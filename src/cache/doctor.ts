// Tries all that a build does with a cache, and says what is wrong and what to do. It writes one blob and one record of its
// own, and removes them where that is allowed.
import { randomBytes, createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ActionKey } from '../base/brand.ts';
import { unless } from '../fs/errno.ts';
import { hashBytes } from '../hash/digest.ts';
import type { Environment } from './credentials.ts';
import { DirectoryCache } from './directory.ts';
import { failure } from './dir-failure.ts';
import { folderFindings } from './doctor-folder.ts';
import { finding, type Finding } from './finding.ts';
import { HttpCache } from './http.ts';
import { HttpClient } from './http-request.ts';
import { recordKey } from './record.ts';
import { CacheError, COMMAND_LIMITS, type BlobRef, type Transfer } from './shared-cache.ts';
import { sealRecord, type SigningKey } from './signature.ts';
import type { Tier } from './tier.ts';

const MIB = 1024 * 1024;
const TRANSFER: Transfer = { limits: COMMAND_LIMITS };
/** Clocks that differ by more let signatures of S3 fail, and ages be wrong. */
const SKEW_MS = 60_000;

/** @param key the user's own; @param env for proxies */
export async function examine(tier: Tier, key: SigningKey | undefined, env: Environment): Promise<Finding[]> {
  const found: Finding[] = [];
  const { cache } = tier;
  const { spec } = cache;
  found.push(...trustFindings(tier, key));
  if (cache instanceof DirectoryCache) found.push(...(await folderFindings(cache)));
  if (spec.kind !== 'dir') found.push(...(await serverFindings(spec.kind, spec.url, env)));
  if (!found.some(({ level, what }) => level === 'error' && what === 'folder'))
    found.push(...(await roundTrip(tier, key)));
  return found;
}

function trustFindings(tier: Tier, key: SigningKey | undefined): Finding[] {
  const { trust } = tier;
  const { spec } = tier.cache;
  if (!trust.required) {
    const detail =
      spec.trust === 'any'
        ? 'all results are taken: whoever may write there is trusted'
        : 'all results are taken, signed or not';
    return [finding('ok', 'trust', detail)];
  }
  const found = [
    finding('ok', 'trust', `results signed by ${trust.keys.map(({ name }) => name).join(', ') || 'nobody'} are taken`),
  ];
  if (trust.keys.length === 0)
    found[0] = finding(
      'error',
      'trust',
      'no key is trusted, so no result is taken',
      '`lhb cache trust FILE.pub` for each who publishes',
    );
  if (spec.mode === 'rw' && key === undefined) {
    found.push(
      finding(
        'error',
        'key',
        'there is no key to sign with, so nothing is uploaded',
        '`lhb cache keygen`, and give the public half to the team',
      ),
    );
  }
  return found;
}

async function serverFindings(kind: 'http' | 's3', text: string, env: Environment): Promise<Finding[]> {
  const address = kind === 's3' ? (new URL(text).searchParams.get('endpoint') ?? 'https://amazonaws.com') : text;
  const url = new URL(address);
  const found: Finding[] = [];
  const local = url.hostname === 'localhost' || url.hostname.startsWith('127.') || url.hostname === '[::1]';
  if (url.protocol === 'http:' && !local) {
    found.push(
      finding(
        'warning',
        'https',
        `${url.origin} is asked by http: credentials and results can be read and changed on the way`,
        'use https',
      ),
    );
  }
  const client = new HttpClient(url, env);
  try {
    const before = Date.now();
    const response = await client.send({ method: 'HEAD', url, headers: {} }, TRANSFER);
    response.resume();
    const theirs = Date.parse(response.headers.date ?? '');
    const skew = theirs - (before + Date.now()) / 2;
    if (Math.abs(skew) > SKEW_MS) {
      found.push(
        finding(
          'error',
          'clock',
          `the clock of ${url.host} is ${Math.abs(skew / 1000).toFixed(0)} s ${skew > 0 ? 'ahead of' : 'behind'} this one`,
          'set the clock of this machine (NTP)',
        ),
      );
    } else if (!Number.isNaN(skew)) found.push(finding('ok', 'clock', 'the clocks agree'));
  } catch (problem) {
    if (!(problem instanceof CacheError)) throw problem;
    found.push(
      finding('error', 'server', problem.message, 'is the address right, and is this machine allowed to reach it?'),
    );
  } finally {
    client.close();
  }
  return found;
}

/** What to do about a failure that does not say so itself. */
const HINTS: Partial<Record<CacheError['kind'], (name: string, kind: string) => string>> = {
  denied: (name, kind) =>
    kind === 's3'
      ? 'check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, and what they may do'
      : kind === 'dir'
        ? 'ask its owner for membership of its group; `lhb cache init --group` sets the modes'
        : `check LHB_CACHE_AUTH_${name} (user:password), LHB_CACHE_TOKEN_${name} or ~/.netrc`,
  down: () => 'is it running, and reachable from here?',
  timeout: () => 'is it running, and reachable from here?',
  full: () => 'free some space: `lhb cache gc` for a folder',
  server: () => 'try again later; the log of the server says what is wrong',
  answer: (_, kind) =>
    kind === 'dir' ? 'try again' : 'is its url that of a cache, which takes GET, HEAD and PUT? its log says more',
  bytes: () => 'is its disk full? what is between here and there may change bytes, too',
};

const KEEPS = 'is it a cache that keeps what is put? its log says more';

/** Puts and gets a blob of 1 MiB and a record, as a build would. */
async function roundTrip(tier: Tier, key: SigningKey | undefined): Promise<Finding[]> {
  const { cache } = tier;
  const { spec } = cache;
  const hint = (problem: CacheError): string =>
    problem.advice ?? HINTS[problem.kind]?.(spec.name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_'), spec.kind) ?? '';
  const found: Finding[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'lhb-doctor-'));
  const key_ = recordKey(spec.ns, hashBytes(randomBytes(32)) as string as ActionKey);
  const bytes = randomBytes(MIB);
  const first = sealRecord(`{"doctor":1}`, key);
  const second = sealRecord(`{"doctor":2}`, key);
  const blob: BlobRef = { size: MIB, b3: hashBytes(bytes), sha: createHash('sha256').update(bytes).digest('hex') };
  let wasPut = false;
  try {
    await cache.getRecord(key_, TRANSFER);
    found.push(finding('ok', 'read', 'it answers'));
    if (spec.mode !== 'rw') return [...found, finding('ok', 'write', 'it is only read (mode: r)')];
    const file = join(folder, 'blob');
    writeFileSync(file, bytes);
    const began = performance.now();
    wasPut = true;
    await cache.putBlob(blob, file, false, TRANSFER);
    const sent = performance.now();
    const back = join(folder, 'back');
    const came = await cache.fetchBlob(blob, back, TRANSFER);
    const rate = (ms: number): string => `${(MIB / 1e3 / Math.max(0.1, ms)).toFixed(0)} MB/s`;
    if (!came) found.push(finding('error', 'bytes', 'a blob that was put is not there', KEEPS));
    else if (hashBytes(readFileSync(back)) !== blob.b3) {
      found.push(
        finding(
          'error',
          'bytes',
          'a blob does not come back as it was sent',
          'something between here and the cache changes what passes',
        ),
      );
    } else
      found.push(
        finding('ok', 'bytes', `1 MiB up at ${rate(sent - began)}, down at ${rate(performance.now() - sent)}`),
      );
    await cache.putRecord(key_, first, [blob], false, TRANSFER);
    const again = await cache.putRecord(key_, second, [blob], false, TRANSFER);
    const kept = await cache.getRecord(key_, TRANSFER);
    if (kept === undefined) found.push(finding('error', 'record', 'a record that was put is not there', KEEPS));
    else if (again === 'stored' && !first.equals(kept)) {
      found.push(
        finding(
          'warning',
          'overwrite',
          'it lets everybody overwrite records: of two results the later stays',
          'where the server can, let PUT of what exists answer 409; signed results are safe all the same',
        ),
      );
    } else found.push(finding('ok', 'record', 'the first record stays'));
  } catch (problem) {
    const known = problem instanceof CacheError ? problem : failure(problem, spec.url);
    const what = found.some((f) => f.what === 'read') ? 'write' : 'read';
    found.push(finding('error', what, known.message, hint(known)));
  } finally {
    if (cache instanceof HttpCache && wasPut) await cache.remove(key_, [bytes, first, second], TRANSFER);
    if (cache instanceof DirectoryCache) {
      for (const path of [cache.recordPath(key_), cache.blobPath(blob)])
        unless(['EACCES', 'EPERM', 'ENOENT', 'ENOTDIR'], () => rmSync(path, { force: true }));
    }
    rmSync(folder, { recursive: true, force: true });
  }
  return found;
}
