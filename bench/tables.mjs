// Results as Markdown tables, and their place in docs/benchmarks.md.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { execFileSync } from 'node:child_process';
import { NAMES } from './tools.mjs';

function table(head, rows) {
  const width = head.map((title, i) => Math.max(...[title, ...rows.map((row) => row[i])].map((cell) => cell.length)));
  const line = (cells) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(width[i]) : cell.padStart(width[i]))).join(' | ')} |`;
  const rule = `| ${width.map((n, i) => (i === 0 ? '-'.repeat(n) : `${'-'.repeat(n - 1)}:`)).join(' | ')} |`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}

const number = (value, digits) => (value === undefined || Number.isNaN(value) ? '-' : value.toFixed(digits));
const times = (value) => (value === undefined || Number.isNaN(value) ? '-' : `${value.toFixed(2)} x`);

export function sweepTable({ jobs, rows }, tools) {
  const names = tools.map((tool) => tool.name);
  const head = [
    `${jobs} jobs`,
    ...names.map((name) => `${name} s`),
    'lhb / ninja',
    ...(names.includes('snakemake') ? ['snakemake / lhb'] : []),
    ...names.map((name) => `${name} MB`),
  ];
  return table(
    head,
    rows.map(({ what, against, seconds, peakMb, ratio }) => [
      what,
      ...names.map((name) => number(seconds[name], 3)),
      against === what || Number.isNaN(ratio) ? times(ratio) : `${times(ratio)} (its ${against})`,
      ...(names.includes('snakemake') ? [times(seconds.snakemake / seconds.lhb)] : []),
      ...names.map((name) => number(peakMb[name], 0)),
    ]),
  );
}

/** Nanoseconds a job of lhb, at each size, and how often the one before. */
export function growthTable(sizes) {
  const kinds = ['first -n, from nothing', 'no-op', '-n'];
  const nsOf = ({ jobs, rows }, what) => (rows.find((row) => row.what === what)?.seconds.lhb * 1e9) / jobs;
  const rows = kinds.map((what) => [
    what,
    ...sizes.map((size, i) => {
      const ns = nsOf(size, what);
      if (Number.isNaN(ns)) return '-';
      const before = i === 0 ? undefined : nsOf(sizes[i - 1], what);
      return `${ns.toFixed(0)}${before === undefined ? '' : ` (${times(ns / before)})`}`;
    }),
  ]);
  const memory = sizes.map(({ rows: all }) => number(all.find((row) => row.what === 'no-op')?.peakMb.lhb, 0));
  return table(
    ['ns a job (times the one before), jobs faked', ...sizes.map(({ jobs }) => `${jobs} jobs`)],
    [...rows, ['peak MB of a no-op', ...memory]],
  );
}

/** @param jobs how many were restored */
export function cachesTable(rows, jobs) {
  const cell = (seconds, copied) => `${seconds.toFixed(2)} (${times(seconds / copied)})`;
  return table(
    [
      `${jobs} jobs, s (times cp -r)`,
      'from the cache',
      'from the own store',
      'file operations and requests alone',
      'cp -r',
    ],
    rows.map(({ what, files, seconds: { restored, alone, floor, copied } }) => [
      `${what}, ${files === 1 ? 'a file' : `${files} files`} a job`,
      ...[restored, alone, floor].map((seconds) => cell(seconds, copied)),
      copied.toFixed(3),
    ]),
  );
}

export const startupTable = (rows) =>
  table(
    ['start-up', 'ms', 'times node -e 0'],
    rows.map(({ what, ms, ratio }) => [what, number(ms, 1), times(ratio)]),
  );

export const bigOutputTable = (rows) =>
  table(
    ['1 GiB: from the end of the job to its record', 's', 'times b3sum --no-mmap --num-threads 1'],
    rows.map(({ what, seconds, ratio }) => [what, number(seconds, 3), times(ratio)]),
  );

export const restoresTable = ({ jobs, rows }) =>
  table(
    [`${jobs} outputs, by hard link`, 's', 'times cp -al'],
    rows.map(({ what, seconds, ratio }) => [what, number(seconds, 3), times(ratio)]),
  );

export const mainThreadTable = ({ jobs, rows, floorS }) =>
  `${table(
    [`main thread at work, ${jobs} jobs`, 'ms a job', 'without planning', 'heap MB'],
    rows.map(({ what, all, running, heapMb }) => [what, number(all, 3), number(running, 3), number(heapMb, 0)]),
  )}\n\nThe same file operations for all jobs, with two helper shells: ${number(floorS, 1)} s.`;

/** When, with what, and on what kind of machine. */
export function setting(tools, folder) {
  const versions = tools.map(({ name, version }) => `${name} ${version}`).join(', ');
  const missing = NAMES.filter((name) => tools.every((tool) => tool.name !== name));
  const without = missing.length > 0 ? ` (not installed: ${missing.join(', ')})` : '';
  const model = cpus()[0]?.model ?? 'unknown processor';
  const memory = Math.round(totalmem() / 1e9);
  return (
    `${new Date().toISOString().slice(0, 10)}: ${versions}${without}, Node ${process.versions.node}; ` +
    `${cpus().length} cores (${model}), ${memory} GB, ${process.platform} ${release()}, ${fileSystem(folder)}. NODE_EXTRA_CA_CERTS unset.`
  );
}

function fileSystem(folder) {
  try {
    return execFileSync('stat', ['-f', '-c', '%T', folder], { encoding: 'utf8' }).trim();
  } catch {
    return 'an unknown file system';
  }
}

/** Puts each section between its marks; the text around them stays. New sections go to the end. */
export function writeSections(file, sections) {
  let text = existsSync(file) ? readFileSync(file, 'utf8') : '# Benchmarks\n';
  for (const [name, body] of sections) {
    const [begin, end] = [`<!-- figures: ${name} -->`, '<!-- end of figures -->'];
    const whole = `${begin}\n\n${body}\n\n${end}`;
    const from = text.indexOf(begin);
    const to = text.indexOf(end, from);
    text =
      from === -1 || to === -1
        ? `${text.trimEnd()}\n\n${whole}\n`
        : text.slice(0, from) + whole + text.slice(to + end.length);
  }
  writeFileSync(file, text);
}
