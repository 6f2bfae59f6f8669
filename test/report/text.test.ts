import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  formatCount,
  formatDuration,
  formatElapsed,
  formatNumber,
  formatBytes,
  formatTime,
  safeLines,
  safeLogLine,
  safeText,
} from '../../src/report/format.ts';
import { printTable, tsvChunks, type Column } from '../../src/report/table.ts';
import { cutText, padText, textWidth } from '../../src/report/text-width.ts';
import { describeCounts, describeOutcome, describePlan, describeReason, jobName } from '../../src/report/wording.ts';

test('durations, without a 60 in them', () => {
  const cases: [number, string][] = [
    [0, '0.0 s'],
    [1.23, '1.2 s'],
    [59.94, '59.9 s'],
    [59.96, '1 m 00 s'],
    [184, '3 m 04 s'],
    [3599.7, '1 h 00 m'],
    [18720, '5 h 12 m'],
    [86400, '24 h 00 m'],
    [48 * 3600 - 1, '2 d 00 h'],
    [3 * 86400 + 5 * 3600, '3 d 05 h'],
    [NaN, '0.0 s'],
    [-1, '0.0 s'],
  ];
  for (const [seconds, text] of cases) assert.is(formatDuration(seconds), text, String(seconds));
  assert.is(formatElapsed(12.4), '12 s');
  assert.is(formatElapsed(59.6), '1 m 00 s');
});

test('sizes, without a 1000.0 in them', () => {
  const cases: [number, string][] = [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [999_949, '999.9 kB'],
    [999_950, '1.0 MB'],
    [1_300_000, '1.3 MB'],
    [5e18, '5000.0 PB'],
  ];
  for (const [bytes, text] of cases) assert.is(formatBytes(bytes), text, String(bytes));
});

test('times, counts, numbers', () => {
  assert.is(formatTime(new Date(2026, 10, 22, 18, 4).getTime() / 1000), '2026-11-22 18:04');
  assert.is(formatCount(1, 'job'), '1 job');
  assert.is(formatCount(0, 'job'), '0 jobs');
  assert.is(formatCount(2, 'entry', 'entries'), '2 entries');
  assert.is(formatNumber(9999), '9999');
  assert.is(formatNumber(1234567), '1,234,567');
});

test('control, bidi and line separator characters are made visible', () => {
  assert.is(safeText('a\u001b[31m\r\n\tb\u0000\u009b'), 'a\\x1b[31m\\r\\n\\tb\\x00\\x9b');
  assert.is(safeText('\u202eevil\u2028'), '\\u{202e}evil\\u{2028}');
  assert.is(safeText('größe 模型 👩‍🔬'), 'größe 模型 👩‍🔬');
  assert.is(safeLines('a\n\tb\u0007\r\nc'), 'a\n\tb\\x07\nc');
});

test('a line of a log is shown as a terminal would leave it, without colours', () => {
  assert.is(safeLogLine('10%\r50%\r100%\r\n'), '100%');
  assert.is(safeLogLine('\u001b[1;31mError\u001b[0m: \u001b[2J\tx'), 'Error: \\x1b[2J    x');
});

test('width of wide and combining characters, and cutting between them', () => {
  assert.is(textWidth('abc'), 3);
  assert.is(textWidth('模型'), 4);
  assert.is(textWidth('e\u0301'), 1);
  assert.is(cutText('abcdef', 6), 'abcdef');
  assert.is(cutText('abcdef', 4), 'abc…');
  assert.is(cutText('模型模型', 4), '模…');
  assert.is(cutText('模型模型', 5), '模型…');
  assert.is(cutText('abc', 0), '');
  assert.is(padText('模', 4) + '|', '模  |');
  assert.is(padText('7', 3, 'right'), '  7');
});

const COLUMNS: readonly Column[] = [
  { title: 'id' },
  { title: 'size', align: 'right' },
  { title: 'reason', tone: (cell) => (cell.startsWith('new') ? 'green' : undefined) },
];
const ROWS = [
  ['tgt_1', '1.3 MB', 'new: no result on record'],
  ['模型', '9 B', 'code a\tb.py changed'],
];

test('a table on a terminal is aligned, and its last column cut', () => {
  assert.equal(printTable(COLUMNS, ROWS, { tty: true, width: 80, color: false }).split('\n'), [
    'id       size  reason',
    'tgt_1  1.3 MB  new: no result on record',
    '模型      9 B  code a\\tb.py changed',
    '',
  ]);
  assert.equal(printTable(COLUMNS, ROWS, { tty: true, width: 28, color: false }).split('\n'), [
    'id       size  reason',
    'tgt_1  1.3 MB  new: no resu…',
    '模型      9 B  code a\\tb.py…',
    '',
  ]);
});

test('colour changes nothing about alignment, and ends before the blanks', () => {
  const text = printTable(COLUMNS, ROWS, { tty: true, width: 80, color: true });
  assert.match(text, '\u001b[32mnew: no result on record\u001b[39m\n');
  // oxlint-disable-next-line no-control-regex
  const bare = text.replaceAll(/\u001b\[\d+m/g, '');
  assert.is(bare, printTable(COLUMNS, ROWS, { tty: true, width: 80, color: false }));
});

test('elsewhere a table is TSV with a header, a line a row whatever is in it', () => {
  const rows = [...ROWS, ['a\nb', '', 'c:\\x\r']];
  assert.is(
    printTable(COLUMNS, rows, { tty: false, width: 10, color: true }),
    'id\tsize\treason\ntgt_1\t1.3 MB\tnew: no result on record\n模型\t9 B\tcode a\\tb.py changed\na\\nb\t\tc:\\\\x\\r\n',
  );
  assert.is(printTable(COLUMNS, [], { tty: false, width: 10, color: false }), 'id\tsize\treason\n');
});

test('a long table comes in pieces that end with a line', () => {
  const rows = Array.from({ length: 5000 }, (_unused, i) => [`tgt_${i}`, `${i}\t`, 'new: no result on record']);
  const pieces = [...tsvChunks(COLUMNS, rows)];
  assert.ok(pieces.length > 1);
  assert.ok(pieces.every((piece) => piece.endsWith('\n')));
  assert.is(pieces.join(''), printTable(COLUMNS, rows, { tty: false, width: 10, color: false }));
  assert.is(pieces.join('').split('\n').length, rows.length + 2);
});

test('a job by its names', () => {
  assert.is(jobName({ id: 'run_1', rule: 'run', label: 'n=5' }), 'run n=5 (run_1)');
  assert.is(jobName({ id: 'run_1', rule: 'run', label: '' }), 'run (run_1)');
});

test('how a job ended', () => {
  assert.is(describeOutcome({ kind: 'exit-code', code: 3 }), 'exit code 3');
  assert.is(describeOutcome({ kind: 'signal', signal: 'SIGKILL' }), 'killed by SIGKILL');
  assert.is(describeOutcome({ kind: 'timed-out', limitS: 60 }), 'timed out after 1 m 00 s');
  assert.is(describeOutcome({ kind: 'output-missing', paths: ['a', 'b'] }), 'outputs a, b not made');
  assert.is(describeOutcome({ kind: 'inputs-changed', paths: ['a.csv'] }), 'inputs changed while running: a.csv');
});

test('reasons', () => {
  assert.is(describeReason('config', 'sampler.lr', '0.1', '0.2'), 'config sampler.lr: 0.1 → 0.2');
  assert.is(describeReason('config', 'seed', undefined, '3'), 'config seed: added, 3');
  assert.is(describeReason('config', 'seed', '3', undefined), 'config seed: removed, was 3');
  assert.is(describeReason('code', 'train.py', 'abc', 'def'), 'code train.py changed');
  assert.is(describeReason('input', 'a.csv', undefined, 'def'), 'input a.csv added');
  assert.is(describeReason('upstream', 'tgt_1/meta', 'abc', 'def'), 'upstream tgt_1/meta changed');
  assert.is(describeReason('new', undefined, undefined, undefined), 'new: no result on record');
  assert.is(describeReason('missing', 'runs/x.json', undefined, undefined), 'missing: runs/x.json');
  assert.is(describeReason('command', undefined, undefined, undefined), 'command changed');
});

test('of a long command, the words that changed', () => {
  const command = (lr: string): string => `python train.py --data ${'x'.repeat(80)} --lr ${lr} --out runs/x.json`;
  assert.is(
    describeReason('command', undefined, command('0.1'), command('0.2')),
    'command: … --lr 0.1 --out … → … --lr 0.2 --out …',
  );
  const json = (n: number): string => `{"a":"${'y'.repeat(100)}","n":${n}}`;
  const reason = describeReason('config', 'x', json(1), json(2));
  assert.match(reason, /"n":1\}.* → .*"n":2\}/);
  assert.ok(reason.length < 100);
});

test('counts', () => {
  const none = { built: 0, restored: 0, fresh: 0, failed: 0, skipped: 0, cancelled: 0 };
  assert.is(
    describeCounts({ ...none, built: 12, restored: 3, fresh: 100, failed: 1, skipped: 4 }, 184),
    'built 12, restored 3, fresh 100, failed 1, skipped 4 in 3 m 04 s',
  );
  assert.is(describeCounts({ ...none, fresh: 1 }, 3), 'nothing to do: 1 job fresh');
  assert.is(describeCounts({ ...none, cancelled: 2 }, 3), 'cancelled 2 in 3.0 s');
  assert.is(describePlan({ run: 12, check: 3, restore: 0, none: 100 }), 'would run 12, check 3; 100 jobs fresh');
  assert.is(describePlan({ run: 0, check: 0, restore: 0, none: 7 }), 'nothing to do: 7 jobs fresh');
});

test.run();
