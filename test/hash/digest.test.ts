import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hashBytes, hashFile, hashIn, hashText, Hasher } from '../../src/hash/digest.ts';

// From the official test vectors of BLAKE3 (test_vectors.json): input byte i is i % 251.
const VECTORS: readonly (readonly [length: number, digest: string])[] = [
  [0, 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262'],
  [1, '2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213'],
  [1023, '10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11'],
  [1024, '42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7'],
  [31744, '62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47'],
];
const input = (length: number): Buffer => Buffer.from(Uint8Array.from({ length }, (_, i) => i % 251));

test('digests are those of the official vectors, natively and by WebAssembly', () => {
  for (const [length, digest] of VECTORS) {
    assert.is(hashBytes(input(length)), digest, `${length} bytes`);
    assert.is(new Hasher().update(input(length)).digest(), digest);
    assert.is(new Hasher('wasm').update(input(length)).digest(), digest);
  }
});

test('both implementations agree on what is bigger than a chunk', () => {
  const bytes = input(3 * 256 * 1024 + 17);
  assert.is(new Hasher('wasm').update(bytes).digest(), hashBytes(bytes));
  const pieces = new Hasher();
  for (let at = 0; at < bytes.length; at += 100_003) pieces.update(bytes.subarray(at, at + 100_003));
  assert.is(pieces.digest(), hashBytes(bytes));
});

test('a file hashes as its bytes, at every size around the chunk', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lhb-digest-'));
  try {
    for (const size of [0, 1, 4095, 4096, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 1_000_000]) {
      const path = join(dir, String(size));
      writeFileSync(path, input(size));
      assert.equal(hashFile(path), { digest: hashBytes(input(size)), size });
    }
    assert.throws(() => hashFile(join(dir, 'none')), /ENOENT/);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('text hashes as its UTF-8, and contexts keep kinds apart', () => {
  for (const text of ['', 'a\0b', 'é', 'λ̂', '👍 of a pair', '\ud83d alone', 'x'.repeat(100_000), 'λ'.repeat(100_000)]) {
    const wasm = new Hasher('wasm').update(Buffer.from(text, 'utf8')).digest();
    assert.is(hashText(text), wasm, text.slice(0, 20));
    assert.is(hashBytes(Buffer.from(text, 'utf8')), wasm);
  }
  assert.is.not(hashIn('a', 'bc'), hashIn('ab', 'c'));
  assert.is.not(hashIn('a', 'x'), hashText('x'));
});

test.run();
