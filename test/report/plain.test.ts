import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { NdjsonReporter } from '../../src/report/ndjson.ts';
import { PlainReporter } from '../../src/report/plain.ts';
import type { ReportOptions } from '../../src/report/reporter.ts';
import type { BuildEvent } from '../../src/schedule/event.ts';
import { PROJECT } from '../support/project.ts';
import { events, FakeClock } from './fake-clock.ts';

const e = events(new FakeClock());

function lines(list: readonly BuildEvent[], options: Partial<ReportOptions> = {}): string[] {
  let text = '';
  const sink = { write: (more: string) => (text += more) };
  const reporter = new PlainReporter(sink, new FakeClock(), {
    verbosity: 'normal',
    reasons: false,
    color: false,
    ...options,
  });
  for (const event of list) reporter.handle(event);
  reporter.close();
  return text.split('\n').slice(0, -1);
}

const BUILD: readonly BuildEvent[] = [
  e.begin(12),
  e.finish('j1', { result: 'fresh', duration_s: 0 }),
  e.finish('j2', { result: 'restored', duration_s: 0.1 }),
  e.start('j3'),
  e.finish('j3', { unchanged: true }),
  e.start('j4'),
  e.fail('j4', { will_retry: true }),
  e.start('j4', { attempt: 2 }),
  e.fail('j4', { attempt: 2 }),
  e.skip('j5'),
  e.message('info', 'by the way'),
  e.message('warning', 'train asks for 8 cpus, this machine has 2'),
  e.end({ built: 1, restored: 1, fresh: 1, failed: 1, skipped: 1 }),
];

const FAILED = [
  '[ 4/12] failed   train n=4 (j4): exit code 3 after 0.4 s, attempt 2',
  '    | reading',
  '    | no such column',
  '    log: .lhb/logs/train/j4.log',
];

const END = [
  'warning: train asks for 8 cpus, this machine has 2',
  '1 job failed:',
  '    train n=4 (j4): exit code 3, log .lhb/logs/train/j4.log',
  'built 1, restored 1, fresh 1, failed 1, skipped 1 in 3 m 04 s',
];

test('the first line is written at once, those right after it together, and none is held long', () => {
  const clock = new FakeClock();
  const writes: string[] = [];
  const sink = { write: (text: string) => writes.push(text) };
  const reporter = new PlainReporter(sink, clock, { verbosity: 'normal', reasons: false, color: false });
  const linesWritten = (): number[] => writes.map((text) => text.split('\n').length - 1);
  reporter.handle(e.begin(9));
  reporter.handle(e.start('j1'));
  assert.equal(linesWritten(), [1]);
  reporter.handle(e.finish('j1'));
  reporter.handle(e.start('j2'));
  assert.equal(linesWritten(), [1]);
  clock.pass(0.1);
  assert.equal(linesWritten(), [1, 2]);
  clock.pass(1);
  assert.is(clock.waiting, 0);
  reporter.handle(e.finish('j2'));
  assert.equal(linesWritten(), [1, 2, 1]);
  reporter.handle(e.start('j3'));
  reporter.close();
  assert.equal(linesWritten(), [1, 2, 1, 1]);
  assert.is(clock.waiting, 0);
});

test('one plain line an event', () => {
  assert.equal(lines(BUILD), [
    '[ 2/12] started  train n=3 (j3)',
    '[ 3/12] built    train n=3 (j3) in 1.5 s, same bytes as before',
    '[ 3/12] started  train n=4 (j4)',
    '[ 3/12] failed   train n=4 (j4): exit code 3 after 0.4 s, attempt 1; it is tried again',
    '    log: .lhb/logs/train/j4.log',
    '[ 3/12] started  train n=4 (j4), attempt 2',
    ...FAILED,
    'by the way',
    ...END,
  ]);
});

test('of a job that was not begun no time is told', () => {
  const list = [
    e.begin(2),
    e.fail('j1', { outcome: { kind: 'spawn-failed', message: 'no such folder' }, log_tail: [] }),
    e.fail('j2', { outcome: { kind: 'timed-out', limitS: 60 }, log_tail: [] }),
  ];
  assert.equal(
    lines(list).filter((line) => line.startsWith('[')),
    [
      '[1/2] failed   train n=1 (j1): could not be started: no such folder',
      '[2/2] failed   train n=2 (j2): timed out after 1 m 00 s',
    ],
  );
});

test('what an earlier build started is told as adopted, with how long it has run', () => {
  const now = new FakeClock().now();
  const list = [
    e.begin(3),
    e.start('j1', { adopted: 'running', since: now - 185, attempt: 2 }),
    e.start('j2', { adopted: 'ended', since: now - 185 }),
    e.fail('j1', { outcome: { kind: 'lost' }, will_retry: true, attempt: 2 }),
  ];
  assert.equal(lines(list), [
    '[0/3] adopted  train n=1 (j1), attempt 2, running for 3 m 05 s',
    '[0/3] adopted  train n=2 (j2), which ended while no lhb watched',
    '[0/3] failed   train n=1 (j1): gone without a word of how it ended after 0.4 s, attempt 2; it is tried again',
    '    log: .lhb/logs/train/j1.log',
  ]);
});

test('-q keeps failures, warnings and the end', () => {
  assert.equal(lines(BUILD, { verbosity: 'quiet' }), [...FAILED, ...END]);
});

test('-v adds reasons, and fresh, restored and skipped jobs', () => {
  const verbose = lines(BUILD, { verbosity: 'verbose', reasons: true });
  assert.equal(verbose.slice(0, 5), [
    '[ 1/12] fresh    train n=1 (j1)',
    '[ 2/12] restored train n=2 (j2) in 0.1 s, 120 MB',
    '[ 2/12] started  train n=3 (j3)',
    '    new: no result on record',
    '[ 3/12] built    train n=3 (j3) in 1.5 s, 120 MB, same bytes as before',
  ]);
  assert.ok(verbose.includes('[ 5/12] skipped  train n=5 (j5): j1 failed'));
});

test('nothing to do', () => {
  assert.equal(lines([e.begin(115), e.end({ fresh: 115 })]), ['nothing to do: 115 jobs fresh']);
  assert.equal(lines([e.begin(0), e.end()]), ['nothing to do: no jobs']);
});

test('names and logs cannot send control sequences', () => {
  const [line = '', log = ''] = lines([
    e.begin(1),
    e.fail('j1', { label: 'a\u001b[2J\nb', log_tail: ['\u001b[2Jx\u0007\ty'] }),
  ]);
  assert.is(line, '[1/1] failed   train a\\x1b[2J\\nb (j1): exit code 3 after 0.4 s');
  assert.is(log, '    | \\x1b[2Jx\\x07    y');
});

test('many failed jobs are counted at the end', () => {
  const failed = Array.from({ length: 50 }, (_, i) => e.fail(`j${i}`));
  const out = lines([e.begin(50), ...failed, e.end({ failed: 50 })]);
  assert.ok(out.includes('50 jobs failed:'));
  assert.is(out.at(-2), '    and 30 more: lhb summary');
});

test('colour only where it is asked for', () => {
  assert.not.match(lines(BUILD).join(''), '\u001b');
  assert.match(lines(BUILD, { color: true }).join(''), '\u001b[31mfailed');
});

test('--json: every event in one line that the schema describes', () => {
  const schema = JSON.parse(readFileSync(join(PROJECT, 'store-schema/events.schema.json'), 'utf8')) as object;
  const validate = new Ajv({ allowUnionTypes: true }).compile(schema);
  const written: string[] = [];
  const reporter = new NdjsonReporter({ write: (text) => written.push(text) });
  const all: BuildEvent[] = [
    ...BUILD,
    e.fail('j6', { outcome: { kind: 'output-missing', paths: ['a\nb'] }, log_tail: ['x\ny'] }),
    e.start('j6', { adopted: 'running', since: 1 }),
    e.fail('j6', { outcome: { kind: 'lost' } }),
    e.fail('j7', { outcome: { kind: 'timed-out', limitS: 60 } }),
    { event: 'job-cancelled', id: 'j8', rule: 'train', label: '', time: 1 },
  ];
  for (const event of all) reporter.handle(event);
  assert.is(written.length, all.length);
  for (const [i, text] of written.entries()) {
    assert.is(text.indexOf('\n'), text.length - 1);
    const event: unknown = JSON.parse(text);
    assert.ok(validate(event), `${text} ${JSON.stringify(validate.errors)}`);
    assert.is((event as { event: string }).event, all[i]?.event);
  }
  assert.not(validate({ event: 'job-finished', id: 'j1' }));
});

test.run();
