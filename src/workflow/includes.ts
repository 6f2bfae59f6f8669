// `include:`: further files that hold rules.
import * as path from 'node:path';
import { error } from '../base/diagnostic.ts';
import { unreadableText, UNREADABLE_HINT } from '../fs/errno.ts';
import { expandGlob, isGlob } from '../fs/glob.ts';
import type { Issues } from './issues.ts';
import { textOf, type Node } from './node.ts';
import { readYamlToCheck } from './read.ts';
import { checkShape } from './schema.ts';

/**
 * The roots of all included files that can be read, in the order of the patterns, each file once.
 * @param root the workflow's folder, from which the patterns are
 * @param filesRead gets the files' paths from there
 */
export function readIncludes(node: Node | undefined, root: string, issues: Issues, filesRead: Set<string>): Node[] {
  if (node === undefined) return [];
  const found: Node[] = [];
  for (const item of node.kind === 'list' ? node.items : [node]) {
    const pattern = textOf(item);
    if (pattern === undefined || pattern === '') continue;
    let files = [pattern];
    try {
      if (isGlob(pattern)) files = expandGlob(root, pattern);
    } catch (cause) {
      const problem = unreadableText(root, cause);
      if (problem === undefined) throw cause;
      issues.add(error('file/unreadable', `\`include\`: ${problem}`, { at: item.at, hint: UNREADABLE_HINT }));
      continue;
    }
    if (files.length === 0) {
      const message = `\`include\`: '${pattern}' matches no file`;
      issues.add(error('workflow/include', message, { at: item.at, hint: "patterns are from the workflow's folder" }));
    }
    for (const file of files) {
      const name = path.normalize(file);
      if (filesRead.has(name)) continue;
      const read = issues.take(readYamlToCheck(path.resolve(root, file), { shown: file, at: item.at }));
      filesRead.add(name);
      if (read === undefined) continue;
      issues.add(...read.errors, ...checkShape(read.node, 'include'));
      found.push(read.node);
    }
  }
  return found;
}
