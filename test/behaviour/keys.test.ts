// Job ids: what moves them and what does not. Nothing is built here unless the action key is asked about.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseSummary } from '../support/json.ts';
import { ran, rigTest, type Rig, type StartOptions } from '../support/rig.ts';
import { writeSweep } from '../support/sweep.ts';

async function ids(rig: Rig, options: StartOptions = {}): Promise<readonly string[]> {
  const ended = await rig.lhbWith(options, 'summary', '--json');
  assert.is(ended.code, 0, `${ended.stdout}\n${ended.stderr}`);
  return parseSummary(JSON.parse(ended.stdout)).jobs.map((job) => job.id);
}

/** The id of the one job of a rule with this config, as flow YAML, and with these further lines of the rule. */
async function idOf(rig: Rig, config: string, more = ''): Promise<string> {
  rig.write('job.yaml', config);
  rig.workflow(`
    rules:
      r:
        config: [{ file: job.yaml }]
        outputs: { o: o.txt }
        run: echo > \${{ outputs.o }}
        ${more}
  `);
  const [id, ...others] = await ids(rig);
  assert.is(others.length, 0);
  return id ?? '';
}

rigTest('an id is the prefix and 12 hexadecimal digits; the prefix is the name of the rule by default', async (rig) => {
  rig.workflow(`
    rules:
      plain: { outputs: { o: a.txt }, run: 'echo \${{ job.id }} \${{ job.hash }} \${{ job.hash8 }} > \${{ outputs.o }}' }
      named: { prefix: tgt, outputs: { o: a.txt }, run: 'echo > \${{ outputs.o }}' }
  `);
  await rig.ok('build');
  const { jobs } = await rig.summary();
  const plain = jobs.find((job) => job.rule === 'plain');
  assert.match(plain?.id ?? '', /^plain_[0-9a-f]{12}$/);
  assert.match(jobs.find((job) => job.rule === 'named')?.id ?? '', /^tgt_[0-9a-f]{12}$/);
  assert.is(plain?.dir, `runs/plain/${plain?.id}`, 'the default folder is OUTPUT/RULE/ID');
  const [id = '', hash = '', hash8 = ''] = rig
    .read(plain?.outputs[0]?.path ?? '')
    .trim()
    .split(' ');
  assert.is(id, plain?.id);
  assert.match(hash, /^[0-9a-f]{64}$/);
  assert.is(id, `plain_${hash.slice(0, 12)}`);
  assert.is(hash8, hash.slice(0, 8));
});

rigTest('ids are the same in any folder, for any user, host, locale and time zone, in any commit', async (rig) => {
  writeSweep(rig);
  rig.edit('conf/base.yaml', 'lr: 0.01', 'lr: 0.01\nZ: 1\nz: 2\nä: 3\na: 4\nI: 5\ni: 6\nı: 7');
  const before = await ids(rig);
  assert.is(before.length, 9);
  const home = join(rig.base, 'other home');
  mkdirSync(home);
  const environments: readonly Readonly<Record<string, string | undefined>>[] = [
    { HOME: home },
    { USER: 'somebody', LOGNAME: 'somebody', HOSTNAME: 'elsewhere', HOST: 'elsewhere' },
    { LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8' },
    { LANG: 'C', LC_ALL: 'C' },
    { TZ: 'Pacific/Kiritimati' },
  ];
  for (const env of environments) assert.equal(await ids(rig, { env }), before, JSON.stringify(env));
  assert.equal(await ids(rig, { cwd: rig.copy('an other place') }), before, 'another folder');
  const author = ['-c', 'user.name=n', '-c', 'user.email=e@example.org'];
  execFileSync('git', ['init', '-q'], { cwd: rig.dir });
  execFileSync('git', [...author, 'commit', '-q', '--allow-empty', '-m', 'one'], { cwd: rig.dir });
  assert.equal(await ids(rig), before, 'a git commit');
});

rigTest(
  'ids do not move with the order of keys, the way YAML is written, 1 for 1.0, or how config is split',
  async (rig) => {
    const first = await idOf(rig, '{ a: 1, b: { c: [1, 2.5, x], d: null }, s: text }');
    const same = [
      's: text\nb: { d: ~, c: [1, 2.5, "x"] }\na: 1\n',
      '# a comment\n"a": 1.0\nb:\n  c:\n    - 1.0\n    - 25e-1\n    - \'x\'\n  d:\ns: >-\n  text\n',
      '{"a": 1, "b": {"c": [1, 2.5, "x"], "d": null}, "s": "text"}',
    ];
    for (const config of same) assert.is(await idOf(rig, config), first, config);
    rig.write('one.yaml', 'a: 1\n');
    rig.write('two.yaml', '{ d: null }\n');
    rig.workflow(`
    rules:
      r:
        config: [{ file: one.yaml }, { file: two.yaml, at: b }, { set: { b: { c: [1, 2.5, x] }, s: text } }]
        outputs: { o: o.txt }
        run: echo > \${{ outputs.o }}
  `);
    assert.equal(await ids(rig), [first], 'layers that give the same config');
  },
);

rigTest('every change of value moves the id', async (rig) => {
  const configs = [
    '{ a: 1, b: x }',
    '{ a: 2, b: x }',
    '{ a: -1, b: x }',
    '{ a: 1.5, b: x }',
    '{ a: "1", b: x }',
    '{ a: true, b: x }',
    '{ a: "true", b: x }',
    '{ a: null, b: x }',
    '{ a: "null", b: x }',
    '{ a: "", b: x }',
    '{ b: x }',
    '{ a: [1], b: x }',
    '{ a: [], b: x }',
    '{ a: {}, b: x }',
    '{ a: { b: x } }',
    '{ a: [1, 2], b: x }',
    '{ a: [2, 1], b: x }',
    '{ a: [[1], 2], b: x }',
    '{ a: .inf, b: x }',
    '{ a: .nan, b: x }',
    '{ a: 1, b: X }',
    '{ a: 1, c: x }',
    '{ a: 9007199254740992, b: x }',
    '{ a: 9007199254740993, b: x }',
    '{ a: 12345678901234567890, b: x }',
    '{ a: 12345678901234567891, b: x }',
  ];
  const seen = new Map<string, string>();
  for (const config of configs) {
    const id = await idOf(rig, config);
    assert.is(seen.get(id), undefined, `${config} has the id of ${seen.get(id)}`);
    seen.set(id, config);
  }
});

rigTest('a missing field is not null', async (rig) => {
  assert.is.not(await idOf(rig, '{ a: 1 }'), await idOf(rig, '{ a: 1, b: null }'));
  assert.is.not(await idOf(rig, '{ a: 1, m: {} }'), await idOf(rig, '{ a: 1, m: { b: null } }'));
});

rigTest('unkeyed paths do not count, at any depth, present or not; their neighbours do', async (rig) => {
  const unkeyed = 'unkeyed: [runtime, model.debug]';
  const first = await idOf(rig, '{ lr: 1, runtime: { threads: 2 }, model: { depth: 2, debug: true } }', unkeyed);
  assert.is(await idOf(rig, '{ lr: 1, runtime: { threads: 9 }, model: { depth: 2, debug: [] } }', unkeyed), first);
  assert.is(await idOf(rig, '{ lr: 1, runtime: here, model: { depth: 2 } }', unkeyed), first);
  assert.is(await idOf(rig, '{ lr: 1, model: { depth: 2 } }', unkeyed), first);
  assert.is.not(await idOf(rig, '{ lr: 1, model: { depth: 3 } }', unkeyed), first);
  assert.is.not(await idOf(rig, '{ lr: 1, model: { depth: 2 }, debug: 1 }', unkeyed), first);
});

rigTest('the prefix counts, the name of the rule does not', async (rig) => {
  const first = await idOf(rig, '{ a: 1 }', 'prefix: p');
  assert.is.not((await idOf(rig, '{ a: 1 }', 'prefix: q')).slice(2), first.slice(2));
  rig.edit('lhb.yaml', '  r:', '  another:');
  rig.edit('lhb.yaml', 'prefix: q', 'prefix: p');
  assert.equal(await ids(rig), [first]);
});

rigTest('what belongs to the action key alone leaves the id where it is', async (rig) => {
  rig.write('one.txt', '1');
  rig.write('two.txt', '2');
  const first = await idOf(rig, '{ a: 1 }');
  const fields = [
    'inputs: { i: one.txt }',
    'inputs: { j: two.txt }',
    'code: [one.txt]',
    'env: { A: b }',
    'dir: elsewhere',
    'shell: [sh, -eu]',
    'resources: { cpus: 2 }',
  ];
  for (const field of fields) assert.is(await idOf(rig, '{ a: 1 }', field), first, field);
  rig.edit('lhb.yaml', 'run: echo >', 'run: date >');
  rig.edit('lhb.yaml', '{ o: o.txt }', '{ o: p.txt, t: tree/ }');
  assert.equal(await ids(rig), [first]);
});

rigTest('job hashes of jobs that for and inputs name count; what is unkeyed upstream does not', async (rig) => {
  const write = (config: string, use: string): void => {
    rig.write('job.yaml', config);
    rig.workflow(`
      rules:
        up: { config: [{ file: job.yaml }], unkeyed: [u], outputs: { o: o.txt }, run: 'echo > \${{ outputs.o }}' }
        down: { ${use}, outputs: { o: o.txt }, run: 'echo > \${{ outputs.o }}' }
    `);
  };
  const down = async (): Promise<string> => (await ids(rig)).find((id) => id.startsWith('down_')) ?? '';
  const uses = [
    'for: { one: "${{ up }}" }',
    "for: { b: \"${{ [{'job': up[0], 'n': 1}] }}\" }",
    'inputs: { i: "${{ up.outputs.o }}" }',
    'inputs: { i: "${{ up.map(u, u.outputs.o) }}" }',
    'inputs: { i: "${{ up }}" }',
  ];
  for (const use of uses) {
    if (use.includes('up[0]') || use.includes('up.map')) {
      write('{ a: 1, u: 1 }', use);
      rig.edit('lhb.yaml', 'up: { config', 'up: { for: { one: [1] }, config');
      const first = await down();
      rig.edit('job.yaml', 'u: 1', 'u: 2');
      assert.is(await down(), first, `${use}: unkeyed upstream`);
      rig.edit('job.yaml', 'a: 1', 'a: 2');
      assert.is.not(await down(), first, `${use}: config upstream`);
      continue;
    }
    write('{ a: 1, u: 1 }', use);
    const first = await down();
    write('{ a: 1, u: 2 }', use);
    assert.is(await down(), first, `${use}: unkeyed upstream`);
    write('{ a: 2, u: 1 }', use);
    assert.is.not(await down(), first, `${use}: config upstream`);
  }
});

rigTest('a path to the output of a rule that no expression names counts in the action key only', async (rig) => {
  rig.write('job.yaml', '{ a: 1 }');
  rig.workflow(`
    rules:
      up: { config: [{ file: job.yaml }], dir: up, outputs: { o: o.txt }, run: '${ran('up')}; echo a > \${{ outputs.o }}' }
      down: { inputs: { i: up/o.txt }, outputs: { o: o.txt }, run: '${ran('down')}; cp \${{ inputs.i }} \${{ outputs.o }}' }
  `);
  const first = await rig.job('down');
  await rig.runs(['down', 'up']);
  rig.write('job.yaml', '{ a: 2 }');
  assert.is((await rig.job('down')).id, first.id);
  await rig.runs(['up']);
});

rigTest('int or float: the same id, another action', async (rig) => {
  rig.write('job.yaml', '{ a: 1 }');
  rig.workflow(`
    rules:
      r: { config: [{ file: job.yaml }], outputs: { o: o.txt }, run: '${ran('r')}; cat \${{ job.config_file }} > \${{ outputs.o }}' }
  `);
  await rig.runs(['r']);
  const before = await rig.job('r');
  rig.write('job.yaml', '{ a: 1.0 }');
  const stale = await rig.job('r');
  assert.is(stale.id, before.id);
  assert.is(stale.status, 'STALE');
  assert.is(stale.plan, 'run');
  assert.ok(
    stale.reasons.some((reason) => reason.kind === 'config'),
    JSON.stringify(stale.reasons),
  );
  await rig.runs(['r']);
  assert.match(rig.read(before.outputs[0]?.path ?? ''), /\ba: 1\.0\b/);
  rig.write('job.yaml', '{ a: 1 }');
  await rig.runs([]);
  assert.not.match(rig.read(before.outputs[0]?.path ?? ''), /1\.0/);
});

rigTest(
  'the config that reaches a job is the one in its key: --config and --configfile move ids as an edit does',
  async (rig) => {
    rig.write('c.yaml', 'lr: 1\n');
    rig.workflow(`
    config: c.yaml
    rules: { r: { for: { lr: ["\${{ config.lr }}"] }, outputs: { o: o.txt }, run: 'echo > \${{ outputs.o }}' } }
  `);
    const one = await ids(rig);
    rig.write('c.yaml', 'lr: 2\n');
    const two = await ids(rig);
    assert.not.equal(one, two);
    const flagged = parseSummary(JSON.parse((await rig.ok('summary', '--json', '--config', 'lr=1')).stdout));
    assert.equal(
      flagged.jobs.map((job) => job.id),
      one,
    );
    rig.write('over.yaml', 'lr: 1\n');
    const filed = parseSummary(JSON.parse((await rig.ok('build', '-n', '--json', '--configfile', 'over.yaml')).stdout));
    assert.equal(
      filed.jobs.map((job) => job.id),
      one,
    );
    const both = await rig.ok('build', '-n', '--json', '--config', 'lr=2', '--configfile', 'over.yaml');
    assert.equal(
      parseSummary(JSON.parse(both.stdout)).jobs.map((job) => job.id),
      two,
      '--config comes after --configfile',
    );
  },
);

rigTest('two rules with one prefix are an error', async (rig) => {
  rig.workflow(`
    rules:
      a: { prefix: p, outputs: { o: a.txt }, run: 'true' }
      b: { prefix: p, outputs: { o: b.txt }, run: 'true' }
  `);
  const ended = await rig.exits(2, 'summary');
  assert.match(ended.stderr, /\bp\b/);
});

test.run();
