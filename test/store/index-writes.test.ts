// What is recorded is in the log at once and in the index soon after; whoever looks sees it from the first moment on.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ActionKey, JobId } from '../../src/base/brand.ts';
import { hashText } from '../../src/hash/digest.ts';
import { IndexDb } from '../../src/store/index-db.ts';
import { storeLayout } from '../../src/store/layout.ts';
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

const open = (store: string, write: boolean): IndexDb => {
  const index = openIndex({ layout: storeLayout(store), tree: TREE, write, tell: () => {} });
  if (!index.ok) throw new Error(index.error[0]?.message);
  return index.value;
};

/** The status of jobs as a query of its own process would have them. */
async function seen(store: string, jobs: readonly string[]): Promise<boolean[]> {
  const index = open(store, false);
  const found = jobs.map(
    (job) => index.current(TREE, job as JobId) === keyOf(job) && index.getTrace(keyOf(job)) !== undefined,
  );
  await index.close();
  return found;
}

/** Runs a process that records jobs, and ends it. */
async function withWriter(
  store: string,
  jobs: readonly string[],
  then: 'die' | 'live',
  use: () => Promise<void>,
): Promise<void> {
  const modules = (name: string): string => new URL(`../../src/store/${name}.js`, import.meta.url).href;
  const script = `
    const { openIndex } = await import('${modules('open-index')}');
    const { storeLayout } = await import('${modules('layout')}');
    const { writeSync } = await import('node:fs');
    const layout = storeLayout(${JSON.stringify(store)});
    const index = openIndex({ layout, tree: '${TREE}', write: true, tell: () => {} }).value;
    for (const result of ${JSON.stringify(jobs.map(result))}) index.record('${TREE}', result, ['runs/o'], () => {});
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

test.run();
