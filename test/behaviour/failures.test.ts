// Jobs that fail, are cut off or ask for too much; builds that are interrupted or killed.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { counts, finishedCounts } from '../support/json.ts';
import { Gates } from '../support/fake-command.ts';
import { ran, rigTest, type Rig } from '../support/rig.ts';
import { builtSweep } from '../support/sweep.ts';

/** A rule `r` with one job in the folder `out`, whose command is `run`. */
function oneJob(rig: Rig, run: string, fields = ''): void {
  rig.workflow(`
    rules:
      r:
        dir: out
        outputs: { o: o.txt }
        run: ${ran('r')}; ${run}
        ${fields}
  `);
}

rigTest(
  'a failing job: exit 1, its code and the end of its log are shown, FAILED with the reason in the summary',
  async (rig) => {
    oneJob(rig, 'echo the last words; exit 7');
    const ended = await rig.exits(1, 'build');
    assert.match(ended.stderr, 'the last words');
    assert.match(ended.stderr, /\b7\b/);
    const job = await rig.job('r');
    assert.is(job.status, 'FAILED');
    assert.is(job.plan, 'run');
    assert.match(ended.stderr, job.id);
    assert.ok(
      job.reasons.some((reason) => reason.kind === 'failed' && /\b7\b/.test(reason.detail)),
      JSON.stringify(job.reasons),
    );
    const detailed = await rig.ok('summary', '--detailed');
    const [line = ''] = detailed.stdout.split('\n').filter((text) => text.includes('FAILED'));
    assert.match(line, job.id);
    assert.match(line, /\b7\b/);
  },
);

rigTest(
  'what lies below a failed job is skipped; with -k all else is built; without, nothing new starts',
  async (rig) => {
    rig.workflow(`
    rules:
      bad: { priority: 10, outputs: { o: o.txt }, run: '${ran('bad')}; exit 1' }
      below: { inputs: { i: "\${{ bad.outputs.o }}" }, outputs: { o: o.txt }, run: '${ran('below')}; echo > \${{ outputs.o }}' }
      good: { for: { n: [1, 2, 3] }, outputs: { o: o.txt }, run: '${ran('good')}; echo > \${{ outputs.o }}' }
  `);
    const first = await rig.exits(1, 'build', '-j', '1', '--json');
    assert.equal(rig.ranSince(), ['bad']);
    const stopped = finishedCounts(first.stdout);
    assert.is(stopped['failed'], 1);
    assert.is((stopped['skipped'] ?? 0) + (stopped['cancelled'] ?? 0), 4);
    const second = await rig.exits(1, 'build', '-j', '1', '-k', '--json');
    assert.equal(rig.ranSince(), ['bad', 'good', 'good', 'good']);
    assert.equal(finishedCounts(second.stdout), counts({ built: 3, failed: 1, skipped: 1 }));
    const third = await rig.exits(1, 'build', '-k', '--json');
    assert.equal(rig.ranSince(), ['bad']);
    assert.equal(finishedCounts(third.stdout), counts({ fresh: 3, failed: 1, skipped: 1 }));
  },
);

rigTest('without -k running jobs end and are recorded, and no new ones start', async (rig) => {
  const names = ['a', 'b', 'c'];
  const gates = new Gates(rig, names);
  rig.workflow(`
    rules: { r: { for: { n: [a, b, c] }, outputs: { o: o.txt }, run: '${Gates.command('${{ n }}')}; echo > \${{ outputs.o }}' } }
  `);
  const build = rig.start({}, 'build', '-j', '2', '--json');
  const [first = '', second = ''] = await gates.reached(2);
  gates.open(first, 3);
  await rig.until('the failure to be told', () => build.stdout().includes('job-failed'));
  gates.open(second);
  const ended = await build.done;
  assert.is(ended.code, 1);
  assert.equal([...gates.started()].sort(), [first, second].sort(), 'the third never starts');
  const total = finishedCounts(ended.stdout);
  assert.is(total['failed'], 1);
  assert.is(total['built'], 1);
  const statuses = (await rig.summary()).jobs.map((job) => job.status).sort();
  assert.equal(statuses, ['FAILED', 'FRESH', 'NEW']);
});

rigTest('a mended job runs, and so does what it held up', async (rig) => {
  rig.write('code.sh', 'exit 1\n');
  rig.workflow(`
    rules:
      a: { code: [code.sh], outputs: { o: o.txt }, run: '${ran('a')}; sh code.sh; echo > \${{ outputs.o }}' }
      b: { inputs: { i: "\${{ a.outputs.o }}" }, outputs: { o: o.txt }, run: '${ran('b')}; echo > \${{ outputs.o }}' }
  `);
  await rig.exits(1, 'build');
  rig.write('code.sh', 'exit 0\n');
  await rig.ok('build');
  assert.equal(rig.ranInOrder(), ['a', 'a', 'b']);
  await rig.runs([]);
});

rigTest('retries: as many attempts more; the attempt is known; then it is failed', async (rig) => {
  oneJob(rig, 'test $LHB_ATTEMPT = 3; echo > ${{ outputs.o }}', 'retries: 2');
  await rig.runs(['r', 'r', 'r']);
  oneJob(rig, 'exit 4', 'retries: 2');
  await rig.exits(1, 'build');
  assert.equal(rig.ranSince(), ['r', 'r', 'r']);
  oneJob(rig, 'exit 5');
  await rig.exits(1, 'build', '--retries', '1');
  assert.equal(rig.ranSince(), ['r', 'r']);
  oneJob(rig, 'exit 6', 'retries: 0');
  await rig.exits(1, 'build', '--retries', '3');
  assert.equal(rig.ranSince(), ['r'], "a rule's own retries win");
});

rigTest('retry_on chooses for which ends there is another attempt', async (rig) => {
  oneJob(rig, 'exit 1', 'retries: 2\n        retry_on: [timeout]');
  await rig.exits(1, 'build');
  assert.equal(rig.ranSince(), ['r']);
  oneJob(rig, 'exit 1', 'retries: 1\n        retry_on: [timeout, exit]');
  await rig.exits(1, 'build');
  assert.equal(rig.ranSince(), ['r', 'r']);
});

rigTest('timeout: the whole process group ends and the reason says so', async (rig) => {
  const gates = new Gates(rig, ['g']);
  rig.write('child.sh', 'echo $$ > child.pid\nread -r x < gates/g\n');
  oneJob(rig, 'sh child.sh & sh child.sh', 'timeout: "00:00:01"');
  await rig.exits(1, 'build');
  const job = await rig.job('r');
  assert.is(job.status, 'FAILED');
  assert.ok(
    job.reasons.some((reason) => /time/i.test(reason.detail)),
    JSON.stringify(job.reasons),
  );
  const pid = Number(rig.read('child.pid'));
  await rig.until('the end of the child', () => !alive(pid));
  assert.equal(gates.started(), []);
});

rigTest('exit 0 without a declared output is a failed attempt that names the output', async (rig) => {
  oneJob(rig, 'true');
  const ended = await rig.exits(1, 'build');
  assert.match(ended.stderr, 'out/o.txt');
  const job = await rig.job('r');
  assert.is(job.status, 'FAILED');
  assert.match(JSON.stringify(job.reasons), 'o.txt');
});

rigTest('inputs that change while a job runs fail it; its outputs stay, and touch accepts them', async (rig) => {
  rig.write('in.txt', 'one\n');
  oneJob(
    rig,
    'cp in.txt ${{ outputs.o }}; test -e edited || echo more >> in.txt; touch edited',
    'inputs: { i: in.txt }',
  );
  const ended = await rig.exits(1, 'build');
  assert.match(ended.stderr, 'inputs changed while running');
  assert.match(ended.stderr, 'in.txt');
  assert.match(ended.stderr, /`lhb touch r_[0-9a-f]{12}` takes its outputs all the same/);
  assert.is(rig.read('out/o.txt'), 'one\n');
  assert.is.not((await rig.job('r')).status, 'FRESH');
  rig.ranSince();
  await rig.ok('touch', 'r');
  assert.is((await rig.job('r')).status, 'FRESH');
  await rig.runs([]);
  assert.is(rig.read('out/o.txt'), 'one\n');
});

rigTest('inputs and code that were others for a while fail it too', async (rig) => {
  const KINDS = ['inputs: { i: in/f.txt }', 'inputs: { i: in/ }', 'inputs: { i: "in/*.txt" }', 'code: ["in/*.txt"]'];
  const SWAPS = [
    'cp -p in/f.txt keep; echo two > in/f.txt; cat in/f.txt > ${{ outputs.o }}; cat keep > in/f.txt; touch -r keep in/f.txt',
    'cp in/f.txt keep; echo two > in/f.txt; cat in/f.txt > ${{ outputs.o }}; mv -f keep in/f.txt',
    'mv in/f.txt keep; echo two > in/f.txt; cat in/f.txt > ${{ outputs.o }}; mv -f keep in/f.txt',
  ];
  for (const kind of KINDS) {
    for (const swap of SWAPS) {
      rig.write('in/f.txt', 'one\n');
      oneJob(rig, swap, kind);
      const ended = await rig.exits(1, 'build');
      assert.match(ended.stderr, 'inputs changed while running: in/f.txt', `${kind} ${swap}`);
      assert.is(rig.read('in/f.txt'), 'one\n');
    }
  }
  // To be read, or linked, is no change.
  oneJob(rig, 'cat in/f.txt > ${{ outputs.o }}; ln in/f.txt other', 'inputs: { i: in/f.txt }');
  await rig.ok('build');
});

rigTest('a job that edits an upstream output, or code, fails so', async (rig) => {
  rig.write('code.sh', ':\n');
  rig.workflow(`
    rules:
      up: { dir: up, outputs: { o: o.txt }, run: '${ran('up')}; echo up > \${{ outputs.o }}' }
      r:
        dir: out
        inputs: { i: "\${{ up.outputs.o }}" }
        outputs: { o: o.txt }
        run: chmod u+w \${{ inputs.i }}; echo edited >> \${{ inputs.i }}; echo > \${{ outputs.o }}
      c: { code: [code.sh], outputs: { o: o.txt }, run: 'echo : >> code.sh; echo > \${{ outputs.o }}' }
  `);
  const first = await rig.exits(1, 'build', 'r');
  assert.match(first.stderr, 'inputs changed while running');
  const second = await rig.exits(1, 'build', 'c');
  assert.match(second.stderr, 'inputs changed while running');
  rig.ranSince();
  await rig.ok('build', 'up');
  assert.is(rig.read('up/o.txt'), 'up\n');
});

rigTest('a failed attempt is recorded beside an earlier success, never in its place', async (rig) => {
  rig.write('code.sh', ':\n');
  oneJob(rig, 'sh code.sh; echo good > ${{ outputs.o }}', 'code: [code.sh]');
  await rig.runs(['r']);
  rig.write('code.sh', 'exit 1\n');
  await rig.exits(1, 'build');
  assert.is((await rig.job('r')).status, 'FAILED');
  rig.ranSince();
  rig.write('code.sh', ':\n');
  await rig.runs([]);
  assert.is(rig.read('out/o.txt'), 'good\n');
  assert.is((await rig.job('r')).status, 'FRESH');
});

rigTest('--rerun-incomplete runs what failed, and what it needs, and nothing else', async (rig) => {
  rig.write('code.sh', 'exit 1\n');
  rig.write('fresh.txt', '1\n');
  rig.workflow(`
    rules:
      need: { inputs: { i: fresh.txt }, outputs: { o: o.txt }, run: '${ran('need')}; cp \${{ inputs.i }} \${{ outputs.o }}' }
      bad: { inputs: { i: "\${{ need.outputs.o }}" }, outputs: { o: o.txt }, run: '${ran('bad')}; sh code.sh; echo > \${{ outputs.o }}' }
      good: { inputs: { i: fresh.txt }, outputs: { o: o.txt }, run: '${ran('good')}; echo > \${{ outputs.o }}' }
  `);
  await rig.exits(1, 'build', '-k');
  assert.equal(rig.ranSince(), ['bad', 'good', 'need']);
  rig.write('fresh.txt', '2\n');
  rig.write('code.sh', 'exit 0\n');
  await rig.runs(['bad', 'need'], 'build', '--rerun-incomplete', '-j', '4');
  await rig.runs([], 'build', '--rerun-incomplete');
  await rig.runs(['good']);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  rigTest(`${signal}: exit ${signal === 'SIGINT' ? 130 : 143}, INCOMPLETE, and the next build goes on`, async (rig) => {
    const gates = new Gates(rig, ['a', 'b']);
    rig.workflow(`
      rules: { r: { for: { n: [a, b] }, outputs: { o: o.txt }, run: '${Gates.command('${{ n }}')}; echo \${{ n }} > \${{ outputs.o }}; ${ran('${{ n }}')}' } }
    `);
    const build = rig.start({}, 'build', '-j', '1', '--json');
    const [first = ''] = await gates.reached(1);
    gates.open(first);
    await gates.reached(2);
    build.child.kill(signal);
    const ended = await build.done;
    assert.is(ended.code, signal === 'SIGINT' ? 130 : 143, ended.stderr);
    assert.equal(rig.ranSince(), [first]);
    const statuses = (await rig.summary()).jobs.map((job) => job.status).sort();
    assert.equal(statuses, ['FRESH', 'INCOMPLETE']);
    const second = first === 'a' ? 'b' : 'a';
    gates.open(second);
    await rig.runs([second]);
    await rig.runs([]);
  });
}

rigTest('a driver that is killed loses nothing that was done, and needs no unlock', async (rig) => {
  const gates = new Gates(rig, ['a', 'b']);
  rig.workflow(`
    rules: { r: { for: { n: [a, b] }, outputs: { o: o.txt }, run: '${ran('${{ n }}')}; ${Gates.command('${{ n }}')}; echo \${{ n }} > \${{ outputs.o }}' } }
  `);
  const build = rig.start({}, 'build', '-j', '1');
  const [first = ''] = await gates.reached(1);
  gates.open(first);
  await gates.reached(2);
  build.child.kill('SIGKILL');
  await build.done;
  const statuses = (await rig.summary()).jobs.map((job) => job.status).sort();
  assert.equal(statuses, ['FRESH', 'RUNNING']);
  const second = first === 'a' ? 'b' : 'a';
  const again = rig.start({}, 'build');
  gates.open(second);
  assert.is((await again.done).code, 0, again.stderr());
  assert.equal(rig.ranSince(), ['a', 'b'], 'the one that ran runs on, and not anew');
  await rig.runs([]);
});

rigTest(
  'one build a work tree: exit 3 with who holds the lock, also where nothing would be done; queries never wait',
  async (rig) => {
    const gates = new Gates(rig, ['g']);
    rig.workflow(`
    rules:
      done: { outputs: { o: o.txt }, run: '${ran('done')}; echo > \${{ outputs.o }}' }
      r: { outputs: { o: o.txt }, run: '${Gates.command('g')}; ${ran('r')}; echo > \${{ outputs.o }}' }
  `);
    await rig.ok('build', 'done');
    const build = rig.start({}, 'build');
    await gates.reached(1);
    for (const args of [['build'], ['build', 'done'], ['forcerun', 'done']]) {
      const refused = await rig.exits(3, ...args);
      assert.match(refused.stderr, String(build.child.pid));
    }
    const { jobs } = await rig.summary();
    assert.is(jobs.find((job) => job.rule === 'r')?.status, 'RUNNING');
    assert.is(jobs.find((job) => job.rule === 'done')?.status, 'FRESH');
    await rig.ok('build', '-n');
    const running = await rig.ok('jobs');
    assert.match(running.stdout, jobs.find((job) => job.rule === 'r')?.id ?? '');
    const waiting = rig.start({}, 'build', '--wait');
    gates.open('g');
    assert.is((await build.done).code, 0);
    assert.is((await waiting.done).code, 0, waiting.stderr());
    assert.equal(rig.ranSince(), ['done', 'r']);
  },
);

rigTest('a job that asks for more memory than there is: an error before anything starts', async (rig) => {
  const workflow = (resources: string): void =>
    rig.workflow(`
      rules:
        first: { priority: 100, outputs: { o: o.txt }, run: '${ran('first')}; echo > \${{ outputs.o }}' }
        greedy: { resources: ${resources}, outputs: { o: o.txt }, run: '${ran('greedy')}; echo > \${{ outputs.o }}' }
    `);
  workflow('{ mem_mb: 999999999 }');
  const machine = await rig.exits(2, 'build', '-k');
  assert.match(machine.stderr, 'greedy');
  assert.match(machine.stderr, '999999999');
  workflow('{ mem_mb: 300 }');
  const flag = await rig.exits(2, 'build', '--resources', 'mem_mb=200');
  assert.match(flag.stderr, /300[^]*200/);
  workflow('{ license: 2 }');
  await rig.exits(2, 'build', '--resources', 'license=1');
  assert.equal(rig.ranSince(), []);
  await rig.runs(['first', 'greedy'], 'build', '--resources', 'license=2');
});

rigTest(
  'a job that asks for more cpus than there are runs alone, with one warning and the smaller LHB_CPUS',
  async (rig) => {
    rig.workflow(`
    rules:
      wide: { for: { n: [1, 2] }, dir: "w\${{ n }}", resources: { cpus: 9999 }, outputs: { o: o.txt }, run: 'echo +w >> order; echo $LHB_CPUS > \${{ outputs.o }}; echo -w >> order' }
      small: { for: { n: [1, 2, 3] }, outputs: { o: o.txt }, run: 'echo +s >> order; echo > \${{ outputs.o }}; echo -s >> order' }
  `);
    const ended = await rig.ok('build', '--resources', 'cpus=3', '-j', '4');
    assert.is(rig.read('w1/o.txt'), '3\n');
    const warnings = ended.stderr.split('\n').filter((line) => line.includes('9999') && line.includes('wide'));
    assert.ok(warnings.length >= 1 && warnings.length <= 2, ended.stderr);
    assert.match(warnings.join('\n'), /\b3\b/);
    const order = rig.read('order').trim().split('\n');
    order.forEach((line, i) => {
      if (line === '+w') assert.is(order[i + 1], '-w', order.join(' '));
    });
    await rig.runs([]);
  },
);

rigTest('a build that ends with failures leaves what it built: the next runs only the rest', async (rig) => {
  await builtSweep(rig);
  rig.edit('config/experiments.yaml', 'steps: 20', 'steps: 21');
  rig.edit('lhb.yaml', '      echo "run', '      test "${{ target.target.name }}" != b\n      echo "run');
  const ended = await rig.exits(1, 'build', '-k');
  assert.ok(ended.stderr.length > 0);
  assert.equal(rig.ranSince(), ['run a hmc', 'run a sgld', 'run c hmc', 'run c sgld']);
  const { counts: states } = await rig.summary();
  assert.is(states['FAILED'], 2);
  assert.is(states['FRESH'], 7);
});

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test.run();
