// Checks every blob's bytes and every record, and gives back what can be given back.
import type { Entry } from './manifest.ts';
import { filesOf } from './manifest.ts';
import type { BlobStore } from './blob-store.ts';
import type { IndexDb } from './index-db.ts';
import { wrongPath } from './restore.ts';

type FileEntry = Extract<Entry, { type: 'file' }>;

export type Finding = {
  /** `blob`: its bytes are others than its name says, or gone. `record`: it cannot be read, or names paths that none may. */
  readonly kind: 'blob' | 'record';
  /** The blob's path, or the action key. */
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
  /** Files that may hold the bytes of a blob, such as the outputs in the work tree; absolute paths. */
  readonly candidates: readonly { readonly entry: FileEntry; readonly path: string }[];
};

const PAUSE_EVERY = 100;

/** Reads all of the store. With `repair` the index must be open for writing. Throws system errors. */
export async function verifyStore(blobs: BlobStore, index: IndexDb, options: VerifyOptions): Promise<VerifyReport> {
  const findings: Finding[] = [];
  const places = new Map<string, string[]>();
  for (const { entry, path } of options.candidates) {
    const blob = blobs.path(entry.digest, entry.exec);
    const known = places.get(blob);
    if (known) known.push(path);
    else places.set(blob, [path]);
  }

  /** Puts the blob again from a file that has its bytes. */
  async function giveBack(blob: string): Promise<boolean> {
    if (!options.repair) return false;
    for (const path of places.get(blob) ?? []) {
      try {
        const { digest, exec } = await blobs.put(path);
        if (blobs.path(digest, exec) === blob) return true;
      } catch {
        // Not there, or not to be read: the next one.
      }
    }
    return false;
  }

  let blobCount = 0;
  for (const { digest, exec } of blobs.list()) {
    if (blobCount++ % PAUSE_EVERY === 0) await pause();
    if ((await blobs.check(digest, exec)) !== 'damaged') continue;
    const what = blobs.path(digest, exec);
    const repaired = await giveBack(what);
    findings.push({
      kind: 'blob',
      what,
      detail: repaired ? 'was damaged; written again from an output' : 'its bytes are not those of its name',
      repaired,
    });
  }

  let records = 0;
  let evicted = 0;
  const unreadable: Parameters<IndexDb['removeTrace']>[0][] = [];
  for (const { actionKey, trace } of index.allTraces()) {
    if (records++ % PAUSE_EVERY === 0) await pause();
    if (!trace) {
      unreadable.push(actionKey);
      continue;
    }
    const wrong = wrongPath(trace.dir, trace.manifest);
    if (wrong !== undefined) findings.push({ kind: 'record', what: actionKey, detail: wrong, repaired: false });
    let complete = true;
    for (const { entry } of filesOf(trace.manifest)) {
      const what = blobs.path(entry.digest, entry.exec);
      // Of another size, it is damaged and was found above.
      if (blobs.size(entry.digest, entry.exec) !== undefined) continue;
      if (await giveBack(what))
        findings.push({ kind: 'blob', what, detail: 'was missing; written again from an output', repaired: true });
      else complete = false;
    }
    if (!complete) evicted++;
  }
  for (const actionKey of unreadable) {
    if (options.repair) index.removeTrace(actionKey);
    const detail = options.repair ? 'could not be read; dropped, so its job runs again' : 'cannot be read';
    findings.push({ kind: 'record', what: actionKey, detail, repaired: options.repair });
  }
  return { blobs: blobCount, records, evicted, findings };
}

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
