// The tools that are compared, as far as they are installed: how each is told of the graph, and asked to do something.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeLhb, writeMake, writeNinja, writeSnakemake } from './graph.mjs';
import { ENV } from './measure.mjs';

export const PROJECT = dirname(dirname(fileURLToPath(import.meta.url)));
export const LHB = [process.execPath, join(PROJECT, 'bin', 'lhb.js')];

/** Commands by what they do; a tool that lacks one is left out of that row. `state`: what it keeps beside the outputs. */
const ALL = [
  {
    name: 'lhb',
    asked: [...LHB, '--version'],
    write: writeLhb,
    state: ['.lhb'],
    build: [...LHB, 'build', '-q', '-j', '2'],
    plan: [...LHB, 'build', '-n', '-q'],
    planAnew: ['env', 'LHB_NO_SNAPSHOT=1', ...LHB, 'build', '-n', '-q'],
    summary: [...LHB, 'summary'],
    detailed: [...LHB, 'summary', '--detailed'],
  },
  {
    name: 'ninja',
    asked: ['ninja', '--version'],
    write: writeNinja,
    state: ['.ninja_log', '.ninja_deps'],
    build: ['ninja', '--quiet', '-j', '2'],
    plan: ['ninja', '-n'],
  },
  {
    name: 'make',
    asked: ['make', '--version'],
    write: writeMake,
    state: [],
    build: ['make', '-s', '-j', '2'],
    plan: ['make', '-n'],
  },
  {
    name: 'snakemake',
    asked: ['snakemake', '--version'],
    write: writeSnakemake,
    state: ['.snakemake'],
    build: ['snakemake', '-q', '-j', '2'],
    plan: ['snakemake', '-q', '-n'],
    summary: ['snakemake', '--summary'],
    detailed: ['snakemake', '--detailed-summary'],
    /** A build of more jobs than this would take hours: its outputs are written at once. */
    mostJobs: 100,
  },
];

export const NAMES = ALL.map(({ name }) => name);

/** The tools that are there, each with its version. */
export function installed() {
  return ALL.flatMap((tool) => {
    const version = versionOf(tool.asked);
    return version === undefined ? [] : [{ ...tool, version }];
  });
}

/** The first number of what a program says of its version; undefined where there is none. */
export function versionOf([program, ...args]) {
  const asked = spawnSync(program, args, { env: ENV, encoding: 'utf8' });
  if (asked.status !== 0) return undefined;
  return /\d[\w.]*/.exec(asked.stdout)?.[0] ?? 'unknown';
}
