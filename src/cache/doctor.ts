// Tries all that a build does with a cache, and says what is wrong and what to do. It writes one blob and one record of its
// own, and removes them where the cache is a folder.
import { randomBytes, createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ActionKey } from '../base/brand.ts';
import { unless } from '../fs/errno.ts';
import { fileSystemOf, isNetworkType } from '../fs/mounts.ts';
import { hashBytes } from '../hash/digest.ts';
import type { Environment } from './credentials.ts';
import { DirectoryCache } from './directory.ts';
import { failure } from './dir-failure.ts';
import { HttpClient } from './http-request.ts';
import { recordKey } from './record.ts';
import { CacheError, COMMAND_LIMITS, type BlobRef, type Transfer } from './shared-cache.ts';
import { sealRecord, type SigningKey } from './signature.ts';
import type { Tier } from './tier.ts';

export type Finding = {
  readonly level: 'ok' | 'warning' | 'error';
  /** What was tried. */
  readonly what: string;
  readonly detail: string;
  /** What to do; '' where nothing. */
  readonly advice: string;
};

const MIB = 1024 * 1024;
const TRANSFER: Transfer = { limits: COMMAND_LIMITS };
/** Clocks that differ by more let signatures of S3 fail, and ages be wrong. */
const SKEW_MS = 60_000;
const LITTLE_SPACE = 1e9;

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

const finding = (level: Finding['level'], what: string, detail: string, advice = ''): Finding => ({
  level,
  what,
  detail,
  advice,
});

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

async function folderFindings(cache: DirectoryCache): Promise<Finding[]> {
  const { root, spec } = cache;
  const stats = statSync(root, { throwIfNoEntry: false });
  if (stats === undefined) {
    return [
      finding(
        'error',
        'folder',
        `there is no folder ${root}`,
        'mount its file system, or make it: `lhb cache init ' + spec.url + '`',
      ),
    ];
  }
  if (!stats.isDirectory()) return [finding('error', 'folder', `${root} is no folder`, 'name another path')];
  const found: Finding[] = [];
  const uid = process.getuid?.() ?? 0;
  const groups = new Set([...(process.getgroups?.() ?? []), process.getegid?.() ?? -1]);
  const isOwner = stats.uid === uid;
  const mode = stats.mode;
  const shared = (mode & 0o020) !== 0;
  if (uid !== 0 && !isOwner && !groups.has(stats.gid)) {
    found.push(
      finding(
        'error',
        'group',
        `${root} belongs to the group ${stats.gid}, of which this user is none`,
        'ask for membership of the group, or `lhb cache init --group` with another',
      ),
    );
  }
  if (shared && (mode & 0o2000) === 0) {
    found.push(
      finding(
        'error',
        'setgid',
        `${root} is not setgid: what one adds belongs to his own group`,
        `its owner: chmod g+s ${root} (\`lhb cache init\` does it)`,
      ),
    );
  }
  for (const name of ['ac', 'cas', 'tmp']) {
    const sub = statSync(join(root, name), { throwIfNoEntry: false });
    if (sub && sub.gid !== stats.gid) {
      found.push(
        finding(
          'error',
          'group',
          `${join(root, name)} belongs to another group (${sub.gid}) than ${root} (${stats.gid})`,
          `its owner: chgrp -R ${stats.gid} ${root}`,
        ),
      );
    } else if (sub && shared && (sub.mode & 0o2000) === 0) {
      found.push(
        finding('error', 'setgid', `${join(root, name)} is not setgid`, `its owner: chmod g+s ${join(root, name)}`),
      );
    }
  }
  const space = await statfs(root).catch(() => undefined);
  if (space) {
    const free = space.bavail * space.bsize;
    found.push(
      free < LITTLE_SPACE
        ? finding(
            'error',
            'space',
            `${(free / 1e6).toFixed(0)} MB are free there`,
            '`lhb cache gc --max-size` drops what is worth least',
          )
        : finding('ok', 'space', `${(free / 1e9).toFixed(0)} GB are free there`),
    );
  }
  const hardLinks = unless(['ENOENT', 'EACCES'], () => readFileSync('/proc/sys/fs/protected_hardlinks', 'utf8').trim());
  const { type } = fileSystemOf(root);
  const kind = `${type}${isNetworkType(type) ? ', a network file system' : ''}`;
  found.push(
    finding(
      'ok',
      'folder',
      `${root}, mode ${(mode & 0o7777).toString(8)}, on ${kind}${(mode & 0o1000) !== 0 ? ', sticky: only owners remove' : ''}${hardLinks === '1' ? ', protected_hardlinks' : ''}`,
    ),
  );
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
};

/** Puts and gets a blob of 1 MiB and a record, as a build would. */
async function roundTrip(tier: Tier, key: SigningKey | undefined): Promise<Finding[]> {
  const { cache } = tier;
  const { spec } = cache;
  const hint = (problem: CacheError): string =>
    HINTS[problem.kind]?.(spec.name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_'), spec.kind) ?? '';
  const found: Finding[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'lhb-doctor-'));
  const key_ = recordKey(spec.ns, hashBytes(randomBytes(32)) as string as ActionKey);
  const bytes = randomBytes(MIB);
  const blob: BlobRef = { size: MIB, b3: hashBytes(bytes), sha: createHash('sha256').update(bytes).digest('hex') };
  try {
    await cache.getRecord(key_, TRANSFER);
    found.push(finding('ok', 'read', 'it answers'));
    if (spec.mode !== 'rw') return [...found, finding('ok', 'write', 'it is only read (mode: r)')];
    const file = join(folder, 'blob');
    writeFileSync(file, bytes);
    const began = performance.now();
    await cache.putBlob(blob, file, false, TRANSFER);
    const sent = performance.now();
    const back = join(folder, 'back');
    const came = await cache.fetchBlob(blob, back, TRANSFER);
    const rate = (ms: number): string => `${(MIB / 1e3 / Math.max(0.1, ms)).toFixed(0)} MB/s`;
    if (!came || hashBytes(readFileSync(back)) !== blob.b3) {
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
    const first = sealRecord(`{"doctor":1}`, key);
    const second = sealRecord(`{"doctor":2}`, key);
    await cache.putRecord(key_, first, [blob], false, TRANSFER);
    const again = await cache.putRecord(key_, second, [blob], false, TRANSFER);
    const kept = await cache.getRecord(key_, TRANSFER);
    if (kept === undefined)
      found.push(
        finding('error', 'record', 'a record that was put is not there', 'is it a cache that keeps what is put?'),
      );
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
    if (cache instanceof DirectoryCache) {
      for (const path of [cache.recordPath(key_), cache.blobPath(blob)])
        unless(['EACCES', 'EPERM', 'ENOENT', 'ENOTDIR'], () => rmSync(path, { force: true }));
    }
    rmSync(folder, { recursive: true, force: true });
  }
  return found;
}
