// A disk that is full at every write of a build in turn: pages, then inodes, are left to it one more each time, until it
// comes to its end. And one that cannot be written at all. On a real file system, so for root only.
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { COMPILED_TESTS } from '../support/project.ts';
import { rigTest, type Ended, type Rig } from '../support/rig.ts';
import { mayMount, SmallDisk } from './small-disk.ts';

const canMount = mayMount();

function rootTest(name: string, body: (rig: Rig) => Promise<void>): void {
  if (canMount) return rigTest(name, body, { timeoutS: 1800 });
  process.stdout.write(`skipped, since no file system can be mounted here (root can): ${name}\n`);
  test.skip(name, () => {});
}

const WORKFLOW = `
  config: config.yaml
  rules:
    a:
      for: { p: "\${{ config.p }}" }
      dir: "out/a\${{ p.n }}"
      outputs: { o: o.txt, t: t/ }
      run: |
        set -e
        echo "a \${{ p.n }} \${{ p.v }}" >> "$RAN"
        head -c \${{ p.bytes }} /dev/zero | tr '\\0' \${{ p.v }} > \${{ outputs.o }}
        for i in 1 2; do echo "\${{ p.v }} $i" > \${{ outputs.t }}/$i; done
    b:
      for: { up: "\${{ a }}" }
      dir: "out/b\${{ up.p.n }}"
      outputs: { o: o.txt }
      run: echo "b \${{ up.p.n }} \${{ up.p.v }}" >> "$RAN" && wc -c < \${{ up.outputs.o }} > \${{ outputs.o }}
`;

type Job = { readonly n: number; readonly v: string; readonly bytes: number };

const BEFORE: readonly Job[] = [
  { n: 0, v: 'x', bytes: 5000 },
  { n: 1, v: 'x', bytes: 9000 },
];
/** One job stays, one changes, one is new. */
const AFTER: readonly Job[] = [
  { n: 0, v: 'x', bytes: 5000 },
  { n: 1, v: 'y', bytes: 20_000 },
  { n: 2, v: 'z', bytes: 100 },
];

/** A work tree on a small disk, as it is before each attempt: nothing in it, or a result or two on record. */
class Case {
  readonly rig: Rig;
  readonly disk: SmallDisk;
  readonly #ran: string;
  #template = '';

  constructor(rig: Rig, disk: SmallDisk) {
    this.rig = rig;
    this.disk = disk;
    this.#ran = join(rig.base, 'ran');
    rig.dir = join(disk.dir, 'work');
  }

  /** Makes the work tree from which attempts begin. */
  async prepare(built: boolean): Promise<void> {
    this.rig.workflow(WORKFLOW);
    this.#config(BEFORE);
    if (built) await this.build(0);
    this.#template = join(this.rig.base, 'template');
    rmSync(this.#template, { recursive: true, force: true });
    cpSync(this.rig.dir, this.#template, { recursive: true, preserveTimestamps: true });
  }

  /** The work tree as it was, and the config changed. */
  reset(): void {
    this.disk.empty();
    rmSync(this.rig.dir, { recursive: true, force: true });
    cpSync(this.#template, this.rig.dir, { recursive: true, preserveTimestamps: true });
    this.#config(AFTER);
    writeFileSync(this.#ran, '');
  }

  #config(jobs: readonly Job[]): void {
    this.rig.write('config.yaml', JSON.stringify({ p: jobs }));
  }

  async build(...codes: number[]): Promise<Ended> {
    const begun = Date.now();
    const ended = await this.rig.lhbWith({ env: { RAN: this.#ran } }, 'build', '-k', '-j', '2');
    assert.ok(codes.includes(ended.code), `exit ${ended.code}\n${ended.stderr}`);
    assert.ok(Date.now() - begun < 30_000, 'a build that hangs');
    return ended;
  }

  /** The disk is as it should be again: the next build makes what is missing, and nothing that was on record. */
  async recovers(built: boolean): Promise<void> {
    this.disk.empty();
    await this.build(0);
    const ran = readFileSync(this.#ran, 'utf8').split('\n');
    if (built)
      assert.equal(
        ran.filter((line) => line.endsWith(' 0 x')),
        [],
        'what was on record ran again',
      );
    for (const { n, v, bytes } of AFTER) {
      assert.is(this.rig.read(`out/a${n}/o.txt`), v.repeat(bytes));
      assert.is(this.rig.read(`out/a${n}/t/2`), `${v} 2\n`);
      assert.is(Number(this.rig.read(`out/b${n}/o.txt`)), bytes);
    }
    await this.rig.ok('verify');
  }
}

const FULL = /no space (is )?left|disk is full|\bENOSPC\b/i;

/** Leaves a build one unit more each time, until it needs no more. Gives how many units the last one had. */
async function fillMore(one: Case, built: boolean, fill: (free: number) => void, stride: number): Promise<number> {
  let whole = 0;
  const faults: string[] = [];
  for (let free = 0; ; free += stride) {
    one.reset();
    fill(free);
    try {
      const ended = await one.build(0, 1, 2, 4);
      if (ended.code !== 0) assert.ok(FULL.test(ended.stderr), `the full disk is not named:\n${ended.stderr}`);
      whole = ended.code === 0 ? whole + 1 : 0;
      await one.recovers(built);
    } catch (error) {
      faults.push(`with ${free} left: ${error instanceof Error ? error.message : String(error)}`);
      process.stdout.write(`\n${faults.at(-1)}\n`);
    }
    if (whole < 2 && faults.length < 10) continue;
    if (faults.length > 0) throw new Error(faults.join('\n'));
    process.stdout.write(`${free} left are enough\n`);
    return free;
  }
}

/** How much more is left each time: 1, or more for a quick look. */
const STRIDE = Number(process.env['LHB_FULL_DISK_STRIDE'] ?? 1);

for (const built of [false, true]) {
  const what = built ? 'with results on record' : 'in an empty store';
  rootTest(`a disk that is full at any write of a build ${what}`, async (rig) => {
    const one = new Case(rig, new SmallDisk(rig, 'size=8m'));
    await one.prepare(built);
    const pages = await fillMore(one, built, (free) => one.disk.fill(free), STRIDE);
    assert.ok(pages > 20, `${pages} pages`);
  });

  rootTest(`a disk without inodes at any new file of a build ${what}`, async (rig) => {
    const one = new Case(rig, new SmallDisk(rig, 'size=8m,nr_inodes=200'));
    await one.prepare(built);
    const inodes = await fillMore(one, built, (free) => one.disk.fillInodes(free), STRIDE);
    assert.ok(inodes > 20, `${inodes} inodes`);
  });
}

rootTest('a disk that is read only', async (rig) => {
  const one = new Case(rig, new SmallDisk(rig, 'size=8m'));
  await one.prepare(true);
  one.reset();
  one.disk.remount('ro');
  const ended = await one.build(2, 4);
  assert.match(ended.stderr, /EROFS|read-only/i);
  assert.is((await rig.summary()).counts['FRESH'], 2, 'what is on record can be looked at');
  one.disk.remount('rw');
  await one.recovers(true);
  assert.ok(existsSync(rig.path('.lhb/index')));
});

rootTest(
  'a query on a disk that is full, where a build was killed before its index had what it recorded',
  async (rig) => {
    const disk = new SmallDisk(rig, 'size=8m');
    rig.dir = join(disk.dir, 'work');
    rig.workflow(`
    rules:
      a: { for: { n: [1, 2] }, dir: "out/\${{ n }}", outputs: { o: o.txt }, run: "echo > \${{ outputs.o }}" }`);
    await rig.ok('build');
    rig.write('lhb.yaml', rig.read('lhb.yaml').replace('[1, 2]', '[1, 2, 3]'));
    const env = {
      NODE_OPTIONS: `--import=${join(COMPILED_TESTS, 'crash', 'kill-at-step.js')}`,
      LHB_CRASH_AT: 'commit:after=1',
      LHB_CRASH_STEPS: join(rig.base, 'steps'),
    };
    await rig.lhbWith({ env }, 'build');
    disk.fill(20);
    assert.is((await rig.summary()).counts['FRESH'], 2, 'what the index has');
    disk.empty();
    assert.is((await rig.summary()).counts['FRESH'], 3, 'and what the log has');
  },
);

test.run();
