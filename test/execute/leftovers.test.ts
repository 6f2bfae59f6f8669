// What becomes of jobs when lhb itself is killed.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { endLeftovers } from '../../src/execute/leftovers.ts';
import { alive, until } from './local-rig.ts';

const linux = process.platform === 'linux';
const local = new URL('../../src/execute/local.js', import.meta.url).href;

/** Starts a driver with one job, waits for the job, and kills the driver. Gives the job's pid. */
async function killDriver(root: string, job: string): Promise<number> {
  const code = `
    import { LocalExecutor } from ${JSON.stringify(local)};
    const root = ${JSON.stringify(root)};
    const executor = new LocalExecutor({ slots: 2, cwd: root, helpersFile: root + '/helpers' });
    executor.start({ jobId: 'j', rule: 'r', attempt: 1, cwd: root, env: { PATH: process.env.PATH }, log: root + '/log',
      command: { kind: 'script', shell: ['/bin/sh', '-eu'], text: ${JSON.stringify(job)} },
      jobDir: root, timeoutS: undefined, scratch: root + '/tmp', gpus: undefined });`;
  const file = join(root, 'driver.mjs');
  writeFileSync(file, code);
  const driver = spawn(process.execPath, [file], { stdio: 'inherit' });
  await until('the job runs', () => existsSync(join(root, 'self')) && readFileSync(join(root, 'self'), 'utf8') !== '');
  assert.ok(existsSync(join(root, 'helpers')));
  driver.kill('SIGKILL');
  return Number(readFileSync(join(root, 'self'), 'utf8'));
}

test('jobs of a driver that was killed are ended without anyone asking', async () => {
  if (!linux) return;
  const root = mkdtempSync(join(tmpdir(), 'lhb-leftovers-'));
  try {
    const pid = await killDriver(root, 'echo $$ >self; sleep 1000; echo on >>self');
    await until('the job has ended', () => !alive(pid));
    assert.is(readFileSync(join(root, 'self'), 'utf8'), `${pid}\n`);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('the next build waits until the jobs of a killed one are gone, and ends them', async () => {
  if (!linux) return;
  const root = mkdtempSync(join(tmpdir(), 'lhb-leftovers-'));
  try {
    const pid = await killDriver(root, `trap : TERM; echo $$ >self; while :; do sleep 0.05 || :; done`);
    assert.ok((await endLeftovers(join(root, 'helpers'), 100)) >= 1);
    assert.not(alive(pid));
    assert.not(existsSync(join(root, 'helpers')));
    assert.is(await endLeftovers(join(root, 'helpers')), 0);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('a process that has the id of an old helper is left alone', async () => {
  if (!linux) return;
  const root = mkdtempSync(join(tmpdir(), 'lhb-leftovers-'));
  const other = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    writeFileSync(join(root, 'helpers'), `${other.pid} 17 ${boot}\nrubbish\n\n`);
    assert.is(await endLeftovers(join(root, 'helpers'), 0), 0);
    assert.ok(alive(other.pid ?? 0));
  } finally {
    other.kill('SIGKILL');
    rmSync(root, { recursive: true });
  }
});

test.run();
