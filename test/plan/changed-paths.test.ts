import { lstatSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { changedPaths, startHelper } from '../../src/plan/changed-paths.ts';
import { blobBytes, Row } from '../../src/plan/snapshot-rows.ts';
import { decodeSnapshot, encodeSnapshot, LOOK, type Snapshot } from '../../src/plan/snapshot.ts';
import { Texts } from '../../src/plan/texts.ts';

const NONE = new Int32Array(1);

function snapshotOf(row: Row): Snapshot {
  const lists = { starts: NONE, items: new Int32Array() };
  const bytes = encodeSnapshot({
    evidence: { words: {}, env: {}, files: [], folders: [], kinds: [], sizes: [] },
    rules: [],
    output: 'runs',
    details: '',
    link: 'auto',
    noted: '',
    built: new Uint8Array(),
    states: new Uint8Array(),
    told: new Uint8Array(),
    results: new Float64Array(),
    ruleOf: new Int32Array(),
    ranks: new Int32Array(),
    places: lists,
    upstream: lists,
    sources: lists,
    pathsOfJob: NONE,
    pathsOfSource: Int32Array.of(0, row.length),
    ids: Texts.from([]),
    labels: Texts.from([]),
    paths: Texts.from(row.paths),
    looks: Uint8Array.from(row.looks),
    stats: Float64Array.from(row.stats),
    blobs: blobBytes(row.blobs),
  });
  // As it is read: from memory that threads share.
  const shared = Buffer.from(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  const snapshot = decodeSnapshot(shared);
  if (snapshot === undefined) throw new Error('what was written cannot be read');
  return snapshot;
}

/** Without what only certain versions of Node are known to have. */
function inUnknownNode<T>(run: () => T): T {
  const { version } = process;
  Object.defineProperty(process, 'version', { value: 'v99.0.0' });
  try {
    return run();
  } finally {
    Object.defineProperty(process, 'version', { value: version });
  }
}

for (const name of ['file', 'Datei-ä-文']) {
  test(`paths like ${name} that changed are found, with and without a second thread`, () => {
    const root = mkdtempSync(join(tmpdir(), 'lhb-changed-'));
    try {
      const row = new Row();
      for (let i = 0; i < 5000; i++) {
        const path = `d${i % 10}/${name}${i}`;
        mkdirSync(join(root, `d${i % 10}`), { recursive: true });
        writeFileSync(join(root, path), 'x');
        row.add(path, LOOK.stat, statSync(join(root, path)));
      }
      symlinkSync('d1', join(root, 'link'));
      row.add('link', LOOK.lstat, lstatSync(join(root, 'link')));
      row.add('nothing', LOOK.absent);
      row.add('racy', LOOK.stat);
      assert.equal(changedPaths(snapshotOf(row), root), [5002]);
      writeFileSync(join(root, `d7/${name}17`), 'xy');
      rmSync(join(root, `d9/${name}4999`));
      rmSync(join(root, 'link'));
      symlinkSync('d2', join(root, 'link'));
      writeFileSync(join(root, 'nothing'), '');
      const expected = [17, 4999, 5000, 5001, 5002];
      assert.equal(changedPaths(snapshotOf(row), root), expected);
      assert.equal(changedPaths(snapshotOf(row), root, startHelper(1e9)), expected);
      assert.equal(
        inUnknownNode(() => changedPaths(snapshotOf(row), root)),
        expected,
      );
      assert.not.equal(process.cwd(), root);
    } finally {
      rmSync(root, { recursive: true });
    }
  });
}

test('texts come back as they were, with any characters', () => {
  for (const texts of [[], [''], ['a', '', 'bc'], ['ä', 'b', '文字', '', '😀x']]) {
    const all = Texts.from(texts);
    assert.equal(all.all(), texts);
  }
});

test.run();
