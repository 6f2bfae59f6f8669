// Opens the index of a store for one work tree: finds out whether what lies there can be opened, brings an older one up to
// date, makes one that is lost or damaged anew from the trace logs, and evens out index and log.
import { mkdirSync, renameSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DiagnosticError, error, warning, type Diagnostic } from '../base/diagnostic.ts';
import { err, type Result } from '../base/result.ts';
import { temporaryName } from '../fs/atomic-write.ts';
import { errno } from '../fs/errno.ts';
import { FORMAT_VERSION, writeVersion } from './format.ts';
import { IndexDb } from './index-db.ts';
import { BEHIND_MS } from './index-writes.ts';
import { markOpen, noteSound, stateOfIndex } from './index-state.ts';
import type { StoreLayout } from './layout.ts';
import { migrateIndex } from './migrate-index.ts';
import { completeLog, isBehind, linesByKey, rebuildIndex, replayLog, takeRest } from './rebuild-index.ts';
import { clearLogPlace, loggedTrees, TraceLog } from './trace-log.ts';
import { writeFailed } from './write-failed.ts';

/** How long a query waits for the index of a build that runs. */
const MOST_BEHIND_MS = 2 * BEHIND_MS;
const PAUSE_MS = 5;
const PAUSE = new Int32Array(new SharedArrayBuffer(4));

export type OpenIndexOptions = {
  readonly layout: StoreLayout;
  /** The work tree's id. */
  readonly tree: string;
  /** True for the holder of the work tree's lock. */
  readonly write: boolean;
  /** The version of the store, where it is an older one. */
  readonly version?: number | undefined;
  /** Reads all of the index first, though nothing speaks of damage. */
  readonly whole?: boolean;
  /** Told of damage that was dealt with. */
  readonly tell: (warning: Diagnostic) => void;
};

/** Errors: the index cannot be opened, or not be written. */
export function openIndex(options: OpenIndexOptions): Result<IndexDb> {
  try {
    return open(options);
  } catch (cause) {
    if (cause instanceof DiagnosticError) return err([...cause.diagnostics]);
    const failed = writeFailed('the index', options.layout.index, cause);
    if (failed === undefined) throw cause;
    return err([...failed.diagnostics]);
  }
}

function open({ layout, tree, write, version, whole, tell }: OpenIndexOptions): Result<IndexDb> {
  const found = stateOfIndex(layout.index, whole);
  const moved = found.state === 'damaged' ? moveAway(layout) : undefined;
  if (found.state !== 'sound' && (moved !== undefined || loggedTrees(layout).length > 0)) {
    const made = rebuildIndex(layout);
    if (!made.ok) return made;
    tell(lost(layout, found.state === 'damaged' ? found.why : undefined, moved, made.value));
  } else if (found.state === 'sound' && version !== undefined && version < FORMAT_VERSION) {
    migrateIndex(layout.index);
  }
  if (version !== undefined && version < FORMAT_VERSION) writeVersion(layout, FORMAT_VERSION);
  const onNewer = (): void =>
    tell(
      warning('store/newer-record', `the store ${layout.root} has results of a newer lhb, which are left alone`, {
        hint: 'here their jobs count as never run; use the newer lhb to have their results',
      }),
    );
  const recover = linesByKey(layout);
  const { cutOff, isWritten } = found.state === 'sound' ? found : { cutOff: false, isWritten: false };
  const log = new TraceLog(layout, tree);
  if (!write) {
    if (cutOff) takeRestIfAllowed(layout);
    const read = (): Result<IndexDb> => IndexDb.open(layout.index, { readOnly: true, recover, onNewer });
    const opened = read();
    if (!opened.ok || !isBehind(opened.value, log)) return opened;
    if (isWritten) {
      awaitWriter(opened.value, log);
      return opened;
    }
    opened.value.closeNow();
    takeRestIfAllowed(layout);
    return read();
  }
  mkdirSync(layout.index, { recursive: true });
  const closed = markOpen(layout.index);
  const opened = IndexDb.open(layout.index, { readOnly: false, log, recover, onNewer, onClosed: closed });
  if (!opened.ok) closed();
  else {
    evenOut(opened.value, layout, log, tell);
    takeRest(opened.value, layout);
  }
  if (cutOff) noteSound(layout.index);
  return opened;
}

/** Takes into the index what it lacks of the logs, where it may be written and the disk has space; else it stays as it is. */
function takeRestIfAllowed(layout: StoreLayout): void {
  const opened = IndexDb.open(layout.index, { readOnly: false, atOnce: true });
  if (!opened.ok) return;
  try {
    takeRest(opened.value, layout);
  } catch (cause) {
    if (cause instanceof DiagnosticError) return;
    throw cause;
  } finally {
    opened.value.closeNow();
  }
  noteSound(layout.index);
}

/** A build that runs has the index follow its log within moments: what it has told is seen here. */
function awaitWriter(index: IndexDb, log: TraceLog): void {
  for (let waited = 0; waited < MOST_BEHIND_MS && isBehind(index, log); waited += PAUSE_MS) {
    Atomics.wait(PAUSE, 0, 0, PAUSE_MS);
    index.refresh();
  }
}

/** The log has what the index lacks after a kill, or where another process made the index anew; the index what a lost log had. */
function evenOut(index: IndexDb, layout: StoreLayout, log: TraceLog, tell: (warning: Diagnostic) => void): void {
  const moved = clearLogPlace(layout, log);
  const size = log.size();
  const known = index.logged(log.tree);
  if (size !== undefined && size > (known ?? 0)) replayLog(index, log);
  else if (size === undefined && known === undefined && isNew(index, log.tree))
    index.setLogged(log.tree, log.create([]));
  else if (size === undefined || size < (known ?? 0)) {
    const added = completeLog(index, layout, log);
    if (moved === undefined && added === 0) return;
    const what = moved
      ? `was no file, which lies in ${moved} now, and`
      : size === undefined
        ? 'was lost and'
        : 'was cut short and';
    const results = added === 1 ? '1 result' : `${added} results`;
    tell(warning('store/log-lost', `the trace log ${log.path} ${what} was written anew: ${results} from the index`));
  }
}

/** Nothing is on record of the work tree: then the logs of others have what the index has. */
const isNew = (index: IndexDb, tree: string): boolean => index.allCurrent(tree).next().done === true;

/** Moves a damaged index to damaged/. @returns where it lies now; undefined where someone else moved it */
function moveAway(layout: StoreLayout): string | undefined {
  const name = `index${temporaryName()}`;
  const seen = statSync(layout.index, { throwIfNoEntry: false })?.ino;
  for (const to of [join(layout.damaged, name), join(dirname(layout.index), `damaged-${name}`)]) {
    try {
      mkdirSync(dirname(to), { recursive: true });
      renameSync(layout.index, to);
      if (statSync(to).ino === seen) return to;
      // Another process has made the index anew just now: that one stays.
      renameSync(to, layout.index);
      return undefined;
    } catch (cause) {
      if (errno(cause) === 'ENOENT') return undefined;
      // damaged/ lies on another disk than an index that was moved off a network.
      if (errno(cause) !== 'EXDEV') throw cause;
    }
  }
  throw error('store/unreadable', `the damaged index ${layout.index} cannot be moved away`);
}

function lost(layout: StoreLayout, why: string | undefined, moved: string | undefined, count: number): Diagnostic {
  const results = count === 1 ? '1 result' : `${count} results`;
  const made = `it was made again from the trace logs: ${results}`;
  if (why === undefined) return warning('store/index-lost', `the index ${layout.index} was not there; ${made}`);
  const where = moved === undefined ? '' : ` (it lies in ${basename(dirname(moved))}/${basename(moved)} now)`;
  return warning('store/index-damaged', `the index ${layout.index} was damaged: ${why}${where}; ${made}`);
}
