import fs, { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findRawStat } from '../../src/fs/raw-stat.ts';

const { version, execPath } = process;
const binding = (stat: (path: string) => unknown) => ({ version: 'v20.19.0', execPath, binding: () => ({ stat }) });
const rawOf = (path: string): Float64Array => {
  const { ino, size, mtimeMs, ctimeMs } = statSync(path);
  const raw = new Float64Array(18);
  raw[7] = ino;
  raw[8] = size;
  for (const [i, ms] of [mtimeMs, ctimeMs].entries()) raw.set([Math.floor(ms / 1000), (ms % 1000) * 1e6], 12 + 2 * i);
  return raw;
};

test('it is there in the Node that tests run with, and says of files what statSync says', () => {
  if (!/^v2[02]\./.test(version)) return;
  const rawStat = findRawStat(process, fs);
  assert.ok(rawStat);
  const folder = mkdtempSync(join(tmpdir(), 'lhb-raw-stat-'));
  try {
    for (const [i, time] of [0, 1.5, 1_700_000_000.123_456_7, 5_000_000_000.9].entries()) {
      const path = join(folder, `${i}`);
      writeFileSync(path, 'x'.repeat(i));
      utimesSync(path, time, time);
      const now = rawStat(path, false, undefined, false) ?? [];
      const [ino, size] = [now[7], now[8]];
      const [mtimeMs, ctimeMs] = [12, 14].map((at) => (now[at] ?? NaN) * 1000 + (now[at + 1] ?? NaN) / 1e6);
      const expected = statSync(path);
      assert.equal(
        [ino, size, mtimeMs, ctimeMs],
        [expected.ino, expected.size, expected.mtimeMs, expected.ctimeMs],
        path,
      );
    }
    assert.is(rawStat(join(folder, 'none'), false, undefined, false), undefined);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('there is none in a Node that is not known, or where anything is otherwise', () => {
  const known = (path: string): unknown => (path === execPath ? rawOf(path) : undefined);
  const wrong = [
    { ...binding(known), version: 'v21.0.0' },
    { version, execPath },
    binding(() => undefined),
    binding((path) => rawOf(path === execPath ? path : execPath)),
    ...[7, 8, 12, 14].map((at) =>
      binding((path) => {
        if (path !== execPath) return undefined;
        const raw = rawOf(path);
        raw[at] = (raw[at] ?? 0) + 1;
        return raw;
      }),
    ),
    binding((path) => {
      if (path === execPath) return rawOf(path);
      throw new Error('ENOENT');
    }),
  ];
  for (const [i, node] of wrong.entries()) assert.is(findRawStat(node, fs), undefined, `case ${i}`);
});

test.run();
