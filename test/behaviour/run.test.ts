// How a job's command is run: quoting, environment, files it is handed, logs.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { asMap } from '../support/json.ts';
import { ran, rigTest, type Rig } from '../support/rig.ts';
import { toolTest, PYTHON } from '../support/tools.ts';

/** Builds a workflow with one job in the folder `out` and output o.txt; gives what it wrote there. */
async function output(rig: Rig, run: string, fields = '', config = '{}'): Promise<string> {
  const indented = run
    .split('\n')
    .map((line) => `      ${line}`)
    .join('\n');
  rig.write(
    'lhb.yaml',
    `lhb: 1\nconfig: ${config}\nrules:\n  r:\n    dir: out\n    outputs: { o: o.txt }\n    run: |\n${indented}\n${fields}`,
  );
  await rig.ok('build');
  return rig.read('out/o.txt');
}

const NASTY =
  '{ v: "a b; $(touch hacked) `touch hacked` \\"q\\" \'s\' \\\\ $HOME *", l: [x, "y z", "\'"], n: [[1, 2], [3, []]], e: [], f: 1.0, t: 1e-7, b: true, i: 12345678901234567890 }';
const TEXT = 'a b; $(touch hacked) `touch hacked` "q" \'s\' \\ $HOME *';

rigTest('text is quoted for the place where it stands: bare, in double quotes, in single quotes', async (rig) => {
  const run = `printf '%s\\n' \${{ config.v }} pre\${{ config.v }}post "<\${{ config.v }}>" '<\${{ config.v }}>' > \${{ outputs.o }}`;
  assert.is(await output(rig, run, '', NASTY), `${TEXT}\npre${TEXT}post\n<${TEXT}>\n<${TEXT}>\n`);
  assert.not(rig.exists('hacked'));
});

rigTest('quoting inside substitutions and nested quotes holds as well', async (rig) => {
  const run = `x="$(printf '%s' "\${{ config.v }}")"; printf '%s\\n' "$x" "$(printf %s \${{ config.v }})" > \${{ outputs.o }}`;
  assert.is(await output(rig, run, '', NASTY), `${TEXT}\n${TEXT}\n`);
  assert.not(rig.exists('hacked'));
});

rigTest('a list is several words, a nested one its words in order, an empty one none', async (rig) => {
  const run = `printf '<%s>\\n' \${{ config.l }} \${{ config.n }} \${{ config.e }} end > \${{ outputs.o }}`;
  assert.is(await output(rig, run, '', NASTY), "<x>\n<y z>\n<'>\n<1>\n<2>\n<3>\n<end>\n");
});

rigTest('a list inside quotes, a map and null are errors', async (rig) => {
  for (const text of ['"${{ config.l }}"', "'${{ config.l }}'", '${{ config.m }}', '${{ config.z }}']) {
    rig.write(
      'lhb.yaml',
      `lhb: 1\nconfig: { l: [a], m: { a: 1 }, z: null }\nrules:\n  r:\n    outputs: { o: o.txt }\n    run: |\n      echo ${text}\n`,
    );
    const ended = await rig.exits(2, 'build');
    assert.match(ended.stderr, /lhb\.yaml:\d+:\d+/, text);
  }
});

rigTest('in a heredoc text is put in as it is; raw is the way around quoting', async (rig) => {
  const run =
    "cat > ${{ outputs.o }} <<'END'\n${{ config.v }} ${{ config.f }} ${{ config.i }}\nEND\nprintf '%s|' ${{ raw('a  b') }} >> ${{ outputs.o }}";
  assert.is(await output(rig, run, '', NASTY), `${TEXT} 1.0 12345678901234567890\na|b|`);
});

rigTest('numbers in commands: a float has its point, an integer of any size its digits', async (rig) => {
  const run =
    'echo ${{ config.f }} ${{ config.t }} ${{ config.b }} ${{ config.i }} ${{ 1e-6 }} ${{ 2.5 }} > ${{ outputs.o }}';
  assert.is(await output(rig, run, '', NASTY), '1.0 1e-07 true 12345678901234567890 1e-06 2.5\n');
});

rigTest("a shell's own variables are left alone", async (rig) => {
  const run = 'x=1; y="${x}2"; echo ${y} $((x + 1)) ${x:-unset} > ${{ outputs.o }}';
  assert.is(await output(rig, run), '12 2 1\n');
});

rigTest('a list is argv, without a shell', async (rig) => {
  rig.write('show.sh', '#!/bin/sh\nfor word; do echo "<$word>"; done > out/o.txt\n');
  rig.workflow(`
    config: ${NASTY}
    rules:
      r: { dir: out, outputs: { o: o.txt }, run: [sh, show.sh, "\${{ config.v }}", "$HOME", "a b", "\${{ config.l }}", "n=\${{ config.f }}", "*", "\${{ config.e }}"] }
  `);
  await rig.ok('build');
  assert.is(rig.read('out/o.txt'), `<${TEXT}>\n<$HOME>\n<a b>\n<x>\n<y z>\n<'>\n<n=1.0>\n<*>\n`);
});

rigTest('the shell is bash -euo pipefail, in the folder of the workflow, with stdin from /dev/null', async (rig) => {
  const run =
    'set -o | grep -E "errexit|nounset|pipefail" | tr -s " \\t" " " > ${{ outputs.o }}; readlink /proc/self/fd/0 >> ${{ outputs.o }}; test "$PWD" -ef "$LHB_ROOT"; test -f lhb.yaml; cat; [[ -n $BASH_VERSION ]]';
  assert.is(await output(rig, run), 'errexit on\nnounset on\npipefail on\n/dev/null\n');
  for (const bad of ['false; true', 'echo $not_set_at_all', 'false | true']) {
    rig.workflow(`
      rules: { r: { outputs: { o: o.txt }, run: 'touch \${{ outputs.o }}; ${bad}' } }
    `);
    await rig.exits(1, 'build');
  }
});

rigTest('shell: is another argv, before the file of a script or the argv of a list', async (rig) => {
  rig.write('wrap.sh', 'echo "wrapped $#" >> wrapped.log\nexec "$@"\n');
  rig.workflow(`
    rules:
      script: { shell: [sh, wrap.sh, sh, -eu], outputs: { o: o.txt }, run: 'echo > \${{ outputs.o }}' }
      argv: { shell: [sh, wrap.sh], outputs: { o: o.txt }, run: [touch, "\${{ outputs.o }}"] }
  `);
  await rig.ok('build');
  assert.equal(rig.read('wrapped.log').trim().split('\n').sort(), ['wrapped 2', 'wrapped 3']);
});

rigTest('a command of 300 kB runs', async (rig) => {
  const words = Array.from({ length: 30_000 }, (_, i) => `word${i}`).join(' ');
  assert.is(
    await output(rig, `for w in ${words}; do echo $w; done | wc -l | tr -d ' ' > \${{ outputs.o }}`),
    '30000\n',
  );
});

rigTest('the environment of a job', async (rig) => {
  rig.workflow(`
    rules:
      r:
        for: { x: [1] }
        config: [{ set: { x: "\${{ x }}" } }]
        dir: out
        outputs: { o: o.txt }
        env: { OWN: "x=\${{ x }}", FLOAT: "\${{ 1.0 }}" }
        resources: { cpus: 1 }
        run: env > \${{ outputs.o }}; test -f "$LHB_CONFIG"; test -f "$LHB_JOB"; test -d "$TMPDIR"; touch "$TMPDIR/x"
  `);
  const ended = await rig.lhbWith({ env: { FROM_OUTSIDE: 'yes' } }, 'build');
  assert.is(ended.code, 0, ended.stderr);
  const job = await rig.job('r');
  const env = new Map(
    rig
      .read('out/o.txt')
      .split('\n')
      .map((line) => [line.split('=', 1)[0], line.slice(line.indexOf('=') + 1)]),
  );
  assert.is(env.get('LHB_JOB_ID'), job.id);
  assert.is(env.get('LHB_RULE'), 'r');
  assert.is(resolve(rig.dir, env.get('LHB_DIR') ?? ''), rig.path('out'));
  assert.is(env.get('LHB_ATTEMPT'), '1');
  assert.is(env.get('LHB_CPUS'), '1');
  assert.is(env.get('LHB_ROOT'), rig.dir);
  assert.is(resolve(rig.dir, env.get('LHB_CONFIG') ?? ''), rig.path(`.lhb/jobs/${job.id}/config.yaml`));
  assert.is(env.get('OWN'), 'x=1');
  assert.is(env.get('FLOAT'), '1.0');
  assert.is(env.get('FROM_OUTSIDE'), 'yes');
  assert.not(env.has('CUDA_VISIBLE_DEVICES'));
  assert.not(existsSync(env.get('TMPDIR') ?? '/'), 'the scratch folder is removed');
});

rigTest('keep_env narrows what is inherited to these names and PATH, HOME, USER, LANG', async (rig) => {
  rig.workflow(`
    rules: { r: { dir: out, keep_env: [KEPT, "WAN*"], env: { OWN: o }, outputs: { o: o.txt }, run: 'env > \${{ outputs.o }}' } }
  `);
  const outside = { KEPT: '1', WANDB: '2', DROPPED: '3', USER: 'u', LANG: 'C' };
  assert.is((await rig.lhbWith({ env: outside }, 'build')).code, 0);
  const names = rig
    .read('out/o.txt')
    .split('\n')
    .map((line) => line.split('=', 1)[0] ?? '');
  for (const name of ['KEPT', 'WANDB', 'OWN', 'PATH', 'HOME', 'USER', 'LANG', 'LHB_JOB_ID', 'TMPDIR'])
    assert.ok(names.includes(name), name);
  assert.not(names.includes('DROPPED'));
});

rigTest('scratch: places TMPDIR', async (rig) => {
  const text = await output(rig, 'echo $TMPDIR > ${{ outputs.o }}', '    scratch: big/scratch\n');
  assert.ok(text.startsWith(`${rig.dir}/big/scratch`) || text.startsWith('big/scratch'), text);
  assert.ok(!rig.exists('big/scratch') || readdirSync(rig.path('big/scratch')).length === 0);
});

rigTest('the folders of all outputs exist before the command starts, and old outputs do not', async (rig) => {
  rig.workflow(`
    rules:
      r:
        dir: out
        outputs: { deep: a/b/c.txt, t: tree/ }
        run: test -d out/a/b; test -d \${{ outputs.t }}; test ! -e \${{ outputs.deep }}; test -z "$(ls \${{ outputs.t }})"; echo > \${{ outputs.deep }}; echo > \${{ outputs.t }}/x
  `);
  await rig.ok('build');
  await rig.ok('forcerun', 'r');
});

rigTest('the log holds stdout and stderr; earlier attempts lie beside it; log: changes the place', async (rig) => {
  rig.workflow(`
    rules:
      r:
        outputs: { o: o.txt }
        retries: 2
        run: echo out $LHB_ATTEMPT; echo err $LHB_ATTEMPT >&2; test $LHB_ATTEMPT = 3; echo > \${{ outputs.o }}
      elsewhere: { outputs: { o: o.txt }, log: "my/\${{ job.id }}.log", run: 'echo here; echo > \${{ outputs.o }}' }
  `);
  await rig.ok('build');
  const { id, log } = await rig.job('r');
  assert.is(log, `.lhb/logs/r/${id}.log`);
  assert.is(rig.read(log), 'out 3\nerr 3\n');
  const earlier = [rig.read(`${log}.1`), rig.read(`${log}.2`)].sort();
  assert.equal(earlier, ['out 1\nerr 1\n', 'out 2\nerr 2\n']);
  const other = await rig.job('elsewhere');
  assert.is(other.log, `my/${other.id}.log`);
  assert.is(rig.read(other.log), 'here\n');
});

rigTest('attempt and resources in the command: filled in for the job, written as they are in the key', async (rig) => {
  rig.workflow(`
    rules:
      r:
        dir: out
        outputs: { o: o.txt }
        retries: 1
        resources: { mem_mb: "\${{ 10 * attempt }}", time: "00:02:00" }
        run: ${ran('try ${{ attempt }}')}; test \${{ attempt }} = 2; echo \${{ resources.mem_mb }} \${{ resources.time }} > \${{ outputs.o }}
  `);
  await rig.runs(['try 1', 'try 2']);
  assert.is(rig.read('out/o.txt'), '20 2\n', 'memory in MB, time in minutes');
  rig.edit('lhb.yaml', '10 * attempt', '12 * attempt');
  await rig.runs([]);
});

rigTest('resources are worked out from the sizes of inputs, and flags read what Snakemake has there', async (rig) => {
  rig.write('big.bin', 'x'.repeat(3_000_000));
  rig.workflow(`
    rules:
      own: { dir: own, inputs: { i: big.bin }, resources: { mem_mb: "\${{ 10 * file_mb(inputs.i) }}" }, outputs: { o: o.txt }, run: 'echo \${{ resources.mem_mb }} > \${{ outputs.o }}' }
      given: { dir: given, inputs: { i: big.bin }, outputs: { o: o.txt }, run: 'echo \${{ resources.mem_mb }} \${{ resources.disk_mb }} > \${{ outputs.o }}' }
  `);
  await rig.ok('build', '--default-resources', 'mem_mb=attempt * 100', 'disk_mb=max(2*input.size_mb, 50)');
  assert.match(rig.read('own/o.txt'), /^(28|29|30)(\.\d+)?\n$/);
  assert.match(rig.read('given/o.txt'), /^100 50(\.0)?\n$/);
});

const YAML_CONFIG = `
one: 1
float: 1.0
small: 1e-6
smaller: 1e-7
big_float: 1e22
thousand: 1e3
negative: -2.50
zero: -0.0
huge: 12345678901234567890
beyond: 123456789012345678901234567890
quoted: '012'
leading: 012
octal: 0o14
hex: 0x1F
null_word: null
tilde: ~
empty:
null_text: 'null'
yes_word: yes
off_word: off
true_word: true
true_text: 'true'
grouped: 1_000
sexagesimal: 12:30:45
date: 2001-01-01
exponent_text: '1e3'
dot: .5
infinite: .inf
minus_infinite: -.inf
equals: '='
merge_text: '<<'
multi: "two\\nlines\\n"
spaces: '  padded  '
unicode: "é \\u2028 \\x85 😀"
colon: 'a: b # c'
list: [1, 1.0, '1.0', yes, null, []]
map: { yes: 1, '012': 2, nested: { a: {} } }
`;

const YAML_EXPECTED: Readonly<Record<string, readonly [string, string]>> = {
  one: ['int', '1'],
  float: ['float', '1.0'],
  small: ['float', '1e-06'],
  smaller: ['float', '1e-07'],
  big_float: ['float', '1e+22'],
  thousand: ['float', '1000.0'],
  negative: ['float', '-2.5'],
  zero: ['float', '-0.0'],
  huge: ['int', '12345678901234567890'],
  beyond: ['int', '123456789012345678901234567890'],
  quoted: ['str', "'012'"],
  leading: ['int', '12'],
  octal: ['int', '12'],
  hex: ['int', '31'],
  null_word: ['NoneType', 'None'],
  tilde: ['NoneType', 'None'],
  empty: ['NoneType', 'None'],
  null_text: ['str', "'null'"],
  yes_word: ['str', "'yes'"],
  off_word: ['str', "'off'"],
  true_word: ['bool', 'True'],
  true_text: ['str', "'true'"],
  grouped: ['str', "'1_000'"],
  sexagesimal: ['str', "'12:30:45'"],
  date: ['str', "'2001-01-01'"],
  exponent_text: ['str', "'1e3'"],
  dot: ['float', '0.5'],
  infinite: ['float', 'inf'],
  minus_infinite: ['float', '-inf'],
  equals: ['str', "'='"],
  merge_text: ['str', "'<<'"],
  multi: ['str', "'two\\nlines\\n'"],
  spaces: ['str', "'  padded  '"],
  unicode: ['str', "'é \\u2028 \\x85 😀'"],
  colon: ['str', "'a: b # c'"],
  list: ['list', "[1, 1.0, '1.0', 'yes', None, []]"],
  map: ['dict', "{'yes': 1, '012': 2, 'nested': {'a': {}}}"],
};

const READ_YAML = `
import json, sys, yaml
value = yaml.safe_load(open(sys.argv[1], encoding='utf-8'))
print(json.dumps({k: [type(v).__name__, repr(v)] for k, v in value.items()}))
`;

toolTest(
  PYTHON,
  'Python with PyYAML',
  'PyYAML reads from the config file what YAML 1.2 gives the source',
  async (rig, python) => {
    rig.write('c.yaml', YAML_CONFIG);
    rig.write('set.yaml', 'x: 1\n');
    rig.workflow(`
    rules:
      r: { config: [{ file: c.yaml }, { set: { by_set: 1e-6, by_cel: "\${{ 1e-6 }}", by_int: "\${{ 3 }}" } }], dir: out, outputs: { o: o.yaml }, run: 'cp \${{ job.config_file }} \${{ outputs.o }}' }
  `);
    await rig.ok('build');
    const read = spawnSync(python, ['-c', READ_YAML, rig.path('out/o.yaml')], {
      encoding: 'utf8',
      env: { ...process.env, PYTHONIOENCODING: 'utf-8', PYTHONUTF8: '1' },
    });
    assert.is(read.status, 0, `${read.stderr}\n${rig.read('out/o.yaml')}`);
    const values = asMap(JSON.parse(read.stdout));
    const expected = { ...YAML_EXPECTED, by_set: ['float', '1e-06'], by_cel: ['float', '1e-06'], by_int: ['int', '3'] };
    for (const [name, value] of Object.entries(expected)) assert.equal(values[name], value, name);
    assert.equal(Object.keys(values).sort(), Object.keys(expected).sort());
  },
);

rigTest('the config file is written for rules with config: and where the command or env names it', async (rig) => {
  rig.workflow(`
    rules:
      with: { config: [{ set: { a: 1 } }], outputs: { o: o.txt }, run: 'echo > \${{ outputs.o }}' }
      named: { for: { x: [1] }, env: { C: "\${{ job.config_file }}" }, outputs: { o: o.txt }, run: 'cp $C \${{ outputs.o }}' }
      variable: { for: { x: [1] }, outputs: { o: o.txt }, run: 'cp "$LHB_CONFIG" \${{ outputs.o }}' }
  `);
  await rig.ok('build');
  const { jobs } = await rig.summary();
  assert.is(jobs.length, 3);
  for (const job of jobs) {
    const text = readFileSync(rig.path(`.lhb/jobs/${job.id}/config.yaml`), 'utf8').trim();
    assert.is(text, job.rule === 'with' ? 'a: 1' : 'x: 1');
  }
});

rigTest(
  'temp outputs go when their last consumer is on record, and stay if selected, unread, or with --notemp',
  async (rig) => {
    const workflow = (to: string): void =>
      rig.workflow(`
      rules:
        make: { dir: m, outputs: { raw: { path: raw.txt, temp: true }, kept: kept.txt, unread: { path: u.txt, temp: true } }, run: '${ran('make')}; echo ${to} | tee \${{ outputs.raw }} \${{ outputs.unread }} > \${{ outputs.kept }}' }
        one: { inputs: { i: "\${{ make.outputs.raw }}" }, dir: o, outputs: { o: one.txt }, run: '${ran('one')}; cp \${{ inputs.i }} \${{ outputs.o }}' }
        two: { inputs: { i: "\${{ one.outputs.o }}", j: "\${{ make.outputs.raw }}" }, dir: t, outputs: { o: two.txt }, run: '${ran('two')}; cat \${{ inputs.i }} \${{ inputs.j }} > \${{ outputs.o }}' }
    `);
    workflow('first');
    await rig.runs(['make', 'one', 'two'], 'build', 'two');
    assert.is(rig.read('t/two.txt'), 'first\nfirst\n');
    assert.not(rig.exists('m/raw.txt'));
    assert.ok(rig.exists('m/kept.txt') && rig.exists('m/u.txt'));
    await rig.runs([], 'build', 'two');
    await rig.runs(['two'], 'forcerun', 'two');
    assert.is(rig.read('t/two.txt'), 'first\nfirst\n');
    workflow('second');
    await rig.runs(['make', 'one', 'two'], 'build', 'two', '--notemp');
    assert.is(rig.read('m/raw.txt'), 'second\n');
    workflow('third');
    await rig.runs(['make', 'one', 'two'], 'build', 'make', 'two');
    assert.is(rig.read('m/raw.txt'), 'third\n', 'a selected job keeps its temp outputs');
  },
);

rigTest('scratch: may lie anywhere, and sees all names; timeout sees the attempt and its resources', async (rig) => {
  rig.workflow(`
    rules:
      far: { dir: far, scratch: '${rig.base}/disk/\${{ resources.kind }}\${{ attempt }}', resources: { kind: fast }, outputs: { o: o.txt }, run: 'echo $TMPDIR > \${{ outputs.o }}' }
      slow:
        dir: slow
        retries: 1
        resources: { time: 1m }
        timeout: "\${{ attempt == 1 ? 1 : resources.time * 60 }}"
        outputs: { o: o.txt }
        run: '[ $LHB_ATTEMPT = 2 ] || sleep 60; echo $LHB_ATTEMPT > \${{ outputs.o }}'
  `);
  await rig.ok('build');
  assert.ok(rig.read('far/o.txt').startsWith(`${rig.base}/disk/fast1/`), rig.read('far/o.txt'));
  assert.is(rig.read('slow/o.txt'), '2\n');
});

test.run();
