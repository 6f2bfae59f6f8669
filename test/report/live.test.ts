import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LiveReporter } from '../../src/report/live.ts';
import type { ReportOptions } from '../../src/report/reporter.ts';
import { events, FakeClock } from './fake-clock.ts';
import { Screen } from './screen.ts';

function rig(columns = 70, rows = 12, options: Partial<ReportOptions> = {}) {
  const clock = new FakeClock();
  const screen = new Screen(columns, rows);
  const reporter = new LiveReporter(screen, clock, { verbosity: 'normal', reasons: false, color: false, ...options });
  return { clock, screen, reporter, e: events(clock) };
}

test('a bar, and the running jobs with their time', () => {
  const { clock, screen, reporter, e } = rig();
  reporter.handle(e.begin(12));
  reporter.handle(e.start('j1'));
  reporter.handle(e.start('j2', { expected_s: 90, attempt: 2 }));
  clock.pass(65);
  reporter.handle(e.finish('j3'));
  clock.pass(0.2);
  assert.equal(screen.shown, [
    '[ 1/12] built    train n=3 (j3) in 1.5 s',
    '[>                      ] 1/12  2 running',
    ' 1 m 05 s  train n=1 (j1)',
    ' 1 m 05 s  train n=2 (j2), attempt 2  of about 1 m 30 s',
  ]);
});

test('an adopted job has a line of its own, and the time since it began', () => {
  const { clock, screen, reporter, e } = rig();
  reporter.handle(e.begin(2));
  reporter.handle(e.start('j1', { adopted: 'running', since: clock.now() - 60 }));
  clock.pass(5.2);
  assert.equal(screen.shown, [
    '[0/2] adopted  train n=1 (j1), running for 1 m 00 s',
    '[                       ] 0/2  1 running',
    ' 1 m 05 s  train n=1 (j1)',
  ]);
});

test('finished lines scroll up, the frame stays below and is gone at the end', () => {
  const { clock, screen, reporter, e } = rig(70, 6);
  reporter.handle(e.begin(20));
  for (let i = 1; i <= 20; i++) {
    reporter.handle(e.start(`j${i}`));
    clock.pass(1);
    reporter.handle(e.finish(`j${i}`));
    clock.pass(1);
    assert.match(screen.shown.at(-1) ?? '', new RegExp(`^\\[.{23}\\] ${i}/20`), `after ${i}`);
  }
  reporter.handle(e.end({ built: 20 }));
  const expected = Array.from({ length: 20 }, (_, i) => {
    const n = i + 1;
    return `[${String(n).padStart(2)}/20] built    train n=${n} (j${n}) in 1.5 s`;
  });
  assert.equal(screen.all, [...expected, 'built 20 in 3 m 04 s']);
  assert.is(clock.waiting, 0);
  assert.is(screen.listening, false);
});

test('a failure is shown at once with the end of its log, and again at the end', () => {
  const { clock, screen, reporter, e } = rig(70, 20);
  reporter.handle(e.begin(2));
  reporter.handle(e.start('j1'));
  reporter.handle(e.fail('j1', { log_tail: ['50%\r100%', '\u001b[31mbad\u001b[0m \u001b]0;x\u0007'] }));
  clock.pass(0.1);
  const failure = [
    '[1/2] failed   train n=1 (j1): exit code 3 after 0.4 s',
    '    | 100%',
    '    | bad \\x1b]0;x\\x07',
    '    log: .lhb/logs/train/j1.log',
  ];
  assert.equal(screen.shown, [...failure, '[==========>            ] 1/2  1 failed']);
  reporter.handle(e.skip('j2'));
  reporter.handle(e.end({ failed: 1, skipped: 1 }));
  assert.equal(screen.shown, [
    ...failure,
    '1 job failed:',
    '    train n=1 (j1): exit code 3, log .lhb/logs/train/j1.log',
    'failed 1, skipped 1 in 3 m 04 s',
  ]);
});

test('as many running jobs as fit in a third of the height', () => {
  const { clock, screen, reporter, e } = rig(70, 12);
  reporter.handle(e.begin(100));
  for (let i = 1; i <= 9; i++) reporter.handle(e.start(`j${i}`));
  clock.pass(1);
  assert.is(screen.shown.length, 5);
  assert.is(screen.shown.at(-1), '           … and 6 more');
});

test('at most ten redraws a second, and nothing lost', () => {
  const { clock, screen, reporter, e } = rig(70, 12);
  reporter.handle(e.begin(5000));
  for (let i = 0; i < 5000; i++) {
    reporter.handle(e.finish(`j${i}`));
    clock.pass(1 / 1000);
  }
  assert.ok(screen.writes <= 51, `${screen.writes} writes in 5 s`);
  reporter.handle(e.fail('j1'));
  reporter.handle(e.end({ built: 4999, failed: 1 }));
  assert.ok(screen.all.some((line) => line.includes('more before these')));
  assert.ok(screen.all.some((line) => line.includes('no such column')));
  assert.is(screen.all.at(-1), 'built 4999, failed 1 in 3 m 04 s');
});

test('a hundred thousand quick jobs in one go', () => {
  const { screen, reporter, e } = rig(70, 12);
  const before = process.cpuUsage().user;
  reporter.handle(e.begin(100_000));
  for (let i = 0; i < 100_000; i++) {
    reporter.handle(e.start(`j${i}`));
    reporter.handle(e.finish(`j${i}`));
  }
  reporter.handle(e.end({ built: 100_000 }));
  const seconds = (process.cpuUsage().user - before) / 1e6;
  assert.ok(seconds < 3, `${seconds} s`);
  assert.ok(screen.all.length < 30);
  assert.ok(screen.all.includes('[100000/100000] built    train n=99999 (j99999) in 1.5 s'));
});

test('clocks move though nothing happens', () => {
  const { clock, screen, reporter, e } = rig();
  reporter.handle(e.begin(2));
  reporter.handle(e.start('j1'));
  clock.pass(0.1);
  const { writes } = screen;
  clock.pass(10);
  assert.is(screen.writes - writes, 10);
  assert.match(screen.shown.at(-1) ?? '', /^ +10 s  train n=1/);
});

test('wide names and narrow windows never break the frame', () => {
  const { clock, screen, reporter, e } = rig(20, 8);
  reporter.handle(e.begin(3));
  reporter.handle(e.start('j1', { label: 'x'.repeat(200) }));
  reporter.handle(e.start('j2', { label: '模型'.repeat(40) }));
  for (let i = 0; i < 5; i++) clock.pass(1);
  assert.is(screen.all.length, 3);
  reporter.handle(e.end({ built: 2 }));
  assert.equal(screen.all, ['built 2 in 3 m 04 s']);
});

test('a window made narrower or wider leaves no old frames behind', () => {
  const { clock, screen, reporter, e } = rig(70, 12);
  reporter.handle(e.begin(3));
  reporter.handle(e.finish('j1'));
  reporter.handle(e.start('j2'));
  reporter.handle(e.start('j3'));
  clock.pass(0.5);
  for (const columns of [30, 16, 60, 25, 70]) {
    screen.resize(columns);
    clock.pass(0.2);
    assert.is(screen.all.filter((line) => /^\[.*\] 1\/3|^\[[=> ]+\] 1/.test(line)).length, 1, `${columns} columns`);
  }
  reporter.handle(e.end({ built: 1, cancelled: 2 }));
  assert.is(screen.all.filter((line) => line.includes('running')).length, 0);
});

test('ETA: past durations over the slots, never less than the longest job', () => {
  const eta = (screen: Screen): string =>
    /ETA (.*)$/.exec(screen.shown.find((l) => l.includes('ETA')) ?? '')?.[1] ?? '';
  const { clock, screen, reporter, e } = rig();
  reporter.handle(e.begin(10, { work_s: 200, slots: 2 }));
  reporter.handle(e.start('j1', { expected_s: 20 }));
  reporter.handle(e.start('j2', { expected_s: 20 }));
  clock.pass(10.1);
  assert.is(eta(screen), '1 m 30 s');
  reporter.handle(e.finish('j1'));
  reporter.handle(e.finish('j2'));
  reporter.handle(e.start('j3', { expected_s: 150 }));
  clock.pass(1.1);
  assert.is(eta(screen), '2 m 29 s');
});

test('ETA without past durations comes from the pace so far', () => {
  const { clock, screen, reporter, e } = rig();
  reporter.handle(e.begin(10));
  reporter.handle(e.start('j1'));
  clock.pass(2);
  assert.not.match(screen.shown.join('\n'), 'ETA');
  reporter.handle(e.finish('j1'));
  reporter.handle(e.start('j2'));
  clock.pass(2);
  reporter.handle(e.finish('j2'));
  clock.pass(0.2);
  assert.match(screen.shown.join('\n'), 'ETA 16 s');
});

test('with -v the reasons of a job scroll by as it starts', () => {
  const { screen, clock, reporter, e } = rig(70, 12, { verbosity: 'verbose', reasons: true });
  reporter.handle(e.begin(2));
  reporter.handle(e.start('j1', { reasons: ['config lr: 0.1 → 0.2'] }));
  reporter.handle(e.finish('j2', { result: 'fresh' }));
  clock.pass(0.2);
  assert.equal(screen.shown.slice(0, 3), [
    '[0/2] started  train n=1 (j1)',
    '    config lr: 0.1 → 0.2',
    '[1/2] fresh    train n=2 (j2)',
  ]);
});

test('messages before and after the build are shown at once', () => {
  const { screen, reporter, e } = rig();
  reporter.handle(e.message('warning', 'one'));
  reporter.handle(e.message('info', 'two'));
  assert.equal(screen.shown, ['warning: one', 'two']);
  reporter.handle(e.begin(1));
  reporter.handle(e.end({ fresh: 1 }));
  reporter.handle(e.message('error', 'three'));
  assert.equal(screen.shown, ['warning: one', 'two', 'nothing to do: 1 job fresh', 'error: three']);
});

test('a close in the middle takes the frame away; a crash erases nothing', () => {
  for (const way of ['close', 'abandon'] as const) {
    const { screen, clock, reporter, e } = rig();
    reporter.handle(e.begin(2));
    reporter.handle(e.start('j1'));
    clock.pass(1);
    if (way === 'abandon') screen.write('\nError: a stack');
    reporter[way]();
    reporter[way]();
    assert.is(clock.waiting, 0);
    assert.is(screen.listening, false);
    assert.is(screen.all.includes('Error: a stack'), way === 'abandon');
    assert.is(screen.all.join('').includes('running'), way === 'abandon');
  }
});

test.run();
