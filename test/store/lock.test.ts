import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { selfAsHolder } from '../../src/store/holder.ts';
import { workLayout, type WorkLayout } from '../../src/store/layout.ts';
import { acquireLock, readHolder, type Lock } from '../../src/store/lock.ts';

async function withTree(action: (work: WorkLayout) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'lhb-lock-'));
  try {
    await action(workLayout(root));
  } finally {
    rmSync(root, { recursive: true });
  }
}

async function acquired(work: WorkLayout, build = 'b'): Promise<Lock> {
  const result = await acquireLock(work, { build, command: 'build -j4' });
  if (!result.ok) throw new Error(`held by ${JSON.stringify(result.error)}`);
  return result.value;
}

/** A process that takes the lock, says so, and holds it. */
async function holderProcess(work: WorkLayout): Promise<{ child: ChildProcess; said: string; exit: Promise<unknown> }> {
  const module = new URL('../../src/store/lock.js', import.meta.url).href;
  const text = `
    const { acquireLock } = await import(${JSON.stringify(module)});
    const result = await acquireLock(${JSON.stringify(work)}, { build: 'other', command: 'build' });
    process.stdout.write(result.ok ? 'taken' : 'refused');
    if (result.ok) { process.stdin.resume(); await new Promise((resolve) => process.stdin.once('data', resolve)); await result.value.release(); }
    process.exit(0);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', text], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.on('error', () => undefined); // one that was refused ends before it is told to
  const exit = new Promise((resolve) => child.once('exit', resolve));
  const said = await new Promise<string>((resolve) =>
    child.stdout.once('data', (data: Buffer) => resolve(data.toString())),
  );
  return { child, said, exit };
}

test('a lock is held once, names its holder, and is free after', () =>
  withTree(async (work) => {
    assert.is(readHolder(work), undefined);
    const lock = await acquired(work);
    const second = await acquireLock(work, { build: 'c', command: 'build' });
    assert.not(second.ok);
    if (!second.ok) {
      assert.is(second.error?.pid, process.pid);
      assert.is(second.error?.host, hostname());
      assert.is(second.error?.command, 'build -j4');
      assert.is(second.error?.build, 'b');
    }
    assert.is(readHolder(work)?.build, 'b');
    await lock.release();
    assert.is(readHolder(work), undefined);
    assert.not(existsSync(work.lock));
    await (await acquired(work)).release();
  }));

test('a living holder is not disturbed, however long its heartbeat was silent', () =>
  withTree(async (work) => {
    const { child, said, exit } = await holderProcess(work);
    assert.is(said, 'taken');
    utimesSync(work.lock, 1, 1);
    const result = await acquireLock(work, { build: 'c', command: 'build' });
    assert.not(result.ok);
    assert.is(readHolder(work)?.pid, child.pid);
    child.stdin?.write('end');
    await exit;
  }));

test('the lock of a process that was killed is taken over at once', () =>
  withTree(async (work) => {
    const { child, exit } = await holderProcess(work);
    child.kill('SIGKILL');
    await exit;
    assert.ok(existsSync(work.lock));
    assert.is(readHolder(work), undefined);
    await (await acquired(work)).release();
  }));

test('of several that find a dead holder, one takes over', () =>
  withTree(async (work) => {
    const { child, exit } = await holderProcess(work);
    child.kill('SIGKILL');
    await exit;
    const others = await Promise.all([1, 2, 3, 4].map(() => holderProcess(work)));
    assert.equal(others.map(({ said }) => said).sort(), ['refused', 'refused', 'refused', 'taken']);
    for (const other of others) other.child.stdin?.write('end');
    await Promise.all(others.map((other) => other.exit));
  }));

function standing(work: WorkLayout, holder: object, heartbeat: number): void {
  mkdirSync(work.lock, { recursive: true });
  writeFileSync(work.lockInfo, JSON.stringify(holder));
  utimesSync(work.lock, heartbeat, heartbeat);
}

test('a pid that was given again, and a boot that is over, make no living holder', () =>
  withTree(async (work) => {
    const now = Date.now() / 1000;
    const self = selfAsHolder('old', 'build');
    for (const holder of [
      { ...self, startTime: '1' },
      { ...self, place: 'other-boot pid:[1]' },
    ]) {
      standing(work, holder, now);
      await (await acquired(work)).release();
    }
  }));

test('a holder on another host counts until its heartbeat is old', () =>
  withTree(async (work) => {
    const elsewhere = { ...selfAsHolder('far', 'build'), host: 'elsewhere' };
    standing(work, elsewhere, Date.now() / 1000);
    const result = await acquireLock(work, { build: 'c', command: 'build' });
    assert.is(result.ok ? '' : result.error?.host, 'elsewhere');
    assert.is(readHolder(work)?.host, 'elsewhere');
    standing(work, elsewhere, Date.now() / 1000 - 3600);
    assert.is(readHolder(work), undefined);
    await (await acquired(work)).release();
  }));

test('one who waits gets the lock when it is free, and gives up when interrupted', () =>
  withTree(async (work) => {
    const first = await acquired(work, 'first');
    const seen: (string | undefined)[] = [];
    const waiting = acquireLock(work, {
      build: 'second',
      command: 'build --wait',
      wait: true,
      onWait: (holder) => {
        seen.push(holder?.build);
        if (seen.length === 1) void first.release();
      },
    });
    const second = await waiting;
    assert.ok(second.ok);
    assert.is(seen[0], 'first');
    const interrupt = new AbortController();
    const third = await acquireLock(work, {
      build: 'third',
      command: 'build',
      wait: true,
      interrupt: interrupt.signal,
      onWait: () => interrupt.abort(),
    });
    assert.not(third.ok);
    if (second.ok) await second.value.release();
  }));

test('the lock goes when its process ends without a word', () =>
  withTree(async (work) => {
    const { child, exit } = await holderProcess(work);
    child.kill('SIGTERM');
    await exit;
    assert.is(readHolder(work), undefined);
    await (await acquired(work)).release();
    assert.not(existsSync(work.lock));
  }));

test('one who died while it looked at the lock holds nobody up for long', () =>
  withTree(async (work) => {
    mkdirSync(join(work.dir, 'lock.gate'), { recursive: true });
    await (await acquired(work)).release();
  }));

test.run();
