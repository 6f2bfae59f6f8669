// Checks every blob's bytes and every record, and gives back what can be given back.
import type { Digest } from '../base/brand.ts';
import { strangers } from './blob-list.ts';
import type { Entry } from './manifest.ts';
import { filesOf } from './manifest.ts';
import type { BlobStore } from './blob-store.ts';
import type { IndexDb } from './index-db.ts';
import type { StoreLayout } from './layout.ts';
import { completeLog, missingLines } from './rebuild-index.ts';
import type { TraceLog } from './trace-log.ts';
import { wrongPath } from './restore.ts';

type FileEntry = Extract<Entry, { type: 'file' }>;

export type Finding = {
  /** `blob`: its bytes are others than its name says, or gone. `record`: it cannot be read, or names paths that none may. */
  readonly kind: 'blob' | 'record' | 'log';
  /** The blob's path, the action key, or the log's path. */
  readonly what: string;
  readonly detail: string;
  /** True: the damage is gone. False: it is left. */
  readonly repaired: boolean;
};

export type VerifyReport = {
  /** How many were checked. */
  readonly blobs: number;
  readonly records: number;
  /** Records of which a blob is missing: no damage, but misses that would be run again. */
  readonly evicted: number;
  readonly findings: readonly Finding[];
};

export type VerifyOptions = {
  /** Give back what can be given back: good bytes that a candidate has; a record that cannot be read is dropped. */
  readonly repair: boolean;
  /** The work tree's trace log, of which lines may be missing. */
  readonly log?: { readonly layout: StoreLayout; readonly log: TraceLog };
  /** Files that may hold the bytes of a blob, such as the outputs in the work tree; absolute paths. */
  readonly candidates: readonly { readonly entry: FileEntry; readonly path: string }[];
};

const PAUSE_EVERY = 100;

/** Reads all of the store. With `repair` the index must be open for writing. Throws system errors. */
export async function verifyStore(blobs: BlobStore, index: IndexDb, options: VerifyOptions): Promise<VerifyReport> {
  const { repair } = options;
  const findings: Finding[] = [];
  const found = (kind: Finding['kind'], what: string, detail: string, repaired: boolean): void => {
    findings.push({ kind, what, detail, repaired });
  };
  const places = new Map<Digest, string[]>();
  for (const { entry, path } of options.candidates) {
    const known = places.get(entry.digest);
    if (known) known.push(path);
    else places.set(entry.digest, [path]);
  }
  /** Puts the blob again from a file that has its bytes: an output, or the blob of the same bytes as a program or none. */
  const giveBack = async (digest: Digest, exec: boolean): Promise<string | undefined> => {
    if (!repair) return undefined;
    for (const path of places.get(digest) ?? []) if (await blobs.give(digest, exec, path)) return 'an output';
    return (await blobs.give(digest, exec, blobs.path(digest, !exec))) ? 'its copy of another mode' : undefined;
  };

  let records = 0;
  let allRead = true;
  const named = new Map<string, Pick<FileEntry, 'digest' | 'exec'>>();
  const complete: string[][] = [];
  const drop: [Parameters<IndexDb['removeTrace']>[0], string][] = [];
  for (const { actionKey, trace, newer } of index.allTraces()) {
    if (records++ % PAUSE_EVERY === 0) await pause();
    if (!trace) {
      allRead = false;
      // What a newer lhb wrote is not for this one to judge.
      if (!newer) drop.push([actionKey, 'cannot be read']);
      continue;
    }
    const wrong = wrongPath(trace.dir, trace.manifest);
    if (wrong !== undefined) drop.push([actionKey, wrong]);
    const needs: string[] = [];
    for (const { entry } of filesOf(trace.manifest)) {
      const blob = blobs.path(entry.digest, entry.exec);
      named.set(blob, entry);
      needs.push(blob);
    }
    complete.push(needs);
  }
  for (const [actionKey, why] of drop) {
    if (repair) index.removeTrace(actionKey);
    found('record', actionKey, repair ? `${why}; dropped, so its job runs again` : why, repair);
  }

  for (const path of strangers(blobs.layout)) {
    if (repair) blobs.moveAway(path);
    found('blob', path, repair ? 'is no blob; moved to damaged/' : 'is no blob', repair);
  }
  let blobCount = 0;
  for (const { digest, exec } of blobs.list()) {
    if (blobCount++ % PAUSE_EVERY === 0) await pause();
    if ((await blobs.check(digest, exec)) !== 'damaged') continue;
    const what = blobs.path(digest, exec);
    const from = await giveBack(digest, exec);
    if (from !== undefined) found('blob', what, `was damaged; written again from ${from}`, true);
    else if (repair && allRead && !named.has(what)) {
      blobs.quarantine(digest, exec);
      found('blob', what, 'was damaged, and no result has it; moved to damaged/', true);
    } else found('blob', what, 'its bytes cannot be read, or are not those of its name', false);
  }
  const gone = new Set<string>();
  for (const [what, { digest, exec }] of named) {
    // Of another size, it is damaged and was found above.
    if (blobs.exists(digest, exec)) continue;
    const from = await giveBack(digest, exec);
    if (from === undefined) gone.add(what);
    else found('blob', what, `was missing; written again from ${from}`, true);
  }
  const evicted = complete.filter((needs) => needs.some((blob) => gone.has(blob))).length;

  if (options.log) {
    const { layout, log } = options.log;
    const count = repair ? completeLog(index, layout, log) : missingLines(index, layout).length;
    const lines = `${count} of the results ${count === 1 ? 'was' : 'were'} not in it`;
    if (count > 0) found('log', log.path, repair ? `${lines}; written anew` : lines, repair);
  }
  return { blobs: blobCount, records, evicted, findings };
}

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
