// A folder that is shared (`dir:`), with all that holds for every cache.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { sealRecord } from '../../src/cache/signature.ts';
import { hashBytes } from '../../src/hash/digest.ts';
import { cacheSuite } from '../support/cache-suite.ts';
import { rigTest, type Rig } from '../support/rig.ts';
import { buildIn, folderCache, kindsWorkflow, type TestCache } from '../support/shared.ts';

cacheSuite('folder', folderCache);

/** What may stand in an entry's place. */
const STRANGE: Readonly<Record<string, (path: string) => void>> = {
  pipe: (path) => execFileSync('mkfifo', [path]),
  folder: (path) => {
    mkdirSync(path);
    writeFileSync(join(path, 'x'), 'x');
  },
  endless: (path) => symlinkSync('/dev/zero', path),
  loop: (path) => symlinkSync(path, path),
  huge: (path) => {
    writeFileSync(path, '');
    truncateSync(path, 70e6);
  },
};

/** A folder with results of jobs: `r…` with something in the place of their records, `b…` of their blobs. */
async function strangeFolder(rig: Rig): Promise<{ readonly cache: TestCache; readonly names: readonly string[] }> {
  const kinds = Object.keys(STRANGE);
  const names = ['r', 'b'].flatMap((place) => kinds.map((kind) => `${place}-${kind}`));
  const cache = await folderCache(rig);
  rig.workflow(`
    caches: [{ name: lab, url: "${cache.url}", mode: rw }]
    rules:
      make:
        for: { n: [${names.join(', ')}] }
        outputs: { big: big.bin }
        run: |
          echo "make \${{ n }}" >> ran.log
          head -c 100000 /dev/zero | sed 's/^/\${{ n }}/' > \${{ outputs.big }}
  `);
  await buildIn(rig, rig.dir, undefined);
  const root = join(rig.base, 'cache');
  const records = new Map<string, string>();
  for (const entry of (await cache.list()).filter((name) => name.startsWith('ac/'))) {
    const text = (await cache.read(entry)).toString();
    const name = names.find((each) => text.includes(hashBytes(bytesOf(each))));
    if (name !== undefined) records.set(name, join(root, entry));
  }
  for (const name of names) {
    const blob = hashBytes(bytesOf(name));
    const path = name.startsWith('r') ? (records.get(name) ?? '') : join(root, 'cas', blob.slice(0, 2), blob);
    rmSync(path);
    STRANGE[name.slice(2)]?.(path);
  }
  return { cache, names };
}

const bytesOf = (name: string): Buffer => Buffer.concat([Buffer.from(name), Buffer.alloc(100_000)]);

rigTest('what is no file in the place of a record or a blob is a bad entry, and nothing waits for it', async (rig) => {
  const { names } = await strangeFolder(rig);
  const [reader, writer, third] = [rig.copy('reader'), rig.copy('writer'), rig.copy('third')];
  const { stderr } = await buildIn(
    rig,
    reader,
    names.map((name) => `make ${name}`),
    {},
    '--cache',
    'lab:r',
  );
  assert.equal(
    stderr
      .split('\n')
      .filter((line) => line.startsWith('warning'))
      .sort(),
    [
      'warning: cache lab: 1 record is ignored: it is larger than 67108864 bytes',
      'warning: cache lab: 4 records are ignored: what stands in its place is no file',
      'warning: cache lab: 5 records are ignored: the bytes of a file are not what the record says',
    ],
  );
  // A writer puts it right.
  assert.match((await buildIn(rig, writer, undefined)).stderr, /^cache: 10 uploaded$/m);
  assert.not.match((await buildIn(rig, third, [])).stderr, /warning/);
  assert.equal(readdirSync(join(rig.base, 'cache', 'tmp')), []);
});

rigTest('verify, repair and gc find what is no entry, whatever stands there, and go on', async (rig) => {
  const { cache } = await strangeFolder(rig);
  // What anybody can seal is not yet a record; what a file server leaves of a file that is still read is no entry.
  for (const [key, text] of [
    [`ab${'0'.repeat(62)}`, 'null'],
    [`ab${'1'.repeat(62)}`, 'not json'],
  ] as const)
    await cache.write(`ac/ab/${key}`, sealRecord(text, undefined));
  await cache.write('cas/.nfs0001', Buffer.from('x'));
  await cache.write('cas/ab/.nfs0002', Buffer.from('x'));
  const { stdout } = await rig.exits(1, 'cache', 'verify');
  const rows = stdout.trim().split('\n').slice(1);
  const states = (kind: string): string[] =>
    rows.flatMap((row) => (row.includes(`\t${kind}\t`) ? [row.split('\t')[3] ?? ''] : [])).sort();
  const strange = 'what stands in its place is no file';
  assert.equal(states('record'), [
    'it is larger than 67108864 bytes',
    'it is not of the form of a record',
    'it is not of the form of a record',
    ...Array<string>(4).fill(strange),
  ]);
  assert.equal(states('blob'), ['its bytes are others', ...Array<string>(4).fill(strange)]);
  assert.match((await rig.ok('cache', 'gc', 'lab', '--max-size', '0')).stderr, /would drop 12 records/);
  // Of a cache that is only read it says what it would do.
  const all = (): string[] => readdirSync(join(rig.base, 'cache'), { recursive: true, encoding: 'utf8' }).sort();
  const kept = all();
  const told = await rig.exits(1, 'cache', 'repair', 'lab:r');
  assert.match(told.stderr, /lab: its mode is r, so nothing is changed there; with mode rw 12 bad entries would be/);
  assert.equal(all(), kept);
  const repaired = await rig.ok('cache', 'repair');
  assert.equal(repaired.stdout.match(/\t(replaced|removed)$/gm)?.length, 12, repaired.stdout);
  assert.match((await rig.ok('cache', 'verify')).stderr, /10 records and 10 blobs checked: all is well/);
});

rigTest('repair leaves alone what only this project does not take', async (rig) => {
  const cache = await folderCache(rig);
  rig.workflow(kindsWorkflow(cache));
  await rig.ok('build');
  const before = await cache.list();
  // Of a newer version.
  const newer = `ac/ab/ab${'0'.repeat(62)}`;
  await cache.write(newer, sealRecord('{"v":2}', undefined));
  const other = rig.copy('other');
  await rig.ok('cache', 'keygen', 'me');
  rig.edit('lhb.yaml', 'mode: rw', `mode: rw, trust: [${join(rig.home, '.config/lhb/key.pub')}]`);
  rig.remove('.lhb', 'runs');
  const { stdout } = await rig.exits(1, 'cache', 'repair');
  assert.is(stdout.match(/\tnot signed\t-$/gm)?.length, 4, stdout);
  assert.equal(await cache.list(), [...before, newer].sort());
  // Who takes them has them still.
  await buildIn(rig, other, []);
});

test.run();
