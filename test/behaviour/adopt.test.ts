// Builds that are killed while jobs run: the jobs run on, and the next build adopts what it still wants.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runningLaunches } from '../../src/execute/orphans.ts';
import { workLayout } from '../../src/store/layout.ts';
import { Gates } from '../support/fake-command.ts';
import { parseEvents } from '../support/json.ts';
import { ran, rigTest, type Rig, type Started } from '../support/rig.ts';

/** A job that leaves its name and pid, waits at a gate, then makes its output. */
const waiting = (name: string, gate = name): string =>
  `${ran(name)}; echo $$ >> self; ${Gates.command(gate)}; echo ${name} > \${{ outputs.o }}`;

const pids = (rig: Rig, file = 'self'): number[] =>
  rig.exists(file) ? rig.read(file).trim().split('\n').map(Number) : [];

function alive(pid: number | undefined): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

async function kill(build: Started): Promise<void> {
  build.child.kill('SIGKILL');
  await build.done;
}

/** Waits until nothing runs any more of what killed builds started. */
const idle = (rig: Rig): Promise<void> =>
  rig.until('all jobs have ended', () => runningLaunches(workLayout(rig.dir)).length === 0);

const adopted = (rig: Rig, build: Started): Promise<void> =>
  rig.until('a job is adopted', () => build.stdout().includes('"adopted":"running"'));

type Counts = Readonly<Record<string, number>>;
const counts = (stdout: string): Counts => {
  const found = parseEvents(stdout).find((e) => e['event'] === 'build-finished')?.['counts'] as Counts;
  return Object.fromEntries(Object.entries(found).filter(([, count]) => count > 0));
};
const starts = (stdout: string): unknown[] =>
  parseEvents(stdout)
    .filter((e) => e['event'] === 'job-started')
    .map((e) => e['adopted'] ?? 'anew');

rigTest('a job of a killed build runs on, is RUNNING, and is adopted by the next build', async (rig) => {
  const gates = new Gates(rig, ['r']);
  rig.workflow(`rules: { r: { dir: out, outputs: { o: o.txt }, run: '${waiting('r')}' } }`);
  const build = rig.start({}, 'build');
  await gates.reached(1);
  await kill(build);
  const { jobs } = await rig.summary();
  assert.is(jobs[0]?.status, 'RUNNING');
  type Listed = { build: unknown; jobs: { id: string }[] };
  const listed = (await rig.json('jobs')) as Listed;
  assert.equal([listed.build, listed.jobs.map(({ id }) => id)], [null, [jobs[0]?.id]]);
  assert.match((await rig.ok('jobs')).stderr, 'lhb build');
  assert.match((await rig.ok('build', '-n')).stdout, /^run\s+r\s/m);

  const next = rig.start({}, 'build', '--json');
  await adopted(rig, next);
  assert.is((await rig.summary()).jobs[0]?.status, 'RUNNING');
  assert.is(((await rig.json('jobs')) as Listed).jobs.length, 1);
  gates.open('r');
  const ended = await next.done;
  assert.equal([ended.code, counts(ended.stdout), starts(ended.stdout)], [0, { built: 1 }, ['running']]);
  assert.equal([rig.ranSince(), pids(rig).length, rig.read('out/o.txt')], [['r'], 1, 'r\n']);
  assert.not(rig.exists('.lhb/launches'));
  assert.equal(readdirSync(rig.path('.lhb/tmp')), []);
  await rig.runs([], 'build');
});

rigTest('what ended well while no build watched is recorded, not run again, with what it used', async (rig) => {
  const gates = new Gates(rig, ['r']);
  const busy = 'i=0; while [ $i -lt 60000 ]; do i=$((i + 1)); done';
  rig.workflow(`rules: { r: { dir: out, outputs: { o: o.txt }, run: '${waiting('r')}; ${busy}' } }`);
  const build = rig.start({}, 'build');
  await gates.reached(1);
  await kill(build);
  gates.open('r');
  await idle(rig);
  assert.is((await rig.summary()).jobs[0]?.status, 'INCOMPLETE');
  const ended = await rig.ok('build', '--json');
  assert.equal([counts(ended.stdout), starts(ended.stdout), rig.ranSince()], [{ built: 1 }, ['ended'], ['r']]);
  const [job] = (await rig.summary('summary', '--detailed')).jobs;
  assert.is(job?.status, 'FRESH');
  assert.ok(Number(job?.all['duration_s']) > 0.01 && Number(job?.all['duration_s']) < 100);
  const used = /cpu=([\d.]+)s/.exec((await rig.ok('summary', '--detailed')).stdout)?.[1];
  assert.ok(Number(used) > 0.01, used);
});

rigTest('what failed while no build watched is on record as failed, and is run again', async (rig) => {
  const gates = new Gates(rig, ['r']);
  rig.workflow(`rules: { r: { dir: out, outputs: { o: o.txt }, run: '${waiting('r')}' } }`);
  const build = rig.start({}, 'build');
  await gates.reached(1);
  await kill(build);
  gates.open('r', 3);
  await idle(rig);
  assert.is((await rig.summary()).jobs[0]?.status, 'FAILED');
  const next = rig.start({}, 'build', '--json');
  await gates.reached(2);
  gates.open('r');
  const { stdout } = await next.done;
  assert.equal([counts(stdout), starts(stdout), rig.ranSince()], [{ built: 1 }, ['anew'], ['r', 'r']]);
  assert.match(stdout, 'failed last time: exit code 3');
});

rigTest('an ended job whose outputs are not there is run again, not failed', async (rig) => {
  const gates = new Gates(rig, ['r']);
  rig.workflow(`rules: { r: { dir: out, outputs: { o: o.txt }, run: '${waiting('r')}' } }`);
  const build = rig.start({}, 'build');
  await gates.reached(1);
  await kill(build);
  gates.open('r');
  await idle(rig);
  rig.remove('out/o.txt');
  gates.open('r');
  const { stdout } = await rig.ok('build', '--json');
  assert.equal([counts(stdout), starts(stdout), rig.ranSince()], [{ built: 1 }, ['ended', 'anew'], ['r', 'r']]);
  assert.is(rig.read('out/o.txt'), 'r\n');
});

rigTest('outputs that were edited after the end of an unwatched job do not pass for its own', async (rig) => {
  const gates = new Gates(rig, ['r']);
  rig.workflow(`rules: { r: { dir: out, outputs: { o: o.txt }, run: '${waiting('r')}' } }`);
  const build = rig.start({}, 'build');
  await gates.reached(1);
  await kill(build);
  gates.open('r');
  await idle(rig);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  rig.write('out/o.txt', 'edited\n');
  gates.open('r');
  const { stdout } = await rig.ok('build', '--json');
  assert.equal([counts(stdout), starts(stdout), rig.ranSince()], [{ built: 1 }, ['ended', 'anew'], ['r', 'r']]);
  assert.is(rig.read('out/o.txt'), 'r\n');
});

rigTest(
  'a job that the workflow no longer has, or that is forced, is ended; one not selected is left alone',
  async (rig) => {
    const gates = new Gates(rig, ['a', 'b', 'c']);
    const rule = (name: string): string => `
      ${name}: { dir: ${name}, outputs: { o: o.txt }, run: '${waiting(name)}' }`;
    rig.workflow(`rules:${['a', 'b', 'c'].map(rule).join('')}`);
    const build = rig.start({}, 'build', '-j', '3');
    await gates.reached(3);
    await kill(build);
    const pidOf = Object.fromEntries(
      ['a', 'b', 'c'].map((name) => [name, pids(rig)[rig.read('ran.log').trim().split('\n').indexOf(name)]]),
    );
    rig.workflow(`rules:${['b', 'c'].map(rule).join('')}
      d: { dir: d, outputs: { o: o.txt }, run: '${ran('d')}; echo d > \${{ outputs.o }}' }`);
    const { stderr } = await rig.ok('build', 'd');
    assert.match(stderr, /the run that a killed build left is ended: the workflow has no such job/);
    assert.equal(
      ['a', 'b', 'c'].map((name) => alive(pidOf[name])),
      [false, true, true],
    );
    assert.is((await rig.job('b')).status, 'RUNNING');

    const forced = rig.start({}, 'forcerun', 'b', '--json');
    await gates.reached(4);
    assert.not(alive(pidOf['b']));
    gates.open('b');
    const { code, stdout } = await forced.done;
    assert.equal([code, counts(stdout), starts(stdout)], [0, { built: 1 }, ['anew']]);

    assert.ok(alive(pidOf['c']));
    gates.open('c');
    const last = await rig.ok('build', '--json');
    assert.equal(counts(last.stdout), { built: 1, fresh: 2 });
    assert.equal(rig.ranSince(), ['a', 'b', 'b', 'c', 'd']);
    assert.not(rig.exists('.lhb/launches'));
  },
);

rigTest('a job below one that runs again is ended: what it reads changes under it', async (rig) => {
  const gates = new Gates(rig, ['b']);
  rig.write('in.txt', '1\n');
  rig.workflow(`
    rules:
      a: { dir: a, inputs: { i: in.txt }, outputs: { o: o.txt }, run: '${ran('a')}; cp in.txt \${{ outputs.o }}' }
      b: { dir: b, inputs: { i: "\${{ a.outputs.o }}" }, outputs: { o: o.txt }, run: '${waiting('b')}; cat \${{ inputs.i }} >> \${{ outputs.o }}' }
  `);
  const build = rig.start({}, 'build');
  await gates.reached(1);
  await kill(build);
  const [old] = pids(rig);
  rig.write('in.txt', '2\n');
  const next = rig.start({}, 'build');
  await gates.reached(2);
  assert.not(alive(old));
  gates.open('b');
  assert.is((await next.done).code, 0);
  assert.is(rig.read('b/o.txt'), 'b\n2\n');
});

rigTest('a job that was killed with its helper shell is run again, without what it left running', async (rig) => {
  const gates = new Gates(rig, ['r']);
  const escaped =
    'setsid sh -c "echo \\$\\$ >> left; while :; do sleep 0.05; done" & until [ -s left ]; do sleep 0.01; done';
  rig.workflow(`
    rules:
      r:
        dir: out
        outputs: { o: o.txt }
        run: |
          echo $PPID >> helper
          if [ ! -e second ]; then ${escaped}; echo > "$TMPDIR/left"; fi
          ${waiting('r')}
  `);
  const build = rig.start({}, 'build');
  await gates.reached(1);
  await kill(build);
  rig.write('second', '');
  const both = [...pids(rig, 'helper'), ...pids(rig)];
  for (const pid of both) process.kill(pid, 'SIGKILL');
  await rig.until('both are gone', () => !both.some(alive));
  assert.ok(alive(pids(rig, 'left')[0]));
  gates.open('r');
  const { stdout } = await rig.ok('build', '--rerun-incomplete', '--json');
  assert.equal([counts(stdout), starts(stdout), rig.ranSince()], [{ built: 1 }, ['anew'], ['r', 'r']]);
  assert.not(alive(pids(rig, 'left')[0]));
  assert.equal(readdirSync(rig.path('.lhb/tmp')), []);
});

rigTest('a job whose helper shell is killed while it is adopted is run again', async (rig) => {
  const gates = new Gates(rig, ['r']);
  rig.workflow(`rules: { r: { dir: out, outputs: { o: o.txt }, run: 'echo $PPID >> helper; ${waiting('r')}' } }`);
  const build = rig.start({}, 'build');
  await gates.reached(1);
  await kill(build);
  const next = rig.start({}, 'build', '--json');
  await adopted(rig, next);
  process.kill(pids(rig, 'helper')[0] ?? 0, 'SIGKILL');
  await rig.until('the job is gone', () => !alive(pids(rig)[0]));
  await gates.reached(2);
  gates.open('r');
  const { code, stdout } = await next.done;
  assert.equal([code, counts(stdout), starts(stdout)], [0, { built: 1 }, ['running', 'anew']]);
  assert.not(alive(pids(rig)[0]));
});

rigTest(
  'an adopted job is adopted again, its time-out counts from its start, its failure is tried again',
  async (rig) => {
    const gates = new Gates(rig, ['r']);
    rig.workflow(`
    rules: { r: { dir: out, retries: 1, timeout: 12, outputs: { o: o.txt }, run: '${waiting('r')}' } }
  `);
    const first = rig.start({}, 'build');
    await gates.reached(1);
    const began = Date.now();
    await kill(first);
    const second = rig.start({}, 'build', '--json');
    await adopted(rig, second);
    await kill(second);
    const third = rig.start({}, 'build', '--json');
    await adopted(rig, third);
    const adoptedAt = Date.now();
    await gates.reached(2); // the time-out came, and the second attempt
    const waited = Date.now();
    assert.ok(waited - adoptedAt < 12_000 && waited - began > 10_000, `${waited - adoptedAt} ${waited - began}`);
    gates.open('r');
    const { code, stdout } = await third.done;
    assert.equal([code, counts(stdout), starts(stdout)], [0, { built: 1 }, ['running', 'anew']]);
    assert.match(stdout, '"timed-out"');
    assert.match(stdout, '"attempt":2');
    assert.equal(rig.ranSince(), ['r', 'r']);
  },
);

rigTest('adopted jobs count for -j and hold their GPUs, also where they are not selected', async (rig) => {
  const gates = new Gates(rig, ['a', 'b', 'c']);
  const rule = (name: string, more: string): string => `
      ${name}: { dir: ${name}, ${more} outputs: { o: o.txt }, run: 'echo "gpu $CUDA_VISIBLE_DEVICES" >> gpus; ${waiting(name)}' }`;
  const workflow = (with_c: string): string => `rules:${rule('a', 'resources: { gpus: 1 },')}${rule('b', '')}${with_c}`;
  rig.workflow(workflow(''));
  const env = { CUDA_VISIBLE_DEVICES: '0' };
  const build = rig.start({ env }, 'build', '-j', '1', 'a');
  await gates.reached(1);
  await kill(build);

  const next = rig.start({ env }, 'build', '-j', '1', '--json');
  await adopted(rig, next);
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(gates.started(), ['a'], 'the only slot is taken');
  await kill(next);

  rig.workflow(workflow(rule('c', 'resources: { gpus: 1 },')));
  const third = rig.start({ env }, 'build', '-j', '4', 'b', 'c', '--json');
  await gates.reached(2);
  gates.open('b');
  await rig.until('b is built', () => third.stdout().includes('"built"'));
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(gates.started(), ['a', 'b'], 'the only GPU is taken');
  gates.open('a');
  await gates.reached(3);
  gates.open('c');
  const { code, stdout } = await third.done;
  assert.equal([code, counts(stdout)], [0, { built: 2 }]);
  const last = await rig.lhbWith({ env }, 'build', '--json');
  assert.equal([counts(last.stdout), starts(last.stdout)], [{ built: 1, fresh: 2 }, ['ended']]);
  assert.equal(rig.ranSince(), ['a', 'b', 'c']);
});

rigTest('Ctrl-C ends an adopted job; touch and restore leave a running one alone and say so', async (rig) => {
  const gates = new Gates(rig, ['r']);
  rig.workflow(`
    rules:
      r: { dir: r, outputs: { o: o.txt }, run: '${waiting('r')}' }
      s: { dir: s, outputs: { o: o.txt }, run: '${ran('s')}; echo s > \${{ outputs.o }}' }
  `);
  await rig.ok('build', 's');
  const build = rig.start({}, 'build');
  await gates.reached(1);
  await kill(build);
  rig.write('r/o.txt', 'by hand\n');
  rig.remove('s/o.txt');
  for (const command of ['touch', 'restore']) {
    const { stderr } = await rig.exits(1, command, 'r');
    assert.match(stderr, 'a build that was killed started it');
    assert.match(stderr, 'lhb build');
  }
  await rig.ok('restore', 's');
  await rig.ok('verify');
  assert.ok(alive(pids(rig)[0]));

  const next = rig.start({}, 'build', '--json');
  await adopted(rig, next);
  next.child.kill('SIGINT');
  assert.is((await next.done).code, 130);
  assert.not(alive(pids(rig)[0]));
  assert.not(rig.exists('.lhb/launches'));
  assert.is((await rig.job('r')).status, 'INCOMPLETE');
});

// The steps of src/base/step.ts at which a job has a process or a marker, and no trace yet or just now.
const STEPS = [
  'launch:before',
  'launch:noted',
  'launch:started',
  'capture:before',
  'capture:after',
  'commit:before',
  'commit:after',
  'build:end',
  'launches:closed',
];

rigTest('a build that is killed at any step of a job leaves it done once', async (rig) => {
  const preload = join(rig.base, 'kill-at.mjs');
  writeFileSync(
    preload,
    `globalThis[Symbol.for('lhb.step')] = (name) => { if (name === process.env.KILL_AT) process.kill(process.pid, 'SIGKILL'); };`,
  );
  for (const step of STEPS) {
    rig.workflow(`
      rules: { r: { dir: out, outputs: { o: o.txt }, run: '${ran(step)}; sleep 0.05; echo ${step} > \${{ outputs.o }}' } }
    `);
    const env = { NODE_OPTIONS: `--import ${preload}`, KILL_AT: step };
    assert.is((await rig.lhbWith({ env }, 'build')).code, 137, step);
    const ended = await rig.ok('build');
    assert.equal(rig.ranSince(), [step], `${step}\n${ended.stderr}`);
    assert.is(rig.read('out/o.txt'), `${step}\n`);
    assert.is((await rig.job('r')).status, 'FRESH', step);
    assert.not(rig.exists('.lhb/launches'), step);
  }
  await rig.ok('verify');
});

rigTest('failures are on record once, whenever the build is killed', async (rig) => {
  const preload = join(rig.base, 'kill-at.mjs');
  writeFileSync(
    preload,
    `globalThis[Symbol.for('lhb.step')] = (name) => { if (name === process.env.KILL_AT) process.kill(process.pid, 'SIGKILL'); };`,
  );
  for (const step of ['attempt:before', 'attempt:after']) {
    rig.workflow(`rules: { r: { dir: out, outputs: { o: o.txt }, run: '${ran(step)}; exit 4' } }`);
    const env = { NODE_OPTIONS: `--import ${preload}`, KILL_AT: step };
    assert.is((await rig.lhbWith({ env }, 'build')).code, 137, step);
    const { stdout } = await rig.exits(1, 'build', '--json');
    assert.match(stdout, 'failed last time: exit code 4', step);
    assert.equal(rig.ranSince(), [step, step]);
  }
});

test.run();
