// What a change makes run, counted by what the jobs themselves left behind.
import { linkSync, mkdirSync, rmSync, statSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ran, rigTest } from '../support/rig.ts';
import { builtSweep, SWEEP_JOBS, writeSweep } from '../support/sweep.ts';

rigTest('a sweep is built from nothing, and a second build runs nothing', async (rig) => {
  writeSweep(rig);
  await rig.runs(SWEEP_JOBS);
  const before = rig.tree('runs');
  await rig.runs([]);
  assert.equal(rig.tree('runs'), before);
});

rigTest('the setting of one sampler runs exactly its runs, and nothing when it is changed back', async (rig) => {
  await builtSweep(rig);
  rig.edit('config/experiments.yaml', 'steps: 20', 'steps: 30');
  await rig.runs(['run a hmc', 'run b hmc', 'run c hmc']);
  await rig.runs([]);
  rig.edit('config/experiments.yaml', 'steps: 30', 'steps: 20');
  await rig.runs([]);
});

rigTest('a preset runs exactly the targets that use it and their runs, and nothing when changed back', async (rig) => {
  await builtSweep(rig);
  const small = SWEEP_JOBS.filter((name) => !/ b( |$)/.test(name));
  rig.edit('conf/model/small.yaml', 'depth: 2', 'depth: 3');
  await rig.runs(small);
  rig.edit('conf/model/small.yaml', 'depth: 3', 'depth: 2');
  await rig.runs([]);
  rig.edit('conf/model/big.yaml', 'widths: [16, 16]', 'widths: [16, 32]');
  await rig.runs(SWEEP_JOBS.filter((name) => / b( |$)/.test(name)));
});

rigTest('deleted outputs are restored to the byte, not rerun', async (rig) => {
  await builtSweep(rig);
  const before = rig.tree('runs');
  rig.remove('runs');
  await rig.runs([]);
  assert.equal(rig.tree('runs'), before);
  const [gone] = Object.keys(before).filter((path) => path.endsWith('params.txt'));
  rig.remove(`runs/${gone}`);
  await rig.runs([]);
  assert.equal(rig.tree('runs'), before);
});

rigTest('a comment in the training script reruns the targets and keeps the runs', async (rig) => {
  await builtSweep(rig);
  const before = rig.tree('runs');
  rig.append('train.sh', '# a comment that changes nothing\n');
  await rig.runs(['target a', 'target b', 'target c']);
  await rig.runs([]);
  const after = rig.tree('runs');
  const changed = Object.keys(after).filter((path) => after[path] !== before[path]);
  assert.is(changed.length, 3, `files with other bytes: ${changed.join(' ')}`);
  assert.ok(changed.every((path) => path.endsWith('meta.json')));
});

rigTest('a change of code that changes bytes runs all that is downstream', async (rig) => {
  await builtSweep(rig);
  rig.edit('train.sh', 'echo "params $sum"', 'echo "weights $sum"');
  await rig.runs(SWEEP_JOBS);
  await rig.runs([]);
});

rigTest('an added entry leaves the other jobs alone; so do a removed one and another order', async (rig) => {
  await builtSweep(rig);
  rig.append('config/experiments.yaml', '  - { name: vi, steps: 5 }\n');
  await rig.runs(['run a vi', 'run b vi', 'run c vi']);
  rig.edit('config/experiments.yaml', '  - { name: hmc, steps: 20 }\n', '');
  await rig.runs([]);
  rig.append('config/experiments.yaml', '  - { steps: 20, name: hmc }\n');
  await rig.runs([]);
});

rigTest('unkeyed fields, comments, layout of files, times of files: nothing runs', async (rig) => {
  await builtSweep(rig);
  rig.edit('conf/base.yaml', 'verbose: false', 'verbose: true');
  await rig.runs([]);
  rig.write('conf/model/small.yaml', '# two small layers\nwidths:\n  - 4\n  - 4\ndepth: 2\n');
  rig.edit('lhb.yaml', 'output: runs\n', 'output: runs # as ever\n');
  await rig.runs([]);
  const later = new Date(Date.now() + 60_000);
  for (const path of ['train.sh', 'lhb.yaml', 'conf/base.yaml', 'conf/model/big.yaml']) {
    utimesSync(rig.path(path), later, later);
  }
  for (const path of Object.keys(rig.tree('runs'))) utimesSync(rig.path(`runs/${path}`), later, later);
  await rig.runs([]);
});

rigTest('what is in no key runs nothing: resources, retries, timeout, priority, log and the like', async (rig) => {
  rig.workflow(`
    rules:
      a:
        outputs: { o: a.txt }
        resources: { cpus: 1 }
        run: ${ran('a')}; echo cpus \${{ resources.cpus }} > \${{ outputs.o }}
      b:
        inputs: { i: "\${{ a.outputs.o }}" }
        outputs: { o: b.txt }
        run: ${ran('b')}; cp \${{ inputs.i }} \${{ outputs.o }}
  `);
  await rig.runs(['a', 'b']);
  const fields = [
    'retries: 3',
    'timeout: 2h',
    'priority: 10',
    'log: "logs/${{ job.id }}.log"',
    'cache: false',
    'localrule: true',
    'keep_env: [LANG]',
    'group: g',
    'scratch: scratch',
    'temp: false',
    'retry_on: [exit]',
  ];
  for (const field of fields) {
    rig.edit('lhb.yaml', 'outputs: { o: b.txt }\n', `outputs: { o: b.txt }\n    ${field}\n`);
  }
  rig.edit('lhb.yaml', 'cpus: 1', 'cpus: 2, mem_mb: 50, time: "00:10:00"');
  await rig.runs([]);
  await rig.runs([], 'build', '--set-resources', 'a:mem_mb=20', '--retries', '1', '-j', '1');
});

rigTest('an input file: edited it reruns exactly its jobs, changed back nothing', async (rig) => {
  rig.write('in/x.txt', '1\n');
  rig.write('in/y.txt', '2\n');
  rig.workflow(`
    rules:
      copy:
        for: { name: [x, y] }
        inputs: { i: "in/\${{ name }}.txt" }
        outputs: { o: "\${{ name }}.txt" }
        run: ${ran('copy ${{ name }}')}; cp \${{ inputs.i }} \${{ outputs.o }}
  `);
  await rig.runs(['copy x', 'copy y']);
  rig.write('in/x.txt', '3\n');
  await rig.runs(['copy x']);
  rig.write('in/x.txt', '1\n');
  await rig.runs([]);
  const [x] = (await rig.job("where:name=='x'")).outputs;
  assert.is(rig.read(x?.path ?? ''), '1\n');
});

rigTest('a glob that gains, loses or renames a file reruns its job', async (rig) => {
  rig.write('data/1.csv', 'a\n');
  rig.workflow(`
    rules:
      count:
        inputs: { rows: "data/*.csv" }
        outputs: { o: rows.txt }
        run: ${ran('count')}; cat \${{ inputs.rows }} > \${{ outputs.o }}
  `);
  await rig.runs(['count']);
  rig.write('data/note.md', 'not of the glob\n');
  await rig.runs([]);
  rig.write('data/2.csv', 'b\n');
  await rig.runs(['count']);
  rig.remove('data/2.csv');
  rig.write('data/3.csv', 'b\n');
  await rig.runs(['count']);
  rig.remove('data/3.csv');
  await rig.runs([]);
});

rigTest('code: another file, other content, a file more', async (rig) => {
  rig.write('lib/one.sh', 'echo one\n');
  rig.workflow(`
    rules:
      a:
        code: ["lib/**/*.sh"]
        outputs: { o: a.txt }
        run: ${ran('a')}; sh lib/one.sh > \${{ outputs.o }}
  `);
  await rig.runs(['a']);
  rig.write('lib/one.sh', 'echo two\n');
  await rig.runs(['a']);
  rig.write('lib/deep/er.sh', 'true\n');
  await rig.runs(['a']);
  rig.write('lib/readme.txt', 'not code\n');
  await rig.runs([]);
  rig.remove('lib/deep');
  await rig.runs([]);
});

rigTest("env: and the command: changed they rerun the rule's jobs, changed back nothing", async (rig) => {
  rig.workflow(`
    rules:
      a:
        env: { MODE: fast }
        outputs: { o: a.txt }
        run: ${ran('a')}; echo $MODE > \${{ outputs.o }}
      b:
        outputs: { o: b.txt }
        run: ${ran('b')}; echo b > \${{ outputs.o }}
  `);
  await rig.runs(['a', 'b']);
  rig.edit('lhb.yaml', 'MODE: fast', 'MODE: slow');
  await rig.runs(['a']);
  rig.edit('lhb.yaml', 'echo b >', 'echo bb >');
  await rig.runs(['b']);
  rig.edit('lhb.yaml', 'MODE: slow', 'MODE: fast');
  rig.edit('lhb.yaml', 'echo bb >', 'echo b >');
  await rig.runs([]);
  assert.is(rig.read((await rig.job('a')).outputs[0]?.path ?? ''), 'fast\n');
  assert.is(rig.read((await rig.job('b')).outputs[0]?.path ?? ''), 'b\n');
});

rigTest("the caller's environment is in no key", async (rig) => {
  rig.workflow(`
    rules: { a: { outputs: { o: a.txt }, run: '${ran('a')}; echo "$WHO" > \${{ outputs.o }}' } }
  `);
  await rig.lhbWith({ env: { WHO: 'me' } }, 'build');
  assert.equal(rig.ranSince(), ['a']);
  const ended = await rig.lhbWith({ env: { WHO: 'you', LANG: 'tr_TR.UTF-8', USER: 'you' } }, 'build');
  assert.is(ended.code, 0, ended.stderr);
  assert.equal(rig.ranSince(), []);
});

rigTest('declared outputs count: another name, path, ignore or tree is another action', async (rig) => {
  rig.workflow(`
    rules:
      a: { outputs: { o: a.json }, dir: out, run: '${ran('a')}; echo "{}" > out/a.json; mkdir -p out/t; echo > out/t/x' }
  `);
  await rig.runs(['a']);
  rig.edit('lhb.yaml', '{ o: a.json }', '{ p: a.json }');
  await rig.runs(['a']);
  rig.edit('lhb.yaml', '{ p: a.json }', '{ p: { path: a.json, ignore: [/t] } }');
  await rig.runs(['a']);
  rig.edit('lhb.yaml', '{ p: { path: a.json, ignore: [/t] } }', '{ p: a.json, t: t/ }');
  await rig.runs(['a']);
  rig.edit('lhb.yaml', '{ p: a.json, t: t/ }', '{ o: a.json }');
  await rig.runs([]);
});

rigTest('keyed: false must exist and is built first, but counts in no key', async (rig) => {
  rig.workflow(`
    rules:
      db:
        dir: db
        outputs: { o: big.db }
        code: [v.txt]
        run: ${ran('db')}; cp v.txt \${{ outputs.o }}
      use:
        inputs: { db: { path: "\${{ db.outputs.o }}", keyed: false }, leaf: { path: leaf.txt, keyed: false } }
        outputs: { o: use.txt }
        run: ${ran('use')}; cat \${{ inputs.db }} \${{ inputs.leaf }} > \${{ outputs.o }}
  `);
  rig.write('v.txt', '1\n');
  const ended = await rig.exits(2, 'build');
  assert.match(ended.stderr, 'leaf.txt');
  assert.equal(rig.ranSince(), []);
  rig.write('leaf.txt', 'one\n');
  await rig.ok('build');
  assert.equal(rig.ranInOrder(), ['db', 'use']);
  rig.write('leaf.txt', 'two\n');
  await rig.runs([]);
  rig.write('v.txt', '2\n');
  await rig.runs(['db']);
});

rigTest('a list inside a binding over which a later name iterates: one more seed is one more job', async (rig) => {
  rig.write('c.yaml', 'experiments:\n  - { name: a, seeds: [1, 2] }\n  - { name: b, seeds: [1] }\n');
  rig.workflow(`
    config: c.yaml
    rules:
      fit:
        for: { exp: "\${{ config.experiments }}", seed: "\${{ exp.seeds }}" }
        outputs: { o: o.txt }
        run: ${ran('${{ exp.name }} ${{ seed }}')}; echo > \${{ outputs.o }}
  `);
  await rig.runs(['a 1', 'a 2', 'b 1']);
  rig.edit('c.yaml', '[1, 2]', '[1, 2, 3]');
  await rig.runs(['a 3']);
  rig.edit('c.yaml', '{ name: b, seeds', '{ name: b, lr: 0.1, seeds');
  await rig.runs(['b 1']);
});

rigTest('a moved work tree stays fresh', async (rig) => {
  await builtSweep(rig);
  const before = rig.tree('runs');
  rig.move('somewhere else');
  await rig.runs([]);
  assert.equal(rig.tree('runs'), before);
  rig.remove('runs');
  await rig.runs([]);
  assert.equal(rig.tree('runs'), before);
});

rigTest('another output root computes nothing again', async (rig) => {
  await builtSweep(rig);
  const before = rig.tree('runs');
  rig.edit('lhb.yaml', 'output: runs', 'output: results/of/mine');
  await rig.runs([]);
  assert.equal(rig.tree('results/of/mine'), before);
});

rigTest('an output edited in place is put right and never passed on', async (rig) => {
  await builtSweep(rig);
  const before = rig.tree('runs');
  const target = await rig.job("where:target.name=='a'");
  const params = target.outputs.find((output) => output.path.endsWith('params.txt'))?.path ?? '';
  rig.write(params, 'params of somebody else\n');
  rig.edit('config/experiments.yaml', 'steps: 20', 'steps: 30');
  const ended = await rig.ok('build');
  const jobs = rig.ranSince();
  const runs = jobs.filter((name) => name.startsWith('run'));
  assert.equal(runs, ['run a hmc', 'run b hmc', 'run c hmc']);
  assert.ok(jobs.length - runs.length <= 1, `ran: ${jobs.join(', ')}`);
  assert.match(ended.stderr, params, 'the edited file is reported');
  const after = rig.tree('runs');
  for (const path of Object.keys(before).filter((name) => !name.endsWith('meta.json'))) {
    assert.is(after[path], before[path], path);
  }
  const analyses = Object.keys(after).filter((path) => path.endsWith('analysis.json'));
  assert.ok(analyses.every((path) => !rig.read(`runs/${path}`).includes('somebody else')));
  rig.edit('config/experiments.yaml', 'steps: 30', 'steps: 20');
  await rig.runs([]);
});

rigTest('an output replaced by another file is restored', async (rig) => {
  await builtSweep(rig);
  const before = rig.tree('runs');
  const [path] = Object.keys(before).filter((name) => name.endsWith('analysis.json'));
  rig.remove(`runs/${path}`);
  rig.write(`runs/${path}`, '{}\n');
  await rig.runs([]);
  assert.equal(rig.tree('runs'), before);
});

rigTest('early cutoff in a chain, and no early cutoff for what reads the changed part', async (rig) => {
  rig.write('in.txt', 'x 1\n');
  rig.workflow(`
    rules:
      a:
        inputs: { i: in.txt }
        outputs: { o: a.txt }
        run: ${ran('a')}; cp \${{ inputs.i }} \${{ outputs.o }}
      b:
        inputs: { i: "\${{ a.outputs.o }}" }
        outputs: { first: first.txt, second: second.txt }
        run: ${ran('b')}; cut -d' ' -f1 \${{ inputs.i }} > \${{ outputs.first }}; cut -d' ' -f2 \${{ inputs.i }} > \${{ outputs.second }}
      c:
        inputs: { i: "\${{ b.outputs.first }}" }
        outputs: { o: c.txt }
        run: ${ran('c')}; cp \${{ inputs.i }} \${{ outputs.o }}
      d:
        inputs: { i: "\${{ b.outputs.second }}" }
        outputs: { o: d.txt }
        run: ${ran('d')}; cp \${{ inputs.i }} \${{ outputs.o }}
      whole:
        inputs: { b: "\${{ b }}" }
        outputs: { o: e.txt }
        run: ${ran('whole')}; cat \${{ b.outputs.first }} \${{ b.outputs.second }} > \${{ outputs.o }}
  `);
  await rig.runs(['a', 'b', 'c', 'd', 'whole']);
  rig.write('in.txt', 'x 2\n');
  await rig.runs(['a', 'b', 'd', 'whole']);
  rig.write('in.txt', 'x 2 and what nobody reads\n');
  await rig.runs(['a', 'b']);
  await rig.runs([]);
});

rigTest(
  'a volatile field counts where it is not ignored, and a file that is no JSON counts with all its bytes',
  async (rig) => {
    rig.write('v.txt', '1');
    rig.workflow(`
    rules:
      a:
        code: [v.txt]
        outputs: { seen: s.json, ignored: { path: i.json, ignore: [/at, /host/name] }, text: { path: t.json, ignore: [/at] } }
        run: |
          ${ran('a')}
          for f in \${{ outputs.seen }} \${{ outputs.ignored }}; do
            echo '{"at": '$(date +%s%N)', "host": {"name": "'$RANDOM'", "cpus": 2}, "value": 1}' > $f
          done
          cat v.txt > \${{ outputs.text }}
          echo ' is no JSON' >> \${{ outputs.text }}
      seen: { inputs: { i: "\${{ a.outputs.seen }}" }, outputs: { o: seen.txt }, run: '${ran('seen')}; echo > \${{ outputs.o }}' }
      ignored: { inputs: { i: "\${{ a.outputs.ignored }}" }, outputs: { o: ign.txt }, run: '${ran('ignored')}; echo > \${{ outputs.o }}' }
      text: { inputs: { i: "\${{ a.outputs.text }}" }, outputs: { o: text.txt }, run: '${ran('text')}; echo > \${{ outputs.o }}' }
  `);
    const first = await rig.runs(['a', 'ignored', 'seen', 'text']);
    assert.match(first.stderr, 't.json', 'a warning names the file that is no JSON');
    rig.write('v.txt', '2');
    await rig.runs(['a', 'seen', 'text']);
    await rig.runs([]);
  },
);

rigTest('an input outside the folder of the workflow counts by its name and content, not by its path', async (rig) => {
  const outside = (name: string): string => `../${name}/big.txt`;
  rig.write(outside('here'), 'big\n');
  rig.write(outside('there'), 'big\n');
  const workflow = (place: string): void =>
    rig.workflow(`
      rules:
        r: { inputs: { big: ${place} }, outputs: { o: o.txt }, run: '${ran('r')}; cat ../*/big.txt > \${{ outputs.o }}' }
    `);
  workflow(outside('here'));
  await rig.runs(['r']);
  workflow(rig.path(outside('there')));
  await rig.runs([]);
  rig.write(outside('there'), 'bigger\n');
  await rig.runs(['r']);
});

rigTest('a file that is touched, rewritten with the same bytes or made by git again runs nothing', async (rig) => {
  rig.write('in.txt', 'one\n');
  rig.workflow(`
    rules:
      r: { inputs: { i: in.txt }, outputs: { o: o.txt }, run: '${ran('r')}; cp \${{ inputs.i }} \${{ outputs.o }}' }
  `);
  await rig.runs(['r']);
  rig.remove('in.txt');
  rig.write('in.txt', 'one\n');
  await rig.runs([]);
  // The same size in the same tick of the clock: only the bytes tell.
  rig.write('in.txt', 'two\n');
  await rig.runs(['r']);
  rig.write('in.txt', 'six\n');
  await rig.runs(['r']);
});

rigTest('a change of a file with its size and mtime kept is still seen', async (rig) => {
  rig.write('in.txt', 'one\n');
  const then = new Date(Date.now() - 3_600_000);
  utimesSync(rig.path('in.txt'), then, then);
  rig.workflow(`
    rules:
      r: { inputs: { i: in.txt }, outputs: { o: o.txt }, run: '${ran('r')}; cp \${{ inputs.i }} \${{ outputs.o }}' }
  `);
  await rig.runs(['r']);
  rig.write('in.txt', 'two\n');
  utimesSync(rig.path('in.txt'), then, then);
  await rig.runs(['r']);
});

rigTest('an input outside the folder counts by its name and content, not by its path', async (rig) => {
  for (const user of ['ann', 'bob']) {
    mkdirSync(`${rig.base}/${user}/set`, { recursive: true });
    writeFileSync(`${rig.base}/${user}/set/a.txt`, 'a\n');
    writeFileSync(`${rig.base}/${user}/db.txt`, 'db\n');
  }
  rig.workflow(`
    rules:
      r:
        inputs: { db: ${rig.base}/ann/db.txt, set: ${rig.base}/ann/set/, more: ['../ann/db.txt', '${rig.base}/ann/set/a.txt'] }
        outputs: { o: o.txt }
        env: { DB: "\${{ inputs.db }}" }
        run: '${ran('r')}; cat \${{ inputs.db }} "\${{ inputs.set }}/a.txt" \${{ inputs.more }} $DB > \${{ outputs.o }}'
  `);
  await rig.runs(['r']);
  assert.is(rig.read((await rig.job('r')).outputs[0]?.path ?? ''), 'db\na\ndb\na\ndb\n');
  rig.write('lhb.yaml', rig.read('lhb.yaml').replaceAll('/ann/', '/bob/'));
  await rig.runs([]);
  writeFileSync(`${rig.base}/bob/set/a.txt`, 'b\n');
  await rig.runs(['r']);
});

rigTest('the output root counts in no key, wherever its paths stand: for, config, env, lists', async (rig) => {
  rig.workflow(`
    output: runs
    rules:
      t: { for: { n: [1, 2] }, outputs: { o: o.txt }, run: '${ran('t')}; echo \${{ n }} > \${{ outputs.o }}' }
      layers: { for: { q: "\${{ t }}" }, config: [{ set: { base: "\${{ output }}/x", from: "\${{ q.dir }}" } }], outputs: { o: o.txt }, run: '${ran('layers')}; cp $LHB_CONFIG \${{ outputs.o }}' }
      paths: { for: { p: "\${{ t.map(x, x.outputs.o) }}" }, inputs: { p: "\${{ p }}" }, outputs: { o: o.txt }, run: '${ran('paths')}; cp \${{ p }} \${{ outputs.o }}' }
      below: { for: { q: "\${{ paths }}" }, config: { c: "\${{ q.config }}" }, outputs: { o: o.txt }, run: '${ran('below')}; cp \${{ q.p }} \${{ outputs.o }}' }
      joined: { for: { p: "\${{ t.map(x, x.outputs.o) }}" }, outputs: { o: o.txt }, inputs: { of: "\${{ paths.only({'p': p})[0] }}" }, run: '${ran('joined')}; cat \${{ listfile([p]) }} > \${{ outputs.o }}' }
  `);
  const each2 = ['below', 'joined', 'layers', 'paths', 't'];
  await rig.runs([...each2, ...each2]);
  const ids = (await rig.summary()).jobs.map((job) => job.id).sort();
  const layers = await rig.summary('summary', 'layers');
  assert.match(rig.read(layers.jobs[0]?.outputs[0]?.path ?? ''), /^base: runs\/x\nfrom: runs\/t\/t_/);
  rig.edit('lhb.yaml', 'output: runs', 'output: elsewhere/deep');
  await rig.runs([]);
  assert.equal((await rig.summary()).jobs.map((job) => job.id).sort(), ids);
  await rig.ok('forcerun', 'layers');
  const again = await rig.summary('summary', 'layers');
  assert.match(
    rig.read(again.jobs[0]?.outputs[0]?.path ?? ''),
    /^base: elsewhere\/deep\/x\nfrom: elsewhere\/deep\/t\/t_/,
  );
});

rigTest(
  'a command that asks for the size of a file has it, in its key too, as it is when the job starts',
  async (rig) => {
    rig.write('in.txt', 'x'.repeat(1_000_000));
    rig.workflow(`
    rules:
      a: { dir: a, inputs: { i: in.txt }, outputs: { o: a.bin }, run: 'cp \${{ inputs.i }} \${{ outputs.o }}' }
      b: { dir: b, inputs: { i: "\${{ a.outputs.o }}" }, outputs: { o: b.txt }, run: "echo \${{ file_mb('a/a.bin') }} > \${{ outputs.o }}" }
  `);
    await rig.ok('build', 'a');
    await rig.ok('build');
    assert.is(rig.read('b/b.txt'), '1.0\n');
    rig.write('in.txt', 'x'.repeat(3_000_000));
    await rig.ok('build');
    assert.is(rig.read('b/b.txt'), '3.0\n');
    assert.match((await rig.ok('build')).stderr, /nothing to do/);
  },
);

rigTest('the order of inputs and outputs, and a second name of an input, make no other job', async (rig) => {
  for (const name of ['a', 'b']) rig.write(`${name}.txt`, `${name}\n`);
  const write = (inputs: string, outputs: string, below: string): void =>
    rig.workflow(`
      rules:
        up: { dir: up, outputs: { ${outputs} }, run: '${ran('up')}; echo o > up/o; echo q > up/q' }
        r:
          dir: r
          inputs: { ${inputs} }
          outputs: { ${outputs} }
          run: ${ran('r')}; cat a.txt > r/o; cat up/o > r/q
        below: { inputs: { ${below} }, outputs: { o: o.txt }, run: '${ran('below')}; echo > \${{ outputs.o }}' }
    `);
  const up = ['x: "${{ up.outputs.o }}"', 'y: "${{ up.outputs.q }}"'];
  write(`a: a.txt, b: b.txt, ${up.join(', ')}`, 'o: o, q: q', 'u: "${{ up }}", r: "${{ r }}"');
  await rig.runs(['up', 'r', 'below']);
  write(`${up.reverse().join(', ')}, b: b.txt, a: a.txt`, 'q: q, o: o', 'r: "${{ r }}", u: "${{ up }}"');
  await rig.runs([]);
  write(`c: a.txt, ${up.join(', ')}, b: b.txt, a: a.txt, d: a.txt`, 'o: o, q: q', 'u: "${{ up }}", r: "${{ r }}"');
  await rig.runs([]);
  // The order of a list is seen by who reads it.
  write(`c: [a.txt, b.txt], ${up.join(', ')}`, 'o: o, q: q', 'u: "${{ up }}", r: "${{ r }}"');
  await rig.runs(['r']);
  write(`c: [b.txt, a.txt], ${up.join(', ')}`, 'o: o, q: q', 'u: "${{ up }}", r: "${{ r }}"');
  await rig.runs(['r']);
});

rigTest('an output is an edge, however its path is written', async (rig) => {
  const above = `../${basename(rig.dir)}`;
  for (const path of [
    `${rig.dir}/figures/o.txt`,
    `${above}/figures/o.txt`,
    `${rig.dir}/fig*/*.txt`,
    `${above}/figures/*`,
  ]) {
    rig.write('in.txt', '1\n');
    // As it is written, so that it is right wherever the job goes.
    const go = path.startsWith('/') ? 'cd /;' : '';
    rig.workflow(`
      rules:
        a: { dir: figures, inputs: { i: in.txt }, outputs: { o: o.txt }, run: "cat \${{ inputs.i }} > \${{ outputs.o }}" }
        b: { dir: b, inputs: { i: "${path}" }, outputs: { o: o.txt }, run: "${go} cat \${{ inputs.i }} > ${rig.dir}/\${{ outputs.o }}" }
    `);
    await rig.ok('build');
    rig.write('in.txt', '2\n');
    await rig.ok('build');
    assert.is(rig.read('b/o.txt'), '2\n', path);
  }
  await rig.ok('build');
  symlinkSync('figures', rig.path('link'));
  symlinkSync('figures/o.txt', rig.path('other.txt'));
  for (const path of ['link/o.txt', 'link/*.txt', 'other.txt', `${rig.dir}/link/o.txt`]) {
    rig.workflow(`
      rules:
        a: { dir: figures, inputs: { i: in.txt }, outputs: { o: o.txt }, run: "cat \${{ inputs.i }} > \${{ outputs.o }}" }
        b: { dir: b, inputs: { i: "${path}" }, outputs: { o: o.txt }, run: "cat \${{ inputs.i }} > \${{ outputs.o }}" }
    `);
    const { stderr } = await rig.exits(2, 'build');
    assert.match(stderr, 'graph/output-is-source');
    assert.match(stderr, 'to figures/o.txt, which is an output');
  }
});

rigTest('a file whose name is not UTF-8 is no input or code that could be keyed', async (rig) => {
  mkdirSync(rig.path('in'));
  rig.write('in/a.txt', 'a\n');
  const odd = Buffer.concat([Buffer.from(rig.path('in/')), Buffer.from([0xff])]);
  for (const make of [() => writeFileSync(odd, 'x'), () => mkdirSync(odd)]) {
    make();
    for (const field of ['inputs: { i: in/ }', 'inputs: { i: "in/*" }', 'code: ["in/*"]']) {
      rig.workflow(`
        rules: { r: { ${field}, outputs: { o: o.txt }, run: 'echo > \${{ outputs.o }}' } }
      `);
      if (field.includes('*') && statSync(odd).isDirectory()) continue;
      const { stderr } = await rig.exits(2, 'build');
      assert.match(stderr, 'error[file/name]', field);
      assert.match(stderr, 'is not UTF-8');
    }
    rig.workflow(`
      rules: { r: { inputs: { i: "in/*.txt" }, outputs: { o: o.txt }, run: 'echo > \${{ outputs.o }}' } }
    `);
    await rig.ok('build');
    rmSync(odd, { recursive: true });
  }
});

rigTest(
  'a file output may be a link to a source or an output on another disk, where `data` and `runs` are links',
  async (rig) => {
    for (const name of ['data', 'runs']) {
      mkdirSync(join(rig.base, 'big', name), { recursive: true });
      symlinkSync(join(rig.base, 'big', name), rig.path(name));
    }
    rig.write('data/s.txt', 'of big\n');
    rig.workflow(`
    rules:
      a:
        outputs: { o: o.txt, p: p.txt }
        run: ${ran('a')}; ln -s $PWD/data/s.txt \${{ outputs.o }}; echo p > \${{ outputs.p }}
      b:
        inputs: { i: "\${{ a.outputs.p }}" }
        outputs: { o: o.txt }
        run: ${ran('b')}; ln -s $PWD/\${{ inputs.i }} \${{ outputs.o }}
      c:
        inputs: { i: "\${{ a.outputs.o }}", j: "\${{ b }}" }
        outputs: { o: o.txt }
        run: ${ran('c')}; cat \${{ inputs.i }} > \${{ outputs.o }}
  `);
    await rig.runs(['a', 'b', 'c']);
    for (const env of [{}, { LHB_NO_SNAPSHOT: '1' }])
      assert.match((await rig.lhbWith({ env }, 'build', '-n')).stderr, /^nothing to do: 3 jobs fresh/);
  },
);

rigTest("a link in the place of an output that leads out, or into lhb's own folder, is no output", async (rig) => {
  rig.write('d/s.txt', 's\n');
  linkSync(rig.path('d/s.txt'), join(rig.base, 's.txt'));
  rig.workflow('rules: { a: { dir: a, outputs: { o: o.txt }, run: "ln -s $PWD/d/s.txt a/o.txt" } }');
  await rig.ok('build');
  await delay(1200); // what was written just now is in no snapshot
  await rig.ok('build');
  unlinkSync(rig.path('a/o.txt'));
  symlinkSync(join(rig.base, 's.txt'), rig.path('a/o.txt'));
  for (const env of [{}, { LHB_NO_SNAPSHOT: '1' }])
    assert.match((await rig.lhbWith({ env }, 'build', '-n')).stdout, 'edited: a/o.txt');
  await rig.ok('build');
  rig.edit('lhb.yaml', 'ln -s $PWD/d/s.txt', 'echo x > .lhb/x; ln -s $PWD/.lhb/x');
  assert.match((await rig.exits(1, 'build')).stderr, "the link a/o.txt leads into lhb's own folder");
});

rigTest("a job's log that the rule places is no file of a glob, nor are those of earlier attempts", async (rig) => {
  rig.write('logs/z', 'z\n');
  const workflow = (log: string): void =>
    rig.workflow(`
      rules:
        a: { log: ${log}, outputs: { o: o.txt }, run: "touch \${{ outputs.o }}" }
        b:
          for: { files: [ "\${{ glob('logs/*').size() }}" ] }
          code: ["logs/*"]
          inputs: { i: "logs/*", j: "\${{ a.outputs.o }}" }
          outputs: { o: o.txt }
          run: |
            ${ran('b ${{ files }}')}
            echo \${{ inputs.i }} > \${{ outputs.o }}
    `);
  workflow('logs/a.txt');
  await rig.runs(['b 1'], 'build', '-j1');
  await rig.runs([]);
  await rig.runs([], 'forcerun', 'a', '--only');
  assert.ok(rig.exists('logs/a.txt') && rig.exists('logs/a.txt.1'));
  await rig.runs([]);
  rig.remove('logs/a.txt.1');
  workflow('logs/other.txt');
  await rig.runs([]);
});

test.run();
