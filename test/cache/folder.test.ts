// A folder that is shared (`dir:`), with all that holds for every cache.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hashBytes } from '../../src/hash/digest.ts';
import { cacheSuite } from '../support/cache-suite.ts';
import { rigTest, type Rig } from '../support/rig.ts';
import { buildIn, folderCache, type TestCache } from '../support/shared.ts';

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

test.run();
