import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { GpuPool, visibleGpus } from '../../src/execute/gpus.ts';

test('an outer CUDA_VISIBLE_DEVICES is respected, as CUDA reads it', async () => {
  const gpus = (text: string): Promise<string[]> => visibleGpus({ CUDA_VISIBLE_DEVICES: text });
  assert.equal(await gpus('0,1'), ['0', '1']);
  assert.equal(await gpus(' 3 , 1'), ['3', '1']);
  assert.equal(await gpus('GPU-8932f937-d72c-4106-c12f-20bd9faed9f6,MIG-GPU-1/2/0'), [
    'GPU-8932f937-d72c-4106-c12f-20bd9faed9f6',
    'MIG-GPU-1/2/0',
  ]);
  assert.equal(await gpus('0,-1,1'), ['0']);
  assert.equal(await gpus('1,1'), ['1']);
  for (const none of ['', '-1', 'NoDevFiles']) assert.equal(await gpus(none), []);
});

test('without it nvidia-smi is asked, and no driver means no GPU', async () => {
  if (existsSync('/proc/driver/nvidia/gpus')) return;
  const folder = mkdtempSync(join(tmpdir(), 'lhb-gpus-'));
  try {
    assert.equal(await visibleGpus({ PATH: folder }), []);
    const smi = join(folder, 'nvidia-smi');
    writeFileSync(smi, '#!/bin/sh\necho "GPU 0: X (UUID: GPU-1)"\necho "  MIG 1g"\necho "GPU 1: X (UUID: GPU-2)"\n');
    chmodSync(smi, 0o755);
    assert.equal(await visibleGpus({ PATH: folder }), ['0', '1']);
    writeFileSync(smi, '#!/bin/sh\necho "NVIDIA-SMI has failed"\nexit 9\n');
    assert.equal(await visibleGpus({ PATH: folder }), []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a pool hands each GPU to one job at a time', () => {
  const pool = new GpuPool(['2', '5', '7']);
  assert.is(pool.size, 3);
  const first = pool.take(2);
  assert.equal(first, ['2', '5']);
  assert.is(pool.take(2), undefined);
  assert.equal(pool.take(1), ['7']);
  assert.equal(pool.take(0), []);
  pool.give(['2', '5']);
  assert.equal(pool.take(1), ['2']);
  assert.throws(() => pool.give(['5']), /without having been taken/);
});

test.run();
