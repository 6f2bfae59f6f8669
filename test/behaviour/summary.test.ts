// Where each job stands and what a build would do, as text and as JSON.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { blobOf } from '../support/blobs.ts';
import { Gates } from '../support/fake-command.ts';
import {
  asList,
  asMap,
  asNumber,
  asText,
  counts,
  finishedCounts,
  parseEvents,
  parseSummary,
  type Summary,
} from '../support/json.ts';
import { ran, rigTest, type Rig } from '../support/rig.ts';
import { builtSweep, writeSweep } from '../support/sweep.ts';

/** A chain a → b → c of `cp`, and x beside it, each with code, command and env of its own. */
function chain(rig: Rig): void {
  for (const name of ['a', 'b', 'c', 'x']) rig.write(`${name}.sh`, ':\n');
  rig.write('in.txt', '1\n');
  rig.workflow(`
    rules:
      a: { dir: a, inputs: { i: in.txt }, code: [a.sh], env: { A: "1" }, outputs: { o: o.txt }, run: '${ran('a')}; sh a.sh; cp \${{ inputs.i }} \${{ outputs.o }}' }
      b: { dir: b, inputs: { i: "\${{ a.outputs.o }}" }, code: [b.sh], outputs: { o: o.txt }, run: '${ran('b')}; sh b.sh; cp \${{ inputs.i }} \${{ outputs.o }}' }
      c: { dir: c, inputs: { i: "\${{ b.outputs.o }}" }, code: [c.sh], outputs: { o: o.txt }, run: '${ran('c')}; sh c.sh; cp \${{ inputs.i }} \${{ outputs.o }}' }
      x: { dir: x, code: [x.sh], outputs: { o: o.txt }, run: '${ran('x')}; sh x.sh; echo x > \${{ outputs.o }}' }
  `);
}

/** `STATUS plan kinds` by rule. */
function standing(summary: Summary): Readonly<Record<string, string>> {
  return Object.fromEntries(
    summary.jobs.map((job) => {
      const kinds = [...new Set(job.reasons.map((reason) => reason.kind))].sort();
      return [job.rule, [job.status, job.plan, ...kinds].join(' ')];
    }),
  );
}

type Case = {
  readonly name: string;
  /** From a state in which everything is built. */
  readonly change: (rig: Rig) => void | Promise<void>;
  readonly expected: Readonly<Record<string, string | RegExp>>;
  /** Which jobs the next build runs. */
  readonly runs: readonly string[];
};

const FRESH = { a: 'FRESH none', b: 'FRESH none', c: 'FRESH none', x: 'FRESH none' };

const CASES: readonly Case[] = [
  { name: 'nothing changed', change: () => {}, expected: FRESH, runs: [] },
  {
    name: 'code changed: below it FRESH with plan check',
    change: (rig) => rig.write('a.sh', '# changed\n:\n'),
    expected: { ...FRESH, a: 'STALE run code', b: /^FRESH check/, c: /^FRESH check/ },
    runs: ['a'],
  },
  {
    name: 'an input changed',
    change: (rig) => rig.write('in.txt', '2\n'),
    expected: { ...FRESH, a: 'STALE run input', b: /^FRESH check/, c: /^FRESH check/ },
    runs: ['a', 'b', 'c'],
  },
  {
    name: 'env changed',
    change: (rig) => rig.edit('lhb.yaml', 'A: "1"', 'A: "2"'),
    expected: { ...FRESH, a: 'STALE run env', b: /^FRESH check/, c: /^FRESH check/ },
    runs: ['a'],
  },
  {
    name: 'command changed',
    change: (rig) => rig.edit('lhb.yaml', 'sh b.sh;', 'sh  b.sh;'),
    expected: { ...FRESH, b: 'STALE run command', c: /^FRESH check/ },
    runs: ['b'],
  },
  {
    name: 'declared outputs changed',
    change: (rig) =>
      rig.edit(
        'lhb.yaml',
        'code: [x.sh], outputs: { o: o.txt }',
        'code: [x.sh], outputs: { o: { path: o.txt, ignore: [/t] } }',
      ),
    expected: { ...FRESH, x: 'STALE run outputs' },
    runs: ['x'],
  },
  {
    name: 'several parts changed: all are named',
    change: (rig) => {
      rig.write('in.txt', '2\n');
      rig.write('a.sh', '# 2\n');
      rig.edit('lhb.yaml', 'A: "1"', 'A: "2"');
    },
    expected: { ...FRESH, a: 'STALE run code env input', b: /^FRESH check/, c: /^FRESH check/ },
    runs: ['a', 'b', 'c'],
  },
  {
    name: 'outputs gone',
    change: (rig) => rig.remove('b', 'x/o.txt'),
    expected: { ...FRESH, b: 'MISSING restore missing', x: 'MISSING restore missing' },
    runs: [],
  },
  {
    name: 'an output replaced',
    change: (rig) => {
      rig.remove('x/o.txt');
      rig.write('x/o.txt', 'edited\n');
    },
    expected: { ...FRESH, x: 'STALE restore edited' },
    runs: [],
  },
  {
    name: 'upstream made other bytes meanwhile',
    change: async (rig) => {
      rig.write('in.txt', '2\n');
      await rig.ok('build', 'a');
      rig.ranSince();
    },
    expected: { ...FRESH, b: 'STALE run upstream', c: /^FRESH check/ },
    runs: ['b', 'c'],
  },
  {
    name: 'several things changed back together: all is restored, and only what is new runs',
    change: async (rig) => {
      rig.write('in.txt', '2\n');
      for (const name of ['a', 'c']) rig.write(`${name}.sh`, '# 2\n');
      await rig.ok('build');
      rig.ranSince();
      rig.write('in.txt', '1\n');
      for (const name of ['a', 'c']) rig.write(`${name}.sh`, ':\n');
      rig.write('x.sh', '# new\n');
    },
    expected: {
      a: 'STALE restore code input',
      b: 'FRESH check upstream',
      c: 'STALE restore code upstream',
      x: 'STALE run code',
    },
    runs: ['x'],
  },
  {
    name: 'one thing changed back, another new below it: that runs',
    change: async (rig) => {
      rig.write('in.txt', '2\n');
      await rig.ok('build');
      rig.ranSince();
      rig.write('in.txt', '1\n');
      rig.write('c.sh', '# new\n');
    },
    expected: { ...FRESH, a: 'STALE restore input', b: 'FRESH check upstream', c: 'STALE run code' },
    runs: ['c'],
  },
  {
    name: 'changed back below a job that is restored and one that runs: it may have to run',
    change: async (rig) => {
      rig.edit('lhb.yaml', 'x: { dir: x,', 'x: { dir: x, inputs: { i: [b/o.txt, c/o.txt] },');
      rig.edit('lhb.yaml', 'i: "${{ b.outputs.o }}"', 'i: b.sh');
      await rig.ok('build');
      rig.write('in.txt', '2\n');
      rig.write('x.sh', '# 2\n');
      await rig.ok('build');
      rig.ranSince();
      rig.write('in.txt', '1\n');
      rig.write('x.sh', ':\n');
      rig.write('c.sh', '# new\n');
    },
    expected: {
      a: 'STALE restore input',
      b: 'FRESH check upstream',
      c: 'STALE run code',
      x: 'STALE check code upstream',
    },
    runs: ['c'],
  },
  {
    name: 'a new id',
    change: (rig) => rig.edit('lhb.yaml', 'x: { dir: x,', 'x: { for: { n: [1] }, dir: x,'),
    expected: { ...FRESH, x: 'NEW run new' },
    runs: ['x'],
  },
  {
    name: 'a job that fails, and what is below',
    change: async (rig) => {
      rig.write('b.sh', 'exit 3\n');
      await rig.exits(1, 'build');
      rig.ranSince();
    },
    expected: { ...FRESH, b: /^FAILED run (code )?failed/, c: /^FRESH check/ },
    runs: [],
  },
  {
    name: 'blobs gone with the outputs: evicted, and run again',
    change: (rig) => {
      rig.remove('x');
      rig.remove(blobOf(rig, 'x\n'));
    },
    expected: { ...FRESH, x: /^(MISSING|STALE|NEW) run .*evicted/ },
    runs: ['x'],
  },
];

for (const { name, change, expected, runs } of CASES) {
  rigTest(`status and plan: ${name}`, async (rig) => {
    chain(rig);
    await rig.ok('build');
    rig.ranSince();
    await change(rig);
    const summary = await rig.summary();
    const states = standing(summary);
    for (const [rule, want] of Object.entries(expected)) {
      if (typeof want === 'string')
        assert.is(states[rule], want, `${rule}: ${JSON.stringify(summary.jobs, undefined, 1)}`);
      else assert.match(states[rule] ?? '', want, rule);
    }
    const tally: Record<string, number> = {};
    for (const job of summary.jobs) tally[job.status] = (tally[job.status] ?? 0) + 1;
    const nonzero = Object.fromEntries(Object.entries(summary.counts).filter(([, count]) => count > 0));
    assert.equal(nonzero, tally, 'counts');
    const planned = parseSummary(JSON.parse((await rig.ok('build', '-n', '--json')).stdout));
    assert.equal(standing(planned), states, 'build -n says the same');
    assert.equal(rig.ranSince(), [], 'neither runs anything');
    if (name.startsWith('a job that fails')) return;
    await rig.runs(runs);
    assert.equal(new Set(Object.values(standing(await rig.summary()))), new Set(['FRESH none']));
  });
}

rigTest('NEW from nothing: everything would run, and jobs below a NEW one too', async (rig) => {
  chain(rig);
  const states = standing(await rig.summary());
  for (const rule of ['a', 'b', 'c', 'x']) assert.match(states[rule] ?? '', /^NEW run new/, rule);
  assert.not(rig.exists('a'));
});

rigTest('FAILED, INCOMPLETE and RUNNING', async (rig) => {
  const gates = new Gates(rig, ['g']);
  rig.workflow(`
    rules:
      fails: { priority: 9, outputs: { o: o.txt }, run: 'exit 9' }
      below: { inputs: { i: "\${{ fails.outputs.o }}" }, outputs: { o: o.txt }, run: 'echo > \${{ outputs.o }}' }
      waits: { outputs: { o: o.txt }, run: '${Gates.command('g')}; echo > \${{ outputs.o }}' }
  `);
  const build = rig.start({}, 'build', '-k', '-j', '1');
  await gates.reached(1);
  const during = standing(await rig.summary());
  assert.match(during['fails'] ?? '', /^FAILED run .*failed/);
  assert.match(during['waits'] ?? '', /^RUNNING/);
  assert.match(during['below'] ?? '', /^NEW run/);
  build.child.kill('SIGINT');
  await build.done;
  const after = standing(await rig.summary());
  assert.match(after['fails'] ?? '', /^FAILED run/);
  assert.match(after['waits'] ?? '', /^INCOMPLETE run .*incomplete/);
});

rigTest(
  'summary as TSV with a header where stdout is no terminal; --summary and --detailed-summary mean the same',
  async (rig) => {
    await builtSweep(rig);
    const ended = await rig.ok('summary');
    const [header = '', ...rows] = ended.stdout.trimEnd().split('\n');
    assert.equal(header.split('\t'), ['id', 'rule', 'status', 'plan', 'built', 'duration', 'size', 'reason']);
    assert.is(rows.length, 9);
    for (const row of rows) {
      const [id, rule, status, plan] = row.split('\t');
      assert.is(row.split('\t').length, 8, row);
      assert.match(id ?? '', /^(tgt|run)_[0-9a-f]{12}$/);
      assert.ok(rule === 'build_target' || rule === 'run_sampler');
      assert.is(`${status} ${plan}`, 'FRESH none');
    }
    assert.is((await rig.ok('build', '--summary')).stdout, ended.stdout);
    const detailed = await rig.ok('summary', '--detailed');
    const columns = (detailed.stdout.split('\n')[0] ?? '').split('\t');
    assert.equal(columns.slice(0, 8), header.split('\t'));
    for (const column of ['outputs', 'action key', 'command', 'attempts', 'host', 'executor', 'log', 'origin']) {
      assert.ok(
        columns.some((name) => name.replaceAll('_', ' ').includes(column)),
        `${column} in ${columns.join(', ')}`,
      );
    }
    for (const row of detailed.stdout.trimEnd().split('\n')) assert.is(row.split('\t').length, columns.length, row);
    assert.is((await rig.ok('build', '--detailed-summary')).stdout, detailed.stdout);
    assert.equal(rig.ranSince(), []);
  },
);

rigTest('the fields of summary --json', async (rig) => {
  await builtSweep(rig);
  const summary = await rig.summary();
  assert.equal(summary.counts['FRESH'], 9);
  for (const job of summary.jobs) {
    assert.ok(asNumber(job.all['duration_s'], 'duration_s') >= 0);
    assert.ok(job.all['built_at'] !== undefined && job.all['built_at'] !== null);
    for (const output of job.outputs) {
      assert.is(output.size, rig.read(output.path).length, output.path);
      assert.match(output.digest ?? '', /[0-9a-f]{64}/, output.path);
    }
  }
  rig.write('abc.txt', 'abc');
  rig.workflow("rules: { r: { dir: r, outputs: { o: o.txt }, run: 'printf abc > ${{ outputs.o }}' } }");
  await rig.ok('build');
  // The BLAKE3 of `abc`, from the test vectors of the algorithm's reference implementation.
  assert.match(
    (await rig.job('r')).outputs[0]?.digest ?? '',
    '6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85',
  );
});

rigTest('summary and -n change no output and no record', async (rig) => {
  await builtSweep(rig);
  rig.append('train.sh', '# more\n');
  rig.remove((await rig.job("where:target.name=='b'")).outputs[0]?.path ?? '');
  const before = rig.tree('runs');
  const first = await rig.summary();
  await rig.ok('build', '-n');
  await rig.ok('plan');
  await rig.ok('summary', '--detailed');
  assert.equal(rig.tree('runs'), before);
  assert.equal(await rig.summary(), first);
});

rigTest('build -n in words: what would be done and why', async (rig) => {
  await builtSweep(rig);
  rig.append('train.sh', '# more\n');
  const ended = await rig.ok('build', '-n');
  const targets = await rig.summary('summary', 'build_target');
  for (const job of targets.jobs) assert.match(ended.stdout, job.id);
  assert.match(ended.stdout, 'train.sh', 'the reason down to the file');
  assert.is((await rig.ok('plan')).stdout, ended.stdout);
  const some = parseSummary(JSON.parse((await rig.ok('build', '-n', '--json', "where:sampler.name=='hmc'")).stdout));
  const selected = some.jobs.filter((job) => job.rule === 'run_sampler');
  assert.is(selected.length, 3, 'of the selected jobs');
  assert.ok(selected.every((job) => job.plan === 'check' && job.dir.includes('run_hmc_')));
});

rigTest('build --json: an event a line, the last with counts; every job counted once', async (rig) => {
  writeSweep(rig);
  const first = await rig.ok('build', '--json');
  assert.equal(finishedCounts(first.stdout), counts({ built: 9 }));
  const last = parseEvents(first.stdout).at(-1);
  assert.ok(asNumber(last?.['duration_s']) > 0);
  for (const event of parseEvents(first.stdout)) asText(event['event'], 'event');
  assert.equal(finishedCounts((await rig.ok('build', '--json')).stdout), counts({ fresh: 9 }));
  rig.remove('runs');
  assert.equal(finishedCounts((await rig.ok('build', '--json')).stdout), counts({ restored: 9 }));
  rig.append('train.sh', '# a comment\n');
  const cutoff = finishedCounts((await rig.ok('build', '--json')).stdout);
  assert.equal(cutoff, counts({ built: 3, fresh: 6 }), 'kept by early cutoff counts as fresh');
  assert.equal(finishedCounts((await rig.ok('build', '--json', 'build_target')).stdout), counts({ fresh: 3 }));
});

rigTest('the streams: results to stdout, progress to stderr; --no-color and a pipe give no colour', async (rig) => {
  writeSweep(rig);
  const ended = await rig.ok('build');
  assert.is(ended.stdout, '');
  assert.ok(ended.stderr.split('\n').length > 9, 'one plain line an event');
  assert.not.match(ended.stderr, '\u001b[');
  assert.not.match((await rig.ok('summary')).stdout, '\u001b[');
  const quiet = await rig.ok('build', '-q');
  assert.is(quiet.stdout, '');
});

rigTest(
  'errors with --json: one document on stdout with code, message, place and hint; the same exit code',
  async (rig) => {
    rig.workflow(`
    rules:
      r: { outputs: { o: o.txt }, runn: 'true' }
  `);
    for (const command of ['summary', 'build', 'ls', 'graph']) {
      const ended = await rig.exits(2, command, '--json');
      const last = command === 'build' ? ended.stdout.trim().split('\n').at(-1) : ended.stdout;
      const error = asMap(asMap(JSON.parse(last ?? ''))['error'], 'error');
      asText(error['code'], 'code');
      asText(error['message'], 'message');
      const at = asMap(error['at'], 'at');
      assert.match(asText(at['file']), 'lhb.yaml');
      assert.is(at['line'], 3);
      assert.is(at['column'], (rig.read('lhb.yaml').split('\n')[2] ?? '').indexOf('runn') + 1);
      assert.match(JSON.stringify(error), '"hint"');
      assert.match(JSON.stringify(error), 'run');
    }
  },
);

rigTest('why --json: id, plan, and reasons with kind, path, old and new', async (rig) => {
  await builtSweep(rig);
  rig.append('train.sh', '# more\n');
  const id = (await rig.job("where:target.name=='a'")).id;
  const document = asMap(await rig.json('why', id));
  assert.is(document['id'], id);
  assert.is(document['plan'], 'run');
  const reasons = asList(document['reasons']).map((reason) => asMap(reason));
  assert.is(reasons.length, 1);
  const [reason] = reasons;
  assert.is(reason?.['kind'], 'code');
  assert.is(reason?.['path'], 'train.sh');
  assert.is.not(reason?.['old'], reason?.['new']);
});

rigTest(
  'what an upstream job is about to do: it will run, will be restored, may change; many are counted',
  async (rig) => {
    chain(rig);
    await rig.ok('build');
    const because = async (rule: string): Promise<readonly string[]> =>
      (await rig.job(rule)).reasons.map((reason) => reason.detail);
    const id = async (rule: string): Promise<string> => (await rig.job(rule)).id;
    rig.write('a.sh', '# 2\n');
    assert.equal(await because('b'), [`upstream ${await id('a')} will run`]);
    assert.equal(await because('c'), [`upstream ${await id('b')} may change`]);
    rig.write('in.txt', '2\n');
    await rig.ok('build');
    rig.write('in.txt', '1\n');
    rig.write('a.sh', ':\n');
    assert.equal(await because('b'), [`upstream ${await id('a')} will be restored`]);

    rig.workflow(`
    rules:
      many: { for: { n: "\${{ range(0, 10) }}" }, outputs: { o: o.txt }, run: 'echo > \${{ outputs.o }}' }
      all: { inputs: { i: "\${{ many.map(m, m.outputs.o) }}" }, outputs: { o: all.txt }, run: 'cat \${{ inputs.i }} > \${{ outputs.o }}' }
  `);
    const row = (await rig.ok('summary', 'all')).stdout.split('\n')[1] ?? '';
    assert.match(row, /; upstream (many_[0-9a-f]{12}, ){2}many_[0-9a-f]{12} and 7 more will run$/);
    assert.is((await because('all')).length, 11, 'all of them in JSON');
  },
);

rigTest('a job that ran on record says what had changed, not what was going to', async (rig) => {
  chain(rig);
  await rig.ok('build');
  rig.write('in.txt', '2\n');
  await rig.ok('build');
  const { id } = await rig.job('a');
  const text = (await rig.ok('why', 'b/o.txt')).stdout;
  assert.match(text, 'FRESH');
  assert.match(text, /last ran .*because: upstream a\/o\.txt changed/);
  assert.not.match(text, `${id} will run`);
});

rigTest('a forced rerun that runs now is RUNNING, and no reason says that it was cut off', async (rig) => {
  const gates = new Gates(rig, ['g']);
  rig.workflow(`
    rules: { a: { dir: a, outputs: { o: o.txt }, run: 'test ! -e slow || { ${Gates.command('g')}; }; echo > \${{ outputs.o }}' } }
  `);
  await rig.ok('build');
  rig.write('slow', '');
  const rerun = rig.start({}, 'forcerun', 'a');
  await gates.reached(1);
  const during = await rig.job('a');
  assert.is(during.status, 'RUNNING');
  assert.equal(
    during.reasons.map((reason) => reason.kind),
    ['forced'],
  );
  gates.open('g');
  assert.is((await rerun.done).code, 0);
  assert.is((await rig.job('a')).status, 'FRESH');
});

rigTest('--json is one document for logs and version too', async (rig) => {
  rig.workflow("rules: { a: { outputs: { o: o.txt }, run: 'echo said; echo > ${{ outputs.o }}' } }");
  await rig.ok('build');
  const log = asMap(await rig.json('logs', 'a'));
  assert.is(log['text'], 'said\n');
  assert.is(rig.read(asText(log['path'])), 'said\n');
  assert.match(asText(asMap(await rig.json('version'))['version']), /^\d+\.\d+\.\d+/);
});

test.run();
