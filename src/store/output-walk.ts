// What lies on disk where a job declares an output.
//
// Links: one that points inside its own output tree is a link; any other is followed and counts by its bytes, and what it
// leads to is not the job's own. Below a followed folder every link is followed.
import { lstatSync, readdirSync, readlinkSync, realpathSync, type Stats } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { below, isInside } from '../fs/rel-path.ts';
import { statOf } from '../fs/stat-signature.ts';
import { STORE_DIR } from './layout.ts';
import { byPath, type Declared } from './manifest.ts';

/** `path` is relative to the output's own path, '' for itself. */
export type Found =
  | {
      readonly type: 'file';
      readonly path: string;
      readonly absolute: string;
      /** Reached by a link: belongs to someone else. */
      readonly followed: boolean;
      readonly stats: Stats;
    }
  | { readonly type: 'link'; readonly path: string; readonly target: string }
  | { readonly type: 'dir'; readonly path: string };

export type Walked =
  | { readonly kind: 'found'; readonly found: readonly Found[] }
  | { readonly kind: 'missing' }
  /** `message` names the path from the workflow's folder, in words that follow "output NAME: ". */
  | { readonly kind: 'invalid'; readonly message: string; readonly path: string };

class Invalid extends Error {
  readonly path: string;
  constructor(path: string, message: string) {
    super(message);
    this.path = path;
  }
}

/**
 * Looks at one declared output. Entries come sorted by path.
 * @param root the workflow's folder, absolute; @param dir the job's folder, from root
 * Throws system errors other than "not there" (EACCES).
 */
export function walkOutput(root: string, dir: string, declared: Pick<Declared, 'path' | 'tree'>): Walked {
  const folder = below(root, dir);
  const absolute = below(folder, declared.path);
  const shown = (path: string): string => relative(root, join(absolute, path));
  try {
    const own = lstatSync(absolute, { throwIfNoEntry: false });
    if (!own) return { kind: 'missing' };
    if (own.isSymbolicLink()) follow(root, absolute, shown(''));
    const stats = own.isSymbolicLink() ? statOf(absolute) : own;
    const followed = own.isSymbolicLink() || belowLink(folder, declared.path);
    if (declared.tree) {
      if (!stats?.isDirectory()) throw new Invalid(shown(''), `${shown('')} is not a folder`);
      const walk: Walk = { root, top: absolute, realTop: realpathSync(absolute), shown, found: [] };
      walkFolder(walk, '', false, new Set([walk.realTop]));
      return { kind: 'found', found: walk.found.sort(byPath) };
    }
    if (stats?.isDirectory()) throw new Invalid(shown(''), `${shown('')} is a folder, where a file is declared`);
    if (!stats?.isFile()) throw new Invalid(shown(''), `${shown('')} is ${special(stats)}, not a file`);
    return { kind: 'found', found: [{ type: 'file', path: '', absolute, followed, stats }] };
  } catch (error) {
    if (error instanceof Invalid) return { kind: 'invalid', message: error.message, path: error.path };
    if (error instanceof Error && 'code' in error && error.code === 'ENOTDIR') return { kind: 'missing' };
    throw error;
  }
}

type Walk = {
  readonly root: string;
  readonly top: string;
  readonly realTop: string;
  readonly shown: (path: string) => string;
  readonly found: Found[];
};

function walkFolder(walk: Walk, folder: string, followed: boolean, above: ReadonlySet<string>): void {
  for (const entry of readdirSync(join(walk.top, folder), { withFileTypes: true })) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    const absolute = join(walk.top, path);
    const own = lstatSync(absolute, { throwIfNoEntry: false });
    if (!own) {
      // Bytes that are no UTF-8 came back as U+FFFD, and no file has that name. Otherwise it went away just now.
      if (!entry.name.includes('\ufffd')) continue;
      throw new Invalid(walk.shown(path), `the name ${JSON.stringify(walk.shown(path))} is not UTF-8`);
    }
    let stats: Stats | undefined = own;
    if (own.isSymbolicLink()) {
      const target = followed ? undefined : targetInside(walk, path, absolute);
      if (target !== undefined) {
        walk.found.push({ type: 'link', path, target });
        continue;
      }
      follow(walk.root, absolute, walk.shown(path));
      stats = statOf(absolute);
    }
    const linked = followed || own.isSymbolicLink();
    if (stats?.isFile()) walk.found.push({ type: 'file', path, absolute, followed: linked, stats });
    else if (stats?.isDirectory()) {
      walk.found.push({ type: 'dir', path });
      const real = linked ? realpathSync(absolute) : absolute;
      if (above.has(real))
        throw new Invalid(walk.shown(path), `the link ${walk.shown(path)} leads back to a folder that it lies in`);
      walkFolder(walk, path, linked, new Set(above).add(real));
    } else throw new Invalid(walk.shown(path), `${walk.shown(path)} is ${special(stats)}, not a file`);
  }
}

/** Where a link inside its own tree leads, from the link's folder; undefined where it leads elsewhere. */
function targetInside(walk: Walk, path: string, absolute: string): string | undefined {
  const direct = resolve(dirname(absolute), readlinkSync(absolute));
  if (isInside(walk.top, direct)) {
    if (!statOf(absolute)) throw broken(walk.shown(path), absolute);
    return relative(dirname(absolute), direct) || '.';
  }
  // Perhaps by another name of the same folder, as where the work tree is reached through a link.
  if (!statOf(absolute)) return undefined;
  const real = realpathSync(absolute);
  if (!isInside(walk.realTop, real)) return undefined;
  return relative(join(walk.realTop, dirname(path)), real) || '.';
}

const broken = (shown: string, absolute: string): Invalid =>
  new Invalid(shown, `the link ${shown} is broken: there is no ${readlinkSync(absolute)}`);

const MAX_HOPS = 40;

/**
 * Does a link in the place of an output stand for the bytes that it leads to?
 * @param root the workflow's folder; both absolute
 */
export function isFollowed(root: string, link: string): boolean {
  try {
    follow(root, link, link);
    return true;
  } catch (error) {
    if (error instanceof Invalid) return false;
    throw error;
  }
}

/**
 * Follows a link hop by hop; each must stay in the workflow's folder, by its text or by its real path, so that `runs` may
 * itself be a link to a bigger disk.
 * @throws Invalid where it is broken, leads out or into lhb's own folder
 */
function follow(root: string, link: string, shown: string): void {
  if (!statOf(link)) throw broken(shown, link);
  let realRoot: string | undefined;
  let at = link;
  for (let hop = 0; hop < MAX_HOPS && lstatSync(at).isSymbolicLink(); hop++) {
    const next = resolve(dirname(at), readlinkSync(at));
    if (!isInside(root, next) && !isInside((realRoot ??= realpathSync(root)), realpathSync(next))) {
      throw new Invalid(shown, `the link ${shown} leads out of the workflow's folder, to ${next}`);
    }
    at = next;
  }
  if (isInside(join(realpathSync(root), STORE_DIR), realpathSync(link)))
    throw new Invalid(shown, `the link ${shown} leads into lhb's own folder, to ${at}`);
}

/** Is one of the folders between `folder` and the file at `path` below it a link? */
function belowLink(folder: string, path: string): boolean {
  const segments = path.split('/').slice(0, -1);
  for (let n = 1; n <= segments.length; n++) {
    if (lstatSync(join(folder, ...segments.slice(0, n)), { throwIfNoEntry: false })?.isSymbolicLink()) return true;
  }
  return false;
}

function special(stats: Stats | undefined): string {
  if (stats?.isFIFO()) return 'a pipe';
  if (stats?.isSocket()) return 'a socket';
  return 'a device';
}
