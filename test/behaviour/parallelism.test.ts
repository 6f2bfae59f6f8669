// How many jobs run at once, and which: measured by the jobs themselves, which wait until the test lets them go.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Gates } from '../support/fake-command.ts';
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

test.run();
