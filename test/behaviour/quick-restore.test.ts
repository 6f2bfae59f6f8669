// Outputs that are gone come back from what the snapshot says of them, as a build that plans would bring them back.
import {
  chmodSync,
  linkSync,
  mkdirSync,
  renameSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LOOK, readSnapshot, type Snapshot } from '../../src/plan/snapshot.ts';
import { loaded } from '../support/loaded.ts';
import { PROJECT } from '../support/project.ts';
import { ran, type Rig, rigTest } from '../support/rig.ts';

const WORKFLOW = `
  config: [config.yaml]
  rules:
    make:
      for: { n: "\${{ config.ns }}" }
      outputs: { out: out.txt, run: tool.sh, empty: sub/deep/empty.txt }
      run: |
        ${ran('make ${{ n }}')}
        echo \${{ n }} > \${{ outputs.out }}
        echo true > \${{ outputs.run }}
        chmod +x \${{ outputs.run }}
        : > \${{ outputs.empty }}
    use:
      for: { m: "\${{ make }}", k: [1, 2] }
      outputs: { o: o.txt }
      run: |
        ${ran('use ${{ m.n }} ${{ k }}')}
        cp \${{ m.outputs.out }} \${{ outputs.o }}
`;

const ALL = ['make a', 'make b', 'use a 1', 'use a 2', 'use b 1', 'use b 2'];
const WHOLE = { env: { LHB_NO_SNAPSHOT: '1' } };

async function built(rig: Rig, workflow = WORKFLOW, all: readonly string[] = ALL): Promise<void> {
  rig.workflow(workflow);
  rig.write('config.yaml', 'ns: [a, b]\n');
  await rig.runs(all);
  await rest(rig);
}

/** Until nothing is racy any more, and the snapshot tells all. */
async function rest(rig: Rig): Promise<void> {
  await delay(1050);
  for (let round = 0; round < 8; round++) {
    const before = statSync(rig.path('.lhb/snapshot')).ino;
    await rig.runs([]);
    if (statSync(rig.path('.lhb/snapshot')).ino === before) return;
    await delay(400);
  }
  assert.unreachable('builds do not come to rest');
}

/** Builds, and says which way it went. */
function wayOf(rig: Rig, ...args: string[]): 'quick' | 'whole' | 'nothing' {
  const chunks = loaded(['-C', rig.dir, 'build', ...args], { HOME: rig.home });
  if (chunks.some((name) => name.startsWith('build-'))) return 'whole';
  return chunks.some((name) => name.startsWith('quick-restore-')) ? 'quick' : 'nothing';
}

/** Jobs by their events, in no order, without what differs from build to build. */
function eventsOf(stdout: string): string[] {
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const told = events.map((event) => JSON.stringify({ ...event, time: 0, duration_s: 0 }));
  return [...told.slice(0, 1), ...told.slice(1, -1).sort(), ...told.slice(-1)];
}

/** All that a later build rests on, but for what each build does to it. */
function taken(rig: Rig): unknown {
  const {
    evidence,
    paths,
    ids,
    labels,
    details: _,
    noted: __,
    ...arrays
  } = readSnapshot(rig.path('.lhb/snapshot')) as Snapshot;
  return { ...arrays, paths: paths.all(), ids: ids.all(), labels: labels.all(), words: evidence.words };
}

rigTest('all outputs come back, byte by byte and mode by mode, and nothing is planned for it', async (rig) => {
  await built(rig);
  const before = rig.tree('runs');
  for (const round of [1, 2]) {
    rig.remove('runs');
    assert.is(wayOf(rig, '-q'), 'quick', `round ${round}`);
    assert.equal(rig.tree('runs'), before, `round ${round}`);
    assert.is(wayOf(rig), 'nothing', 'the snapshot is about what is there now');
  }
  assert.equal(rig.ranSince(), []);
  const { stdout } = await rig.lhbWith(WHOLE, 'build', '-n', '--json');
  assert.equal((JSON.parse(stdout) as { counts: unknown }).counts, { FRESH: 6 });
});

rigTest('it leaves behind what a build that plans leaves behind', async (rig) => {
  await built(rig);
  for (const options of [{}, WHOLE]) {
    // Built, then restored; and once more, restored before.
    rig.remove('runs');
    await rig.ok('build');
    const quick = { snapshot: taken(rig), details: (await rig.ok('summary', '--detailed')).stdout };
    const looked = (await rig.lhbWith(WHOLE, 'summary', '--detailed')).stdout;
    assert.is(quick.details, looked, 'a detailed summary');
    assert.match(quick.details, /restored/);
    rmSync(rig.path('.lhb/snapshot'));
    await rig.lhbWith(options, 'build');
    await rig.ok('build');
    assert.equal(taken(rig), quick.snapshot, 'the snapshot');
  }
});

rigTest('its events and its words are those of a build that plans', async (rig) => {
  await built(rig);
  for (const args of [['--json'], ['-v'], [], ['-r'], ['-q']]) {
    const [quick, whole] = [[], WHOLE.env].map((env) => ({ env: env as Readonly<Record<string, string>> }));
    rig.remove('runs/use');
    const a = await rig.lhbWith(quick ?? {}, 'build', ...args);
    await rest(rig);
    rig.remove('runs/use');
    const b = await rig.lhbWith(whole ?? {}, 'build', ...args);
    await rest(rig);
    if (args[0] === '--json') assert.equal(eventsOf(a.stdout), eventsOf(b.stdout));
    const lines = ({ stderr }: { stderr: string }): string[] =>
      stderr
        .replaceAll(/\d+\.\d+ s/g, 'N s')
        .replaceAll(/\[\d\/6\]/g, '[N/6]')
        .split('\n')
        .sort();
    assert.equal(lines(a), lines(b), args.join(' '));
  }
});

rigTest('one output that is gone comes back beside those that share its bytes', async (rig) => {
  await built(rig);
  const { outputs } = await rig.job("where:m.n=='a' && k==1");
  const path = outputs[0]?.path ?? '';
  const before = rig.tree('runs');
  for (const round of [1, 2]) {
    rig.remove(path);
    assert.is(wayOf(rig, '-q'), 'quick', `round ${round}`);
    assert.equal(rig.tree('runs'), before, `round ${round}`);
    await rest(rig);
    rig.remove(dirname(path));
    await rig.runs([]);
    assert.equal(rig.tree('runs'), before, `round ${round}`);
    assert.is(wayOf(rig), 'nothing');
  }
  // What was there and shares a blob with what came back is watched on.
  const other = (await rig.job("where:m.n=='a' && k==2")).outputs[0]?.path ?? '';
  rm(rig, other);
  rig.write(other, 'edited\n');
  await rig.runs([]);
  assert.equal(rig.tree('runs'), before);
});

function rm(rig: Rig, path: string): void {
  rmSync(rig.path(path));
}

rigTest('where the store lacks bytes, or has others, the jobs run again', async (rig) => {
  await built(rig);
  const before = rig.tree('runs');
  const blob = (): string => {
    const { ino } = statSync(rig.path(path));
    const blobs = readdirSync(rig.path('.lhb/blobs'), { recursive: true, encoding: 'utf8' });
    return join('.lhb/blobs', blobs.find((name) => statSync(join(rig.path('.lhb/blobs'), name)).ino === ino) ?? '');
  };
  const path = (await rig.job("where:n=='a'")).outputs.find((output) => output.path.endsWith('out.txt'))?.path ?? '';
  const damage: ((file: string) => void)[] = [
    (file) => rmSync(file),
    (file) => {
      chmodSync(file, 0o644);
      writeFileSync(file, 'A\n');
      // As a disk would damage it: nothing tells but the bytes.
      utimesSync(file, 1_000_000, 1_000_000);
    },
    (file) => {
      chmodSync(file, 0o644);
      truncateSync(file, 1);
    },
  ];
  for (const [i, spoil] of damage.entries()) {
    const file = rig.path(blob());
    rig.remove('runs');
    spoil(file);
    await rig.ok('build');
    const again = rig.ranSince();
    assert.ok(again.includes('make a'), `damage ${i}: ${again.join(', ')}`);
    assert.equal(rig.tree('runs'), before, `damage ${i}`);
    await rest(rig);
  }
});

rigTest('what takes a plan is planned', async (rig) => {
  const more = `
    tree:
      outputs: { t: t/, f: f.txt }
      run: |
        ${ran('tree')}
        echo f > \${{ outputs.f }}; echo x > \${{ outputs.t }}/x
    big:
      outputs: { o: o.bin }
      run: |
        ${ran('big')}
        head -c 1100000 /dev/zero > \${{ outputs.o }}
`;
  await built(rig, WORKFLOW + more, [...ALL, 'big', 'tree']);
  const before = rig.tree('runs');
  const back = async (way: string, what: string): Promise<void> => {
    assert.is(wayOf(rig, '-q'), way, what);
    assert.equal(rig.ranSince(), [], what);
    assert.equal(rig.tree('runs'), before, what);
    await rest(rig);
  };
  rig.remove('runs/tree');
  await back('whole', 'a tree');
  const file = (await rig.job('tree')).outputs.find((output) => output.path.endsWith('f.txt'))?.path ?? '';
  rig.remove(file);
  await back('whole', 'a file beside a tree');
  // Not into the file that the store has.
  rm(rig, join(dirname(file), 't/x'));
  rig.write(join(dirname(file), 't/x'), 'y\n');
  await back('whole', 'a tree beside what came back');
  rig.remove('runs/big');
  await back('whole', 'a large file');
  rig.remove('runs/use');
  rig.write('config.yaml', 'ns: [a, b]\n# more\n');
  await back('whole', 'a config that was written to');
  rig.remove('runs/use');
  await back('quick', 'the rest');
});

rigTest('a link on the way is not followed', async (rig) => {
  await built(rig);
  const before = rig.tree('runs');
  const path = (await rig.job("where:m.n=='a' && k==1")).outputs[0]?.path ?? '';
  rig.remove(dirname(path));
  const elsewhere = join(rig.base, 'elsewhere');
  mkdirSync(elsewhere);
  symlinkSync(elsewhere, rig.path(dirname(path)));
  await rig.runs([]);
  assert.equal(readdirSync(elsewhere), []);
  assert.equal(rig.tree('runs'), before);
  await rest(rig);
  // The output root may be one: it is the user's own.
  renameSync(rig.path('runs'), elsewhere);
  symlinkSync(elsewhere, rig.path('runs'));
  await rest(rig);
  rmSync(join(elsewhere, 'use'), { recursive: true });
  assert.is(wayOf(rig), 'quick');
  assert.equal(rig.tree('runs/'), before);
});

rigTest('a blob with as many links as it may have is copied', async (rig) => {
  await built(rig);
  const before = rig.tree('runs');
  const path = (await rig.job("where:n=='a'")).outputs.find((output) => output.path.endsWith('out.txt'))?.path ?? '';
  rig.write('links/.keep', '');
  try {
    for (let n = 0; n < 70_000; n++) linkSync(rig.path(path), rig.path(`links/${n}`));
    return; // a file system without such a limit
  } catch (problem) {
    assert.is((problem as NodeJS.ErrnoException).code, 'EMLINK');
  }
  await rest(rig);
  rig.remove('runs/use');
  assert.is(wayOf(rig, '-q'), 'quick');
  assert.equal(rig.tree('runs'), before);
  assert.is(wayOf(rig), 'nothing');
});

rigTest('a job that lacks one of its outputs is put right as a whole', async (rig) => {
  await built(rig);
  const before = rig.tree('runs');
  const [lost, other] = (await rig.job("where:n=='a'")).outputs.map(({ path }) => path);
  rig.remove(lost ?? '');
  chmodSync(rig.path(other ?? ''), 0o644);
  assert.is(wayOf(rig, '-q'), 'whole');
  assert.equal(rig.tree('runs'), before);
});

rigTest('where temp outputs may go when a reader comes back, a plan says which', async (rig) => {
  const workflow = `
  config: [config.yaml]
  rules:
    a: { outputs: { t: { path: t.txt, temp: true } }, run: "echo t > \${{ outputs.t }}" }
    b: { inputs: { i: "\${{ a.outputs.t }}" }, outputs: { o: o.txt }, run: "cp \${{ inputs.i }} \${{ outputs.o }}" }
`;
  rig.workflow(workflow);
  rig.write('config.yaml', '{}\n');
  await rig.ok('build', '--notemp');
  await rest(rig);
  rig.remove('runs/b');
  assert.is(wayOf(rig, '-q'), 'whole');
  assert.equal(
    Object.keys(rig.tree('runs/a')).filter((path) => path.endsWith('t.txt')),
    [],
  );
});

rigTest('what cannot come back so is left to a plan, with nothing said and nothing done', async (rig) => {
  await built(rig);
  // Another disk, say: the plan follows a link in the place of a rule's folder.
  const elsewhere = join(rig.base, 'use');
  renameSync(rig.path('runs/use'), elsewhere);
  symlinkSync(elsewhere, rig.path('runs/use'));
  await rest(rig);
  const clear = (): void => {
    for (const name of readdirSync(elsewhere)) rmSync(join(elsewhere, name), { recursive: true });
    rig.remove('runs/make');
  };
  clear();
  const a = await rig.ok('build', '--json');
  const origins = (await rig.ok('summary', '--detailed')).stdout;
  await rest(rig);
  clear();
  const b = await rig.lhbWith(WHOLE, 'build', '--json');
  assert.equal(eventsOf(a.stdout), eventsOf(b.stdout));
  assert.is(origins.match(/\brestored\b/g)?.length, 6, origins);
});

rigTest('what was looked at is kept by gc, whichever way it came back', async (rig) => {
  await built(rig);
  rig.write('config.yaml', 'ns: [a, b, c]\n');
  await rig.runs(['make c'], 'build', "where:n=='c'");
  const log = (): number => {
    const [tree = ''] = readdirSync(rig.path('.lhb/builds'));
    return rig.read(join('.lhb/builds', tree, 'log')).split('\n').length;
  };
  rig.write('config.yaml', 'ns: [a, b]\n');
  await rig.ok('build');
  await rest(rig);
  const before = log();
  rig.remove('runs');
  assert.is(wayOf(rig, '-q'), 'quick');
  assert.is(log(), before + 1);
});

rigTest('a blob whose times tell nothing yet is looked at again', async (rig) => {
  await built(rig);
  const path = (await rig.job("where:n=='b'")).outputs.find((output) => output.path.endsWith('out.txt'))?.path ?? '';
  const later = Math.floor(Date.now() / 1000) + 3600.123;
  const { ino } = statSync(rig.path(path));
  const blobs = rig.path('.lhb/blobs');
  const blob = readdirSync(blobs, { recursive: true, encoding: 'utf8' }).find(
    (name) => statSync(join(blobs, name)).ino === ino,
  );
  rig.remove('runs');
  utimesSync(join(blobs, blob ?? ''), later, later);
  await rig.runs([]);
  const { paths, looks } = readSnapshot(rig.path('.lhb/snapshot')) as Snapshot;
  assert.is(looks[paths.all().indexOf(path)], LOOK.unknown);
});

rigTest('a kill on the way loses nothing', async (rig) => {
  await built(rig);
  const before = rig.tree('runs');
  const preload = join(PROJECT, 'dist', 'test', 'crash', 'kill-at-step.js');
  for (const at of ['restore:linked=1', 'restore:linked=4', 'transaction:before=1', 'transaction:after=1']) {
    rig.remove('runs');
    const env = {
      NODE_OPTIONS: `--import=${preload}`,
      LHB_CRASH_AT: at,
      LHB_CRASH_STEPS: join(rig.base, 'steps'),
    };
    assert.is((await rig.lhbWith({ env }, 'build')).code, 137, at);
    const ended = await rig.runs([]);
    assert.match(ended.stderr, /(restored|fresh|nothing to do)/);
    assert.equal(rig.tree('runs'), before, at);
    await rest(rig);
    assert.is((await rig.lhb('verify')).code, 0, at);
  }
});

test.run();
