// How many jobs run at once, and which: measured by the jobs themselves, which wait until the test lets them go.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Gates } from '../support/fake-command.ts';
import { parseEvents } from '../support/json.ts';
import { ran, rigTest, type Rig } from '../support/rig.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e'];

/** More cpus than any test needs, so that the machine's own do not limit. */
const PLENTY = ['--resources', 'cpus=100'];

/** Five jobs that wait at gates, with these fields in their rule. */
function five(rig: Rig, fields = ''): Gates {
  const gates = new Gates(rig, NAMES);
  rig.workflow(`
    rules:
      r:
        for: { n: [${NAMES.join(', ')}] }
        outputs: { o: o.txt }
        run: ${Gates.command('${{ n }}')}; echo > \${{ outputs.o }}
        ${fields}
  `);
  return gates;
}

/** Builds with these flags: `at once` jobs must come to their gates before any is let go, and never more at a time. */
async function peaks(rig: Rig, gates: Gates, atOnce: number, ...flags: string[]): Promise<void> {
  const build = rig.start({}, 'build', ...flags);
  await gates.reached(atOnce);
  for (const name of NAMES) gates.open(name);
  const ended = await build.done;
  assert.is(ended.code, 0, ended.stderr);
  assert.is(gates.peak(), atOnce, 'jobs at once');
  assert.is(gates.started().length, NAMES.length);
}

rigTest('-j 3 is reached and never exceeded', async (rig) => {
  await peaks(rig, five(rig), 3, '-j', '3', ...PLENTY);
});

rigTest('-j 1 runs one after the other', async (rig) => {
  await peaks(rig, five(rig), 1, '-j', '1');
});

for (const flag of ['--jobs=2', '-j2']) {
  rigTest(`${flag} is read as -j 2`, async (rig) => {
    await peaks(rig, five(rig), 2, flag, ...PLENTY);
  });
}

rigTest('--resources cpus=2 limits the sum of cpus', async (rig) => {
  await peaks(rig, five(rig, 'resources: { cpus: 1 }'), 2, '-j', '5', '--resources', 'cpus=2');
});

rigTest('--resources mem_mb=1000 limits memory', async (rig) => {
  await peaks(rig, five(rig, 'resources: { mem_mb: 400 }'), 2, '-j', '5', ...PLENTY, 'mem_mb=1000');
});

rigTest('memory reads as 4GB too', async (rig) => {
  await peaks(rig, five(rig, 'resources: { mem_mb: 1GB }'), 1, '-j', '5', ...PLENTY, 'mem_mb=1500');
});

rigTest('any other resource is limited where it is given, and free where it is not', async (rig) => {
  await peaks(rig, five(rig, 'resources: { license: 1, tape: 100 }'), 3, '-j', '5', ...PLENTY, 'license=3');
});

rigTest('several limits at once: the tightest holds', async (rig) => {
  await peaks(
    rig,
    five(rig, 'resources: { cpus: 1, mem_mb: 100 }'),
    2,
    '-j',
    '4',
    '--resources',
    'cpus=3',
    'mem_mb=200',
  );
});

rigTest('--default-resources and --set-resources take part in the limits', async (rig) => {
  const flags = ['--default-resources', 'license=1', '--set-resources', 'r:license=2', ...PLENTY, 'license=4'];
  await peaks(rig, five(rig), 2, '-j', '5', ...flags);
});

rigTest('higher priority goes first, by an expression too', async (rig) => {
  rig.workflow(`
    rules:
      r: { for: { n: [1, 3, 2] }, priority: "\${{ n * 10 }}", outputs: { o: o.txt }, run: '${ran('r${{ n }}')}; echo > \${{ outputs.o }}' }
      s: { priority: 100, outputs: { o: o.txt }, run: '${ran('s')}; echo > \${{ outputs.o }}' }
  `);
  await rig.ok('build', '-j', '1');
  assert.equal(rig.ranInOrder(), ['s', 'r3', 'r2', 'r1']);
});

rigTest('the highest priority of all that is ready goes first, wherever it stands', async (rig) => {
  rig.workflow(`
    rules:
      r: { for: { n: [1, 3, 2] }, priority: "\${{ n }}", outputs: { o: o.txt }, run: '${ran('r${{ n }}')}; echo > \${{ outputs.o }}' }
  `);
  await rig.ok('build', '-j', '1');
  assert.equal(rig.ranInOrder(), ['r3', 'r2', 'r1']);
});

rigTest('with equal priorities the longest path goes first', async (rig) => {
  rig.workflow(`
    rules:
      short: { outputs: { o: o.txt }, run: '${ran('short')}; echo > \${{ outputs.o }}' }
      one: { outputs: { o: o.txt }, run: '${ran('one')}; echo > \${{ outputs.o }}' }
      two: { inputs: { i: "\${{ one.outputs.o }}" }, outputs: { o: o.txt }, run: '${ran('two')}; echo > \${{ outputs.o }}' }
      three: { inputs: { i: "\${{ two.outputs.o }}" }, outputs: { o: o.txt }, run: '${ran('three')}; echo > \${{ outputs.o }}' }
  `);
  await rig.ok('build', '-j', '1');
  const order = rig.ranInOrder();
  assert.is(order[0], 'one', order.join(' '));
});

rigTest('GPUs are handed out one by one, from those that CUDA_VISIBLE_DEVICES leaves', async (rig) => {
  const gates = new Gates(rig, NAMES);
  rig.workflow(`
    rules:
      r:
        for: { n: [${NAMES.join(', ')}] }
        resources: { gpus: 1 }
        dir: "\${{ n }}"
        outputs: { o: o.txt }
        run: echo $CUDA_VISIBLE_DEVICES > \${{ outputs.o }}; ${Gates.command('${{ n }}')}
  `);
  const build = rig.start({ env: { CUDA_VISIBLE_DEVICES: '3,5' } }, 'build', '-j', '5', ...PLENTY);
  const first = await gates.reached(2);
  const devices = first.map((name) => rig.read(`${name}/o.txt`).trim());
  assert.equal([...devices].sort(), ['3', '5']);
  for (const name of NAMES) gates.open(name);
  assert.is((await build.done).code, 0, build.stderr());
  assert.is(gates.peak(), 2);
  rig.workflow(`
    rules: { r: { resources: { gpus: 3 }, outputs: { o: o.txt }, run: 'echo > \${{ outputs.o }}' } }
  `);
  const ended = await rig.lhbWith({ env: { CUDA_VISIBLE_DEVICES: '3,5' } }, 'build');
  assert.is(ended.code, 2, ended.stderr);
});

rigTest('without a driver that tells of GPUs, --resources gpus=N says how many there are', async (rig) => {
  const gates = new Gates(rig, ['a', 'b', 'c']);
  rig.workflow(`
    rules:
      r:
        for: { n: [a, b, c] }
        resources: { gpus: 1 }
        dir: "\${{ n }}"
        outputs: { o: o.txt }
        run: echo $CUDA_VISIBLE_DEVICES > \${{ outputs.o }}; ${Gates.command('${{ n }}')}
  `);
  // CUDA's own variable wins over the flag.
  const none = await rig.lhbWith({ env: { CUDA_VISIBLE_DEVICES: '4' } }, 'build', '-j', '3', '--resources', 'gpus=0');
  assert.is(none.code, 2, none.stderr);
  if (existsSync('/proc/driver/nvidia/gpus')) return;
  const env = { PATH: '/usr/bin:/bin', CUDA_VISIBLE_DEVICES: undefined };
  const build = rig.start({ env }, 'build', '-j', '3', ...PLENTY, 'gpus=2');
  const first = await gates.reached(2);
  assert.equal(first.map((name) => rig.read(`${name}/o.txt`).trim()).sort(), ['0', '1']);
  for (const name of ['a', 'b', 'c']) gates.open(name);
  assert.is((await build.done).code, 0, build.stderr());
  assert.is(gates.peak(), 2);
});

rigTest('a retry that asks for more than there is, is not made: the job has failed', async (rig) => {
  rig.workflow(`
    rules:
      r: { retries: 3, resources: { mem_mb: "\${{ 400 * attempt }}" }, outputs: { o: o.txt }, run: '${ran('r')}; exit 5' }
  `);
  const ended = await rig.exits(1, 'build', '--resources', 'mem_mb=1000');
  assert.equal(rig.ranSince(), ['r', 'r']);
  assert.match(ended.stderr, /1200[^]*1000/);
  const job = await rig.job('r');
  assert.is(job.status, 'FAILED');
  assert.match(job.reasons.map((reason) => reason.detail).join(), /\b5\b/);
});

rigTest('what a job asks for by an output of another is looked at when it is about to start', async (rig) => {
  rig.workflow(`
    rules:
      a: { dir: a, outputs: { o: o.bin }, run: 'head -c 3000000 /dev/zero > \${{ outputs.o }}' }
      b: { inputs: { i: "\${{ a.outputs.o }}" }, resources: { mem_mb: "\${{ 1000 * file_mb(inputs.i) }}" }, outputs: { o: o.txt }, run: '${ran('b')}; echo > \${{ outputs.o }}' }
  `);
  const ended = await rig.exits(1, 'build', '--resources', 'mem_mb=2000');
  assert.match(ended.stderr, /3000[^]*2000/);
  assert.is((await rig.job('b')).status, 'FAILED');
  await rig.runs(['b'], 'build', '--resources', 'mem_mb=4000');
});

rigTest('a long queue of jobs that wait for a resource holds up none that does not need it', async (rig) => {
  const gates = new Gates(rig, ['g']);
  rig.workflow(`
    rules:
      scarce: { for: { n: "\${{ range(0, 400) }}" }, priority: 1, resources: { license: 1 }, outputs: { o: o.txt }, run: 'test \${{ n }} != 0 || { ${Gates.command('g')}; }; echo > \${{ outputs.o }}' }
      free: { outputs: { o: o.txt }, run: '${ran('free')}; echo > \${{ outputs.o }}' }
  `);
  const build = rig.start({}, 'build', '-j', '2', '--resources', 'license=1');
  await gates.reached(1);
  await rig.until('the job that needs no license', () => rig.exists('ran.log'));
  gates.open('g');
  assert.is((await build.done).code, 0, build.stderr());
});

rigTest('jobs that read temp outputs keep to -j as well', async (rig) => {
  const gates = new Gates(rig, ['b1', 'b2', 'b3']);
  rig.workflow(`
    rules:
      a: { outputs: { o: { path: o.txt, temp: true } }, run: 'echo > \${{ outputs.o }}' }
      b: { for: { n: [1, 2, 3], x: "\${{ [a] }}" }, outputs: { o: o.txt }, run: '${Gates.command('b${{ n }}')}; cp \${{ x.outputs.o }} \${{ outputs.o }}' }
  `);
  const build = rig.start({}, 'build', '-j', '1', '--json');
  await gates.reached(1);
  const started = (): readonly string[] =>
    build
      .stdout()
      .split('\n')
      .filter((line) => line.includes('"job-started"') && line.includes('"b"'));
  await rig.until('its start is told', () => started().length > 0);
  assert.is(started().length, 1);
  for (const name of ['b1', 'b2', 'b3']) gates.open(name);
  assert.is((await build.done).code, 0, build.stderr());
  assert.is(gates.peak(), 1);
});

rigTest('jobs of one stage do not wait for the whole stage before', async (rig) => {
  const gates = new Gates(rig, ['a', 'b', 'a2']);
  rig.workflow(`
    rules:
      one: { for: { n: [a, b] }, outputs: { o: o.txt }, run: '${Gates.command('${{ n }}')}; echo > \${{ outputs.o }}' }
      two: { for: { x: "\${{ one }}" }, outputs: { o: o.txt }, run: 'test \${{ x.n }} = b || { ${Gates.command('a2')}; }; cp \${{ x.outputs.o }} \${{ outputs.o }}' }
  `);
  const build = rig.start({}, 'build', '-j', '2', ...PLENTY);
  await gates.reached(2);
  gates.open('a');
  assert.equal([...(await gates.reached(3))].sort(), ['a', 'a2', 'b'], 'a2 starts while b still runs');
  gates.open('a2');
  gates.open('b');
  assert.is((await build.done).code, 0, build.stderr());
});

const SHORT = 120;

/** Short jobs, each of which notes how many run with it, and whether some are handed over before their turn. */
function short(rig: Rig, more = ''): void {
  rig.write(
    'lhb.yaml',
    `lhb: 1
config: { n: [${Array.from({ length: SHORT }, (_unused, n) => n).join(', ')}] }
rules:
  r:
    for: { n: "\${{ config.n }}" }
    dir: \${{ 'out/' + string(n) }}
    outputs: { o: o.txt }
    run: |
      mkdir -p live seen
      : > live/$$
      set -- live/*; echo $# > seen/$$
      ls .lhb/tmp | grep -c turns >> turns || :
      echo \${{ n }} > \${{ outputs.o }}
      ${more}
      rm live/$$
`,
  );
}

const mostAtOnce = (rig: Rig): number =>
  Math.max(...readdirSync(rig.path('seen')).map((name) => Number(rig.read(`seen/${name}`))));

rigTest('short jobs are made ready before their turn, and no more run at once than may', async (rig) => {
  short(rig);
  const { stdout } = await rig.ok('build', '-j', '2', '--json', ...PLENTY);
  if (process.platform === 'linux') assert.match(rig.read('turns'), /^1$/m);
  assert.ok(mostAtOnce(rig) <= 2);
  const told = parseEvents(stdout).map(({ event }) => event);
  for (const event of ['job-started', 'job-finished']) assert.is(told.filter((e) => e === event).length, SHORT);
  assert.equal(readdirSync(rig.path('.lhb/tmp')), []);
  assert.match((await rig.ok('build')).stderr, /nothing to do/);
});

for (const which of ['n > 100', 'n % 10 == 0']) {
  rigTest(`no more than may run at once where those with ${which} take long`, async (rig) => {
    short(rig, `test \${{ ${which} ? 1 : 0 }} = 0 || sleep 0.2`);
    await rig.ok('build', '-j', '4', ...PLENTY);
    assert.is(mostAtOnce(rig), 4);
  });
}

rigTest('after a failure no job begins that had not, unless -k says so', async (rig) => {
  short(rig, 'test ! -e fail/${{ n }} || { rm live/$$; exit 1; }');
  for (let n = 30; n < 33; n++) rig.write(`fail/${n}`, '');
  const stopped = await rig.lhb('build', '-j', '2', ...PLENTY);
  assert.is(stopped.code, 1, stopped.stderr);
  const made = readdirSync(rig.path('seen')).length;
  assert.ok(made >= 31 && made < 40, `${made} jobs ran`);
  const kept = await rig.lhb('build', '-j', '2', '-k', ...PLENTY);
  assert.is(kept.code, 1, kept.stderr);
  assert.match(kept.stderr, /failed 3 in/);
  assert.ok(mostAtOnce(rig) <= 2);
  rmSync(rig.path('fail'), { recursive: true });
  const last = await rig.ok('build', '-j', '2', ...PLENTY);
  assert.match(last.stderr, /built 3\b/);
});

test.run();
