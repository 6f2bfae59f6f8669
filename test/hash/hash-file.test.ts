// Files of all sizes: read at once, in pieces, and in a worker thread; hashed alone, and copied on the way.
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { concurrently } from '../../src/base/concurrently.ts';
import { hashBytes, hashFile } from '../../src/hash/digest.ts';
import { copyAndHash, hashFileAsync } from '../../src/hash/hash-file.ts';
import { HashWorkers } from '../../src/hash/workers.ts';

const MB = 1024 * 1024;

async function inFolder(body: (path: (name: string) => string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'lhb-hash-'));
  try {
    await body((name) => join(folder, name));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Bytes that differ from piece to piece. */
const bytesOf = (size: number): Buffer =>
  Buffer.from(Uint8Array.from({ length: size }, (_, i) => (i * 31) ^ (i >> 11)));

/** A file of this size, most of it zeros that take no place on the disk. */
function bigFile(path: string, size: number): void {
  writeFileSync(path, '');
  truncateSync(path, size);
  const fd = openSync(path, 'r+');
  writeSync(fd, 'in the middle', size / 2);
  closeSync(fd);
}

test('a file hashes as its bytes, alone and copied, below and above all sizes at which the way changes', () =>
  inFolder(async (path) => {
    const sizes = [0, 1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, MB - 1, MB, MB + 1, 3 * MB + 17];
    await concurrently(sizes, 4, async (size) => {
      const file = path(String(size));
      const bytes = bytesOf(size);
      const expected = { digest: hashBytes(bytes), size };
      writeFileSync(file, bytes);
      assert.equal(await hashFileAsync(file), expected, `${size} bytes`);
      assert.equal(await copyAndHash(file, `${file}.copy`), expected, `${size} bytes, copied`);
      assert.ok(readFileSync(`${file}.copy`).equals(bytes));
    });
  }));

test('more big files at once than are hashed at once each get their own digest', () =>
  inFolder(async (path) => {
    const files = Array.from({ length: 12 }, (_, i) => path(`${i}`));
    for (const [i, file] of files.entries()) writeFileSync(file, bytesOf(2 * MB + i));
    const found = await Promise.all(files.map((file) => hashFileAsync(file)));
    assert.equal(found, files.map(hashFile));
  }));

test('timers go on while a big file is hashed', () =>
  inFolder(async (path) => {
    bigFile(path('big'), 300 * MB);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const { digest, size } = await hashFileAsync(path('big'));
    clearInterval(timer);
    assert.is(size, 300 * MB);
    assert.is(digest, hashFile(path('big')).digest);
    assert.ok(ticks >= 5, `${ticks} ticks`);
  }));

test('workers hash and copy several files at once, and hand over what the system says', () =>
  inFolder(async (path) => {
    const workers = new HashWorkers();
    const files = [1, 2, 3, 4, 5, 6].map((n) => path(String(n)));
    for (const [i, file] of files.entries()) writeFileSync(file, bytesOf(2 * MB + i));
    const found = await Promise.all(files.map((file) => workers.digest(file, `${file}.copy`)));
    assert.equal(found, files.map(hashFile));
    for (const file of files) assert.ok(readFileSync(`${file}.copy`).equals(readFileSync(file)));
    const codes = await Promise.all(
      [workers.digest(path('none'), undefined), workers.digest(path('1'), path('2'))].map((asked) =>
        asked.then(
          () => 'none',
          (error: NodeJS.ErrnoException) => error.code,
        ),
      ),
    );
    assert.equal(codes, ['ENOENT', 'EEXIST']);
  }));

test('a failed copy leaves nothing, and what was there stays', () =>
  inFolder(async (path) => {
    const code = async (asked: Promise<unknown>): Promise<string> => {
      try {
        await asked;
        return 'none';
      } catch (error) {
        return (error as NodeJS.ErrnoException).code ?? String(error);
      }
    };
    assert.is(await code(copyAndHash(path('none'), path('to'))), 'ENOENT');
    assert.is(await code(hashFileAsync(path('.'))), 'EISDIR');
    assert.not.ok(existsSync(path('to')));
    writeFileSync(path('from'), bytesOf(2 * MB));
    writeFileSync(path('to'), 'mine');
    assert.is(await code(copyAndHash(path('from'), path('to'))), 'EEXIST');
    assert.is(readFileSync(path('to'), 'utf8'), 'mine');
  }));

test('of many things done at once the first failure is thrown, and nothing new is begun', async () => {
  const begun: number[] = [];
  let most = 0;
  let now = 0;
  const failed = await concurrently(
    Array.from({ length: 20 }, (_, i) => i),
    3,
    async (i) => {
      begun.push(i);
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 1));
      now--;
      if (i === 4) throw new Error(`of ${i}`);
    },
  ).then(
    () => 'no failure',
    (error: Error) => error.message,
  );
  assert.is(failed, 'of 4');
  assert.is(most, 3);
  assert.ok(begun.length < 10, `begun: ${begun.join(' ')}`);
  assert.equal(await concurrently([3, 1, 2], 2, (n) => n * 2), [6, 2, 4]);
});

test.run();
