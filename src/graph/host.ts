// What expressions see of the world outside: files, never outputs.
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DiagnosticError, error } from '../base/diagnostic.ts';
import type { ExprHost } from '../expr/types.ts';
import { writeAtomic } from '../fs/atomic-write.ts';
import { unreadableText, UNREADABLE_HINT } from '../fs/errno.ts';
import { expandGlob } from '../fs/glob.ts';
import { looks } from '../fs/looks.ts';
import { parseRelPath } from '../fs/rel-path.ts';
import { hashText } from '../hash/digest.ts';
import { loadDataFile } from '../workflow/data-file.ts';

/** Where list files lie, from the workflow's folder. */
const LISTS = '.lhb/lists';

/** Answers for `glob`, `load`, `listfile` and `file_mb`. One object a run of lhb. */
export class WorkspaceHost implements ExprHost {
  private readonly root: string;
  private readonly globs = new Map<string, readonly string[]>();
  private readonly loaded = new Map<string, unknown>();
  private readonly lists = new Map<string, readonly string[]>();
  /** Set by the expansion: is this path an output, declared now or made by a job on record? */
  isOutput: (path: string) => boolean = () => false;
  /** Files that `glob()` gave, to be held against the outputs declared later. */
  readonly globbed = new Set<string>();
  /** Files that `load()` read. */
  readonly filesRead = new Set<string>();

  constructor(root: string) {
    this.root = root;
  }

  glob(pattern: string): readonly string[] {
    let files = this.globs.get(pattern);
    if (files === undefined) {
      const found = this.looking(`glob('${pattern}')`, () => expandGlob(this.root, pattern));
      files = found.filter((path) => !path.startsWith('.lhb/') && !this.isOutput(path));
      this.globs.set(pattern, files);
    }
    for (const path of files) this.globbed.add(path);
    return files;
  }

  private looking<T>(call: string, look: () => T): T {
    try {
      return look();
    } catch (cause) {
      const problem = unreadableText(this.root, cause);
      if (problem === undefined) throw cause;
      throw new DiagnosticError([error('file/unreadable', `${call}: ${problem}`, { hint: UNREADABLE_HINT })]);
    }
  }

  load(path: string): unknown {
    if (this.loaded.has(path)) return this.loaded.get(path);
    const relPath = parseRelPath(path);
    if (relPath.ok && this.isOutput(relPath.value)) {
      throw new DiagnosticError([
        error('graph/late-rule', `load('${path}') reads a job's output, which is not known before that job has run`, {
          hint: 'this version of lhb expands all rules before anything runs; load a source file',
        }),
      ]);
    }
    const read = loadDataFile(join(this.root, path), path);
    if (!read.ok) throw new DiagnosticError(read.error);
    this.loaded.set(path, read.value);
    this.filesRead.add(path);
    return read.value;
  }

  listfile(items: readonly string[]): string {
    const path = `${LISTS}/${hashText(items.join('\n')).slice(0, 24)}.txt`;
    this.lists.set(path, items);
    return path;
  }

  fileMb(path: string): number {
    const file = join(this.root, path);
    const stat = this.looking(`file_mb('${path}')`, () => statSync(file, { throwIfNoEntry: false }));
    if (stat === undefined) {
      throw new DiagnosticError([error('expr/no-file', `file_mb('${path}'): there is no such file`)]);
    }
    looks.size(file, stat.size);
    return stat.size / 1e6;
  }

  /** Writes the list files that a text names: a command, a config file. */
  writeLists(text: string): void {
    if (!text.includes(LISTS)) return;
    for (const [path, items] of this.lists) {
      if (!text.includes(path)) continue;
      const file = join(this.root, path);
      const lines = items.map((item) => `${item}\n`).join('');
      if (statSync(file, { throwIfNoEntry: false })?.size === Buffer.byteLength(lines)) continue;
      mkdirSync(join(this.root, LISTS), { recursive: true });
      writeAtomic(file, lines);
    }
  }

  /** Forgets what globs gave, for another round of expansion. */
  forgetGlobs(): void {
    this.globs.clear();
    this.globbed.clear();
  }
}
