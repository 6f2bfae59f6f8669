// What is recorded is in the log at once and in the index soon after; whoever looks sees it from the first moment on.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ActionKey, JobId } from '../../src/base/brand.ts';
import { DiagnosticError } from '../../src/base/diagnostic.ts';
import { hashText } from '../../src/hash/digest.ts';
import { compactLogs } from '../../src/store/compact-log.ts';
import { IndexDb } from '../../src/store/index-db.ts';
import { storeLayout } from '../../src/store/layout.ts';
import type { Tables } from '../../src/store/index-tables.ts';
import { IndexWrites } from '../../src/store/index-writes.ts';
import { openIndex } from '../../src/store/open-index.ts';
import { readLog, TraceLog } from '../../src/store/trace-log.ts';
import type { Trace } from '../../src/store/trace.ts';

const TREE = 'tree';
const keyOf = (job: string): ActionKey => hashText(job) as string as ActionKey;

const result = (job: string): Trace => ({
  actionKey: keyOf(job),
  jobHash: hashText('config') as string as Trace['jobHash'],
  jobId: job as JobId,
  rule: 'r',
  label: job,
  dir: 'runs',
  parts: [],
  manifest: [],
  origin: 'built',
  usage: { startedAt: 1, finishedAt: 2, wallS: 1, cpuS: undefined, maxRssMb: undefined },
  recordedAt: 100,
  attempts: 1,
  resources: {},
  host: 'h',
  executor: 'local',
  executorJob: undefined,
  log: 'log',
  reasons: [],
  config: '{}',
  command: 'true',
});

async function inStore(use: (store: string) => Promise<void>): Promise<void> {
  const store = mkdtempSync(join(tmpdir(), 'lhb-writes-'));
  try {
    await use(store);
  } finally {
    rmSync(store, { recursive: true, force: true });
  }
}

const open = (store: string, write: boolean, tree = TREE): IndexDb => {
  const index = openIndex({ layout: storeLayout(store), tree, write, tell: () => {} });
  if (!index.ok) throw new Error(index.error[0]?.message);
  return index.value;
};

/** The status of jobs as a query of its own process would have them. */
async function seen(store: string, jobs: readonly string[], tree = TREE): Promise<boolean[]> {
  const index = open(store, false, tree);
  const found = jobs.map(
    (job) => index.current(tree, job as JobId) === keyOf(job) && index.getTrace(keyOf(job)) !== undefined,
  );
  await index.close();
  return found;
}

const moduleOf = (name: string): string => new URL(`../../src/store/${name}.js`, import.meta.url).href;

/** Runs a process that records jobs, and ends it. */
async function withWriter(
  store: string,
  jobs: readonly string[],
  then: 'die' | 'live',
  use: () => Promise<void>,
  tree = TREE,
): Promise<void> {
  const script = `
    const { openIndex } = await import('${moduleOf('open-index')}');
    const { storeLayout } = await import('${moduleOf('layout')}');
    const { writeSync } = await import('node:fs');
    const layout = storeLayout(${JSON.stringify(store)});
    const index = openIndex({ layout, tree: '${tree}', write: true, tell: () => {} }).value;
    for (const result of ${JSON.stringify(jobs.map(result))}) index.record('${tree}', result, ['runs/o'], () => {});
    ${then === 'die' ? `process.kill(process.pid, 'SIGKILL')` : `writeSync(1, 'done'); setInterval(() => {}, 1000)`}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  try {
    await (then === 'die' ? ended : once(child.stdout, 'data'));
    await use();
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

test('a query sees what was recorded by one who was killed before the index had it, each time', () =>
  inStore(async (store) => {
    const jobs: string[] = [];
    for (let round = 0; round < 3; round++) {
      jobs.push(`job_${round}`);
      await withWriter(store, jobs.slice(-1), 'die', async () => {
        assert.equal(
          await seen(store, jobs),
          jobs.map(() => true),
        );
        assert.equal(
          await seen(store, jobs),
          jobs.map(() => true),
          'and the next one',
        );
      });
    }
    const index = open(store, true);
    assert.equal(index.allJobIds(), jobs);
    await index.close();
  }));

test('a query sees what a process that lives has recorded just now', () =>
  inStore((store) =>
    withWriter(store, ['a', 'b'], 'live', async () => assert.equal(await seen(store, ['a', 'b']), [true, true])),
  ));

test('who writes sees at once what it wrote, in the order in which it was written', () =>
  inStore(async (store) => {
    const index = open(store, true);
    const log = new TraceLog(storeLayout(store), TREE);
    index.record(TREE, result('a'), ['runs/a'], () => {});
    assert.is([...readLog(log)].filter(({ line }) => line.includes('"a"')).length, 1, 'it is in the log');
    assert.is(index.current(TREE, 'a' as JobId), keyOf('a'));
    index.record(TREE, result('b'), ['runs/b'], () => {});
    assert.ok(index.wasMade(TREE, 'runs/b'));
    index.record(TREE, result('c'), [], () => {});
    index.removeTrace(keyOf('c'));
    assert.is(index.getTrace(keyOf('c')), undefined);
    index.recordRestored(TREE, 'a' as JobId, keyOf('b'), [], undefined);
    index.record(TREE, result('a'), [], () => {});
    await index.close();
    for (const from of ['the index', 'the log']) {
      if (from === 'the log') rmSync(storeLayout(store).index, { recursive: true });
      const again = open(store, false);
      assert.is(again.current(TREE, 'a' as JobId), keyOf('a'), from);
      assert.equal(again.allJobIds(), ['a', 'b'], from);
      await again.close();
    }
  }));

test('who writes takes up what a build that was killed in another work tree had recorded, before its log is looked at', () =>
  inStore((store) =>
    withWriter(
      store,
      ['a'],
      'die',
      async () => {
        const index = open(store, true);
        assert.ok(index.getTrace(keyOf('a')));
        compactLogs(index, storeLayout(store));
        await index.close();
        assert.equal(await seen(store, ['a'], 'other'), [true]);
        rmSync(storeLayout(store).index, { recursive: true });
        assert.equal(await seen(store, ['a'], 'other'), [true], 'it is in the log still');
      },
      'other',
    ),
  ));

test('a query sees what a killed build has recorded while one runs in another work tree', () =>
  inStore((store) =>
    withWriter(store, ['a'], 'live', () =>
      withWriter(store, ['b'], 'die', async () => assert.equal(await seen(store, ['b'], 'other'), [true]), 'other'),
    ),
  ));

test('a query takes up what was recorded on another host, whose index is its own', () =>
  inStore(async (store) => {
    const layout = storeLayout(store);
    await open(store, true).close();
    // There the index lies elsewhere.
    const index = openIndex({
      layout: { ...layout, index: join(store, 'there') },
      tree: TREE,
      write: true,
      tell: () => {},
    });
    if (!index.ok) throw new Error(index.error[0]?.message);
    index.value.record(TREE, result('a'), [], () => {});
    await index.value.close();
    assert.equal(await seen(store, ['a']), [true]);
  }));

test('a result that is noted as restored gives way to one that another work tree recorded under its key meanwhile', () =>
  inStore(async (store) => {
    const index = open(store, true);
    index.record(TREE, result('a'), [], () => {});
    index.settle();
    index.recordRestored(TREE, 'a' as JobId, keyOf('a'), [], undefined);
    // While no timer of this process can fire.
    const later = { ...result('a'), recordedAt: 200 };
    const script = `
      const { openIndex } = await import('${moduleOf('open-index')}');
      const { storeLayout } = await import('${moduleOf('layout')}');
      const layout = storeLayout(${JSON.stringify(store)});
      const index = openIndex({ layout, tree: 'other', write: true, tell: () => {} }).value;
      index.record('other', ${JSON.stringify(later)}, [], () => {});
      await index.close();`;
    assert.is(spawnSync(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' }).status, 0);
    index.refresh();
    assert.is(index.getTrace(keyOf('a'))?.recordedAt, 200);
    assert.is(index.current(TREE, 'a' as JobId), keyOf('a'));
    await index.close();
  }));

test('a line that was cut off keeps no query waiting', () =>
  inStore(async (store) => {
    const index = open(store, true);
    index.record(TREE, result('a'), [], () => {});
    await index.close();
    appendFileSync(new TraceLog(storeLayout(store), TREE).path, '0123 {"cut');
    await withWriter(
      store,
      ['b'],
      'live',
      async () => {
        const took: number[] = [];
        for (let i = 0; i < 3; i++) {
          const begun = performance.now();
          assert.equal(await seen(store, ['a']), [true]);
          took.push(performance.now() - begun);
        }
        assert.ok(Math.min(...took) < 200, took.join(', ')); // the least: any one may be of a machine that stood still
      },
      'other',
    );
  }));

test('what the log refused leaves nothing behind that would write to a closed index', async () => {
  const child = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `
    const { IndexDb } = await import('${moduleOf('index-db')}');
    const { mkdtempSync, rmSync } = await import('node:fs');
    const dir = mkdtempSync('${join(tmpdir(), 'lhb-writes-')}');
    const log = { tree: '${TREE}', append: () => { throw new Error('refused'); }, close: () => {} };
    const index = IndexDb.open(dir, { readOnly: false, log }).value;
    try {
      index.record('${TREE}', ${JSON.stringify(result('a'))}, [], () => {});
      process.exit(3);
    } catch {}
    await index.close();
    process.on('exit', () => rmSync(dir, { recursive: true }));`,
    ],
    { stdio: 'inherit' },
  );
  assert.equal(await once(child, 'exit'), [0, null]);
});

test('a quota that is used up is told to who asks, and is no crash of the moment in which the index follows', async () => {
  const fails = (): never => {
    throw Object.assign(new Error('Disk quota exceeded'), { code: 122 });
  };
  const writes = new IndexWrites(tmpdir(), { root: { transactionSync: fails } } as unknown as Tables, undefined);
  const crashes: unknown[] = [];
  const onCrash = (cause: unknown): void => void crashes.push(cause);
  process.once('uncaughtException', onCrash);
  writes.later([], [], () => {}, 1);
  await setTimeout(20);
  process.off('uncaughtException', onCrash);
  assert.equal(crashes, []);
  assert.throws(
    () => writes.transaction(() => {}),
    (cause: unknown) => cause instanceof DiagnosticError,
  );
});

test.run();
