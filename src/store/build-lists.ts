// Which results the last builds of a work tree looked at: roots of gc.
//
// In `builds/TREE/`: `log`, text: `lhb builds 1`, then a line `SECONDS BUILD LIST` for each build, the oldest first; and for
// each LIST that a line names `LIST.keys`: `lhb keys 1\n`, then the action keys, 32 bytes each, sorted. LIST is the beginning
// of the digest of these bytes, so builds that looked at the same results share one. A build that made and restored nothing
// writes nothing: what it found was made by one before it.
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ActionKey } from '../base/brand.ts';
import { writeAtomic } from '../fs/atomic-write.ts';
import { unless } from '../fs/errno.ts';
import { hashBytes } from '../hash/digest.ts';
import { MOST_BUILDS, type StoreLayout } from './layout.ts';

const LOG_HEADER = 'lhb builds 1';
const KEYS_HEADER = Buffer.from('lhb keys 1\n');
const KEY_BYTES = 32;

export type BuildEntry = {
  /** When it ended, seconds since the epoch. */
  readonly at: number;
  readonly build: string;
  readonly list: string;
};

/** The builds on record, the oldest first. Lines that are none do not count. */
export function readBuilds(layout: StoreLayout, tree: string): BuildEntry[] {
  const text = unless(['ENOENT', 'ENOTDIR'], () => readFileSync(join(layout.builds, tree, 'log'), 'utf8')) ?? '';
  const [header, ...lines] = text.split('\n');
  if (header !== LOG_HEADER) return [];
  return lines.flatMap((line) => {
    const [, at, build, list] = /^(\d+(?:\.\d+)?) ([\w-]+) ([0-9a-f]{32})$/.exec(line) ?? [];
    return at === undefined || build === undefined || list === undefined ? [] : [{ at: Number(at), build, list }];
  });
}

/**
 * Notes what a build looked at, unless that is what the last one did. Keeps the last MOST_BUILDS builds. For the holder of
 * the work tree's lock. Throws system errors.
 * @returns the list
 */
export function noteBuild(
  layout: StoreLayout,
  tree: string,
  build: string,
  at: number,
  keys: Iterable<ActionKey>,
): string {
  const folder = join(layout.builds, tree);
  const bytes = encodeKeys(keys);
  const list = hashBytes(bytes).slice(0, 32);
  const known = readBuilds(layout, tree);
  if (known.at(-1)?.list === list) return list;
  mkdirSync(folder, { recursive: true });
  // The list first: a line never names one that is not there.
  if (!known.some((entry) => entry.list === list)) writeAtomic(join(folder, `${list}.keys`), bytes);
  const kept = [...known, { at, build, list }].slice(-MOST_BUILDS);
  const lines = kept.map((entry) => `${entry.at} ${entry.build} ${entry.list}\n`);
  writeAtomic(join(folder, 'log'), `${LOG_HEADER}\n${lines.join('')}`);
  const named = new Set(kept.map((entry) => `${entry.list}.keys`));
  for (const name of readdirSync(folder)) {
    if (name.endsWith('.keys') && !named.has(name)) rmSync(join(folder, name), { force: true });
  }
  return list;
}

function encodeKeys(keys: Iterable<ActionKey>): Buffer {
  return Buffer.concat([KEYS_HEADER, ...[...new Set(keys)].sort().map((key) => Buffer.from(key, 'hex'))]);
}

/** The action keys of a list; undefined where its file is gone or its bytes are others than were written. */
export function readList(layout: StoreLayout, tree: string, list: string): ActionKey[] | undefined {
  const bytes = unless(['ENOENT', 'ENOTDIR', 'EISDIR', 'EIO'], () => readFileSync(listPath(layout, tree, list)));
  if (bytes === undefined || hashBytes(bytes).slice(0, 32) !== list) return undefined;
  const keys: ActionKey[] = [];
  for (let at = KEYS_HEADER.length; at + KEY_BYTES <= bytes.length; at += KEY_BYTES) {
    keys.push(bytes.toString('hex', at, at + KEY_BYTES) as ActionKey);
  }
  return keys;
}

export const listPath = (layout: StoreLayout, tree: string, list: string): string =>
  join(layout.builds, tree, `${list}.keys`);

export function forgetBuilds(layout: StoreLayout, tree: string): void {
  rmSync(join(layout.builds, tree), { recursive: true, force: true });
}
