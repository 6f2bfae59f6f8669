// What holds for every kind of cache, against a folder (test/cache) and real servers (test/servers).
import { join } from 'node:path';
import { copyFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { hashBytes, hashIn } from '../../src/hash/digest.ts';
import { openSealed } from '../../src/cache/signature.ts';
import { rigTest, type Rig } from './rig.ts';
import { big, buildIn, kindsWorkflow, type TestCache } from './shared.ts';

const ALL = ['make a', 'make b', 'join'];

export type Opened = (rig: Rig) => Promise<TestCache>;

/** The record inside an entry under ac/: as it is in a folder, in an ActionResult on a server. */
function recordIn(bytes: Buffer): Buffer {
  if (openSealed(bytes)) return bytes;
  const { stdoutRaw } = JSON.parse(bytes.toString()) as { stdoutRaw: string };
  return Buffer.from(stdoutRaw, 'base64');
}

/** The entry with another record in it. */
function withRecord(entry: Buffer, record: Buffer): Buffer {
  if (openSealed(entry)) return record;
  return Buffer.from(
    JSON.stringify({ ...(JSON.parse(entry.toString()) as object), stdoutRaw: record.toString('base64') }),
  );
}

type Json = Record<string, unknown> & { outputs: { n: string; p: string; e: Record<string, unknown>[] }[] };

/** The record with changes, sealed anew as anybody could who may write there, but not signed. */
function reseal(record: Buffer, change: (fields: Json) => void): Buffer {
  const [line = ''] = record.toString().split('\n');
  const fields = JSON.parse(line) as Json;
  change(fields);
  const text = JSON.stringify(fields);
  return Buffer.from(`${text}\n{"b3":"${hashBytes(Buffer.from(text))}"}\n`);
}

/** One wrong thing about the result of one job, and why its record is ignored then; '' where nothing is said. */
type Poisoning = {
  readonly letter: string;
  readonly does: (cache: TestCache, entry: string, letter: string, all: ReadonlyMap<string, string>) => Promise<void>;
  readonly says: string;
};

const edit =
  (change: (entry: Buffer) => Buffer) =>
  async (cache: TestCache, name: string): Promise<void> =>
    cache.write(name, change(await cache.read(name)));

const resealed = (change: (fields: Json) => void): ((cache: TestCache, entry: string) => Promise<void>) =>
  edit((entry) => withRecord(entry, reseal(recordIn(entry), change)));

const output = (fields: Json, name: string): Json['outputs'][number] => {
  const found = fields.outputs.find(({ n }) => n === name);
  if (!found) throw new Error(`no output ${name}`);
  return found;
};

/** Changes one entry of the tree; the list stays sorted. */
const inTree = (
  change: (entries: Record<string, unknown>[]) => void,
): ((cache: TestCache, entry: string) => Promise<void>) =>
  resealed((fields) => {
    const { e } = output(fields, 'tree');
    change(e);
    e.sort((a, b) => (String(a['p']) < String(b['p']) ? -1 : 1));
  });

const blobOf = (cache: TestCache, letter: string): string => cache.blobName(big(letter), hashBytes(big(letter)));

const BYTES = 'the bytes of a file are not what the record says';

const POISONINGS: readonly Poisoning[] = [
  // A byte of a blob is another.
  {
    letter: 'a',
    does: async (cache, _, letter) => {
      const wrong = big(letter);
      wrong[5000] = 7;
      await cache.write(blobOf(cache, letter), wrong);
    },
    says: BYTES,
  },
  // A blob is longer, or shorter, than it should be.
  {
    letter: 'b',
    does: (cache, _, letter) => cache.write(blobOf(cache, letter), Buffer.alloc(200_000, letter)),
    says: BYTES,
  },
  {
    letter: 'c',
    does: (cache, _, letter) => cache.write(blobOf(cache, letter), Buffer.alloc(99_999, letter)),
    says: BYTES,
  },
  // A byte of a record is another.
  {
    letter: 'd',
    does: edit((entry) => {
      const record = Buffer.from(recordIn(entry));
      record[20] = (record[20] ?? 0) ^ 1;
      return withRecord(entry, record);
    }),
    says: 'damaged',
  },
  // No record, but the page of a proxy.
  { letter: 'e', does: edit(() => Buffer.from('<html>please log in</html>')), says: 'damaged' },
  // The record of another job.
  {
    letter: 'f',
    does: async (cache, entry, _, all) => cache.write(entry, await cache.read(all.get('z') ?? '')),
    says: 'it is the record of another key',
  },
  // Paths that lead out.
  {
    letter: 'g',
    does: resealed((fields) => (output(fields, 'big').p = '../../../escaped.bin')),
    says: "output big: '../../../escaped.bin' is no path inside the job's folder",
  },
  {
    letter: 'h',
    does: inTree((entries) => Object.assign(entries.find(({ p }) => p === 'zero') ?? {}, { p: '/tmp/escaped' })),
    says: "output tree: '/tmp/escaped' is no path inside its tree",
  },
  {
    letter: 'i',
    does: inTree((entries) =>
      Object.assign(entries.find(({ t }) => t === 'l') ?? {}, { to: '../../../../etc/passwd' }),
    ),
    says: "output tree: 'link' is a link out of its tree",
  },
  // A file that would be written through a link.
  {
    letter: 'j',
    does: inTree((entries) => entries.push({ p: 'link/x', t: 'f', m: '644', s: 0, b3: hashBytes(Buffer.alloc(0)) })),
    says: "output tree: 'link/x' lies in no folder of its tree",
  },
  // What the rule does not declare.
  {
    letter: 'k',
    does: resealed((fields) => fields.outputs.push({ ...output(fields, 'empty'), n: 'more', p: '.bashrc' })),
    says: "it has an output '.bashrc' that the rule does not declare",
  },
  // Lies: of a size, of what jobs below see.
  { letter: 'l', does: resealed((fields) => Object.assign(output(fields, 'big').e[0] ?? {}, { s: 50 })), says: BYTES },
  {
    letter: 'm',
    does: resealed((fields) => Object.assign(output(fields, 'meta').e[0] ?? {}, { k: hashIn('a', 'lie') })),
    says: BYTES,
  },
];

/** @param define defines a test, or skips it */
export function cacheSuite(
  kind: string,
  open: Opened,
  define: (title: string, body: (rig: Rig) => Promise<void>) => void = rigTest,
): void {
  define(
    `${kind}: a second work tree builds nothing, and has the same bytes, modes, links and empty folders`,
    async (rig) => {
      const cache = await open(rig);
      rig.workflow(kindsWorkflow(cache));
      const second = rig.copy('second');
      const first = await buildIn(rig, rig.dir, ALL, { env: cache.env });
      assert.match(first.stderr, /^cache: 3 uploaded$/m);
      const plan = await rig.lhbWith({ cwd: second, env: cache.env }, 'build', '-n');
      assert.match(plan.stderr, /would restore 3/);
      const build = await buildIn(rig, second, [], { env: cache.env });
      assert.match(build.stderr, /^restored 3 in/m);
      assert.match(build.stderr, /^cache: 0 local, 3 lab \(.*, saved .*\)$/m);
      assert.equal(rig.tree('runs', second), rig.tree('runs'));
      const again = await buildIn(rig, second, [], { env: cache.env });
      assert.match(again.stderr, /nothing to do/);
    },
  );

  define(`${kind}: a record whose blob is gone is a miss, and is whole again after the next build`, async (rig) => {
    const cache = await open(rig);
    rig.workflow(kindsWorkflow(cache));
    const [second, third] = [rig.copy('second'), rig.copy('third')];
    await buildIn(rig, rig.dir, ALL, { env: cache.env });
    await cache.remove(blobOf(cache, 'a'));
    const build = await buildIn(rig, second, ['make a'], { env: cache.env });
    assert.not.match(build.stderr, /warning/);
    await buildIn(rig, third, [], { env: cache.env });
    assert.equal(rig.tree('runs', third), rig.tree('runs', second));
  });

  define(`${kind}: a record that tells of more bytes than there can be is a miss, and is replaced`, async (rig) => {
    const cache = await open(rig);
    rig.workflow(kindsWorkflow(cache));
    const [second, third] = [rig.copy('second'), rig.copy('third')];
    await buildIn(rig, rig.dir, ALL, { env: cache.env });
    const a = hashBytes(big('a'));
    for (const entry of (await cache.list()).filter((each) => each.startsWith('ac/'))) {
      if (!recordIn(await cache.read(entry)).includes(a)) continue;
      await resealed((fields) => Object.assign(output(fields, 'big').e[0] ?? {}, { s: 1e15 }))(cache, entry);
    }
    const build = await buildIn(rig, second, ['make a'], { env: cache.env });
    assert.match(build.stderr, 'warning: cache lab: there is no room here for what it has');
    assert.match(build.stderr, /^cache: .*1 uploaded/m);
    assert.not.match((await buildIn(rig, third, [], { env: cache.env })).stderr, /warning/);
    assert.equal(rig.tree('runs', third), rig.tree('runs', second));
  });

  define(`${kind}: eight writers of one key: one entry, and no error`, async (rig) => {
    const cache = await open(rig);
    rig.workflow(`
      caches: [{ name: lab, url: "${cache.url}", mode: rw${cache.fields ?? ''} }]
      rules:
        make:
          outputs: { o: o.bin, p: p.bin }
          run: |
            head -c 3000000 /dev/zero > \${{ outputs.o }}
            head -c 5000 /dev/zero > \${{ outputs.p }}
            sleep 1
    `);
    const trees = Array.from({ length: 8 }, (_, i) => rig.copy(`tree${i}`));
    const last = rig.copy('last');
    const ends = await Promise.all(trees.map((cwd) => rig.lhbWith({ cwd, env: cache.env }, 'build')));
    for (const { code, stderr } of ends) {
      assert.is(code, 0, stderr);
      assert.not.match(stderr, /warning/);
    }
    const names = await cache.list();
    assert.is(names.filter((name) => name.startsWith('ac/')).length, 1);
    // Servers keep the record as a blob too: as many as writers, which ran at different times.
    const blobs = names.filter((name) => name.startsWith('cas/'));
    for (const bytes of [Buffer.alloc(3_000_000), Buffer.alloc(5000)])
      assert.is(blobs.filter((name) => name === cache.blobName(bytes, hashBytes(bytes))).length, 1);
    const build = await rig.lhbWith({ cwd: last, env: cache.env }, 'build');
    assert.match(build.stderr, /^restored 1 in/m);
  });

  for (const step of ['cache:blobs-published', 'cache:record-published']) {
    define(`${kind}: killed at ${step}: no reader sees a part, and the next build sends the rest`, async (rig) => {
      const cache = await open(rig);
      rig.workflow(kindsWorkflow(cache));
      const [second, third] = [rig.copy('second'), rig.copy('third')];
      rig.write(
        'kill.mjs',
        `globalThis[Symbol.for('lhb.step')] = (name) => {
           if (name === ${JSON.stringify(step)}) process.kill(process.pid, 'SIGKILL');
         };`,
      );
      const env = { ...cache.env, NODE_OPTIONS: `--import=${rig.path('kill.mjs')}` };
      const killed = await rig.start({ env }, 'build').done;
      assert.is(killed.code, 137, killed.stderr);
      const reader = await buildIn(rig, second, undefined, { env: cache.env }, '--cache', 'lab:r');
      assert.not.match(reader.stderr, /warning/);
      await buildIn(rig, rig.dir, undefined, { env: cache.env });
      await buildIn(rig, third, [], { env: cache.env });
      assert.equal(rig.tree('runs', third), rig.tree('runs'));
    });
  }

  define(`${kind}: whatever is wrong there is a miss, told once, and replaced by a writer`, async (rig) => {
    const cache = await open(rig);
    const letters = [...POISONINGS.map(({ letter }) => letter), 'z'];
    rig.workflow(kindsWorkflow(cache, letters));
    await buildIn(rig, rig.dir, [...letters.map((letter) => `make ${letter}`), 'join'], { env: cache.env });
    const entries = new Map<string, string>();
    for (const entry of (await cache.list()).filter((each) => each.startsWith('ac/'))) {
      const record = recordIn(await cache.read(entry)).toString();
      const letter = letters.find((each) => record.includes(hashBytes(big(each))));
      if (letter !== undefined) entries.set(letter, entry);
    }
    assert.is(entries.size, letters.length);
    for (const { letter, does } of POISONINGS) await does(cache, entries.get(letter) ?? '', letter, entries);
    const [reader, writer, third] = [rig.copy('reader'), rig.copy('writer'), rig.copy('third')];
    const expected = POISONINGS.map(({ letter }) => `make ${letter}`);
    // A reader first: it changes nothing there.
    for (const [dir, mode] of [
      [reader, 'r'],
      [writer, 'rw'],
    ] as const) {
      const { stderr } = await buildIn(rig, dir, expected, { env: cache.env }, '--cache', `lab:${mode}`);
      const counts = new Map<string, number>();
      for (const { says } of POISONINGS) counts.set(says, (counts.get(says) ?? 0) + 1);
      const lines = [...counts].map(
        ([says, n]) => `warning: cache lab: ${n === 1 ? '1 record is' : `${n} records are`} ignored: ${says}`,
      );
      assert.equal(
        stderr
          .split('\n')
          .filter((line) => line.startsWith('warning'))
          .sort(),
        lines.sort(),
      );
    }
    assert.not.match((await buildIn(rig, third, [], { env: cache.env })).stderr, /warning/);
    assert.equal(rig.tree('runs', third), rig.tree('runs', writer));
    assert.equal(
      Object.keys(rig.tree('.', rig.base)).filter((path) => /escaped/.test(path)),
      [],
    );
  });
}

/** The key file of a rig's user, under another name. */
export const publicKeyOf = (rig: Rig, home: string, to: string): void =>
  copyFileSync(join(home, '.config', 'lhb', 'key.pub'), rig.path(to));
