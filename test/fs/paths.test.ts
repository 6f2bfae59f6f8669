import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { RelPath } from '../../src/base/brand.ts';
import { compileGlob, expandGlob, isGlob } from '../../src/fs/glob.ts';
import { fileSystemOf, isNetworkType } from '../../src/fs/mounts.ts';
import { foldersAbove, isInside, joinRel, parentOf, parseRelPath } from '../../src/fs/rel-path.ts';
import { listFolder } from '../../src/fs/walk.ts';

const rel = (text: string): RelPath => {
  const result = parseRelPath(text);
  if (!result.ok) throw new Error(result.error);
  return result.value;
};

function inFolder(files: readonly string[], action: (root: string) => void): void {
  const root = mkdtempSync(join(tmpdir(), 'lhb-paths-'));
  try {
    for (const file of files) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), file);
    }
    action(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

test('paths are normalised', () => {
  assert.is(rel('a/./b//c/'), 'a/b/c');
  assert.is(rel('./a/../b'), 'b');
  assert.is(rel('./'), '.');
  assert.is(rel('a..b/...'), 'a..b/...');
});

test('what is no path from the folder says why', () => {
  for (const [text, why] of [
    ['', /empty/],
    ['/etc', /absolute/],
    ['../x', /leads out/],
    ['a/../../b', /leads out/],
    ['a\0b', /NUL/],
  ] as const) {
    const result = parseRelPath(text);
    assert.not(result.ok, text);
    if (!result.ok) assert.match(result.error, why);
  }
});

test('joining, parents and containment', () => {
  assert.is(joinRel(rel('.'), rel('a')), 'a');
  assert.is(joinRel(rel('a'), rel('.')), 'a');
  assert.is(joinRel(rel('a'), rel('b/c')), 'a/b/c');
  assert.is(parentOf(rel('a')), '.');
  assert.equal(foldersAbove(rel('a/b/c')), ['a/b', 'a', '.']);
  assert.ok(isInside('a', 'a/b') && isInside('a', 'a') && isInside('.', 'x') && isInside('/', '/x'));
  assert.not(isInside('a', 'ab'));
});

test('globs find files, sorted by code unit, dotfiles only where a dot is written', () => {
  const files = ['b.csv', 'B.csv', '.h.csv', 'd/a.csv', 'd/e/z.csv', 'd/.git/x.csv', 'd/p (1).txt', 'w[1].txt'];
  inFolder(files, (root) => {
    assert.equal(expandGlob(root, '*.csv'), ['B.csv', 'b.csv']);
    assert.equal(expandGlob(root, '**/*.csv'), ['B.csv', 'b.csv', 'd/a.csv', 'd/e/z.csv']);
    assert.equal(expandGlob(root, './d/{a,e/z}.csv'), ['d/a.csv', 'd/e/z.csv']);
    assert.equal(expandGlob(root, '.*.csv'), ['.h.csv']);
    assert.equal(expandGlob(root, 'd/.git/*'), ['d/.git/x.csv']);
    assert.equal(expandGlob(root, 'd/p (1).*'), ['d/p (1).txt']);
    assert.equal(expandGlob(root, '[a-c].csv'), ['b.csv']);
    assert.equal(expandGlob(root, 'none/*'), []);
    assert.equal(expandGlob(root, 'd'), []);
    assert.equal(expandGlob(join(root, 'd', 'e'), '../*.csv'), ['../a.csv']);
    assert.equal(expandGlob(root, `${root}/d/*.csv`), [`${root}/d/a.csv`]);
  });
});

test('a wildcard follows links to files, not to folders; a written folder may be a link', () => {
  inFolder(['in/a.txt', 'data/x.txt'], (root) => {
    symlinkSync('../data', join(root, 'in', 'far'));
    symlinkSync('../data/x.txt', join(root, 'in', 'x.txt'));
    symlinkSync('nowhere.txt', join(root, 'in', 'broken.txt'));
    assert.equal(expandGlob(root, 'in/**/*.txt'), ['in/a.txt', 'in/x.txt']);
    assert.equal(expandGlob(root, 'in/far/*.txt'), ['in/far/x.txt']);
  });
});

test('a pattern is told from a path', () => {
  for (const glob of ['*.csv', 'a?b', 'x[0-9]', '{a,b}', 'f{1..3}', '**/x', '@(a|b)']) assert.ok(isGlob(glob), glob);
  for (const path of ['a.csv', 'data (1).csv', 'a{b}', 'star\\*', 'C++/x', '!x', 'a[]']) assert.not(isGlob(path), path);
});

test('a compiled pattern matches whole paths', () => {
  const matches = compileGlob('runs/*/run_hmc_*/analysis.json');
  assert.ok(matches('runs/a/run_hmc_1/analysis.json'));
  assert.not(matches('runs/a/b/run_hmc_1/analysis.json'));
  assert.not(matches('runs/.a/run_hmc_1/analysis.json'));
  assert.ok(compileGlob('./runs/**')('runs/a/b'));
  assert.ok(compileGlob('!x')('!x'));
});

test('a folder is walked whole, dotfiles and links with it, and without running in circles', () => {
  inFolder(['in/.h', 'in/a/b', 'data/x'], (root) => {
    symlinkSync('..', join(root, 'in', 'a', 'up'));
    symlinkSync('../data', join(root, 'in', 'far'));
    mkdirSync(join(root, 'in', 'empty'));
    const rows = listFolder(join(root, 'in'))?.map(({ type, path }) => `${type} ${path}`);
    assert.equal(rows, ['file .h', 'dir a', 'file a/b', 'dir empty', 'dir far', 'file far/x']);
    assert.is(listFolder(join(root, 'in', '.h')), undefined);
    assert.is(listFolder(join(root, 'none')), undefined);
  });
});

test('the mount that a path lies on is the longest, the later of equal ones', () => {
  const table = [
    '20 1 8:1 / / rw - ext4 /dev/sda1 rw',
    '21 20 0:30 / /no rw - nfs4 srv:/a rw',
    '22 20 0:31 / /nowhere/my\\040data rw shared:1 - lustre mds:/b rw',
    '23 20 0:32 / /nowhere rw - tmpfs tmpfs rw',
    '24 20 0:33 / /nowhere rw - fuse.sshfs u@h:/c rw',
  ].join('\n');
  assert.is(fileSystemOf('/nowhere/my data/x', table).type, 'lustre');
  assert.equal(fileSystemOf('/nowhere/x/y', table), {
    type: 'fuse.sshfs',
    mountPoint: '/nowhere',
    source: 'u@h:/c',
    network: true,
  });
  assert.not(fileSystemOf('/elsewhere', table).network);
  assert.not(isNetworkType('tmpfs'));
});

test.run();
