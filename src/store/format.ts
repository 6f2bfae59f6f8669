// The format version of a store: a file `format` with one line, `lhb store 1`.
//
// An older store is brought up to date step by step; a newer one is refused, for what it holds cannot be known.
import { mkdirSync, readFileSync } from 'node:fs';
import { error, type Diagnostic } from '../base/diagnostic.ts';
import { err, ok, type Result } from '../base/result.ts';
import { writeAtomic } from '../fs/atomic-write.ts';
import { errno } from '../fs/errno.ts';
import type { StoreLayout } from './layout.ts';

export const FORMAT_VERSION = 1;

/** Step `n` turns version `n` into `n + 1`. It may be cut off and run again. */
const MIGRATIONS: ReadonlyMap<number, (layout: StoreLayout) => void> = new Map();

export type FormatState = 'absent' | 'current';

/**
 * Checks the store's format and, unless `readOnly`, makes a new store or migrates an old one. 'absent': there is no store,
 * and none was made.
 */
export function openFormat(layout: StoreLayout, readOnly: boolean): Result<FormatState> {
  let text: string;
  try {
    text = readFileSync(layout.format, 'utf8');
  } catch (cause) {
    const code = errno(cause);
    if (code !== 'ENOENT') return err([unreadable(layout, `cannot be read (${code ?? 'unknown error'})`)]);
    if (readOnly) return ok('absent');
    return create(layout);
  }
  const version = Number(/^lhb store (\d+)\s*$/.exec(text)?.[1]);
  if (!Number.isSafeInteger(version)) return err([unreadable(layout, 'has no version in its file `format`')]);
  if (version > FORMAT_VERSION) {
    return err([
      error(
        'store/format-too-new',
        `the store ${layout.root} has format ${version}, and this lhb knows formats up to ${FORMAT_VERSION}`,
        { hint: 'use the lhb that made it or a newer one, or name another folder with `store:`' },
      ),
    ]);
  }
  if (version < FORMAT_VERSION && readOnly) {
    return err([unreadable(layout, `has the older format ${version}`, 'run `lhb build` once: it migrates the store')]);
  }
  for (let from = version; from < FORMAT_VERSION; from++) {
    const migrate = MIGRATIONS.get(from);
    if (!migrate) return err([unreadable(layout, `has format ${version}, which no lhb has ever written`)]);
    migrate(layout);
    writeVersion(layout, from + 1);
  }
  return ok('current');
}

function create(layout: StoreLayout): Result<FormatState> {
  try {
    for (const folder of [layout.root, layout.blobs, layout.tmp]) mkdirSync(folder, { recursive: true });
    writeVersion(layout, FORMAT_VERSION);
    return ok('current');
  } catch (cause) {
    const code = errno(cause) ?? 'unknown error';
    return err([error('store/write-failed', `the store ${layout.root} cannot be made (${code})`)]);
  }
}

const writeVersion = (layout: StoreLayout, version: number): void =>
  writeAtomic(layout.format, `lhb store ${version}\n`);

const REMAKE = 'everything in the store can be made again: move the folder away, and build';

const unreadable = (layout: StoreLayout, what: string, hint: string = REMAKE): Diagnostic =>
  error('store/unreadable', `the store ${layout.root} ${what}`, { hint });
