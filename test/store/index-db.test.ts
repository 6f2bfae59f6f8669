import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ActionKey, Digest, JobHash, JobId } from '../../src/base/brand.ts';
import { hashText } from '../../src/hash/digest.ts';
import { IndexDb } from '../../src/store/index-db.ts';
import { coreIn, fieldsOf, restoredLine, traceLine } from '../../src/store/log-record.ts';
import { seal } from '../../src/store/sealed-line.ts';
import { decodeAttempt, decodeTrace, encodeAttempt, encodeTrace } from '../../src/store/trace-codec.ts';
import { coreOf, type Attempt, type Trace, type TraceCore } from '../../src/store/trace.ts';

const digest = (text: string): Digest => hashText(text);
const key = (text: string): ActionKey => hashText(text) as string as ActionKey;
const id = (text: string): JobId => text as JobId;

const trace = (over: Partial<Trace> = {}): Trace => ({
  actionKey: key('k'),
  jobHash: digest('job') as string as JobHash,
  jobId: id('tgt_1'),
  rule: 'build_target',
  label: 'n=5',
  dir: 'runs/a',
  parts: [{ kind: 'input', path: 'a\nb', value: 'v' }],
  manifest: [
    {
      name: 'o',
      path: 'plots',
      tree: true,
      keyDigest: digest('out'),
      entries: [
        { type: 'dir', path: 'd' },
        { type: 'file', path: 'd/f', size: 3, digest: digest('f'), exec: true, keyDigest: digest('g') },
        { type: 'file', path: 'f', size: 2 ** 40, digest: digest('f'), exec: false },
        { type: 'link', path: 'l', target: 'd/f' },
      ],
    },
  ],
  origin: 'built',
  usage: { startedAt: 1.5, finishedAt: 2.5, wallS: 1, cpuS: undefined, maxRssMb: 12.5 },
  recordedAt: 100,
  attempts: 2,
  resources: { cpus: 4, partition: 'gpu' },
  host: 'h',
  executor: 'local',
  executorJob: undefined,
  log: '.lhb/logs/x.log',
  reasons: ['new'],
  config: '{"a":1.0}',
  command: 'train',
  ...over,
});

const attempt = (over: Partial<Attempt> = {}): Attempt => ({
  jobId: id('tgt_1'),
  rule: 'build_target',
  actionKey: key('k'),
  attempt: 1,
  startedAt: 10,
  build: 'b1',
  state: 'failed',
  reason: 'exit code 3',
  usage: undefined,
  host: 'h',
  log: 'l',
  resources: {},
  ...over,
});

function opened(dir: string, readOnly = false): IndexDb {
  const result = IndexDb.open(dir, { readOnly });
  if (!result.ok) throw new Error(result.error[0]?.message);
  return result.value;
}

async function withIndex(action: (index: IndexDb, dir: string) => Promise<void> | void): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'lhb-index-'));
  const index = opened(join(dir, 'index'));
  try {
    await action(index, join(dir, 'index'));
  } finally {
    await index.close();
    rmSync(dir, { recursive: true });
  }
}

test('what a plan keeps of a trace is read without the rest, from lines of before too, and never from a damaged one', async () => {
  const whole = trace({ resources: { parts: 3, ',"parts":[': 'x' }, host: ',"parts":[["a"]]' });
  const line = traceLine(whole);
  const read = (text: string): TraceCore | undefined => {
    const core = coreIn(Buffer.from(text));
    return core && coreOf(core);
  };
  assert.equal(read(line), coreOf(whole));
  // As nearly all are, and each time not quite.
  const plain = trace({ resources: { cpus: 1, mem_mb: 2.5, partition: 'a' }, host: 'node7', executorJob: '17' });
  assert.equal(read(traceLine(plain)), coreOf(plain));
  const source = { cache: 'lab', keyId: undefined, user: 'bob', at: 7 };
  for (const other of [{ source }, { host: 'a\nb' }, { host: 'a\\"b' }, { host: ',"origin":"x' }, { resources: {} }]) {
    assert.equal(read(traceLine({ ...plain, ...other })), coreOf({ ...plain, ...other }));
  }
  const plainJson = JSON.stringify(encodeTrace(plain));
  for (const [from, to] of [
    ['"origin":"built"', '"origin":"found"'],
    ['"attempts":2', '"attempts":"2"'],
    ['"attempts":2', '"attempts":02'],
    ['"attempts":2', '"attempts":null'],
    ['"cpus":1', '"cpus":[]'],
    ['"host":"node7",', ''],
    ['"wallS":', '"wall":'],
    [plain.actionKey, 'no key'],
    ['"manifest":[', '"manifest":[7,'],
  ] as const) {
    assert.ok(plainJson.includes(from), from);
    assert.is(read(seal(plainJson.replace(from, to))), undefined, to);
  }
  // What follows is not parsed.
  const json = JSON.stringify(encodeTrace(whole));
  const end = json.lastIndexOf(',"parts":[');
  assert.equal(read(seal(`${json.slice(0, end)},"parts":[ no JSON`)), coreOf(whole));
  assert.is(read(line.replace('"attempts":2', '"attempts":3')), undefined);
  for (const each of [json, plainJson]) assert.is(read(seal(each.replace('"format":1', '"format":9'))), undefined);
  const sum = line.slice(0, 8);
  for (const other of [sum.toUpperCase(), sum.replace(/^./, 'g'), ` ${sum.slice(1)}`])
    if (other !== sum) assert.is(read(other + line.slice(8)), undefined);
  await withIndex((index) => {
    const { parts, ...rest } = encodeTrace(whole);
    index.restoreTrace(whole, seal(JSON.stringify({ format: 1, parts, ...rest })));
    assert.equal(index.getCore(key('k')), coreOf(whole));
    assert.equal(index.getTrace(key('k')), whole);
    assert.is(index.getCore(key('none')), undefined);
  });
});

test('a trace comes back as it was put, and so does one with ten thousand inputs', () =>
  withIndex((index) => {
    index.putTrace(trace());
    assert.equal(index.getTrace(key('k')), trace());
    const parts = Array.from(
      { length: 10_000 },
      (_, i) => ({ kind: 'upstream', path: `runs/${i}/analysis.json`, value: digest(`${i}`) }) as const,
    );
    index.putTrace(trace({ actionKey: key('big'), parts }));
    assert.equal(index.getTrace(key('big'))?.parts, parts);
    assert.is(index.getTrace(key('none')), undefined);
  }));

test('an index is empty until a result is on record, though it waits still to be committed', () =>
  withIndex((index) => {
    assert.is(index.isEmpty(), true);
    index.putAttempt('t', attempt());
    assert.is(index.isEmpty(), true);
    index.recordTrace(trace());
    assert.is(index.isEmpty(), false);
  }));

test('the results of a job and of a rule are given newest first', () =>
  withIndex((index) => {
    index.putTrace(trace({ actionKey: key('1'), recordedAt: 3 }));
    index.putTrace(trace({ actionKey: key('2'), recordedAt: 20 }));
    index.putTrace(trace({ actionKey: key('3'), recordedAt: 4 }));
    index.putTrace(trace({ actionKey: key('x'), recordedAt: 30, jobId: id('tgt_10'), label: 'other' }));
    index.putTrace(trace({ actionKey: key('y'), recordedAt: 40, jobId: id('run_1'), rule: 'run' }));
    assert.equal(
      index.tracesOf(id('tgt_1')).map((t) => t.recordedAt),
      [20, 4, 3],
    );
    assert.is(index.newestOf(id('tgt_1'))?.actionKey, key('2'));
    assert.is(index.newestOf(id('tgt_')), undefined);
    assert.equal(
      [...index.headsOfRule('build_target')].map((h) => h.recordedAt),
      [30, 20, 4, 3],
    );
    const [head] = index.headsOfRule('build_target');
    assert.is(head?.label, 'other');
    assert.is(head?.config, '{"a":1.0}');
    assert.equal(index.allJobIds(), ['run_1', 'tgt_1', 'tgt_10']);
    // Run again under the same key: there is still one record of it.
    index.putTrace(trace({ actionKey: key('1'), recordedAt: 50 }));
    assert.equal(
      index.tracesOf(id('tgt_1')).map((t) => t.recordedAt),
      [50, 20, 4],
    );
    index.removeTrace(key('2'));
    assert.equal(
      [...index.headsOfRule('build_target')].map((h) => h.recordedAt),
      [50, 30, 4],
    );
  }));

test('work trees that share an index keep apart what depends on the disk', () =>
  withIndex((index) => {
    index.setCurrent('t1', id('a'), key('1'));
    index.putMade('t1', ['runs/x', 'p'.repeat(3000)]);
    assert.is(index.current('t1', id('a')), key('1'));
    assert.is(index.current('t2', id('a')), undefined);
    assert.ok(index.wasMade('t1', 'runs/x'));
    assert.ok(index.wasMade('t1', 'p'.repeat(3000)));
    assert.not(index.wasMade('t2', 'runs/x'));
    assert.not(index.wasMade('t1', 'runs'));
    const record = {
      signature: { size: 2 ** 40, mtimeMs: 1763838600123.5, ctimeMs: 1763838600123.9, ino: 2 ** 52 + 1 },
      digest: digest('f'),
    };
    index.fileTable('t1').putFiles(
      new Map([
        ['a', record],
        ['é\n', record],
      ]),
    );
    assert.equal(index.fileTable('t1').getFile('a'), record);
    assert.equal(index.fileTable('t1').getFile('é\n'), record);
    assert.is(index.fileTable('t2').getFile('a'), undefined);
  }));

test('attempts are kept by action key; the last one is found without it', () =>
  withIndex((index) => {
    index.putAttempt('t', attempt({ startedAt: 20 }));
    index.putAttempt('t', attempt({ startedAt: 10, actionKey: key('other'), state: 'begun' }));
    assert.is(index.attempt('t', id('tgt_1'))?.startedAt, 20);
    assert.is(index.attempt('t', id('tgt_1'), key('other'))?.state, 'begun');
    assert.is(index.attempt('t', id('tgt')), undefined);
    assert.is(index.allAttempts('t').length, 2);
    index.clearAttempt('t', id('tgt_1'), key('k'));
    assert.is(index.attempt('t', id('tgt_1'))?.startedAt, 10);
    index.clearAttempt('t', id('tgt_1'));
    assert.is(index.attempt('t', id('tgt_1')), undefined);
  }));

test('a transaction is all or nothing', () =>
  withIndex((index) => {
    assert.throws(() => {
      index.transaction(() => {
        index.putTrace(trace());
        index.setCurrent('t', id('a'), key('k'));
        assert.ok(index.getTrace(key('k')), 'seen inside');
        throw new Error('cut off');
      });
    }, /cut off/);
    assert.is(index.getTrace(key('k')), undefined);
    assert.is(index.current('t', id('a')), undefined);
    index.putTrace(trace());
    assert.ok(index.getTrace(key('k')));
  }));

test('read only, an index that is not there is empty, and stays not there', async () => {
  const dir = join(tmpdir(), `lhb-none-${process.pid}`);
  const index = opened(dir, true);
  assert.is(index.getTrace(key('k')), undefined);
  assert.equal([...index.tracesOf(id('a')), ...index.headsOfRule('r'), ...index.allJobIds(), ...index.allTraces()], []);
  assert.is(index.attempt('t', id('a')), undefined);
  assert.is(index.fileTable('t').getFile('a'), undefined);
  assert.throws(() => index.putTrace(trace()), /opened to read/);
  await index.close();
  assert.not(existsSync(dir));
});

test('one process reads while another writes, and what was committed stays when that one is killed', () =>
  withIndex(async (index, dir) => {
    index.putTrace(trace());
    await index.close();
    const module = new URL('../../src/store/index-db.js', import.meta.url).href;
    const writer = `
      const { IndexDb } = await import(${JSON.stringify(module)});
      const index = IndexDb.open(${JSON.stringify(dir)}, { readOnly: false }).value;
      process.stdin.on('data', () => { index.setCurrent('t', 'a', 'written'); process.stdout.write('done'); });
      process.stdout.write('up');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', writer], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const answer = () => new Promise((resolve) => child.stdout.once('data', resolve));
    await answer();
    const reader = opened(dir, true);
    assert.is(reader.current('t', id('a')), undefined);
    child.stdin.write('go');
    await answer();
    reader.refresh();
    assert.is(reader.current('t', id('a')), 'written' as ActionKey);
    const exit = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exit;
    await reader.close();
    const again = opened(dir);
    assert.is(again.current('t', id('a')), 'written' as ActionKey);
    assert.equal(again.getTrace(key('k')), trace());
    await again.close();
  }));

test('a file that is no index, or is cut short, is an error with a way out; an empty one is a new one', () =>
  withIndex(async (index, dir) => {
    for (let i = 0; i < 50; i++) index.putTrace(trace({ actionKey: key(`${i}`) }));
    await index.close();
    const file = join(dir, 'data.mdb');
    const { size } = statSync(file);
    const damage: (() => void)[] = [
      () => truncateSync(file, Math.floor(size / 2)),
      () => truncateSync(file, 5000),
      () => truncateSync(file, 100),
      () => writeFileSync(file, 'this is no LMDB file'.repeat(1000)),
    ];
    for (const each of damage) {
      each();
      for (const readOnly of [true, false]) {
        const result = IndexDb.open(dir, { readOnly });
        assert.not(result.ok);
        if (!result.ok) assert.is(result.error[0]?.code, 'store/unreadable');
      }
    }
    truncateSync(file, 0);
    await opened(dir, true).close();
    const fresh = opened(dir);
    fresh.putTrace(trace());
    assert.ok(fresh.getTrace(key('k')));
    await fresh.close();
  }));

test('the line of a result that was restored is that of the same result with another origin', () => {
  const line = (made: Trace): Buffer => Buffer.from(traceLine(made));
  const tricky = trace({ label: '"origin":"built"', resources: { origin: 'built' }, manifest: [] });
  for (const made of [trace(), tricky]) {
    const restored = restoredLine(line(made));
    assert.equal(decodeTrace(fieldsOf(Buffer.from(restored ?? ''))), { ...made, origin: 'restored' });
  }
  assert.is(restoredLine(line(trace({ origin: 'touched', resources: { origin: 'built' } }))), undefined);
  assert.is(restoredLine(line(trace()).subarray(1)), undefined);
});

test('records of another form or format count as absent', () => {
  const good = encodeTrace(trace()) as Record<string, unknown>;
  assert.equal(decodeTrace(good), trace());
  const noted = trace({ before: key('earlier') });
  assert.equal(decodeTrace(encodeTrace(noted)), noted);
  assert.is(decodeTrace({ ...good, before: 'short' }), undefined);
  assert.equal(decodeAttempt(encodeAttempt(attempt())), attempt());
  for (const field of Object.keys(good)) {
    if (field === 'executorJob') continue;
    for (const value of [undefined, null, 7n, { x: 1 }, [1]]) {
      if (field === 'resources' && typeof value === 'object') continue;
      assert.is(decodeTrace({ ...good, [field]: value }), undefined, `${field}: ${typeof value}`);
    }
  }
  for (const bad of [
    undefined,
    null,
    'x',
    [],
    {},
    { ...good, format: 2 },
    { ...good, origin: 'found' },
    { ...good, actionKey: 'short' },
  ]) {
    assert.is(decodeTrace(bad), undefined);
  }
});

test('of attempts that have begun those stay on record whose result is not', () =>
  withIndex((index) => {
    for (const name of ['done', 'running']) {
      index.recordAttempt('t', attempt({ jobId: id(name), actionKey: key(name), state: 'begun' }));
    }
    index.record('t', trace({ jobId: id('done'), actionKey: key('done') }), [], () => {});
    index.settle();
    assert.is(index.attempt('t', id('running'))?.state, 'begun');
    assert.is(index.attempt('t', id('done')), undefined);
    // On record before its result comes.
    index.record('t', trace({ jobId: id('running'), actionKey: key('running') }), [], () => {});
    assert.is(index.attempt('t', id('running')), undefined);
  }));

test.run();
