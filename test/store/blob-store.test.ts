import { spawn } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  linkSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hashText } from '../../src/hash/digest.ts';
import { withStore } from './support.ts';

const MODES = ['auto', 'hardlink', 'reflink', 'copy'] as const;

for (const mode of MODES) {
  test(`${mode}: what is put can be had back, byte for byte, with its executable bit`, () =>
    withStore(mode, async ({ blobs, write, path }) => {
      const plain = await blobs.put(write('a.txt', 'hello'));
      const exec = await blobs.put(write('a.sh', 'hello', 0o755));
      const empty = await blobs.put(write('empty', ''));
      assert.is(plain.digest, hashText('hello'));
      assert.is(exec.digest, plain.digest);
      assert.ok(exec.exec && !plain.exec);
      assert.is(empty.digest, hashText(''));
      for (const [name, { digest, exec: x, size }] of Object.entries({ plain, exec, empty })) {
        assert.ok(blobs.has(digest, x, size), name);
        assert.is(await blobs.check(digest, x), 'ok');
        assert.is(await blobs.materialise(digest, x, path(name)), 'ok');
      }
      assert.is(readFileSync(path('plain'), 'utf8'), 'hello');
      assert.is(statSync(path('plain')).mode & 0o111, 0);
      assert.ok(statSync(path('exec')).mode & 0o100);
      assert.is(readFileSync(path('empty'), 'utf8'), '');
      assert.equal([...blobs.list()].length, 3);
      assert.equal(readdirSync(blobs.layout.tmp), []);
      assert.is(statSync(blobs.path(plain.digest, false)).mode & 0o777, 0o444);
    }));
}

test('with hard links output and blob are one file, read only, and so are two outputs of the same bytes', () =>
  withStore('hardlink', async ({ blobs, write, path }) => {
    const { digest } = await blobs.put(write('a', 'same'));
    await blobs.put(write('b', 'same'));
    const blob = statSync(blobs.path(digest, false));
    assert.is(statSync(path('a')).ino, blob.ino);
    assert.is(statSync(path('b')).ino, blob.ino);
    assert.is(statSync(path('b')).mode & 0o777, 0o444);
    assert.is(blob.mtimeMs % 1000, 0);
    await blobs.put(path('a')); // again: nothing changes
    assert.is(statSync(blobs.path(digest, false)).nlink, 3);
  }));

test('with copies the blob lives on when the output is written to', () =>
  withStore('copy', async ({ blobs, write }) => {
    const output = write('a', 'before');
    const { digest, size } = await blobs.put(output);
    appendFileSync(output, ' and after');
    assert.ok(blobs.has(digest, false, size));
    assert.is(await blobs.check(digest, false), 'ok');
  }));

test('a file that is not the job’s own is stored, and left as it is', () =>
  withStore('hardlink', async ({ blobs, write, path }) => {
    const source = write('source', 'data', 0o640);
    const before = statSync(source);
    symlinkSync('source', path('link'));
    await blobs.put(path('link'), true);
    linkSync(source, path('hard')); // a job that links its input instead of copying it
    const stored = await blobs.put(path('hard'));
    const after = statSync(source);
    assert.is(after.mode, before.mode);
    assert.is(after.mtimeMs, before.mtimeMs);
    assert.is.not(statSync(blobs.path(stored.digest, false)).ino, after.ino);
  }));

test('an edit in place is noticed, of any size, and the next put makes the blob good again', () =>
  withStore('hardlink', async ({ blobs, write, path }) => {
    const { digest, size } = await blobs.put(write('a', 'original'));
    chmodSync(path('a'), 0o644);
    writeFileSync(path('a'), 'ORIGINAL');
    assert.not(blobs.has(digest, false, size));
    assert.is(await blobs.check(digest, false), 'damaged');
    assert.is((await blobs.put(write('b', 'original'))).digest, digest);
    assert.ok(blobs.has(digest, false, size));
    assert.is(readFileSync(blobs.path(digest, false), 'utf8'), 'original');
    assert.is(readFileSync(path('a'), 'utf8'), 'ORIGINAL');
  }));

test('an edit in place that leaves a whole second and the mode, as cp -p and coarse clocks do, is noticed by who made the blob', () =>
  withStore('hardlink', async ({ blobs, write, path }) => {
    const { digest, exec } = await blobs.put(write('out', 'right'));
    chmodSync(path('out'), 0o644);
    writeFileSync(path('out'), 'wrong');
    chmodSync(path('out'), 0o444);
    utimesSync(path('out'), 1_000_000_000, 1_000_000_000);
    assert.is(await blobs.materialise(digest, exec, path('copy')), 'damaged');
    const again = await blobs.put(write('again', 'right'));
    assert.is(again.digest, digest);
    assert.is(await blobs.materialise(digest, exec, path('copy')), 'ok');
    assert.is(readFileSync(path('copy'), 'utf8'), 'right');
  }));

test('a damaged blob is never given out: it is moved away and is missing from then on', () =>
  withStore('auto', async ({ blobs, write, path }) => {
    const { digest } = await blobs.put(write('a', 'original'));
    const blob = blobs.path(digest, false);
    chmodSync(blob, 0o644);
    writeFileSync(blob, 'flipped!');
    write('out', 'still here');
    assert.is(await blobs.materialise(digest, false, path('out')), 'damaged');
    assert.is(readFileSync(path('out'), 'utf8'), 'still here');
    assert.is(await blobs.materialise(digest, false, path('out')), 'missing');
    assert.is(readdirSync(blobs.layout.damaged).length, 1);
    assert.equal(readdirSync(path('.lhb/tmp')), []);
  }));

test('a put over a damaged blob replaces it, where bytes are copied too', () =>
  withStore('copy', async ({ blobs, write }) => {
    const { digest } = await blobs.put(write('a', 'original'));
    chmodSync(blobs.path(digest, false), 0o644);
    writeFileSync(blobs.path(digest, false), 'flipped!');
    await blobs.put(write('b', 'original'));
    assert.is(await blobs.check(digest, false), 'ok');
  }));

test('a download is taken in only with the digest that was promised', () =>
  withStore('auto', async ({ blobs, write }) => {
    assert.is(await blobs.adopt(write('.lhb/tmp/x', 'evil'), false, hashText('good')), undefined);
    assert.equal([...blobs.list()], []);
    assert.equal(await blobs.adopt(write('.lhb/tmp/y', 'good'), true, hashText('good')), {
      digest: hashText('good'),
      size: 4,
      exec: true,
    });
    assert.is(await blobs.check(hashText('good'), true), 'ok');
    assert.equal(readdirSync(blobs.layout.tmp), []);
  }));

test('a blobs folder that was removed meanwhile is made again', () =>
  withStore('auto', async ({ blobs, write }) => {
    await blobs.put(write('a', 'one'));
    rmSync(blobs.layout.blobs, { recursive: true });
    const { digest } = await blobs.put(write('b', 'one'));
    assert.is(await blobs.check(digest, false), 'ok');
  }));

const RACER = `
  const [module, layoutModule, root, link, id] = process.argv.slice(1);
  const { BlobStore } = await import(module);
  const { storeLayout } = await import(layoutModule);
  const { writeFileSync, mkdirSync, readFileSync } = await import('node:fs');
  const blobs = new BlobStore(storeLayout(root + '/.lhb'), { link });
  mkdirSync(root + '/' + id);
  process.stdout.write('ready');
  process.stdin.once('data', async () => {
    for (let i = 0; i < 40; i++) {
      const path = root + '/' + id + '/' + i;
      const text = ('content ' + i).repeat(2000);
      writeFileSync(path, text);
      const { digest } = await blobs.put(path);
      if ((await blobs.check(digest, false)) !== 'ok') throw new Error('a part of a blob was seen');
      if ((await blobs.materialise(digest, false, path)) !== 'ok') throw new Error('gone');
      if (readFileSync(path, 'utf8') !== text) throw new Error('other bytes');
    }
    process.exit(0);
  });
`;

for (const mode of ['hardlink', 'copy'] as const) {
  test(`${mode}: processes that put the same blobs at once get in no one's way`, () =>
    withStore(mode, async ({ root, blobs }) => {
      const modules = ['blob-store', 'layout'].map(
        (name) => new URL(`../../src/store/${name}.js`, import.meta.url).href,
      );
      const children = ['p', 'q', 'r'].map((id) =>
        spawn(process.execPath, ['--input-type=module', '-e', RACER, ...modules, root, mode, id], {
          stdio: ['pipe', 'pipe', 'inherit'],
        }),
      );
      const codes = children.map((child) => new Promise((resolve) => child.once('exit', resolve)));
      await Promise.all(children.map((child) => new Promise((resolve) => child.stdout.once('data', resolve))));
      for (const child of children) child.stdin.write('go');
      assert.equal(await Promise.all(codes), [0, 0, 0]);
      assert.is([...blobs.list()].length, 40);
      for (const { digest } of blobs.list()) assert.is(await blobs.check(digest, false), 'ok');
      assert.equal(readdirSync(blobs.layout.tmp), []);
    }));
}

test.run();
