// Large files that several jobs, or processes, want at once.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ActionKey, Digest } from '../../src/base/brand.ts';
import { bringOnce, unfinishedFile } from '../../src/cache/downloads.ts';
import { fetchResult } from '../../src/cache/fetch-result.ts';
import { recordKey } from '../../src/cache/record.ts';
import { CacheError, type BlobRef, type SharedCache } from '../../src/cache/shared-cache.ts';
import { Tier } from '../../src/cache/tier.ts';
import { Trust } from '../../src/cache/trust.ts';
import { ownerMark } from '../../src/fs/atomic-write.ts';
import { hashBytes } from '../../src/hash/digest.ts';
import { keyDigestOf } from '../../src/store/manifest.ts';
import { withStore } from '../store/support.ts';

const BYTES = Buffer.from('some bytes that come in parts');
const B3 = hashBytes(BYTES);
const never = new AbortController().signal;

test('two results with the same large file are brought, and the file once', () =>
  withStore('copy', async ({ blobs }) => {
    mkdirSync(blobs.layout.tmp, { recursive: true });
    const fetched: string[] = [];
    const cache = {
      spec: { name: 'c', kind: 'http', url: 'http://x', mode: 'r', trust: 'any', ns: '' },
      fetchBlob: async (_blob: BlobRef, file: string): Promise<boolean> => {
        fetched.push(file);
        for (let at = 0; at < BYTES.length; at += 10) {
          appendFileSync(file, BYTES.subarray(at, at + 10));
          await sleep(5);
        }
        return true;
      },
    } as unknown as SharedCache;
    const tier = new Tier(cache, new Trust(false, [], []), () => {});
    const half = { size: 15, b3: 'c'.repeat(64) as Digest, sha: 'd'.repeat(64) };
    const blob = { size: BYTES.length, b3: B3, sha: '', parts: [half, { ...half, size: BYTES.length - 15 }] };
    const hit = (name: string, exec: boolean): Parameters<typeof fetchResult>[0] => {
      const entry = { type: 'file', path: '', size: BYTES.length, digest: B3, exec } as const;
      const output = { name: 'o', path: name, tree: false, entries: [entry], keyDigest: keyDigestOf(false, [entry]) };
      const key = recordKey('', name.repeat(64) as ActionKey);
      const usage = { startedAt: 1, finishedAt: 2, wallS: 1, cpuS: undefined, maxRssMb: undefined };
      const producer = { lhb: '1', host: 'h', user: 'u', platform: 'p' };
      const files = [{ entry, blob }];
      const record = { key, ns: '', rule: 'r', jobId: name, ...usage, producer, manifest: [output], files };
      return { tier, wanted: { actionKey: name as ActionKey, declared: [] }, record, bytes: BYTES, keyId: undefined };
    };
    const wanted = [hit('a', false), hit('b', false), hit('c', true)];
    const ends = await Promise.all(wanted.map((one) => fetchResult(one, blobs, never, true)));
    assert.equal(ends, Array(3).fill({ bytes: BYTES.length }));
    // Once with each mode.
    assert.is(fetched.length, 2);
    assert.is(tier.badBlobs.size + tier.badRecords.size, 0);
    for (const exec of [false, true]) assert.is(await blobs.check(B3, exec), 'ok');
    assert.equal(readdirSync(blobs.layout.tmp), []);
  }));

test('what others did not bring is brought by one after the other, and waiting can be ended', async () => {
  let atOnce = 0;
  let runs = 0;
  const seen: number[] = [];
  const bring = (signal: AbortSignal, fails: boolean): Promise<string | undefined> =>
    bringOnce('x', { signal, onSeen: (count) => seen.push(count), isHere: () => false }, async (tell) => {
      runs++;
      assert.is(++atOnce, 1);
      tell(7);
      await sleep(20);
      atOnce--;
      if (fails) throw new CacheError('down', 'gone');
      return 'done';
    });
  const stop = new AbortController();
  const all = [bring(never, true), bring(never, true), bring(never, false), bring(stop.signal, false)];
  stop.abort();
  const ends = await Promise.allSettled(all);
  assert.equal(
    ends.map((end) => (end.status === 'fulfilled' ? end.value : (end.reason as CacheError).kind)),
    ['down', 'down', 'done', 'aborted'],
  );
  assert.is(runs, 3);
  // What others had, and did not keep, is taken back.
  assert.is(
    seen.reduce((sum, count) => sum + count, 0),
    7,
  );
});

test('an unfinished file is taken over from a process that is gone, and from no other', () =>
  withStore('copy', async ({ blobs }) => {
    const { tmp } = blobs.layout;
    mkdirSync(tmp, { recursive: true });
    const host = ownerMark().split('-').slice(1).join('-');
    const own = join(tmp, `download-${B3}.${ownerMark()}`);
    const left = (pid: number | undefined, text: string): string => {
      const file = join(tmp, `download-${B3}.${pid}-${host}`);
      writeFileSync(file, text);
      return file;
    };
    const gone = left(spawnSync('true').pid, 'begun');
    const live = left(process.ppid, 'by another');
    const elsewhere = join(tmp, `download-${B3}.1-${hostname().length}else`);
    writeFileSync(elsewhere, 'by another host');
    assert.is(unfinishedFile(tmp, B3), own);
    assert.is(readFileSync(own, 'utf8'), 'begun');
    assert.not(existsSync(gone));
    assert.ok(existsSync(live) && existsSync(elsewhere));
    assert.is(unfinishedFile(tmp, B3), own);
    rmSync(own);
    assert.is(unfinishedFile(tmp, B3), own);
    assert.not(existsSync(own));
  }));

test.run();
