// The format version of a store: a file `format` with one line, `lhb store 2`.
//
// An older store is brought up to date when its index is opened (open-index.ts); a newer one is refused, for what it holds
// cannot be known. A file that is no such line is written anew: all that is in the store has formats or digests of its own.
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { error, type Diagnostic } from '../base/diagnostic.ts';
import { err, ok, type Result } from '../base/result.ts';
import { temporaryName, writeAtomic } from '../fs/atomic-write.ts';
import { errno } from '../fs/errno.ts';
import type { StoreLayout } from './layout.ts';
import { writeFailed } from './write-failed.ts';

export const FORMAT_VERSION = 2;

export type FormatState =
  | { readonly state: 'absent' | 'current' }
  /** Made by an lhb of before. */
  | { readonly state: 'older'; readonly version: number }
  /** The file was lost or damaged; it is written anew where that is allowed. */
  | { readonly state: 'repaired'; readonly why: string };

/**
 * Checks the store's format and, unless `readOnly`, makes a new store. 'absent': there is no store, and none was made.
 * Errors: a newer store, or none that can be read or written.
 */
export function openFormat(layout: StoreLayout, readOnly: boolean): Result<FormatState> {
  let text: string;
  try {
    text = readFileSync(layout.format, 'utf8');
  } catch (cause) {
    const code = errno(cause);
    if (code === 'EISDIR' && isStore(layout)) return repair(layout, 'is a folder');
    if (code !== 'ENOENT' && code !== 'ENOTDIR') return err([unreadable(layout, cause)]);
    if (existsSync(layout.index)) return repair(layout, 'was lost');
    return readOnly ? ok({ state: 'absent' }) : create(layout);
  }
  const version = Number(/^lhb store ([1-9]\d*)\s*$/.exec(text)?.[1]);
  if (!Number.isSafeInteger(version)) {
    return isStore(layout) ? repair(layout, 'held no version') : err([noStore(layout)]);
  }
  if (version > FORMAT_VERSION) {
    return err([
      error(
        'store/format-too-new',
        `the store ${layout.root} has format ${version}, and this lhb knows formats up to ${FORMAT_VERSION}`,
        { hint: 'use the lhb that made it or a newer one, or name another folder with `store:`' },
      ),
    ]);
  }
  return ok(version < FORMAT_VERSION ? { state: 'older', version } : { state: 'current' });
}

function create(layout: StoreLayout): Result<FormatState> {
  try {
    for (const folder of [layout.root, layout.blobs, layout.tmp]) mkdirSync(folder, { recursive: true });
    writeVersion(layout, FORMAT_VERSION);
    return ok({ state: 'current' });
  } catch (cause) {
    return err(notMade(layout, cause));
  }
}

/** Is the folder one of lhb's, whatever its file `format` says? A folder of the user's own may have a file of that name. */
const isStore = (layout: StoreLayout): boolean =>
  existsSync(layout.blobs) && (existsSync(layout.index) || existsSync(layout.traces));

/** Its version is taken for this one's: an older index shows itself by its tables. */
function repair(layout: StoreLayout, why: string): Result<FormatState> {
  try {
    if (why === 'is a folder') {
      mkdirSync(layout.damaged, { recursive: true });
      renameSync(layout.format, join(layout.damaged, `format${temporaryName()}`));
    }
    writeVersion(layout, 1);
    return ok({ state: 'repaired', why: `the file ${layout.format} ${why}; it was written anew` });
  } catch (cause) {
    return err(notMade(layout, cause));
  }
}

/** Says on disk which version the store has. */
export const writeVersion = (layout: StoreLayout, version: number): void =>
  writeAtomic(layout.format, `lhb store ${version}\n`);

function notMade(layout: StoreLayout, cause: unknown): Diagnostic[] {
  const failed = writeFailed('the store', layout.root, cause);
  if (failed === undefined) throw cause;
  return [...failed.diagnostics];
}

const noStore = (layout: StoreLayout): Diagnostic =>
  error('store/unreadable', `the store ${layout.root} has no version in its file \`format\``, {
    hint: 'everything in the store can be made again: move the folder away, and build',
  });

const unreadable = (layout: StoreLayout, cause: unknown): Diagnostic =>
  error('store/unreadable', `the store ${layout.root} cannot be read (${errno(cause) ?? 'unknown error'})`, {
    hint: 'check the permissions of the folder and its files',
  });
