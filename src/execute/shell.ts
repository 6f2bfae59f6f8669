// Words and files for a POSIX shell: quoting, and which shell runs a job's command.
import { accessSync, closeSync, constants, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { basename, delimiter, join, resolve } from 'node:path';

/** One word for a POSIX shell: single quotes keep every byte but NUL as it is. */
export const quoteWord = (word: string): string =>
  /^[\w./,:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

/** The absolute path of an executable file on a PATH, or undefined. */
export function findOnPath(name: string, path: string | undefined = process.env['PATH']): string | undefined {
  for (const folder of (path ?? '').split(delimiter)) {
    if (!folder.startsWith('/')) continue;
    const file = join(folder, name);
    try {
      if (!statSync(file).isFile()) continue;
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // not here; the next folder
    }
  }
  return undefined;
}

let known: readonly string[] | undefined;

/**
 * The words before a script's file: bash with `-euo pipefail` where PATH has one, else `sh -eu`. Looked up once, and
 * absolute, so that a rule whose `env` changes PATH still has its shell.
 */
export function defaultShell(): readonly string[] {
  if (known === undefined) {
    const bash = findOnPath('bash');
    known = bash === undefined ? ['/bin/sh', '-eu'] : [bash, '-euo', 'pipefail'];
  }
  return known;
}

// Words that a shell answers itself; a program of that name, where there is one, need not do the same.
const SHELL_WORDS = new Set(
  (
    '. : [ alias bg bind break builtin caller case cd chdir command compgen complete compopt continue coproc declare dirs disown ' +
    'do done echo elif else enable esac eval exec exit export false fc fg fi for function getopts hash help history if in ' +
    'jobs kill let local logout mapfile popd printf pushd pwd read readarray readonly return select set shift shopt source ' +
    'suspend test then time times trap true type typeset ulimit umask unalias unset until wait while'
  ).split(' '),
);

/** Would a shell that has neither functions nor aliases take this first word for anything but a program? */
export const isShellWord = (word: string): boolean => SHELL_WORDS.has(word) || word === '' || word.includes('=');

let dash: boolean | undefined;

/** Is `/bin/sh` dash? It starts a simple command by vfork(2), and all else by fork(2), which takes twice as long. */
export function shIsDash(): boolean {
  if (dash === undefined) {
    try {
      dash = basename(realpathSync('/bin/sh')) === 'dash';
    } catch {
      dash = false;
    }
  }
  return dash;
}

const WORD = /(?:[\w./,:@%+=-]|'[^'\0]*')+/y;

/**
 * The words of a command that needs no shell: one line of bare or single-quoted words, the first of them a program.
 * Undefined for everything else. (GNU make starts such lines without a shell too: it saves the shell's start, half of
 * what a short job costs.)
 */
export function plainWords(text: string): string[] | undefined {
  const line = text.replace(/\n+$/, '');
  const words: string[] = [];
  for (let at = 0; at < line.length;) {
    WORD.lastIndex = at;
    const match = WORD.exec(line)?.[0];
    if (match === undefined) return undefined;
    at += match.length;
    if (at < line.length && line[at] !== ' ') return undefined;
    while (line[at] === ' ') at++;
    words.push(match.replaceAll("'", ''));
  }
  const first = words[0];
  if (first === undefined || first === '' || first.includes('=') || first.startsWith('-')) return undefined;
  return SHELL_WORDS.has(first) ? undefined : words;
}

const programs = new Set<string>();

/**
 * Whether a shell would hand this word to the kernel, and nothing else: a file on PATH, or below `cwd`, that may be
 * executed and says by what (ELF, or `#!`). Anything else is left to the job's own shell and its own messages: bash runs
 * a file that says nothing by itself, and sh would run it by sh.
 */
export function isProgram(word: string, path: string | undefined, cwd: string): boolean {
  const key = `${word}\0${path}`;
  if (programs.has(key)) return true;
  const file = word.includes('/') ? resolve(cwd, word) : findOnPath(word, path);
  if (file === undefined || !hasMagic(file)) return false;
  // one below `cwd` may be the output of a job, and another file each time
  if (!word.includes('/')) programs.add(key);
  return true;
}

function hasMagic(file: string): boolean {
  let fd: number | undefined;
  try {
    accessSync(file, constants.X_OK);
    fd = openSync(file, 'r');
    const start = Buffer.alloc(4);
    readSync(fd, start, 0, 4, 0);
    const magic = start.toString('latin1');
    return magic.startsWith('#!') || magic === '\x7fELF';
  } catch {
    return false;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
