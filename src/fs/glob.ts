// Patterns over paths: `*`, `?`, `[a-z]`, `{a,b}`, `{1..3}`, `**`. The only file that imports tinyglobby and picomatch.
import { readdirSync, type Dirent } from 'node:fs';
import { join } from 'node:path';
import picomatch from 'picomatch';
import { globSync, type FileSystemAdapter } from 'tinyglobby';
import { errno } from './errno.ts';
import { isLinkedFile, looks } from './looks.ts';
import { checkName } from './name.ts';

const DYNAMIC = /[*?]|\[[^\]]+\]|\{[^{}]*(?:,|\.\.)[^{}]*\}|[@+!]\([^()]*\)/;

/** True if the text is a pattern and not one path. Bare parentheses, as in `data (1).csv`, make none; `\*` is a star. */
export const isGlob = (text: string): boolean => DYNAMIC.test(text.replaceAll(/\\./g, ''));

/** picomatch takes bare parentheses for a group of a regular expression; in paths they are themselves. */
const plainParentheses = (pattern: string): string =>
  pattern.replaceAll(/(?<![\\@+!?*])\(([^()]*)\)/g, (_, inner: string) => `\\(${inner}\\)`);

const tidy = (pattern: string): string => pattern.replace(/^(?:\.\/+)+/, '').replaceAll(/\/{2,}/g, '/');

/** A test of paths against a pattern, without looking at the disk. A name that begins with a dot matches only a written dot. */
export function compileGlob(pattern: string): (path: string) => boolean {
  return picomatch(plainParentheses(tidy(pattern)), { dot: false, nonegate: true });
}

/** The leading folders of a pattern that hold no pattern, unescaped, and the rest. */
export function splitGlob(pattern: string): { readonly base: string; readonly rest: string } {
  const segments = tidy(pattern).split('/');
  let depth = 0;
  // A brace may hold slashes, so nothing after the first special character is a folder of its own.
  while (depth < segments.length - 1 && !/[*?[{]|[@+!]\(/.test(segments[depth]?.replaceAll(/\\./g, '') ?? '')) depth++;
  const base = segments.slice(0, depth).join('/').replaceAll(/\\(.)/g, '$1');
  return { base: depth > 0 && base === '' ? '/' : base, rest: segments.slice(depth).join('/') };
}

/**
 * tinyglobby leaves out links to files as well, where it is told not to follow links, and folders that it cannot read.
 * @param refused gets what was thrown for a folder that may not be read
 */
const reader = (refused: unknown[]): FileSystemAdapter =>
  ({
    readdirSync: (path: string, options: { withFileTypes: true }): Dirent[] => {
      looks.folder(path);
      try {
        const entries = readdirSync(path, options);
        for (const entry of entries) {
          if (!entry.isSymbolicLink() || !isLinkedFile(join(path, entry.name))) continue;
          entry.isFile = () => true;
          entry.isSymbolicLink = () => false;
        }
        return entries;
      } catch (error) {
        if (errno(error) === 'EACCES') refused.push(error);
        throw error;
      }
    },
  }) as unknown as FileSystemAdapter;

/**
 * The files that match, sorted by code unit. Paths come as the pattern writes them: from `root`, or absolute. A link to a file
 * is that file. A link to a folder is followed where the pattern names it, not where a wildcard meets it, so that no search
 * leaves the tree or runs in circles. Outputs and the store are for the caller to leave out. Throws EACCES for a folder on
 * the way that may not be read, and a DiagnosticError for a name that is no text.
 */
export function expandGlob(root: string, pattern: string): string[] {
  const { base, rest } = splitGlob(pattern);
  const folder = base.startsWith('/') ? base : join(root, base);
  const refused: unknown[] = [];
  const found = globSync(plainParentheses(rest), {
    cwd: folder,
    dot: false,
    expandDirectories: false,
    followSymbolicLinks: false,
    onlyFiles: true,
    fs: reader(refused),
  });
  if (refused.length > 0) throw refused[0];
  for (const path of found) checkName(folder, path);
  const prefix = base === '' || base === '/' ? base : `${base}/`;
  return found.map((path) => prefix + path).sort();
}
