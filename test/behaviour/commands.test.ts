// The commands beside build and summary: why, show, logs, ls, graph, touch, restore, verify, jobs, lint.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { JobId } from '../../src/base/brand.ts';
import { IndexDb } from '../../src/store/index-db.ts';
import { blobOf, damage } from '../support/blobs.ts';
import { Gates } from '../support/fake-command.ts';
import { asList, asMap } from '../support/json.ts';
import { ran, rigTest, type Rig } from '../support/rig.ts';
import { builtSweep, writeSweep } from '../support/sweep.ts';

/** The reasons of `why --json`, as `kind path: old → new`. */
async function reasons(rig: Rig, selector: string): Promise<readonly string[]> {
  const document = asMap(await rig.json('why', selector));
  return asList(document['reasons']).map((entry) => {
    const reason = asMap(entry);
    const text = (name: string): string => {
      const value = reason[name];
      return typeof value === 'string' ? value : JSON.stringify(value ?? null);
    };
    return `${text('kind')} ${text('path')}: ${text('old')} → ${text('new')}`;
  });
}

rigTest('why: for a new id the nearest earlier job and the config paths that differ, old → new', async (rig) => {
  await builtSweep(rig);
  rig.edit('conf/model/big.yaml', 'depth: 8', 'depth: 9');
  const { id } = await rig.job("where:target.name=='b'");
  const text = (await rig.ok('why', id)).stdout;
  assert.match(text, 'model.depth');
  assert.match(text, /8\b[^\n]*9\b/);
  const all = await reasons(rig, id);
  assert.ok(
    all.some((reason) => /^(config|new) .*model\.depth: 8 → 9$/.test(reason)),
    all.join('\n'),
  );
  assert.not(
    all.some((reason) => reason.includes('widths')),
    'what did not change is not named',
  );
});

rigTest('why: command, env, code, input and upstream, each by its name', async (rig) => {
  rig.write('in.txt', '1\n');
  rig.write('code.sh', ':\n');
  rig.workflow(`
    rules:
      a: { code: [code.sh], inputs: { i: in.txt }, env: { MODE: fast }, dir: a, outputs: { o: o.txt }, run: 'cp \${{ inputs.i }} \${{ outputs.o }}' }
      b: { inputs: { up: "\${{ a.outputs.o }}" }, dir: b, outputs: { o: o.txt }, run: 'cp \${{ inputs.up }} \${{ outputs.o }}' }
  `);
  await rig.ok('build');
  rig.write('in.txt', '2\n');
  rig.write('code.sh', 'true\n');
  rig.edit('lhb.yaml', 'MODE: fast', 'MODE: slow');
  rig.edit('lhb.yaml', "'cp ${{ inputs.i }}", "'cp -f ${{ inputs.i }}");
  const a = await reasons(rig, 'a');
  assert.ok(
    a.some((reason) => reason.startsWith('input ') && reason.includes('in.txt')),
    a.join('\n'),
  );
  assert.ok(
    a.some((reason) => reason.startsWith('code code.sh')),
    a.join('\n'),
  );
  assert.ok(
    a.some((reason) => /^env .*MODE.*: .*fast.* → .*slow/.test(reason)),
    a.join('\n'),
  );
  assert.ok(
    a.some((reason) => reason.startsWith('command ') && reason.includes('cp -f')),
    a.join('\n'),
  );
  assert.is(a.length, 4, a.join('\n'));
  const text = (await rig.ok('why', 'a')).stdout;
  for (const word of ['in.txt', 'code.sh', 'MODE', 'fast', 'slow', 'cp -f']) assert.match(text, word);
  await rig.ok('build', 'a');
  const b = await reasons(rig, 'b');
  assert.is(b.length, 1, b.join('\n'));
  assert.match(b[0] ?? '', /^upstream /);
  assert.match(b[0] ?? '', /a\/o\.txt|\bup\b/);
  await rig.ok('build');
  const document = asMap(await rig.json('why', 'b'));
  assert.is(document['plan'], 'none');
  await rig.ok('why', 'b');
});

rigTest('reasons name nothing of the config that is unkeyed, nor is the nearest job chosen by it', async (rig) => {
  const values = (k: string, r: number): void => rig.write('l.yaml', `k: ${k}\nr: { a: ${r} }\nn: { s: ${r}, t: 0 }\n`);
  rig.workflow(`
    rules:
      a: { config: [{ file: l.yaml }], unkeyed: [r, n.s], outputs: { o: o.txt }, run: "echo > \${{ outputs.o }}" }
      b: { for: { t: "\${{ a }}" }, outputs: { o: o.txt }, run: "echo > \${{ outputs.o }}" }
  `);
  const last = async (rule: string): Promise<readonly unknown[]> =>
    asList(asMap(await rig.json('why', rule))['last_differences']).map((entry) => asMap(entry)['detail']);
  values('1', 5);
  await rig.ok('build');
  values('1.0', 6);
  assert.equal(await reasons(rig, 'a'), ['config k: 1 → 1.0']);
  await rig.ok('build');
  assert.equal(await last('a'), ['config k: 1 → 1.0']);
  values('2', 7);
  const all = [
    ['new : null → null', 'config k: 1.0 → 2'],
    ['new : null → null', 'config t.k: 1.0 → 2'],
  ];
  for (const [i, rule] of ['a', 'b'].entries()) {
    const found = (await reasons(rig, rule)).filter((reason) => !reason.startsWith('upstream'));
    assert.equal(found, all[i], rule);
  }
  await rig.ok('build');
  assert.equal(await last('a'), ['config k: 1.0 → 2']);
  assert.equal(await last('b'), ['config t.k: 1.0 → 2']);
});

rigTest('why: a run on record is told by the configs of then, of upstream jobs too', async (rig) => {
  rig.workflow(`
    rules:
      a: { config: [{ file: l.yaml }], outputs: { o: o.txt }, run: "echo > \${{ outputs.o }}" }
      b: { for: { t: "\${{ a }}" }, outputs: { o: o.txt }, run: "echo > \${{ outputs.o }}" }
  `);
  for (const k of ['1', '2', '2.0']) {
    rig.write('l.yaml', `k: ${k}\n`);
    await rig.ok('build');
    if (k === '1') continue;
    const document = asMap(await rig.json('why', 'b'));
    const differences = asList(document['last_differences']).map((entry) => asMap(entry)['detail']);
    assert.equal(differences, ['config t.k: 1 → 2'], k);
  }
});

rigTest('why: a key with a dot in it is not a path', async (rig) => {
  rig.workflow(`
    rules: { a: { config: [{ file: l.yaml }], outputs: { o: o.txt }, run: "echo > \${{ outputs.o }}" } }
  `);
  rig.write('l.yaml', '{ "a.b": 1, c: { "d.e": [1] } }\n');
  await rig.ok('build');
  rig.write('l.yaml', '{ a: { b: 1 }, c: { "d.e": [2] } }\n');
  assert.equal(await reasons(rig, 'a'), [
    'new : null → null',
    'config a.b: null → 1',
    'config c["d.e"][0]: 1 → 2',
    'config ["a.b"]: 1 → null',
  ]);
});

/** Takes from the record of a job's last result which one stood before, as an earlier lhb did not note it. */
async function forgetBefore(rig: Rig, selector: string): Promise<void> {
  const { id } = await rig.job(selector);
  const opened = IndexDb.open(rig.path('.lhb/index'), { readOnly: false });
  const last = opened.ok && opened.value.newestOf(id as JobId);
  assert.ok(opened.ok && last);
  opened.value.recordTrace({ ...last, before: undefined });
  await opened.value.close();
}

rigTest('why: a run on record is told against what stood when it began', async (rig) => {
  rig.workflow(`
    rules: { a: { dir: a, env: { A: "1", B: "1" }, outputs: { o: o.txt }, run: 'echo $A $B > \${{ outputs.o }}' } }
  `);
  const lastRun = async (): Promise<readonly unknown[]> => {
    const document = asMap(await rig.json('why', 'a'));
    const differences = asList(document['last_differences']).map((entry) => asMap(entry)['detail']);
    return [document['last_reasons'], differences];
  };
  await rig.ok('build');
  assert.equal(await lastRun(), [['new: no result on record'], []]);
  rig.edit('lhb.yaml', 'B: "1"', 'B: "2"');
  await rig.ok('build');
  assert.equal(await lastRun(), [['env B: 1 → 2'], ['env B: 1 → 2']]);
  await rig.ok('forcerun', 'a');
  assert.equal(await lastRun(), [['forced'], []]);
  assert.match((await rig.ok('why', 'a')).stdout, /because: forced\n$/);
  rig.edit('lhb.yaml', 'B: "2"', 'B: "1"');
  await rig.ok('build');
  rig.edit('lhb.yaml', 'A: "1"', 'A: "2"');
  await rig.ok('build');
  assert.equal(await lastRun(), [['env A: 1 → 2'], ['env A: 1 → 2']], 'not B, as in the run before');
  await forgetBefore(rig, 'a');
  assert.equal(await lastRun(), [['env A: 1 → 2'], []], 'on record by an earlier lhb');
  rig.edit('lhb.yaml', 'A: "2"', 'A: "3"');
  await rig.ok('touch', 'a');
  assert.equal(await lastRun(), [['touched'], ['env A: 2 → 3']]);
});

rigTest('show: the record of a job', async (rig) => {
  await builtSweep(rig);
  const job = await rig.job("where:target.name=='a'");
  const text = (await rig.ok('show', job.id)).stdout;
  for (const word of [job.id, 'build_target', 'params.txt', 'train.sh', job.log]) assert.match(text, word);
  const document = JSON.stringify(await rig.json('show', job.id));
  assert.match(document, job.id);
  assert.match(document, /"origin":\s*"built"/);
});

rigTest('logs: the log of a job; -f follows it while the job runs, to its end', async (rig) => {
  const gates = new Gates(rig, ['g']);
  rig.workflow(`
    rules: { r: { outputs: { o: o.txt }, run: 'echo first; ${Gates.command('g')}; echo last; echo > \${{ outputs.o }}' } }
  `);
  const build = rig.start({}, 'build');
  await gates.reached(1);
  const follow = rig.start({}, 'logs', 'r', '-f');
  await rig.until('the first line', () => follow.stdout().includes('first'));
  assert.not.match(follow.stdout(), 'last');
  gates.open('g');
  assert.is((await build.done).code, 0);
  const ended = await follow.done;
  assert.is(ended.code, 0, ended.stderr);
  assert.is(ended.stdout, 'first\nlast\n');
  assert.is((await rig.ok('logs', 'r')).stdout, 'first\nlast\n');
});

rigTest('ls: outputs by path, of what is selected', async (rig) => {
  await builtSweep(rig);
  const paths = (text: string): readonly string[] =>
    text
      .split('\n')
      .flatMap((line) => line.split('\t').filter((cell) => cell.startsWith('runs/')))
      .sort();
  const all = (await rig.summary()).jobs.flatMap((job) => job.outputs.map((output) => output.path)).sort();
  assert.is(all.length, 12);
  assert.equal(paths((await rig.ok('ls')).stdout), all);
  assert.equal(
    paths((await rig.ok('ls', 'run_sampler')).stdout),
    all.filter((path) => path.endsWith('analysis.json')),
  );
  assert.match(JSON.stringify(await rig.json('ls', 'build_target')), 'params.txt');
});

rigTest('graph: dot, mermaid, json; jobs and rules', async (rig) => {
  writeSweep(rig);
  const ids = (await rig.summary()).jobs.map((job) => job.id);
  const dot = (await rig.ok('graph', '--format', 'dot')).stdout;
  assert.match(dot, /^digraph\b[^]*\}\s*$/);
  assert.is(dot.match(/->/g)?.length, 6, 'an edge for each pair of jobs');
  for (const id of ids) assert.match(dot, id);
  const mermaid = (await rig.ok('graph', '--format', 'mermaid')).stdout;
  assert.match(mermaid, /^(flowchart|graph) /m);
  assert.is(mermaid.match(/-->/g)?.length, 6);
  const json = JSON.stringify(await rig.json('graph', '--format', 'json'));
  for (const id of ids) assert.match(json, id);
  const rules = (await rig.ok('graph', '--rules', '--format', 'dot')).stdout;
  assert.is(rules.match(/->/g)?.length, 1);
  assert.match(rules, 'build_target');
  assert.not(ids.some((id) => rules.includes(id)));
});

rigTest('build -n --dag prints dot and nothing else', async (rig) => {
  writeSweep(rig);
  const ended = await rig.ok('build', '-n', '--dag');
  assert.match(ended.stdout, /^digraph\b[^]*\}\s*$/);
  assert.is(ended.stdout.match(/->/g)?.length, 6);
  assert.not(rig.exists('runs'));
});

rigTest('touch accepts the outputs on disk, on record as touched', async (rig) => {
  await builtSweep(rig);
  rig.edit('train.sh', 'echo "params $sum"', 'echo "cannot matter $sum"');
  await rig.ok('touch', 'build_target');
  await rig.runs([]);
  const { id } = await rig.job("where:target.name=='a'");
  assert.match(JSON.stringify(await rig.json('show', id)), /"origin":\s*"touched"/);
  const detailed = (await rig.ok('summary', '--detailed', 'build_target')).stdout;
  assert.is(detailed.match(/\btouched\b/g)?.length, 3);
  rig.edit('train.sh', 'cannot matter', 'params');
  await rig.runs([]);
});

rigTest('touch takes edited outputs as they are, and refuses where outputs are missing', async (rig) => {
  rig.workflow(`
    rules:
      a: { dir: a, outputs: { o: o.txt }, run: '${ran('a')}; echo made > \${{ outputs.o }}' }
      b: { inputs: { i: "\${{ a.outputs.o }}" }, dir: b, outputs: { o: o.txt }, run: '${ran('b')}; cp \${{ inputs.i }} \${{ outputs.o }}' }
  `);
  const none = await rig.lhb('touch', 'a');
  assert.is.not(none.code, 0);
  assert.match(none.stderr, 'a/o.txt');
  await rig.runs(['a', 'b']);
  rig.remove('a/o.txt');
  rig.write('a/o.txt', 'by hand\n');
  await rig.ok('touch', 'a');
  await rig.runs(['b']);
  assert.is(rig.read('b/o.txt'), 'by hand\n');
});

rigTest('restore brings outputs back from the store, of what is selected alone', async (rig) => {
  await builtSweep(rig);
  const before = rig.tree('runs');
  rig.remove('runs');
  await rig.ok('restore', 'build_target');
  assert.equal(
    rig.tree('runs'),
    Object.fromEntries(Object.entries(before).filter(([path]) => !path.includes('/run_'))),
  );
  await rig.ok('restore', 'run_sampler');
  assert.equal(rig.tree('runs'), before);
  assert.equal(rig.ranSince(), []);
});

rigTest('verify: 0 for a sound store; damage that the outputs can mend is mended; 4 while any is left', async (rig) => {
  rig.workflow(`
    link: copy
    rules:
      a: { dir: a, outputs: { o: o.txt }, run: '${ran('a')}; echo made by a > \${{ outputs.o }}' }
      b: { dir: b, outputs: { o: o.txt }, run: '${ran('b')}; echo made by b > \${{ outputs.o }}' }
  `);
  await rig.runs(['a', 'b']);
  await rig.ok('verify');
  const blob = blobOf(rig, 'made by a\n');
  damage(rig, blob);
  const mended = await rig.ok('verify');
  assert.match(mended.stdout + mended.stderr, /damaged/, 'it is told all the same');
  assert.is(rig.read(blob), 'made by a\n');
  await rig.runs([]);
  damage(rig, blobOf(rig, 'made by b\n'));
  rig.remove('b');
  await rig.exits(4, 'verify');
  await rig.runs(['b']);
  assert.is(rig.read('b/o.txt'), 'made by b\n');
  await rig.ok('verify');
});

rigTest('a damaged blob is never restored', async (rig) => {
  rig.workflow(`
    link: copy
    rules: { a: { dir: a, outputs: { o: o.txt }, run: '${ran('a')}; echo made by a > \${{ outputs.o }}' } }
  `);
  await rig.runs(['a']);
  damage(rig, blobOf(rig, 'made by a\n'));
  rig.remove('a');
  await rig.runs(['a']);
  assert.is(rig.read('a/o.txt'), 'made by a\n');
});

rigTest('the store can be lost but for time', async (rig) => {
  await builtSweep(rig);
  const before = rig.tree('runs');
  rig.remove('.lhb');
  await rig.ok('build');
  assert.is(rig.ranSince().length, 9);
  const after = rig.tree('runs');
  assert.equal(Object.keys(after), Object.keys(before));
  await rig.runs([]);
});

rigTest('store: moves index and blobs; logs and jobs stay in the work tree', async (rig) => {
  writeSweep(rig);
  rig.edit('lhb.yaml', 'output: runs', 'output: runs\nstore: ../store');
  await rig.ok('build');
  assert.equal(
    readdirSync(join(rig.base, 'store'))
      .filter((name) => name === 'blobs' || name === 'index')
      .sort(),
    ['blobs', 'index'],
  );
  assert.ok(rig.exists('.lhb/logs') && rig.exists('.lhb/jobs') && !rig.exists('.lhb/blobs'));
  const other = rig.copy('other', ['runs']);
  rig.ranSince();
  const ended = await rig.lhbWith({ cwd: other }, 'build', '--json');
  assert.is(ended.code, 0, ended.stderr);
  assert.match(ended.stdout, /"restored":\s*9/);
});

rigTest('link: copy, hardlink and auto give the same outputs', async (rig) => {
  writeSweep(rig);
  await rig.ok('build');
  const before = Object.keys(rig.tree('runs'));
  for (const link of ['copy', 'hardlink', 'auto']) {
    rig.remove('runs');
    rig.edit('lhb.yaml', 'output: runs\n', `output: runs\nlink: ${link}\n`);
    await rig.ok('build');
    assert.equal(Object.keys(rig.tree('runs')), before, link);
    rig.edit('lhb.yaml', `link: ${link}\n`, '');
  }
});

rigTest('jobs: what is running now', async (rig) => {
  const gates = new Gates(rig, ['g']);
  rig.workflow(`
    rules:
      waits: { outputs: { o: o.txt }, run: '${Gates.command('g')}; echo > \${{ outputs.o }}' }
      other: { outputs: { o: o.txt }, inputs: { i: "\${{ waits.outputs.o }}" }, run: 'echo > \${{ outputs.o }}' }
  `);
  const ids = new Map((await rig.summary()).jobs.map((job) => [job.rule, job.id]));
  const build = rig.start({}, 'build');
  await gates.reached(1);
  const text = (await rig.ok('jobs')).stdout;
  assert.match(text, ids.get('waits') ?? '');
  assert.not.match(text, ids.get('other') ?? '');
  assert.match(JSON.stringify(await rig.json('jobs')), ids.get('waits') ?? '');
  gates.open('g');
  await build.done;
  assert.not.match((await rig.ok('jobs')).stdout, ids.get('waits') ?? '');
});

rigTest('build --check reruns and compares: it names the job whose bytes differ', async (rig) => {
  rig.workflow(`
    rules:
      same: { dir: same, outputs: { o: o.txt }, run: '${ran('same')}; echo same > \${{ outputs.o }}' }
      other: { dir: other, outputs: { o: o.txt }, run: '${ran('other')}; date +%s%N > \${{ outputs.o }}' }
  `);
  await rig.runs(['other', 'same']);
  const ended = await rig.lhb('build', '--check');
  assert.equal(rig.ranSince(), ['other', 'same']);
  const ids = new Map((await rig.summary()).jobs.map((job) => [job.rule, job.id]));
  const told = (ended.stdout + ended.stderr).split('\n').filter((line) => /other bytes|differ/.test(line));
  assert.ok(
    told.some((line) => line.includes(ids.get('other') ?? '?') || line.includes('other/o.txt')),
    ended.stderr,
  );
  assert.not(told.some((line) => line.includes(ids.get('same') ?? '?')));
});

rigTest('build --watch builds again when a file changes, until it is interrupted', async (rig) => {
  rig.write('in.txt', 'one\n');
  rig.workflow(`
    rules: { r: { dir: r, inputs: { i: in.txt }, outputs: { o: o.txt }, run: '${ran('r')}; cp \${{ inputs.i }} \${{ outputs.o }}' } }
  `);
  const watch = rig.start({}, 'build', '--watch');
  const shows = (text: string): boolean => rig.exists('r/o.txt') && rig.read('r/o.txt') === text;
  await rig.until('the first build', () => shows('one\n'));
  rig.write('in.txt', 'two\n');
  await rig.until('the second build', () => shows('two\n'));
  rig.edit('lhb.yaml', 'cp ', 'echo three; cp ');
  await rig.until('the third build', () => rig.read('ran.log') === 'r\nr\nr\n');
  watch.child.kill('SIGINT');
  const { code } = await watch.done;
  assert.ok(code === 130 || code === 0, String(code));
});

rigTest('lint warns of scalars that YAML 1.1 reads otherwise, and of an empty word', async (rig) => {
  rig.write('c.yaml', 'plain: 1\nword: yes\ntime: 12:30:45\ngrouped: 1_000\nzero: 012\n');
  rig.workflow(`
    config: c.yaml
    rules:
      r: { outputs: { o: o.txt }, run: "echo \${{ config.plain > 0 ? '-s' : '' }} > \${{ outputs.o }}" }
  `);
  const ended = await rig.lhb('lint');
  assert.ok(ended.code === 0 || ended.code === 1 || ended.code === 2);
  const text = ended.stdout + ended.stderr;
  for (const line of [2, 3, 4, 5]) assert.match(text, new RegExp(`c\\.yaml:${line}:`), `line ${line}`);
  assert.not.match(text, /c\.yaml:1:/);
  assert.match(text, /lhb\.yaml:4:/, 'the empty word');
  rig.write('c.yaml', 'plain: 1\n');
  rig.edit('lhb.yaml', "'-s' : ''", "['-s'] : []");
  const clean = await rig.ok('lint');
  assert.not.match(clean.stdout + clean.stderr, /warning/i);
});

rigTest('--version, --help, an unknown command, an unknown option', async (rig) => {
  assert.match((await rig.ok('--version')).stdout, /\d+\.\d+\.\d+/);
  const help = (await rig.ok('--help')).stdout;
  for (const command of [
    'build',
    'summary',
    'forcerun',
    'why',
    'show',
    'logs',
    'ls',
    'graph',
    'touch',
    'restore',
    'verify',
    'jobs',
    'lint',
  ])
    assert.match(help, command);
  assert.match((await rig.ok('build', '--help')).stdout, '--keep-going');
  assert.match((await rig.exits(2, 'biuld')).stderr, 'build');
  assert.match((await rig.exits(2, 'build', '--keep-gong')).stderr, '--keep-going');
});

rigTest(
  'why goes on into the configs of upstream jobs, and says of a job that ran what was new about it',
  async (rig) => {
    await builtSweep(rig);
    rig.edit('conf/model/big.yaml', 'depth: 8', 'depth: 9');
    const { id } = await rig.job("where:sampler.name=='hmc' && target.target.name=='b'");
    const all = await reasons(rig, id);
    assert.ok(all.includes('config target.model.depth: 8 → 9'), all.join('\n'));
    await rig.ok('build');
    const text = (await rig.ok('why', id)).stdout;
    assert.match(text, 'FRESH');
    assert.match(text, 'target.model.depth: 8 → 9');
    const document = asMap(await rig.json('why', id));
    assert.equal(document['reasons'], []);
    assert.match(JSON.stringify(document['last_differences']), '"path":"target.model.depth","old":"8","new":"9"');
  },
);

rigTest('commands and paths are shown as they are on disk', async (rig) => {
  await builtSweep(rig);
  const { id, dir } = await rig.job("where:sampler.name=='hmc' && target.target.name=='b'");
  for (const args of [
    ['show', id],
    ['show', id, '--json'],
    ['summary', '--detailed', id],
  ]) {
    const shown = (await rig.ok(...args)).stdout.replace(/"parts":\[.*?\]/, '');
    assert.match(shown, `${dir}/analysis.json`);
    assert.not.match(shown, '${{ output }}', args.join(' '));
  }
});

rigTest('a dropped temp output is brought back where its job is selected: build, restore', async (rig) => {
  rig.workflow(`
    rules:
      raw: { dir: d, outputs: { o: { path: raw.txt, temp: true } }, run: '${ran('raw')}; echo raw > \${{ outputs.o }}' }
      end: { dir: d, inputs: { i: "\${{ raw.outputs.o }}" }, outputs: { o: end.txt }, run: '${ran('end')}; cp \${{ inputs.i }} \${{ outputs.o }}' }
  `);
  await rig.runs(['raw', 'end']);
  assert.not(rig.exists('d/raw.txt'));
  await rig.runs([]);
  assert.not(rig.exists('d/raw.txt'), 'nobody asked for it');
  for (const command of ['build', 'restore']) {
    await rig.runs([], command, 'raw');
    assert.is(rig.read('d/raw.txt'), 'raw\n', command);
    rig.remove('d/raw.txt');
  }
});

test.run();
