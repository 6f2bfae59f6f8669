// A folder in the layout of a `dir:` cache that is only passed on: over ssh, or as a file.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { error, type Diagnostic } from '../base/diagnostic.ts';
import { DirectoryCache } from '../cache/directory.ts';
import { packParcel, publish, type Maker } from '../cache/publish.ts';
import { Tier } from '../cache/tier.ts';
import { SharedCaches } from '../cache/tiers.ts';
import { Trust } from '../cache/trust.ts';
import { isOurs } from '../cache/uploads.ts';
import type { Job } from '../graph/job.ts';
import type { Plan } from '../plan/plan.ts';
import { safeText } from '../report/format.ts';
import { isShared } from '../schedule/shared-results.ts';
import { workLayout } from '../store/layout.ts';
import type { Trace } from '../store/trace.ts';
import type { Workspace } from './workspace.ts';

/** Makes the folder, and removes it at the end. */
export async function withStaging<T>(workspace: Workspace, work: (root: string) => Promise<T>): Promise<T> {
  const { tmp } = workLayout(workspace.workflow.root);
  mkdirSync(tmp, { recursive: true });
  const root = mkdtempSync(join(tmp, 'staged-'));
  try {
    return await work(root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** The folder as a cache. What comes from it is taken as `trust` says. */
export const stagedTier = (root: string, name: string, trust: Trust, warn: (text: string) => void): Tier =>
  new Tier(
    new DirectoryCache({ name, kind: 'dir', url: `dir:${root}`, mode: 'rw', trust: undefined, ns: '' }, root, true),
    trust,
    warn,
  );

export const NO_TRUST = new Trust(false, [], []);

/** The results on record of jobs, in the state that holds, that may be shared: those that came from a cache too. */
export function resultsToShare(workspace: Workspace, plan: Plan, jobs: readonly Job[]): Trace[] {
  return jobs.flatMap((job) => {
    const core = plan.steps.get(job)?.judgement.trace;
    const trace = core && isShared(job) ? workspace.records.trace(core.actionKey) : undefined;
    return trace && (isOurs(trace) || trace.origin === 'restored') ? [trace] : [];
  });
}

/** Puts results into a staged folder; gives how many there are. */
export async function stage(tier: Tier, traces: readonly Trace[], workspace: Workspace, maker: Maker): Promise<number> {
  let count = 0;
  for (const trace of traces) {
    const parcel = await packParcel(trace, workspace.blobs);
    if (parcel && (await publish(parcel, tier, maker, true, {})).kind === 'stored') count++;
  }
  return count;
}

/** A staged folder as the only cache to read from. */
export const readingOnly = (tier: Tier, workspace: Workspace): SharedCaches =>
  new SharedCaches({ tiers: [tier], blobs: workspace.blobs, uploads: undefined, refresh: false, patient: true });

/** Lines of another program in a message. */
const MOST_LINES = 4;

/** Runs a program; a diagnostic with its first words, which say what was wrong, where it fails or is not there. */
export function runProgram(program: string, args: readonly string[], stdin?: string): Promise<Diagnostic | undefined> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'pipe'] });
    let words = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (words = (words + chunk).slice(0, 2000)));
    child.stdin.on('error', () => {});
    child.stdin.end(stdin ?? '');
    child.on('error', () => resolve(error('cache/failed', `the program ${program} cannot be run: is it installed?`)));
    child.on('close', (code) => {
      const lines = words.split('\n').filter((line) => line.trim() !== '');
      const said = lines.slice(0, MOST_LINES).map(safeText).join('; ');
      resolve(code === 0 ? undefined : error('cache/failed', `${program} failed: ${said || `exit code ${code}`}`));
    });
  });
}
