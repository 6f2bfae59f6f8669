// `build --watch`: builds again whenever a file that counts changes.
//
// Files are looked at twice a second (one stat each): unlike file system events that works on every file system, and tells
// what matters, a changed stat signature. Folders stand for globs: a new file changes the mtime of the folder it is put into.
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { signatureOf, statOf } from '../fs/stat-signature.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Screen } from './screen.ts';
import { catchSignals } from './signals.ts';
import type { Loaded, Workspace } from './workspace.ts';

const POLL_MS = 500;

/** The workflow's own files: lhb.yaml, includes, configs. */
export function addWorkflowFiles({ workflow }: Loaded, watched: Set<string>): void {
  watched.add(resolve(workflow.root, workflow.file.name));
  for (const path of workflow.filesRead) watched.add(resolve(workflow.root, path));
}

/** What expressions read, leaf inputs and code, with the folders that they lie in. */
export function addSources({ workflow, host, graph }: Workspace, watched: Set<string>): void {
  const add = (path: string): void => {
    const absolute = resolve(workflow.root, path);
    watched.add(absolute);
    watched.add(dirname(absolute));
  };
  for (const path of host.filesRead) add(path);
  for (const path of host.globbed) add(path);
  for (const job of graph.jobs) {
    for (const path of job.code) add(path);
    for (const { sources } of job.inputs) for (const source of sources) if ('path' in source) add(source.path);
  }
  // Jobs write into these, and what they write there is no news.
  for (const job of graph.jobs) {
    for (const output of job.outputs) watched.delete(dirname(join(workflow.root, job.pathOf(output))));
  }
  watched.delete(workflow.root);
}

/** Runs `once` until a signal comes, each time when something that it asked to watch has changed. */
export async function buildAgain(once: (watched: Set<string>) => Promise<ExitCode>, screen: Screen): Promise<ExitCode> {
  const signals = catchSignals();
  try {
    for (;;) {
      const watched = new Set<string>();
      // A change while it builds is seen afterwards: what was there when the build began is what counts.
      const begun = Date.now();
      await once(watched);
      if (signals.exitCode() !== undefined) break;
      screen.note(`watching ${watched.size} files and folders; Ctrl-C ends it`);
      const before = evidence(watched);
      let changed = newerThan(watched, begun);
      while (!changed && signals.exitCode() === undefined) {
        await sleep(POLL_MS, undefined, { signal: signals.signal }).catch(() => {});
        changed = evidence(watched) !== before;
      }
      if (signals.exitCode() !== undefined) break;
    }
    return signals.exitCode() ?? EXIT.ok;
  } finally {
    signals.close();
  }
}

function evidence(paths: ReadonlySet<string>): string {
  return [...paths]
    .map((path) => {
      const stats = statOf(path);
      if (stats === undefined) return '-';
      return stats.isDirectory() ? String(stats.mtimeMs) : JSON.stringify(signatureOf(stats));
    })
    .join(' ');
}

/** Was a file written to after a moment? */
function newerThan(paths: ReadonlySet<string>, moment: number): boolean {
  return [...paths].some((path) => {
    const stats = statOf(path);
    return stats?.isFile() === true && stats.mtimeMs > moment;
  });
}
