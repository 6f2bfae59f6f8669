// Text and files from others: configs, names, logs, records, locks. Nothing of them is obeyed by a terminal, leads out of
// the work tree, or passes for something else.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { asList, asMap, asText, type JsonMap } from '../support/json.ts';
import { ran, rigTest, type Rig } from '../support/rig.ts';
import { onTerminal, SCRIPT } from '../support/terminal.ts';
import { toolTest } from '../support/tools.ts';

/** A title, a cleared screen, a colour, C1 controls, text turned round, a bell, an overwritten line. */
const EVIL = '\u001b]0;owned\u0007\u001b[2J\u001b[41m\u009b31m\u0085\u202eabc\u2066\u007f\rover';

/** What lhb itself writes: colours, and the frame of the live view. */
// oxlint-disable-next-line no-control-regex
const OWN = /\u001b\[[\d;]*[mAJ]|\r\n|\n\r|\n|\r(?=\u001b|\n|$)/g;

/** The control characters left in a text; none may be. */
function controls(text: string): string[] {
  const left = text.replaceAll('\u001b[41m', '\u0001').replaceAll(OWN, '');
  // oxlint-disable-next-line no-control-regex
  return left.match(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu) ?? [];
}

/** Evil text in configs, output paths, file names, logs, records, and the lock of a build that seems to run. */
async function hostileTree(rig: Rig): Promise<void> {
  rig.write('evil.json', JSON.stringify({ text: EVIL, lines: `one\n${EVIL}\tthree` }));
  rig.write(
    'lhb.yaml',
    `
lhb: 1
config: evil.json
rules:
  good:
    for: { v: ["\${{ config.text }}", "\${{ config.lines }}"] }
    outputs: { o: "out \${{ config.text.replace('\\u0000', '') }}.txt", t: tree/ }
    run: |
      cat evil.json >/dev/null
      : > \${{ outputs.o }}
      : > \${{ outputs.t }}/"$(printf 'x\\033]0;owned\\007\\n\\302\\233y')"
  bad:
    config: { text: "\${{ config.lines }}" }
    outputs: { o: o.txt }
    run: |
      printf 'line \\033]0;owned\\007\\033[2J\\033[31mred\\033[0m \\302\\2331m \\342\\200\\256txt\\000\\000 \\rover\\n'
      head -c 3000000 /dev/zero | tr '\\0' 'x'
      printf '\\033[2J'
      exit 1
`,
  );
}

const COMMANDS: readonly (readonly string[])[] = [
  ['build', '-k'],
  ['build', '-k', '--json'],
  ['build', '-k', '-v', '-r'],
  ['plan'],
  ['plan', '--json'],
  ['summary'],
  ['summary', '--detailed'],
  ['summary', '--json'],
  ['why', 'bad'],
  ['show', 'bad'],
  ['show', 'bad', '--json'],
  ['graph'],
  ['graph', '--format', 'mermaid'],
  ['graph', '--format', 'json'],
  ['jobs'],
  ['lint'],
  ['verify'],
  ['gc'],
  ['clean'],
  ['why', EVIL],
  [EVIL],
  ['build', `--${EVIL}`],
];

for (const args of COMMANDS) {
  const shown = args.map((arg) => (arg.includes(EVIL) ? 'EVIL' : arg)).join(' ');
  toolTest(SCRIPT, 'script (util-linux)', `nothing for a terminal to obey: lhb ${shown}`, async (rig) => {
    await hostileTree(rig);
    await rig.lhb('build', '-k', '-q');
    const [id] = (await rig.summary()).jobs.filter((job) => job.rule === 'good').map((job) => job.id);
    // A file of a tree that is gone makes a reason with its name, a path that is edited a warning.
    for (const name of readdirSync(rig.path(`runs/good/${id}/tree`))) rmSync(rig.path(`runs/good/${id}/tree/${name}`));
    const terminal = onTerminal(rig, ...args);
    assert.equal(controls(terminal), [], JSON.stringify(terminal.slice(0, 3000)));
    assert.ok(terminal.length > 0 || args[0] === 'lint');
    const { stdout, stderr } = await rig.lhb(...args);
    assert.equal(controls(stdout), [], JSON.stringify(stdout.slice(0, 3000)));
    assert.equal(controls(stderr), [], JSON.stringify(stderr.slice(0, 3000)));
    assert.ok(stderr.length < 60_000, `a log of megabytes on a line: ${stderr.length}`);
  });
}

toolTest(
  SCRIPT,
  'script (util-linux)',
  'a log keeps its colours on a terminal and nothing else; in a pipe its bytes',
  async (rig) => {
    await hostileTree(rig);
    await rig.lhb('build', '-k', '-q');
    const shown = onTerminal(rig, 'logs', 'bad');
    assert.ok(shown.includes('\u001b[31mred\u001b[0m'), 'colours');
    assert.ok(shown.includes('line \\x1b]0;owned\\x07\\x1b[2J'), JSON.stringify(shown.slice(0, 200)));
    assert.equal(controls(shown.replaceAll('\rover', '')), []);
    const job = await rig.job('bad');
    assert.is((await rig.ok('logs', 'bad')).stdout, rig.read(job.log));
  },
);

rigTest('ls gives paths as they are to a pipe; tabs and newlines stay in their cells', async (rig) => {
  rig.workflow(`
    config: { v: "a\\tb\\nc" }
    rules:
      r: { outputs: { o: "x \${{ config.v }}.txt" }, run: ': > \${{ outputs.o }}' }
  `);
  await rig.ok('build');
  const job = await rig.job('r');
  assert.is((await rig.ok('ls')).stdout, `${job.dir}/x a\tb\nc.txt\n`);
  const table = (await rig.ok('summary', '--detailed')).stdout.trimEnd().split('\n');
  assert.is(table.length, 2);
  assert.is(table[0]?.split('\t').length, table[1]?.split('\t').length);
  assert.ok(table[1]?.includes('x a\\tb\\nc.txt'));
});

rigTest('names are no markup in dot and Mermaid', async (rig) => {
  rig.workflow(`
    rules:
      r: { for: { v: ['a"]; evil [label="x', '<b>bold</b>', 'back\\slash'] }, outputs: { o: o.txt }, run: 'true' }
  `);
  const dot = (await rig.ok('graph')).stdout;
  assert.not.match(dot, /^ *evil/m);
  assert.is(
    dot
      .split('\n')
      .filter((line) => /^ {2}"r_[0-9a-f]{12}" \[label="(?:[^"\\]|\\.)*", fillcolor="[^"]*"\];$/.test(line)).length,
    3,
  );
  assert.not.match((await rig.ok('graph', '--format', 'mermaid')).stdout, /<b>|"\]; evil/);
});

/** A line of a trace log. */
function sealed(record: unknown): string {
  const json = JSON.stringify(record);
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`;
}

/** The file of the work tree's own trace log. */
function ownLog(rig: Rig): string {
  return `.lhb/traces/${asText(asMap(JSON.parse(rig.read('.lhb/tree.json')))['id'])}.log`;
}

/** The first record in it. */
const ownRecord = (rig: Rig): JsonMap => asMap(JSON.parse((rig.read(ownLog(rig)).split('\n')[1] ?? '').slice(9)));

/** A workflow that was built, and one more result on record with these fields: another work tree's, or its own. */
async function withRecord(rig: Rig, fields: Readonly<Record<string, unknown>>, own = false): Promise<string> {
  rig.workflow(`
    rules:
      r: { dir: out, outputs: { o: o.txt }, run: '${ran('r')}; echo data > \${{ outputs.o }}' }
  `);
  if (!rig.exists('.lhb')) await rig.ok('build');
  const first = ownRecord(rig);
  const id = 'old_0123456789ab';
  const record = {
    ...first,
    actionKey: 'ab'.repeat(32),
    jobHash: `0123456789ab${'0'.repeat(52)}`,
    jobId: id,
    rule: 'old',
    dir: 'old',
    ...fields,
  };
  if (own) rig.append(ownLog(rig), sealed(record));
  else {
    rig.write('.lhb/traces/other.log', `lhb traces 1\n${sealed(record)}`);
    rig.remove('.lhb/index');
  }
  // Whoever writes next takes the line up.
  await rig.ok('build');
  return id;
}

/** The manifest of the record, with other paths. */
function manifest(rig: Rig, path: string, entries?: unknown): unknown {
  const [output] = asList(ownRecord(rig)['manifest']);
  const [name, , tree, digest, files] = asList(output);
  return [[name, path, entries === undefined ? tree : true, digest, entries ?? files]];
}

rigTest('a record whose paths lead out, behind a link, into .lhb or over a source is not restored', async (rig) => {
  await withRecord(rig, {});
  mkdirSync(join(rig.base, 'outside'));
  writeFileSync(join(rig.base, 'outside/o.txt'), 'precious\n');
  symlinkSync(join(rig.base, 'outside'), rig.path('door'));
  rig.write('source.txt', 'source\n');
  const before = rig.tree('', rig.base);
  const cases: readonly (readonly [dir: string, path: string, why: RegExp])[] = [
    ['..', 'outside/o.txt', /no path inside the workflow's folder/],
    [join(rig.base, 'outside'), 'o.txt', /no path inside the workflow's folder/],
    ['old', '../../outside/o.txt', /no path inside the job's folder/],
    ['door', 'o.txt', /behind the link door/],
    ['.', 'door/o.txt', /behind the link door/],
    ['.lhb', 'tree.json', /in lhb's own folder/],
    ['.', 'source.txt', /no job of this work tree made it/],
    ['.', 'lhb.yaml', /lhb.yaml is a source of the workflow/],
  ];
  for (const [dir, path, why] of cases) {
    const id = await withRecord(rig, { dir, manifest: manifest(rig, path) });
    const { stderr } = await rig.exits(1, 'restore', id);
    assert.match(stderr, why);
  }
  await rig.ok('clean', '--yes', '--force');
  const own = await withRecord(rig, { dir: '.', manifest: manifest(rig, 'lhb.yaml') }, true);
  assert.match((await rig.exits(1, 'restore', own)).stderr, /lhb.yaml is a source of the workflow/);
  const after = rig.tree('', rig.base);
  for (const path of ['outside/o.txt', 'work/source.txt', 'work/lhb.yaml', 'work/out/o.txt'])
    assert.is(after[path], before[path], path);
});

rigTest('a record whose log lies elsewhere shows nothing of that', async (rig) => {
  writeFileSync(join(rig.base, 'secret'), 'secret\n');
  for (const log of ['../secret', join(rig.base, 'secret')]) {
    const id = await withRecord(rig, { log });
    const { stdout, stderr } = await rig.exits(2, 'logs', id);
    assert.not.match(stdout, /secret\n/);
    assert.match(stderr, /is no path inside the workflow's folder/);
  }
});

rigTest('what stands in a record of others is made safe', async (rig) => {
  const fields = {
    label: EVIL,
    host: EVIL,
    command: `${EVIL}\n${EVIL}`,
    config: `{"x":${JSON.stringify(EVIL)}}`,
    reasons: [EVIL],
    rule: `old${EVIL}`,
  };
  const id = await withRecord(rig, fields);
  for (const command of ['show', 'why']) {
    for (const json of [[], ['--json']]) {
      const { stdout } = await rig.ok(command, id, ...json);
      assert.equal(controls(stdout), [], JSON.stringify(stdout));
      if (SCRIPT !== undefined) assert.equal(controls(onTerminal(rig, command, id, ...json)), []);
    }
  }
});

rigTest('an output may not lie in .lhb, in the store or over the workflow', async (rig) => {
  for (const [dir, output] of [
    ['.lhb', 'index/'],
    ['.', '.lhb/tree.json'],
    ['.', 'cache/blobs/'],
    ['.', 'lhb.yaml'],
    ['.', 'conf.yaml'],
    ['..', 'x'],
  ]) {
    rig.write('conf.yaml', 'a: 1\n');
    rig.workflow(`
      config: conf.yaml
      store: cache
      rules:
        r: { dir: "${dir}", outputs: { o: "${output}" }, run: 'true' }
    `);
    const { stderr } = await rig.exits(2, 'build');
    assert.match(stderr, /graph\/bad-path|workflow\/value/, `${dir} ${output}`);
    assert.not(rig.exists('.lhb'));
  }
  for (const log of ['../x.log', '/tmp/x.log', '.lhb/lock.json']) {
    rig.workflow(`rules: { r: { outputs: { o: o }, log: "${log}", run: 'true' } }`);
    assert.match((await rig.exits(2, 'build')).stderr, /graph\/bad-path/, log);
  }
});

rigTest('a folder that is a link to elsewhere when lhb comes back is not written through or emptied', async (rig) => {
  const workflow = (text: string): void =>
    rig.workflow(`
    rules:
      r: { outputs: { o: o.txt, t: tree/ }, config: { x: 1 }, run: 'echo ${text} > \${{ outputs.o }}; echo ${text} > \${{ outputs.t }}/x' }
  `);
  workflow('one');
  await rig.ok('build');
  const { dir, id } = await rig.job('r');
  const outside = join(rig.base, 'outside');
  renameSync(rig.path(dir), outside);
  renameSync(rig.path(`.lhb/jobs/${id}`), join(rig.base, 'jobs'));
  symlinkSync(outside, rig.path(dir));
  symlinkSync(join(rig.base, 'jobs'), rig.path(`.lhb/jobs/${id}`));
  const before = { ...rig.tree('', outside), ...rig.tree('', join(rig.base, 'jobs')) };
  workflow('two');
  await rig.ok('build');
  assert.equal({ ...rig.tree('', outside), ...rig.tree('', join(rig.base, 'jobs')) }, before);
  assert.is(rig.read(`${dir}/o.txt`), 'two\n');
  // One of its files.
  writeFileSync(join(rig.base, 'precious'), 'precious');
  for (const file of [`.lhb/jobs/${id}/job.json`, `.lhb/logs/r/${id}.log`, `${dir}/o.txt`]) {
    rmSync(rig.path(file), { force: true });
    symlinkSync(join(rig.base, 'precious'), rig.path(file));
  }
  rmSync(rig.path(`${dir}/tree`), { recursive: true });
  symlinkSync(outside, rig.path(`${dir}/tree`));
  workflow('three');
  await rig.ok('build');
  assert.is(readFileSync(join(rig.base, 'precious'), 'utf8'), 'precious');
  assert.equal({ ...rig.tree('', outside), ...rig.tree('', join(rig.base, 'jobs')) }, before);
});

rigTest('a job that puts a link in the place of its own folder has made nothing', async (rig) => {
  mkdirSync(join(rig.base, 'outside'));
  writeFileSync(join(rig.base, 'outside/o.txt'), 'secret');
  rig.workflow(`
    rules:
      r: { outputs: { o: o.txt }, run: 'rmdir \${{ job.dir }}; ln -s ${rig.base}/outside \${{ job.dir }}' }
  `);
  assert.match(
    (await rig.exits(1, 'build')).stderr,
    /the job's folder, is a link that leads out of the workflow's folder/,
  );
});

const started = (pid: number): string => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
};

rigTest('locks, tree files, pins and registrations that are not of the form', async (rig) => {
  rig.workflow(`rules: { r: { outputs: { o: o }, run: 'echo x > \${{ outputs.o }}' } }`);
  await rig.ok('build');
  const place = `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  const holder = { pid: 1, host: hostname(), since: 1, command: 'build', build: 'x', place, startTime: '' };
  const hostile: readonly unknown[] = [
    'x'.repeat(10_000_000),
    { ...holder, pid: -1, startTime: '' },
    { ...holder, pid: 0, startTime: '' },
    { ...holder, pid: 1e300 },
    { ...holder, pid: '1; touch owned' },
    { ...holder, command: 'x'.repeat(1_000_000) },
    { ...holder, since: null },
    [],
    null,
  ];
  for (const content of hostile) {
    rig.write('.lhb/lock.json', typeof content === 'string' ? content : JSON.stringify(content));
    await rig.ok('jobs');
    await rig.ok('build');
  }
  // Someone who lives, whose command line is not of the best.
  mkdirSync(rig.path('.lhb/lock'));
  const evil = {
    ...holder,
    pid: process.pid,
    startTime: started(process.pid),
    command: `build ${EVIL}${'y'.repeat(5000)}`,
    host: hostname(),
  };
  rig.write('.lhb/lock.json', JSON.stringify(evil));
  for (const [code, ...args] of [
    [3, 'build'],
    [0, 'jobs'],
  ] as const) {
    const { stderr } = await rig.exits(code, ...args);
    assert.equal(controls(stderr), []);
    assert.ok(stderr.includes('owned'), stderr);
  }
  rmSync(rig.path('.lhb/lock'), { recursive: true });
  for (const id of ['../../x', 'x'.repeat(10_000), 7]) {
    rig.write('.lhb/tree.json', JSON.stringify({ format: 1, id }));
    await rig.ok('build');
    assert.match(asText(asMap(JSON.parse(rig.read('.lhb/tree.json')))['id']), /^[0-9a-f-]{36}$/);
  }
  for (const file of ['.lhb/pins/x.json', '.lhb/trees/x.json']) {
    rig.write(file, JSON.stringify({ format: 1, id: '../x', path: 'x', actionKey: '../../x' }));
    const { stderr } = await rig.exits(2, 'gc', '--yes');
    assert.ok(stderr.includes(file), stderr);
    rig.remove(file);
  }
  assert.not(existsSync(rig.path('owned')));
});

test.run();
