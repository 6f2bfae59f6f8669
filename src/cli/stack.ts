// The stack of a bug, with the files of dist/src in the place of those of the bundle, as far as their source maps lie beside.
import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { dirname, relative, resolve } from 'node:path';

/** An error's message and stack, in which each frame names the module that it was bundled from. */
export function readableStack(problem: unknown): string {
  if (!(problem instanceof Error)) return String(problem);
  const maps = new Map<string, SourceMap | undefined>();
  return (problem.stack ?? problem.message).replace(/(\/[^():\n]+\.cjs):(\d+):(\d+)/g, (frame, file, line, column) => {
    if (!maps.has(String(file))) maps.set(String(file), readMap(String(file)));
    const found = maps.get(String(file))?.findEntry(Number(line) - 1, Number(column) - 1);
    if (found === undefined || !('originalSource' in found) || !found.originalSource) return String(frame);
    const source = relative(process.cwd(), resolve(dirname(String(file)), found.originalSource));
    return `${source}:${found.originalLine + 1}:${found.originalColumn + 1}`;
  });
}

function readMap(file: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8')) as SourceMapPayload);
  } catch {
    return undefined; // a chunk of another program, or a map that was left out
  }
}
