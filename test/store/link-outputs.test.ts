import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { captureOutputs } from '../../src/store/capture.ts';
import { compareOutputs } from '../../src/store/compare.ts';
import { FileDigests } from '../../src/store/file-digests.ts';
import type { Manifest } from '../../src/store/manifest.ts';
import { linkOutputs } from '../../src/store/restore.ts';
import { BlobStore } from '../../src/store/blob-store.ts';
import { file, tree, withStore, type Bench } from './support.ts';

const DIR = 'runs/a';

/** Captures an output with each of these paths, and removes them all; the store is opened anew, so that it has seen no blob. */
async function gone(
  bench: Bench,
  ...paths: string[]
): Promise<{ manifest: Manifest; link: () => boolean; digests: FileDigests }> {
  for (const path of paths) bench.write(`${DIR}/${path}`, `bytes of ${path}`);
  const result = await captureOutputs(
    bench.root,
    DIR,
    paths.map((path) => file(path)),
    bench.blobs,
  );
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  rmSync(bench.path('runs'), { recursive: true });
  const { manifest } = result.value;
  const blobs = new BlobStore(bench.blobs.layout, { link: 'hardlink', workTmp: bench.path('.lhb/tmp') });
  const digests = new FileDigests(bench.root);
  return { manifest, digests, link: () => linkOutputs(bench.root, DIR, manifest, blobs, digests) };
}

const blobOf = (bench: Bench, manifest: Manifest, at: number): string => {
  const entry = manifest[at]?.entries[0];
  if (entry?.type !== 'file') throw new Error('no file');
  return bench.blobs.path(entry.digest, entry.exec);
};

test('outputs of which none stands are linked to their blobs, and known', () =>
  withStore('hardlink', async (bench) => {
    const { manifest, link, digests } = await gone(bench, 'a', 'deep/er/b');
    assert.is(link(), true);
    for (const [at, path] of ['a', 'deep/er/b'].entries()) {
      const stats = statSync(bench.path(`${DIR}/${path}`));
      assert.is(stats.ino, statSync(blobOf(bench, manifest, at)).ino);
      assert.ok(blobOf(bench, manifest, at).includes(digests.recorded(`${DIR}/${path}`, stats)?.slice(2) ?? '?'));
    }
    assert.equal(compareOutputs(bench.root, DIR, manifest, new FileDigests(bench.root)), { state: 'same' });
  }));

test('outputs with the same bytes are all known, though each link changes the times of the others', () =>
  withStore('hardlink', async (bench) => {
    const { manifest, link, digests } = await gone(bench, 'a');
    const twice = [...manifest, ...manifest.map((output) => ({ ...output, path: 'b' }))];
    assert.is(link(), true);
    rmSync(bench.path('runs'), { recursive: true });
    assert.is(linkOutputs(bench.root, DIR, twice, bench.blobs, digests), true);
    for (const path of ['a', 'b']) {
      assert.type(digests.recorded(`${DIR}/${path}`, statSync(bench.path(`${DIR}/${path}`))), 'string');
    }
  }));

test('where one output cannot be linked none is there after', () =>
  withStore('hardlink', async (bench) => {
    const { manifest, link } = await gone(bench, 'a', 'b');
    const none = (what: string): void => {
      assert.is(link(), false, what);
      assert.is(existsSync(bench.path(`${DIR}/a`)), false, what);
    };
    bench.write(`${DIR}/b`, 'other');
    none('something stands at one');
    rmSync(bench.path('runs'), { recursive: true });
    rmSync(blobOf(bench, manifest, 1));
    none('a blob is gone');
  }));

test('a blob with other bytes is not linked, however it looks', () =>
  withStore('hardlink', async (bench) => {
    const { manifest, link } = await gone(bench, 'a');
    const blob = blobOf(bench, manifest, 0);
    chmodSync(blob, 0o644);
    writeFileSync(blob, 'BYTES OF a');
    utimesSync(blob, 1_700_000_000, 1_700_000_000);
    chmodSync(blob, 0o444);
    assert.is(link(), false);
    assert.is(existsSync(bench.path(`${DIR}/a`)), false);
  }));

test('a blob that is written to after its bytes were seen is not linked again', () =>
  withStore('hardlink', async (bench) => {
    const { manifest, link } = await gone(bench, 'a');
    assert.is(link(), true);
    rmSync(bench.path('runs'), { recursive: true });
    const blob = blobOf(bench, manifest, 0);
    chmodSync(blob, 0o644);
    appendFileSync(blob, '!');
    chmodSync(blob, 0o444);
    assert.is(link(), false);
    assert.is(existsSync(bench.path(`${DIR}/a`)), false);
  }));

test('nothing is put behind a link, at a path that leads out, or in a tree', () =>
  withStore('hardlink', async (bench) => {
    const { manifest, link } = await gone(bench, 'deep/b');
    mkdirSync(bench.path('elsewhere'));
    mkdirSync(bench.path(DIR), { recursive: true });
    symlinkSync('../../elsewhere', bench.path(`${DIR}/deep`));
    assert.is(link(), false);
    rmSync(bench.path(DIR), { recursive: true });
    symlinkSync('../elsewhere', bench.path(DIR));
    assert.is(link(), false);
    assert.is(existsSync(bench.path('elsewhere/b')), false);
    assert.is(existsSync(bench.path('elsewhere/deep')), false);
    rmSync(bench.path(DIR));
    const at = (path: string): Manifest => manifest.map((output) => ({ ...output, path }));
    for (const path of ['../b', '/tmp/b', 'x/../../b']) {
      assert.is(linkOutputs(bench.root, DIR, at(path), bench.blobs, new FileDigests(bench.root)), false, path);
    }
    bench.write(`${DIR}/t/x`, 'x');
    const captured = await captureOutputs(bench.root, DIR, [tree('t')], bench.blobs);
    rmSync(bench.path('runs'), { recursive: true });
    if (!captured.ok) throw new Error('not captured');
    const { manifest: trees } = captured.value;
    assert.is(linkOutputs(bench.root, DIR, trees, bench.blobs, new FileDigests(bench.root)), false);
  }));

test('without hard links nothing is put in place this way', () =>
  withStore('copy', async (bench) => {
    const { manifest } = await gone(bench, 'a');
    assert.is(linkOutputs(bench.root, DIR, manifest, bench.blobs, new FileDigests(bench.root)), false);
    assert.is(existsSync(bench.path(`${DIR}/a`)), false);
  }));

test.run();
