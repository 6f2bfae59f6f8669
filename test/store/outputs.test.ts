import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Digest } from '../../src/base/brand.ts';
import { signatureOf } from '../../src/fs/stat-signature.ts';
import { captureOutputs, type OutputProblem } from '../../src/store/capture.ts';
import { compareOutputs, type DiskState } from '../../src/store/compare.ts';
import { FileDigests, type FileRecord } from '../../src/store/file-digests.ts';
import { filesOf, keyDigestWithin, type Declared, type Manifest } from '../../src/store/manifest.ts';
import { removeOutputs, restoreOutputs, wrongPath } from '../../src/store/restore.ts';
import { file, tree, withStore, type Bench } from './support.ts';

async function capture(bench: Bench, declared: readonly Declared[], dir = 'runs/a'): Promise<Manifest> {
  const result = await captureOutputs(bench.root, dir, declared, bench.blobs);
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value.manifest;
}

async function problem(bench: Bench, declared: readonly Declared[]): Promise<OutputProblem> {
  const result = await captureOutputs(bench.root, 'runs/a', declared, bench.blobs);
  if (result.ok) throw new Error('captured');
  return result.error;
}

const compare = (bench: Bench, manifest: Manifest): DiskState =>
  compareOutputs(bench.root, 'runs/a', manifest, new FileDigests(bench.root));

const SAME: DiskState = { state: 'same' };

test('files and trees are captured, and compare as the same', () =>
  withStore('auto', async (bench) => {
    bench.write('runs/a/meta.json', '{}');
    bench.write('runs/a/plots/x/y.svg', 'svg');
    bench.write('runs/a/plots/run.sh', 'sh', 0o755);
    mkdirSync(bench.path('runs/a/plots/empty'));
    mkdirSync(bench.path('runs/a/none'));
    bench.write('runs/a/not-declared', 'x');
    const manifest = await capture(bench, [file('meta.json'), tree('plots'), tree('none')]);
    assert.equal(
      manifest.map((output) => output.entries.map((entry) => `${entry.type} ${entry.path}`)),
      [['file '], ['dir empty', 'file run.sh', 'dir x', 'file x/y.svg'], []],
    );
    assert.equal(
      [...filesOf(manifest)].map(({ path }) => path),
      ['meta.json', 'plots/run.sh', 'plots/x/y.svg'],
    );
    assert.equal(compare(bench, manifest), SAME);
  }));

test('every output that is not there is named', () =>
  withStore('auto', async (bench) => {
    bench.write('runs/a/b', '');
    const found = await problem(bench, [file('a'), file('b'), tree('c'), file('b/d')]);
    assert.equal(found, { kind: 'missing', paths: ['runs/a/a', 'runs/a/c/', 'runs/a/b/d'] });
  }));

test('what is not of the declared kind is refused in words', () =>
  withStore('auto', async (bench) => {
    bench.write('runs/a/file', '');
    mkdirSync(bench.path('runs/a/folder'));
    mkdirSync(bench.path('runs/a/t'));
    execFileSync('mkfifo', [bench.path('runs/a/pipe'), bench.path('runs/a/t/pipe')]);
    for (const [declared, words] of [
      [tree('file'), /runs\/a\/file is not a folder/],
      [file('folder'), /runs\/a\/folder is a folder/],
      [file('pipe'), /runs\/a\/pipe is a pipe/],
      [tree('t'), /runs\/a\/t\/pipe is a pipe/],
    ] as const) {
      const found = await problem(bench, [declared]);
      assert.is(found.kind, 'invalid');
      if (found.kind === 'invalid') assert.match(found.message, words);
    }
  }));

test('links inside their own tree are links; others are followed, and stay what they were', () =>
  withStore('hardlink', async (bench) => {
    const source = bench.write('data/src.txt', 'source', 0o644);
    bench.write('data/dir/deep.txt', 'deep');
    bench.write('runs/a/t/sub/real.txt', 'real');
    symlinkSync('sub/real.txt', bench.path('runs/a/t/relative'));
    symlinkSync(bench.path('runs/a/t/sub'), bench.path('runs/a/t/absolute'));
    symlinkSync('../../../../data/src.txt', bench.path('runs/a/t/sub/followed'));
    symlinkSync('../../../data/dir', bench.path('runs/a/t/folder'));
    symlinkSync('../../data/src.txt', bench.path('runs/a/file'));
    const manifest = await capture(bench, [tree('t'), file('file')]);
    assert.equal(
      manifest[0]?.entries.map((e) => [e.type, e.path, e.type === 'link' ? e.target : '']),
      [
        ['link', 'absolute', 'sub'],
        ['dir', 'folder', ''],
        ['file', 'folder/deep.txt', ''],
        ['link', 'relative', 'sub/real.txt'],
        ['dir', 'sub', ''],
        ['file', 'sub/followed', ''],
        ['file', 'sub/real.txt', ''],
      ],
    );
    assert.is(statSync(source).mode & 0o777, 0o644);
    assert.is(statSync(source).nlink, 1);
    assert.equal(compare(bench, manifest), SAME);
    appendFileSync(source, '!');
    assert.equal(compare(bench, manifest), { state: 'edited', paths: ['runs/a/t/sub/followed', 'runs/a/file'] });

    rmSync(bench.path('runs/a'), { recursive: true });
    assert.ok((await restoreOutputs(bench.root, 'runs/a', manifest, bench.blobs)).ok);
    assert.is(readlinkSync(bench.path('runs/a/t/absolute')), 'sub');
    assert.is(readFileSync(bench.path('runs/a/t/relative'), 'utf8'), 'real');
    assert.is(readFileSync(bench.path('runs/a/file'), 'utf8'), 'source');
    assert.equal(compare(bench, manifest), SAME);
  }));

test('a link that is broken, leads out or runs in a circle is an error', () =>
  withStore('auto', async (bench) => {
    const cases: [string, RegExp][] = [
      ['nowhere', /runs\/a\/t\/l is broken: there is no nowhere/],
      [tmpdir(), /leads out of the workflow's folder/],
      ['../../../out', /leads out of the workflow's folder/],
      ['../..', /leads back/],
      ['l', /broken/],
    ];
    symlinkSync('/etc/hostname', bench.path('out'));
    for (const [target, words] of cases) {
      rmSync(bench.path('runs'), { recursive: true, force: true });
      bench.write('runs/a/t/x', '');
      symlinkSync(target, bench.path('runs/a/t/l'));
      const found = await problem(bench, [tree('t')]);
      assert.is(found.kind, 'invalid', target);
      if (found.kind === 'invalid') assert.match(found.message, words);
    }
    symlinkSync('nowhere', bench.path('runs/a/broken'));
    assert.is((await problem(bench, [file('broken')])).kind, 'invalid');
  }));

test('an output root that is itself a link to another disk is fine', () =>
  withStore('auto', async (bench) => {
    mkdirSync(bench.path('scratch'));
    symlinkSync('scratch', bench.path('runs'));
    bench.write('runs/a/t/x', 'x');
    symlinkSync('x', bench.path('runs/a/t/l'));
    const manifest = await capture(bench, [tree('t')]);
    assert.is(manifest[0]?.entries[0]?.type, 'link');
    assert.equal(compare(bench, manifest), SAME);
  }));

test('odd names: new lines are fine, bytes that are no UTF-8 an error', () =>
  withStore('auto', async (bench) => {
    bench.write('runs/a/t/a\nb "c"', 'x');
    bench.write('runs/a/t/\ufffd', 'x');
    const manifest = await capture(bench, [tree('t')]);
    assert.equal(
      manifest[0]?.entries.map((e) => e.path),
      ['a\nb "c"', '\ufffd'],
    );
    writeFileSync(Buffer.concat([Buffer.from(bench.path('runs/a/t/')), Buffer.from([0x66, 0xff])]), '');
    const found = await problem(bench, [tree('t')]);
    assert.match(found.kind === 'invalid' ? found.message : '', /not UTF-8/);
  }));

test('each kind of change is seen', () =>
  withStore('copy', async (bench) => {
    const prepare = async (): Promise<Manifest> => {
      rmSync(bench.path('runs'), { recursive: true, force: true });
      bench.write('runs/a/f', 'file');
      bench.write('runs/a/t/x', 'x');
      bench.write('runs/a/t/d/y', 'y');
      symlinkSync('x', bench.path('runs/a/t/l'));
      return capture(bench, [file('f'), tree('t')]);
    };
    const cases: [change: () => void, state: string, path: string][] = [
      [() => bench.write('runs/a/f', 'FILE'), 'edited', 'runs/a/f'],
      [() => chmodSync(bench.path('runs/a/f'), 0o755), 'edited', 'runs/a/f'],
      [() => unlinkSync(bench.path('runs/a/f')), 'missing', 'runs/a/f'],
      [() => rmSync(bench.path('runs/a/t'), { recursive: true }), 'missing', 'runs/a/t/'],
      [() => unlinkSync(bench.path('runs/a/t/d/y')), 'missing', 'runs/a/t/d/y'],
      [() => bench.write('runs/a/t/new', ''), 'edited', 'runs/a/t/new'],
      [() => mkdirSync(bench.path('runs/a/t/e')), 'edited', 'runs/a/t/e'],
      [
        () => (unlinkSync(bench.path('runs/a/t/l')), symlinkSync('d/y', bench.path('runs/a/t/l'))),
        'edited',
        'runs/a/t/l',
      ],
      [() => (unlinkSync(bench.path('runs/a/t/x')), mkdirSync(bench.path('runs/a/t/x'))), 'edited', 'runs/a/t/x'],
      [() => (unlinkSync(bench.path('runs/a/f')), symlinkSync('gone', bench.path('runs/a/f'))), 'edited', 'runs/a/f'],
    ];
    for (const [change, state, path] of cases) {
      const manifest = await prepare();
      change();
      const comparison = compare(bench, manifest);
      assert.is(comparison.state, state, path);
      if (comparison.state !== 'same')
        assert.ok(comparison.paths.includes(path), `${path} in ${comparison.paths.join()}`);
      assert.ok((await restoreOutputs(bench.root, 'runs/a', manifest, bench.blobs)).ok);
      assert.equal(compare(bench, manifest), SAME, `restored: ${path}`);
    }
  }));

test('a touched file with the same bytes is the same', () =>
  withStore('copy', async (bench) => {
    bench.write('runs/a/f', 'file');
    const manifest = await capture(bench, [file('f')]);
    bench.write('runs/a/f', 'file');
    assert.equal(compare(bench, manifest), SAME);
  }));

test('an edit of the same size in the tick of the record is seen', () =>
  withStore('hardlink', async (bench) => {
    const digests = new FileDigests(bench.root);
    for (let i = 0; i < 50; i++) {
      bench.write('runs/a/f', `${i} before`);
      const result = await captureOutputs(bench.root, 'runs/a', [file('f')], bench.blobs, digests);
      if (!result.ok) throw new Error('not captured');
      chmodSync(bench.path('runs/a/f'), 0o644);
      writeFileSync(bench.path('runs/a/f'), `${i} BEFORE`);
      assert.is(compareOutputs(bench.root, 'runs/a', result.value.manifest, digests).state, 'edited');
      bench.write('leaf', `${i} before`);
      const before = digests.digest('leaf')?.digest;
      writeFileSync(bench.path('leaf'), `${i} BEFORE`);
      assert.is.not(digests.digest('leaf')?.digest, before);
    }
  }));

test('what was captured or restored is not read again', () =>
  withStore('hardlink', async (bench) => {
    const records = new Map<string, unknown>();
    const table = {
      getFile: () => undefined,
      putFiles: (some: ReadonlyMap<string, unknown>) => some.forEach((r, p) => records.set(p, r)),
    };
    bench.write('runs/a/f', 'file');
    bench.write('runs/a/t/x', 'file');
    const digests = new FileDigests(bench.root, table);
    const result = await captureOutputs(bench.root, 'runs/a', [file('f'), tree('t')], bench.blobs, digests);
    digests.flush();
    assert.equal([...records.keys()], ['runs/a/f', 'runs/a/t/x']);
    records.clear();
    if (result.ok) await restoreOutputs(bench.root, 'runs/a', result.value.manifest, bench.blobs, digests);
    digests.flush();
    assert.equal([...records.keys()].sort(), ['runs/a/f', 'runs/a/t/x']);
  }));

test('restoring puts back what is declared, clears what is in its way, and leaves the rest', () =>
  withStore('auto', async (bench) => {
    bench.write('runs/a/f', 'file');
    bench.write('runs/a/t/d/x', 'x', 0o755);
    mkdirSync(bench.path('runs/a/t/e'));
    const manifest = await capture(bench, [file('f'), tree('t')]);
    rmSync(bench.path('runs/a/f'));
    bench.write('runs/a/f/in/the/way', '');
    bench.write('runs/a/t/extra', '');
    bench.write('runs/a/other', 'mine');
    bench.write('elsewhere/x', 'not to be touched');
    rmSync(bench.path('runs/a/t/d'), { recursive: true });
    symlinkSync('../../../elsewhere', bench.path('runs/a/t/d'));
    assert.ok((await restoreOutputs(bench.root, 'runs/a', manifest, bench.blobs)).ok);
    assert.equal(compare(bench, manifest), SAME);
    assert.equal(readdirSync(bench.path('runs/a/t')).sort(), ['d', 'e']);
    assert.is(readFileSync(bench.path('runs/a/other'), 'utf8'), 'mine');
    assert.is(readFileSync(bench.path('elsewhere/x'), 'utf8'), 'not to be touched');
    assert.equal(readdirSync(bench.path('.lhb/tmp')), []);
  }));

test('with a blob missing or damaged nothing is restored, and the paths are named', () =>
  withStore('copy', async (bench) => {
    bench.write('runs/a/f', 'first');
    bench.write('runs/a/g', 'second');
    bench.write('runs/a/h', 'third');
    const manifest = await capture(bench, [file('f'), file('g'), file('h')]);
    const [, second, third] = [...filesOf(manifest)].map(({ entry }) => bench.blobs.path(entry.digest, false));
    rmSync(second ?? '');
    chmodSync(third ?? '', 0o644);
    writeFileSync(third ?? '', 'THIRD');
    rmSync(bench.path('runs/a'), { recursive: true });
    const result = await restoreOutputs(bench.root, 'runs/a', manifest, bench.blobs);
    assert.equal(result, { ok: false, error: { kind: 'evicted', paths: ['runs/a/g', 'runs/a/h'] } });
    assert.not(existsSync(bench.path('runs/a')));
    assert.equal(readdirSync(bench.path('.lhb/tmp')), []);
  }));

test('a file that is in the way of a folder is not removed', () =>
  withStore('auto', async (bench) => {
    bench.write('runs/a/d/f', 'x');
    const manifest = await capture(bench, [file('d/f')]);
    rmSync(bench.path('runs/a/d'), { recursive: true });
    bench.write('runs/a/d', 'a file of the user');
    const result = await restoreOutputs(bench.root, 'runs/a', manifest, bench.blobs);
    assert.match(result.ok ? '' : result.error.kind === 'failed' ? result.error.message : '', /runs\/a\/d/);
    assert.is(readFileSync(bench.path('runs/a/d'), 'utf8'), 'a file of the user');
  }));

test('manifests that would write elsewhere are refused', () => {
  const digest = 'a'.repeat(64) as Digest;
  const entry = (path: string) => ({ type: 'file', path, size: 0, digest, exec: false }) as const;
  const out = (path: string, ...entries: Manifest[number]['entries']) => [
    { name: 'o', path, tree: entries[0]?.path !== '', entries, keyDigest: digest },
  ];
  assert.is(
    wrongPath(
      'runs/a',
      out('t', { type: 'dir', path: 'd' }, entry('d/x'), { type: 'link', path: 'l', target: 'd/../d/x' }),
    ),
    undefined,
  );
  const wrong: [string, Manifest][] = [
    ['../x', out('f', entry(''))],
    ['/x', out('f', entry(''))],
    ['.', out('../f', entry(''))],
    ['.', out('/etc/passwd', entry(''))],
    ['.', out('.', entry('x'))],
    ['.', out('t', entry('../x'))],
    ['.', out('t', entry('/x'))],
    ['.', out('t', entry('d/x'))],
    ['.', out('t', entry('x'), entry('x'))],
    ['.', out('t', { type: 'link', path: 'l', target: '../x' })],
    ['.', out('t', { type: 'link', path: 'l', target: '/etc' })],
    ['.', out('t', { type: 'link', path: 'l', target: 'x' }, entry('l/y'))],
  ];
  for (const [dir, manifest] of wrong) assert.ok(wrongPath(dir, manifest), JSON.stringify([dir, manifest]));
});

test('removing takes declared outputs only, and never follows a link', () =>
  withStore('auto', async (bench) => {
    bench.write('data/keep', 'source');
    bench.write('runs/a/f', '');
    bench.write('runs/a/t/x', '');
    bench.write('runs/a/mine', '');
    symlinkSync('../../../data', bench.path('runs/a/t/link'));
    symlinkSync('../../data/keep', bench.path('runs/a/l'));
    symlinkSync('../../data', bench.path('runs/a/sub'));
    removeOutputs(bench.root, 'runs/a', [
      file('f'),
      tree('t'),
      file('l'),
      file('sub/keep'),
      file('gone'),
      file('mine/x'),
    ]);
    assert.equal(readdirSync(bench.path('runs/a')), ['mine']);
    assert.ok(lstatSync(bench.path('data/keep')).isFile());
  }));

test('what downstream keys see: bytes and executable bits, not times', () =>
  withStore('auto', async (bench) => {
    const keys = async (content: string, mode = 0o644): Promise<string[]> => {
      bench.write('runs/a/f', content, mode);
      rmSync(bench.path('runs/a/t'), { recursive: true, force: true });
      bench.write('runs/a/t/sub/f', content, mode);
      return (await capture(bench, [file('f'), tree('t')])).map((output) => output.keyDigest);
    };
    const first = await keys('x');
    assert.equal(await keys('x'), first);
    const others = [...(await keys('y')), ...(await keys('x', 0o755)), ...first];
    assert.is(new Set(others).size, 6);
  }));

test('a file or folder in a tree has the key digest that it would have alone', () =>
  withStore('auto', async (bench) => {
    bench.write('runs/a/t/sub/f', 'x');
    bench.write('runs/a/t/sub/d/g', 'y');
    symlinkSync('sub', bench.path('runs/a/t/latest'));
    const whole = (await capture(bench, [tree('t')]))[0];
    const [sub, f] = await capture(bench, [tree('sub'), file('sub/f')], 'runs/a/t');
    if (!whole || !sub || !f) throw new Error('no manifest');
    assert.is(keyDigestWithin(whole, 'sub'), sub.keyDigest);
    assert.is(keyDigestWithin(whole, 'sub/f'), f.keyDigest);
    assert.is(keyDigestWithin(whole, 'latest/f'), f.keyDigest);
    assert.is(keyDigestWithin(whole, 'latest'), sub.keyDigest);
    assert.is(keyDigestWithin(whole, ''), whole.keyDigest);
    assert.is(keyDigestWithin(whole, 'none'), undefined);
  }));

test('outputs that share an inode have one digest, and a write through one of them is seen in all', () =>
  withStore('auto', (bench) => {
    bench.write('runs/a/one', 'first');
    linkSync(bench.path('runs/a/one'), bench.path('runs/a/two'));
    const noted = 'ab'.repeat(32) as Digest;
    const signature = signatureOf(statSync(bench.path('runs/a/one')));
    const getFile = (path: string): FileRecord | undefined =>
      path === 'runs/a/one' ? { signature, digest: noted } : undefined;
    const digests = new FileDigests(bench.root, { getFile, putFiles: () => undefined });
    const of = (name: string): string | undefined => digests.digest(`runs/a/${name}`)?.digest;
    assert.is(of('one'), noted);
    assert.is(of('two'), noted, 'read, though its inode was known');
    appendFileSync(bench.path('runs/a/two'), ' and more');
    assert.is.not(of('two'), noted);
    assert.is(of('one'), of('two'));
  }));

test('ignored fields do not count in keys, and the whole file is stored', () =>
  withStore('auto', async (bench) => {
    const declared = [file('m.json', ['/at']), tree('t', ['/at'])];
    const at = async (text: string): Promise<Manifest> => {
      bench.write('runs/a/m.json', text);
      bench.write('runs/a/t/n.json', text);
      bench.write('runs/a/t/log', 'no json');
      return capture(bench, declared);
    };
    const first = await at('{"a": 1, "at": "monday"}');
    const second = await at('{"at": "tuesday", "a": 1}');
    const third = await at('{"at": "tuesday", "a": 2}');
    assert.equal(
      second.map((o) => o.keyDigest),
      first.map((o) => o.keyDigest),
    );
    assert.is.not(third[0]?.keyDigest, first[0]?.keyDigest);
    assert.is.not([...filesOf(second)][0]?.entry.digest, [...filesOf(first)][0]?.entry.digest);
  }));

test('a file with ignored fields that is no JSON counts with all its bytes, and says so', () =>
  withStore('auto', async (bench) => {
    bench.write('runs/a/m.json', '{"a": }');
    const result = await captureOutputs(bench.root, 'runs/a', [file('m.json', ['/a'])], bench.blobs);
    if (!result.ok) throw new Error('not captured');
    assert.is(result.value.warnings.length, 1);
    assert.match(result.value.warnings[0] ?? '', /runs\/a\/m\.json is no JSON/);
  }));

test.run();
