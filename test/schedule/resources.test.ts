import { availableParallelism } from 'node:os';
import { inspect } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Value } from '../../src/base/value.ts';
import { machineLimits, parseDuration, parseResource, ResourcePool } from '../../src/schedule/resources.ts';

const good: [string, Value, number | string][] = [
  ['cpus', 4n, 4],
  ['cpus', 2.0, 2],
  ['cpus', '8', 8],
  ['gpus', 0n, 0],
  ['mem_mb', 8000n, 8000],
  ['mem_mb', 1000.5, 1001],
  ['mem_mb', '4GB', 4000],
  ['mem_mb', '4G', 4000],
  ['mem_mb', '500MB', 500],
  ['mem_mb', ' 500 mb ', 500],
  ['mem_mb', '1.5GiB', 1611],
  ['mem_mb', '1Gi', 1074],
  ['mem_mb', '1500kB', 2],
  ['mem_mb', '2T', 2_000_000],
  ['mem_mb', '1500000B', 2],
  ['mem_mb', '250', 250],
  ['disk_mb', '10GB', 10_000],
  ['time', 90n, 90],
  ['time', '90', 90],
  ['time', '02:00:00', 120],
  ['time', '01:30', 1.5],
  ['time', '1-02:00', 1560],
  ['time', '1-02', 1560],
  ['time', '2-00:00:30', 2880.5],
  ['time', '90m', 90],
  ['time', '2h', 120],
  ['time', '1h30m', 90],
  ['time', '2 days', 2880],
  ['runtime', '45 min', 45],
  ['partition', 'gpu', 'gpu'],
  ['licenses', 3n, 3],
  ['weight', 0.5, 0.5],
  ['constraint', '', ''],
];
for (const [name, value, expected] of good) {
  test(`${name}: ${inspect(value)} is ${expected}`, () => {
    assert.equal(parseResource(name, value), { ok: true, value: expected });
  });
}

const bad: [string, Value, string][] = [
  ['cpus', 0n, 'must be a whole number from 1, not 0'],
  ['cpus', 1.5, 'must be a whole number from 1, not 1.5'],
  ['cpus', 'many', "must be a whole number from 1, not 'many'"],
  ['gpus', -1n, 'must be a whole number from 0, not -1'],
  ['mem_mb', '4XB', "must be a number of MB or a size such as 4GB, 500MB or 1.5GiB, not '4XB'"],
  ['mem_mb', '4iB', "must be a number of MB or a size such as 4GB, 500MB or 1.5GiB, not '4iB'"],
  ['mem_mb', -5n, 'must be a number of MB or a size such as 4GB, 500MB or 1.5GiB, not -5'],
  ['time', 'soon', "must be a number of minutes or a time such as 02:00:00, 1-02:00, 90m or 2h, not 'soon'"],
  ['time', '', "must be a number of minutes or a time such as 02:00:00, 1-02:00, 90m or 2h, not ''"],
  ['time', '3x', "must be a number of minutes or a time such as 02:00:00, 1-02:00, 90m or 2h, not '3x'"],
  ['partition', true, 'must be a number or text, not true'],
  ['partition', null, 'must be a number or text, not null'],
  ['partition', ['a'], 'must be a number or text, not a list'],
  ['weight', Infinity, 'must be a finite number, not inf'],
];
for (const [name, value, message] of bad) {
  test(`${name}: ${inspect(value)} is refused`, () => {
    assert.equal(parseResource(name, value), { ok: false, error: message });
  });
}

test('a duration is seconds where it has no unit', () => {
  const seconds = (value: Value): unknown => {
    const result = parseDuration(value);
    return result.ok ? result.value : result.error;
  };
  assert.is(seconds(90n), 90);
  assert.is(seconds(0.5), 0.5);
  assert.is(seconds('90'), 90);
  assert.is(seconds('6h'), 21600);
  assert.is(seconds('0.5s'), 0.5);
  assert.is(seconds('01:30:00'), 5400);
  assert.is(seconds(0n), 'must be a number of seconds or a time such as 6h, 90m or 01:30:00, not 0');
  assert.is(seconds('never'), "must be a number of seconds or a time such as 6h, 90m or 01:30:00, not 'never'");
  assert.is(seconds(null), 'must be a number of seconds or a time such as 6h, 90m or 01:30:00, not null');
});

const request = (entries: Record<string, number | string>): Map<string, number | string> =>
  new Map(Object.entries(entries));
const limits = (entries: Record<string, number>): Map<string, number> => new Map(Object.entries(entries));

test('sums stay within the limits, and what is given back can be taken again', () => {
  const pool = new ResourcePool(limits({ cpus: 4, mem_mb: 1000 }));
  const big = request({ cpus: 3, mem_mb: 600 });
  pool.take(big);
  assert.not(pool.fits(request({ cpus: 2 })), 'no 2 cpus left');
  assert.not(pool.fits(request({ cpus: 1, mem_mb: 500 })), 'not as much memory left');
  assert.ok(pool.fits(request({ cpus: 1, mem_mb: 400 })));
  pool.give(big);
  assert.ok(pool.fits(request({ cpus: 4, mem_mb: 1000 })));
});

test('a job that does not say how many cpus it needs counts none, and is granted one', () => {
  const pool = new ResourcePool(limits({ cpus: 2 }));
  pool.take(request({ cpus: 2 }));
  assert.ok(pool.fits(request({})));
  assert.is(pool.grantedCpus(request({})), 1);
});

test('what has no limit is free, and so is text', () => {
  const pool = new ResourcePool(limits({ cpus: 8, partition: 1 }));
  pool.take(request({ io: 1e9, partition: 'normal' }));
  assert.ok(pool.fits(request({ io: 1e9, partition: 'normal' })));
});

test('a job with more cpus than there are runs alone with what there is', () => {
  const pool = new ResourcePool(limits({ cpus: 2 }));
  const wide = request({ cpus: 16 });
  assert.equal(pool.neverFits(wide), []);
  assert.equal(pool.excessCpus(wide), { name: 'cpus', asked: 16, limit: 2 });
  assert.is(pool.excessCpus(request({ cpus: 2 })), undefined);
  assert.is(pool.grantedCpus(wide), 2);
  pool.take(wide);
  assert.not(pool.fits(request({ cpus: 1 })));
  assert.not(pool.fits(request({})), 'nothing beside it');
  pool.give(wide);
  pool.take(request({}));
  assert.not(pool.fits(wide), 'it beside nothing');
});

test('more memory, GPUs or another limited resource than there is never fits', () => {
  const pool = new ResourcePool(limits({ cpus: 8, mem_mb: 1000, gpus: 0, io: 5 }));
  assert.equal(pool.neverFits(request({ mem_mb: 1001, gpus: 1, io: 5 })), [
    { name: 'mem_mb', asked: 1001, limit: 1000 },
    { name: 'gpus', asked: 1, limit: 0 },
  ]);
});

test('fractions add up', () => {
  const pool = new ResourcePool(limits({ cpus: 100, io: 1 }));
  for (let n = 0; n < 10; n++) pool.take(request({ io: 0.1 }));
  assert.not(pool.fits(request({ io: 0.1 })));
  for (let n = 0; n < 10; n++) pool.give(request({ io: 0.1 }));
  assert.ok(pool.fits(request({ io: 1 })));
});

test('taking what is not there, or giving back too much, is a bug', () => {
  const pool = new ResourcePool(limits({ io: 1 }));
  assert.throws(() => pool.take(request({ io: 2 })), /resources were taken/);
  assert.throws(() => pool.give(request({ io: 1 })), /given back/);
});

test('the machine has cores and memory', () => {
  const machine = machineLimits(3);
  assert.is(machine.get('cpus'), availableParallelism());
  assert.ok((machine.get('mem_mb') ?? 0) > 100);
  assert.is(machine.get('gpus'), 3);
});

test.run();
