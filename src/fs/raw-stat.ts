// Node's stat without the objects. Of each file `fs.statSync` makes an object of eighteen fields and four dates, which takes
// longer than to ask the kernel; what lies below gives the numbers alone, in one array that every call fills anew.
//
// It has no public name, so it is used only in the lines of Node that it was tried with, and only where it gives what
// `fs.statSync` gives. Everywhere else there is none, which costs time and nothing else.
import type fs from 'node:fs';

/** As of Node's node_file.h: ino at 7, size at 8, mtime at 12 (seconds) and 13 (nanoseconds), ctime at 14 and 15. */
export type RawStat = (
  path: string,
  bigint: false,
  request: undefined,
  throwIfNoEntry: false,
) => Float64Array | undefined;

/** Undefined where it is not as expected. Names nothing outside itself: other threads are given its text. */
export function findRawStat(
  node: Pick<NodeJS.Process, 'version' | 'execPath'>,
  { statSync }: Pick<typeof fs, 'statSync'>,
): RawStat | undefined {
  if (!/^v2[02]\./.test(node.version)) return undefined;
  try {
    const { stat } = (node as unknown as { binding: (name: string) => { stat: RawStat } }).binding('fs');
    const expected = statSync(node.execPath);
    const [, , , , , , , ino, size, , , , mtimeS = NaN, mtimeNs = NaN, ctimeS = NaN, ctimeNs = NaN] =
      stat(node.execPath, false, undefined, false) ?? [];
    const isSame =
      ino === expected.ino &&
      size === expected.size &&
      mtimeS * 1000 + mtimeNs / 1e6 === expected.mtimeMs &&
      ctimeS * 1000 + ctimeNs / 1e6 === expected.ctimeMs &&
      // A folder below a file: nothing is there, and that is no error either.
      stat(`${node.execPath}-none`, false, undefined, false) === undefined;
    return isSame ? stat : undefined;
  } catch {
    return undefined;
  }
}
