// Files around a store and a work tree that nothing refers to: what killed processes left, logs and folders of jobs that
// are on record nowhere. Links are removed, never followed.
import { lstatSync, readdirSync, rmSync, type Dirent } from 'node:fs';
import { join } from 'node:path';
import { unless } from '../fs/errno.ts';
import type { StoreLayout, WorkLayout } from './layout.ts';

export const STRAY_KINDS = ['temporary', 'damaged', 'logs', 'job_folders', 'lists'] as const;

export type StrayFile = {
  readonly kind: (typeof STRAY_KINDS)[number];
  /** Absolute. */
  readonly path: string;
  readonly bytes: number;
};

const DAY_MS = 24 * 3600 * 1000;

/**
 * @param known is a job of this id on record, or in the workflow?
 * @param running may processes of jobs still be at work? Then lists stay.
 */
export function strayFiles(
  layout: StoreLayout,
  work: WorkLayout,
  known: (id: string) => boolean,
  running: boolean,
): StrayFile[] {
  const old = Date.now() - DAY_MS;
  const found: StrayFile[] = [];
  const take = (kind: StrayFile['kind'], folder: string, wanted: (entry: Dirent, path: string) => boolean): void => {
    for (const entry of entriesOf(folder)) {
      const path = join(folder, entry.name);
      if (wanted(entry, path)) found.push({ kind, path, bytes: sizeOf(path) });
    }
  };
  const isOld = (_: Dirent, path: string): boolean => {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    return stats !== undefined && Math.max(stats.mtimeMs, stats.ctimeMs) < old;
  };
  for (const folder of new Set([layout.tmp, work.tmp])) take('temporary', folder, isOld);
  take('damaged', layout.damaged, isOld);
  take('job_folders', work.jobs, ({ name }) => isJobId(name) && !known(name));
  for (const rule of entriesOf(work.logs)) {
    if (!rule.isDirectory()) continue;
    take('logs', join(work.logs, rule.name), ({ name }) => {
      const id = /^(.+)\.log(?:\.\d+)?$/.exec(name)?.[1];
      return id !== undefined && isJobId(id) && !known(id);
    });
  }
  if (!running) take('lists', work.lists, isOld);
  return found;
}

const isJobId = (name: string): boolean => /^[A-Za-z][A-Za-z0-9_]*_[0-9a-f]{12}$/.test(name);

export function removeStray(files: readonly StrayFile[]): void {
  for (const { path } of files) rmSync(path, { recursive: true, force: true });
}

/** A folder that is a link, and so leads elsewhere, has none. */
function entriesOf(folder: string): Dirent[] {
  if (!lstatSync(folder, { throwIfNoEntry: false })?.isDirectory()) return [];
  return unless(['ENOENT', 'EACCES'], () => readdirSync(folder, { withFileTypes: true })) ?? [];
}

function sizeOf(path: string): number {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (!stats) return 0;
  if (!stats.isDirectory()) return stats.isFile() ? stats.size : 0;
  return entriesOf(path).reduce((sum, entry) => sum + sizeOf(join(path, entry.name)), 0);
}
