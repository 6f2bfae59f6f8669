// The parts of shared caches that need no program: signatures of S3, keys, records, credentials, the guard.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ActionKey, Digest } from '../../src/base/brand.ts';
import { ok } from '../../src/base/result.ts';
import { awsCredentials, httpAuthorization, variableName } from '../../src/cache/credentials.ts';
import { readRecord, readRecordNow } from '../../src/cache/dir-files.ts';
import { BUDGET_MS, CacheGuard, Losses } from '../../src/cache/guard.ts';
import {
  canonicalJson,
  decodeRecord,
  encodeRecord,
  inlineChoice,
  recordKey,
  type SharedRecord,
} from '../../src/cache/record.ts';
import { bucketOf, dirRoot, kindOf } from '../../src/cache/url.ts';
import { CacheError, inSeconds, type SharedCache } from '../../src/cache/shared-cache.ts';
import { generateKey, openSealed, readPublicKey, readSigningKey, sealRecord } from '../../src/cache/signature.ts';
import { EMPTY_SHA256, signV4 } from '../../src/cache/sigv4.ts';
import { Trust } from '../../src/cache/trust.ts';
import { Flow } from '../../src/cache/uploads.ts';
import { hashBytes } from '../../src/hash/digest.ts';
import { keyDigestOf, type Entry } from '../../src/store/manifest.ts';

const AWS_EXAMPLE = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  sessionToken: undefined,
};

// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, "Examples: Signature Calculations".
test('requests to S3 are signed as in the examples of AWS', () => {
  const date = new Date('2013-05-24T00:00:00Z');
  const signature = (method: string, path: string, headers: Record<string, string>, bodySha: string): string => {
    const url = new URL(path, 'https://examplebucket.s3.amazonaws.com');
    const { authorization = '' } = signV4({ method, url, headers, bodySha }, AWS_EXAMPLE, 'us-east-1', date);
    return authorization.split('Signature=')[1] ?? '';
  };
  assert.is(
    signature('GET', '/test.txt', { range: 'bytes=0-9' }, EMPTY_SHA256),
    'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  );
  const sha = '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072';
  const put = { date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' };
  assert.is(
    signature('PUT', '/test$file.text', put, sha),
    '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  );
  assert.is(
    signature('GET', '/?lifecycle', {}, EMPTY_SHA256),
    'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  );
  assert.is(
    signature('GET', '/?max-keys=2&prefix=J', {}, EMPTY_SHA256),
    '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  );
});

test('URLs of caches', () => {
  assert.equal(kindOf('dir:/a/b'), { ok: true, value: 'dir' });
  assert.is(dirRoot('dir:///a/b/'), '/a/b');
  assert.is(dirRoot('dir:~/c', '/home/x'), '/home/x/c');
  assert.equal(kindOf('https://x/y'), { ok: true, value: 'http' });
  for (const url of [
    'dir:a',
    'ftp://x',
    'https://u:p@x/',
    'https://x/?q',
    's3://',
    's3://b?endpoint=x',
    's3://b/%zz',
    's3://b?region=a%0Ab',
    's3://%zz',
    's3://b?endpoint=http://h/%25zz',
  ])
    assert.not(kindOf(url).ok, url);
  const bucket = bucketOf('s3://b/p/q?endpoint=http://h:1&region=eu', undefined);
  assert.is(typeof bucket === 'string' ? bucket : `${bucket.base.href} ${bucket.region}`, 'http://h:1/b/p/q/ eu');
  const aws = bucketOf('s3://b', 'eu-west-1');
  assert.is(typeof aws === 'string' ? aws : aws.base.href, 'https://b.s3.eu-west-1.amazonaws.com/');
});

test('keys and signatures', () => {
  const { pem, line } = generateKey('alice');
  const [own, known] = [readSigningKey(pem), readPublicKey(`${line}\n`)];
  assert.ok(own.ok && known.ok);
  assert.is(own.value.id, known.value.id);
  assert.is(known.value.name, 'alice');
  const sealed = sealRecord('{"a":1}', own.value);
  const opened = openSealed(sealed);
  assert.ok(opened?.signedBy(known.value));
  // Any other byte, and it is none.
  for (let i = 0; i < sealed.length; i++) {
    const wrong = Buffer.from(sealed);
    wrong[i] = (wrong[i] ?? 0) ^ 1;
    const seen = openSealed(wrong);
    assert.ok(seen === undefined || (seen.line === '{"a":1}' && !seen.signedBy(known.value)), `byte ${i}`);
  }
  const other = readPublicKey(generateKey('bob').line);
  assert.ok(other.ok && opened && !opened.signedBy(other.value));
  assert.not(readPublicKey('ssh-ed25519 AAAA alice').ok);
  assert.not(readSigningKey('nothing').ok);
});

test('whom a cache trusts', () => {
  const { pem, line } = generateKey('alice');
  const [own, known] = [readSigningKey(pem), readPublicKey(line)];
  assert.ok(own.ok && known.ok);
  const [signed, unsigned] = [openSealed(sealRecord('{}', own.value)), openSealed(sealRecord('{}', undefined))];
  assert.ok(signed && unsigned);
  const kinds = (trust: Trust): string[] => [trust.judge(signed).kind, trust.judge(unsigned).kind];
  assert.equal(kinds(new Trust(true, [known.value], [])), ['taken', 'refused']);
  assert.equal(kinds(new Trust(true, [], [])), ['refused', 'refused']);
  assert.equal(kinds(new Trust(false, [], [])), ['taken', 'taken']);
  assert.equal(kinds(new Trust(false, [], [known.value.id])), ['refused', 'taken']);
  assert.equal(kinds(new Trust(true, [known.value], [known.value.id])), ['refused', 'refused']);
});

const KEY = recordKey('team', 'a'.repeat(64) as ActionKey);

function sample(): SharedRecord {
  const bytes = Buffer.from('hello');
  const file = { type: 'file', path: '', size: 5, digest: hashBytes(bytes), exec: true } as const;
  const large = { type: 'file', path: 'sub/y', size: 900, digest: 'b'.repeat(64) as Digest, exec: false } as const;
  const entries: Entry[] = [{ type: 'link', path: 'l', target: 'sub' }, { type: 'dir', path: 'sub' }, large];
  const part = (size: number): { size: number; b3: Digest; sha: string } => ({
    size,
    b3: 'c'.repeat(64) as Digest,
    sha: 'd'.repeat(64),
  });
  return {
    key: KEY,
    ns: 'team',
    rule: 'train',
    jobId: 'train_1',
    startedAt: 1,
    finishedAt: 2.5,
    wallS: 1.5,
    cpuS: undefined,
    maxRssMb: 12,
    producer: { lhb: '1', host: 'h', user: 'u', platform: 'linux-x64' },
    manifest: [
      { name: 'o', path: 'o.txt', tree: false, entries: [file], keyDigest: keyDigestOf(false, [file]) },
      { name: 't', path: 't', tree: true, entries, keyDigest: keyDigestOf(true, entries) },
    ],
    files: [
      { entry: file, blob: { size: 5, b3: file.digest, sha: '' }, inline: bytes },
      { entry: large, blob: { size: 900, b3: large.digest, sha: '', parts: [part(500), part(400)] } },
    ],
  };
}

test('a record reads back as it was written', () => {
  const record = sample();
  const decoded = decodeRecord(encodeRecord(record), KEY, 'team');
  assert.ok(decoded.ok);
  assert.equal(JSON.parse(JSON.stringify(decoded.value)), JSON.parse(JSON.stringify(record)));
  assert.is(encodeRecord(decoded.value), encodeRecord(record));
});

test('a record of anything else is none', () => {
  const line = encodeRecord(sample());
  const wrong: [string, string][] = [
    [line.replace('"v":1', '"v":2'), 'format 2'],
    [line.replace(KEY, 'e'.repeat(64)), 'another key'],
    [line.replace('"ns":"team"', '"ns":""'), 'another namespace'],
    [line.replace('"s":500', '"s":501'), 'not of the form'],
    [line.replace('"s":5,', '"s":6,'), 'not of the form'],
    [line.replace('"m":"755"', '"m":"4755"'), 'not of the form'],
    [line.replace('"p":"t"', '"p":"../t"'), 'is no path'],
    [line.replace('"to":"sub"', '"to":"../../x"'), 'out of its tree'],
    [line.replace('"wall_s":1.5', '"wall_s":"x"'), 'not of the form'],
    [line.replace('"wall_s":1.5', '"wall_s":-1.5'), 'not of the form'],
    [line.replace('"finished":2.5', '"finished":1e300'), 'not of the form'],
    [line.replace('"max_rss_mb":12', '"max_rss_mb":1e999'), 'not of the form'],
    ['[]', 'not of the form'],
    ['', 'not of the form'],
  ];
  for (const [text, why] of wrong) {
    const decoded = decodeRecord(text, KEY, 'team');
    assert.ok(!decoded.ok && decoded.error.includes(why), `${why}: ${decoded.ok ? 'taken' : decoded.error}`);
  }
});

test('small files are in the record, up to 64 KiB in all', () => {
  assert.equal(inlineChoice([4095, 4096, 0]), [true, false, true]);
  assert.is(inlineChoice(Array<number>(30).fill(4000)).filter(Boolean).length, 16);
});

test('canonical JSON', () => {
  assert.is(canonicalJson({ b: [1, { d: null, c: 'x' }], a: true }), '{"a":true,"b":[1,{"c":"x","d":null}]}');
});

test('credentials: variables, netrc, profiles', () => {
  const home = mkdtempSync(join(tmpdir(), 'lhb-home-'));
  try {
    writeFileSync(
      join(home, '.netrc'),
      'machine other login x password y\nmachine h login u\n  password p\ndefault login d password e',
    );
    const env = { HOME: home };
    const url = new URL('https://h/x');
    const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;
    assert.is(variableName('lab-2.x'), 'LAB_2_X');
    assert.equal(httpAuthorization('lab', url, env), ok(basic('u:p')));
    assert.equal(httpAuthorization('lab', new URL('https://elsewhere'), env), ok(basic('d:e')));
    assert.equal(httpAuthorization('my-lab', url, { ...env, LHB_CACHE_AUTH_MY_LAB: 'a:b' }), ok(basic('a:b')));
    assert.equal(httpAuthorization('lab', url, { ...env, LHB_CACHE_TOKEN_LAB: 't' }), ok('Bearer t'));
    assert.equal(awsCredentials(env), ok(undefined));
    mkdirSync(join(home, '.aws'));
    writeFileSync(
      join(home, '.aws/credentials'),
      '[default]\naws_access_key_id=i\naws_secret_access_key = s\n[p]\naws_access_key_id=pi\naws_secret_access_key=ps\naws_session_token=pt\n',
    );
    assert.equal(awsCredentials(env), ok({ accessKeyId: 'i', secretAccessKey: 's', sessionToken: undefined }));
    const profile = { accessKeyId: 'pi', secretAccessKey: 'ps', sessionToken: 'pt' };
    assert.equal(awsCredentials({ ...env, AWS_PROFILE: 'p' }), ok(profile));
    const variables = { ...env, AWS_ACCESS_KEY_ID: 'e', AWS_SECRET_ACCESS_KEY: 'f' };
    assert.equal(awsCredentials(variables), ok({ accessKeyId: 'e', secretAccessKey: 'f', sessionToken: undefined }));
  } finally {
    rmSync(home, { recursive: true });
  }
});

/** A guard by a clock that stands still but when work takes time. */
function guardWith(): {
  guard: CacheGuard;
  fail: (ms: number, kind?: CacheError['kind']) => Promise<boolean>;
  pass: (ms: number) => void;
  said: string[];
  losses: Losses;
} {
  let now = 0;
  const said: string[] = [];
  const losses = new Losses();
  const cache = { spec: { name: 'c' } } as unknown as SharedCache;
  const guard = new CacheGuard(
    cache,
    losses,
    (text) => said.push(text),
    () => now,
  );
  const fail = async (ms: number, kind: CacheError['kind'] = 'down'): Promise<boolean> => {
    let asked = false;
    await guard.ask(() => {
      asked = true;
      now += ms;
      return Promise.reject(new CacheError(kind, 'no'));
    });
    return asked;
  };
  return { guard, fail, pass: (ms) => (now += ms), said, losses };
}

test('the guard: three failures in a row open it for a minute, then one probe', async () => {
  const { guard, fail, pass, said } = guardWith();
  for (let i = 0; i < 3; i++) assert.ok(await fail(10));
  assert.not(await fail(10));
  pass(60_001);
  assert.ok(await fail(10));
  assert.not(await fail(10));
  pass(60_001);
  assert.equal(await guard.ask(() => Promise.resolve(7)), { value: 7 });
  assert.ok(await fail(10));
  assert.is(said.length, 1);
});

test('the guard: after a refusal, or when its seconds are used up, it stays open', async () => {
  const refused = guardWith();
  await refused.fail(1, 'denied');
  refused.pass(1e9);
  assert.ok(refused.guard.isGivenUp && !(await refused.fail(1)));
  const slow = guardWith();
  await slow.fail(BUDGET_MS);
  slow.pass(1e9);
  assert.ok(slow.guard.isGivenUp);
  assert.is(slow.losses.ms, BUDGET_MS);
});

test('the guard: what fails side by side loses its time once', () => {
  const losses = new Losses();
  losses.add(0, 5000);
  losses.add(0, 5001);
  losses.add(4000, 5002);
  assert.is(losses.ms, 5002);
});

test('the guard: a download is given up only where it takes over ten seconds and longer than the job', () => {
  const { guard } = guardWith();
  assert.not(guard.isSlowerThan(1e12, 0));
  assert.not(guard.isSlowerThan(90_000, 0, 0, 10_000));
  assert.ok(guard.isSlowerThan(110_000, 5, 0, 10_000));
  assert.not(guard.isSlowerThan(110_000, 60, 0, 10_000));
  assert.ok(guard.isSlowerThan(0, 5, 10.5, 10_000));
});

test('uploads that stand still are given up after ten seconds, however much went before', () => {
  const flow = new Flow();
  const mb = 1e6;
  // 120 MB in a second, then nothing.
  const given: number[] = [];
  for (let at = 0; at <= 20_000; at += 500) if (flow.isSlow(at, Math.min(at, 1000) * 0.12 * mb)) given.push(at);
  assert.is(given[0], 11_000);
  const steady = new Flow();
  for (let at = 0; at <= 60_000; at += 500) assert.not(steady.isSlow(at, at * 100), `${at} ms`);
});

test('limits in messages are rounded', () => {
  assert.equal([5006.5616, 50, 2000].map(inSeconds), ['5 s', '0.1 s', '2 s']);
});

test('records of a folder are read whole, at once or not, of whatever length', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lhb-records-'));
  try {
    for (const length of [0, 1, 700, 16_383, 16_384, 16_385, 300_000]) {
      for (const ending of ['', '\n']) {
        const path = join(folder, 'record');
        const text = `${'x'.repeat(length)}${ending}`;
        writeFileSync(path, text);
        assert.is(readRecordNow(path).toString(), text, `${length}, at once`);
        assert.is((await readRecord(path)).toString(), text, `${length}`);
      }
    }
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    assert.throws(() => readRecordNow(pipe), /is no file/, 'a pipe is not waited for');
    assert.throws(() => readRecordNow(join(folder, 'none')), /ENOENT/);
    assert.throws(() => readRecordNow(folder), /EISDIR/);
    assert.throws(() => readRecordNow('/dev/zero'), /is no file/);
    const sparse = join(folder, 'sparse');
    writeFileSync(sparse, '');
    truncateSync(sparse, 70e6);
    for (const read of [readRecord, (path: string) => Promise.resolve().then(() => readRecordNow(path))]) {
      const before = process.memoryUsage().rss;
      const problem: unknown = await read(sparse).catch((e: unknown) => e);
      assert.match(String(problem), /it is larger than 67108864 bytes/);
      assert.ok(process.memoryUsage().rss - before < 60e6, 'it is not read');
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
