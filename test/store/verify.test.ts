import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ActionKey, JobHash, JobId } from '../../src/base/brand.ts';
import { clearTemporary, temporaryName, writeAtomic } from '../../src/fs/atomic-write.ts';
import { hashText } from '../../src/hash/digest.ts';
import { captureOutputs } from '../../src/store/capture.ts';
import { openFormat } from '../../src/store/format.ts';
import { IndexDb } from '../../src/store/index-db.ts';
import { storeLayout } from '../../src/store/layout.ts';
import { readTail } from '../../src/store/log-tail.ts';
import { filesOf } from '../../src/store/manifest.ts';
import { placeIndex } from '../../src/store/place-index.ts';
import type { Trace } from '../../src/store/trace.ts';
import { verifyStore, type VerifyOptions } from '../../src/store/verify.ts';
import { file, withStore, type Bench } from './support.ts';

/** A store with one job's two outputs, runs/a/f and runs/a/g. */
async function stored(bench: Bench): Promise<{ index: IndexDb; trace: Trace; options: VerifyOptions }> {
  bench.write('runs/a/f', 'first');
  bench.write('runs/a/g', 'second', 0o755);
  const captured = await captureOutputs(bench.root, 'runs/a', [file('f'), file('g')], bench.blobs);
  const index = IndexDb.open(bench.path('.lhb/index'), { readOnly: false });
  if (!captured.ok || !index.ok) throw new Error('not stored');
  const { manifest } = captured.value;
  const trace: Trace = {
    actionKey: hashText('k') as string as ActionKey,
    jobHash: hashText('j') as string as JobHash,
    jobId: 'a_1' as JobId,
    rule: 'a',
    label: '',
    dir: 'runs/a',
    parts: [],
    manifest,
    origin: 'built',
    usage: { startedAt: 0, finishedAt: 0, wallS: 0, cpuS: undefined, maxRssMb: undefined },
    recordedAt: 1,
    attempts: 1,
    resources: {},
    host: 'h',
    executor: 'local',
    executorJob: undefined,
    log: '',
    reasons: [],
    config: '{}',
    command: '',
  };
  index.value.putTrace(trace);
  const candidates = [...filesOf(manifest)].map(({ entry, path }) => ({
    entry,
    path: bench.path(join('runs/a', path)),
  }));
  return { index: index.value, trace, options: { repair: true, candidates } };
}

function damage(path: string): void {
  chmodSync(path, 0o644);
  writeFileSync(path, 'other bytes');
}

test('a sound store has no findings', () =>
  withStore('auto', async (bench) => {
    const { index, options } = await stored(bench);
    assert.equal(await verifyStore(bench.blobs, index, options), { blobs: 2, records: 1, evicted: 0, findings: [] });
    await index.close();
  }));

test('a damaged blob is found, and written again from an output that has its bytes', () =>
  withStore('copy', async (bench) => {
    const { index, options } = await stored(bench);
    const blob = bench.blobs.path(hashText('second'), true);
    damage(blob);
    const found = await verifyStore(bench.blobs, index, { ...options, repair: false });
    assert.equal(
      found.findings.map((f) => [f.kind, f.what, f.repaired]),
      [['blob', blob, false]],
    );
    const repaired = await verifyStore(bench.blobs, index, options);
    assert.equal(
      repaired.findings.map((f) => f.repaired),
      [true],
    );
    assert.equal((await verifyStore(bench.blobs, index, options)).findings, []);
    await index.close();
  }));

test('damage that nothing can repair is found again each time', () =>
  withStore('hardlink', async (bench) => {
    const { index, options } = await stored(bench);
    damage(bench.path('runs/a/f')); // the blob's own bytes, by its other name
    for (let i = 0; i < 2; i++) {
      assert.equal(
        (await verifyStore(bench.blobs, index, options)).findings.map((f) => f.repaired),
        [false],
      );
    }
    await index.close();
  }));

test('a missing blob is put again, or makes its record a miss, which is no damage', () =>
  withStore('copy', async (bench) => {
    const { index, options } = await stored(bench);
    bench.blobs.remove(hashText('first'), false);
    const given = await verifyStore(bench.blobs, index, options);
    assert.equal(
      given.findings.map((f) => f.repaired),
      [true],
    );
    bench.blobs.remove(hashText('first'), false);
    rmSync(bench.path('runs'), { recursive: true });
    assert.equal(await verifyStore(bench.blobs, index, options), { blobs: 1, records: 1, evicted: 1, findings: [] });
    await index.close();
  }));

test('a record that names a path outside is found and dropped', () =>
  withStore('auto', async (bench) => {
    const { index, trace, options } = await stored(bench);
    index.putTrace({ ...trace, dir: '../elsewhere' });
    const { findings } = await verifyStore(bench.blobs, index, options);
    assert.equal(
      findings.map((f) => [f.kind, f.what, f.repaired]),
      [['record', trace.actionKey, true]],
    );
    assert.is(index.getTrace(trace.actionKey), undefined);
    await index.close();
  }));

test('a store is made once, and refused when it is newer or no store', () => {
  const root = join(mkdtempSync(join(tmpdir(), 'lhb-format-')), '.lhb');
  const layout = storeLayout(root);
  assert.equal(openFormat(layout, true), { ok: true, value: { state: 'absent' } });
  assert.not(existsSync(root));
  for (const readOnly of [false, true])
    assert.equal(openFormat(layout, readOnly), { ok: true, value: { state: 'current' } });
  for (const readOnly of [true, false]) {
    writeFileSync(layout.format, 'lhb store 999\n');
    const newer = openFormat(layout, readOnly);
    assert.is(newer.ok ? '' : newer.error[0]?.code, 'store/format-too-new');
    writeFileSync(layout.format, 'lhb store 1\n');
    assert.equal(openFormat(layout, readOnly), { ok: true, value: { state: 'older', version: 1 } });
    for (const text of ['', 'lhb store 0\n', 'garbage', 'lhb store 1e9\n']) {
      // A folder of the user's own may have a file of that name; what has an index beside it is a store.
      rmSync(layout.index, { recursive: true, force: true });
      writeFileSync(layout.format, text);
      const refused = openFormat(layout, readOnly);
      assert.is(refused.ok ? '' : refused.error[0]?.code, 'store/unreadable', text);
      assert.is(readFileSync(layout.format, 'utf8'), text);
      mkdirSync(layout.index);
      const repaired = openFormat(layout, readOnly);
      assert.is(repaired.ok ? repaired.value.state : '', 'repaired', text);
    }
  }
  rmSync(join(root, '..'), { recursive: true });
});

test('the index of a store on a network file system goes to a local disk, by the place of the store', () => {
  const table = ['1 0 8:1 / / rw - ext4 /dev/sda1 rw', '2 1 0:9 / /nowhere/net rw - nfs4 srv:/x rw'].join('\n');
  const env = { HOME: '/nowhere/home' };
  const place = (store: string, extra: object = {}): string => {
    const result = placeIndex(store, { ...env, ...extra }, table);
    return result.ok ? result.value.dir : (result.error[0]?.code ?? '');
  };
  assert.is(place('/nowhere/local/.lhb'), '/nowhere/local/.lhb/index');
  assert.match(place('/nowhere/net/a/.lhb'), /^\/nowhere\/home\/\.cache\/lhb\/index\/[0-9a-f]{24}$/);
  assert.is.not(place('/nowhere/net/a/.lhb'), place('/nowhere/net/b/.lhb'));
  assert.match(place('/nowhere/net/a/.lhb', { LHB_INDEX_DIR: '/nowhere/ssd' }), /^\/nowhere\/ssd\//);
  assert.is(place('/nowhere/net/a/.lhb', { HOME: '/nowhere/net/home' }), 'store/network');
});

test('the end of a log: the last lines, without what was written over', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lhb-log-'));
  const log = join(dir, 'log');
  assert.equal(readTail(log, 3), []);
  writeFileSync(log, 'a\nb\r\n 1%\r 50%\r100%\nd');
  assert.equal(readTail(log, 3), ['b', '100%', 'd']);
  writeFileSync(log, 'long line '.repeat(20_000) + '\nend\n');
  assert.equal(readTail(log, 5), ['end']);
  rmSync(dir, { recursive: true });
});

test('temporary files of dead writers are cleared, those of living ones stay', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lhb-tmp-'));
  const mine = temporaryName();
  const host = hostname()
    .replaceAll(/[^A-Za-z0-9]/g, '')
    .slice(0, 40);
  const dead = `.lhb-0123456789abcdef01234567-999999999-${host}`;
  const far = '.lhb-0123456789abcdef01234567-1-elsewhere';
  const farOld = '.lhb-0123456789abcdef01234568-1-elsewhere';
  for (const name of [mine, far, farOld, 'user']) writeFileSync(join(dir, name), '');
  mkdirSync(join(dir, dead));
  utimesSync(join(dir, farOld), 1, 1);
  clearTemporary(dir);
  assert.equal(readdirSync(dir).sort(), [far, mine, 'user'].sort());
  clearTemporary(join(dir, 'none'));
  writeAtomic(join(dir, 'user'), 'new', { mode: 0o600, durable: true });
  assert.equal(readdirSync(dir).sort(), [far, mine, 'user'].sort());
  rmSync(dir, { recursive: true });
});

test.run();
