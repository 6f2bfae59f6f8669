import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { looks } from '../../src/fs/looks.ts';
import { signatureOf } from '../../src/fs/stat-signature.ts';
import { evidenceHolds, seenAsThen, takeEvidence, type Evidence } from '../../src/plan/evidence.ts';

const WORDS = { lhb: '1' };

function inFolder(body: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'lhb-evidence-'));
  looks.clear();
  try {
    body(folder);
  } finally {
    looks.clear();
    rmSync(folder, { recursive: true });
  }
}

function taken(env: Record<string, string> = {}, asked: string[] = [], others: string[] = []): Evidence {
  const evidence = takeEvidence(WORDS, env, asked, others, () => false);
  if (evidence === undefined) throw new Error('no evidence');
  return evidence;
}

const read = (file: string, text: string, readAt: number): void =>
  looks.file(file, signatureOf(statSync(file)), readAt, Buffer.from(text));

test('a file that was read in the tick of its last change is read again, whatever its signature', () => {
  inFolder((folder) => {
    const file = join(folder, 'a.yaml');
    writeFileSync(file, 'one');
    // What was read is not what lies there: as after a write in the same tick, by which the signature stays.
    read(file, 'two', Date.now());
    assert.not(evidenceHolds(taken(), WORDS, {}, folder), 'racy');
    looks.clear();
    read(file, 'two', Date.now() + 60_000);
    assert.ok(evidenceHolds(taken(), WORDS, {}, folder), 'by its signature');
    looks.clear();
    read(file, 'one', Date.now());
    assert.ok(evidenceHolds(taken(), WORDS, {}, folder), 'racy, and the same bytes');
  });
});

test('files, folders, kinds, sizes, words and variables that changed are told', () => {
  inFolder((folder) => {
    const file = join(folder, 'a.yaml');
    const below = join(folder, 'below');
    const own = join(folder, 'own.yaml');
    mkdirSync(below);
    writeFileSync(file, 'one');
    read(file, 'one', Date.now());
    looks.folder(below);
    looks.kind('later', 'none');
    looks.size(file, 3);
    const evidence = taken({ X: 'x' }, ['X', 'Y'], [own]);
    const holds = (env: Record<string, string> = { X: 'x' }, words: Record<string, string> = WORDS): boolean =>
      evidenceHolds(evidence, words, env, folder);
    assert.ok(holds());
    assert.not(holds({ X: 'other' }));
    assert.not(holds({}));
    assert.not(holds({ X: 'x', Y: '' }));
    assert.not(holds({ X: 'x', HOME: '/elsewhere' }));
    assert.not(holds({ X: 'x' }, { lhb: '2' }));
    assert.not(holds({ X: 'x' }, { lhb: '1', more: '' }));
    for (const path of [join(below, 'new'), join(folder, 'later'), own]) {
      writeFileSync(path, '');
      assert.not(holds(), path);
      rmSync(path);
      assert.ok(holds(), path);
    }
    writeFileSync(file, 'two');
    assert.not(holds());
    rmSync(file);
    assert.not(holds());
    writeFileSync(file, 'one');
    assert.ok(holds());
    rmSync(below, { recursive: true });
    assert.not(holds());
  });
});

test('what was in change while it was read is no evidence, and what is read later must be what was read then', () => {
  inFolder((folder) => {
    const file = join(folder, 'a.yaml');
    writeFileSync(file, 'one');
    read(file, 'one', Date.now());
    const evidence = taken();
    assert.ok(seenAsThen(evidence));
    looks.clear();
    read(file, 'two', Date.now());
    assert.not(seenAsThen(evidence));
    read(file, 'one', Date.now());
    assert.is(
      takeEvidence(WORDS, {}, [], [], () => false),
      undefined,
    );
  });
});

test.run();
