// Which outputs of a snapshot are gone, where nothing else has changed since.
import { lstatSync, type Stats } from 'node:fs';
import { unless } from '../fs/errno.ts';
import { isWholeSecond } from '../fs/stat-signature.ts';
import { LARGE } from '../hash/large.ts';
import { BLOB, BLOB_BYTES, STATE, STAT_FIELDS, type Snapshot } from './snapshot.ts';

export type Loss = {
  /** By job, the numbers of its paths, where nothing stands: all of them. */
  readonly gone: ReadonlyMap<number, readonly number[]>;
  /** Paths where the file of before stands with another ctime, as where another link to it went or came. */
  readonly relinked: readonly number[];
};

/**
 * Undefined where a build has to look further than this, or to do more than bring back what is gone.
 * @param changed the numbers of paths that are not as they were; @param root the workflow's folder, absolute
 */
export function lossOf(
  { link, states, pathsOfJob, paths, blobs, stats }: Snapshot,
  changed: readonly number[],
  root: string,
): Loss | undefined {
  if (link === undefined || changed.length === 0 || states.includes(STATE.wanted)) return undefined;
  const gone = new Map<number, number[]>();
  const relinked: number[] = [];
  let job = 0;
  for (const path of changed) {
    while (job < states.length && (pathsOfJob[job + 1] ?? 0) <= path) job++;
    const at = path * STAT_FIELDS;
    const isKnown =
      states[job] === (STATE.wanted | STATE.fresh) &&
      (blobs[path * BLOB_BYTES] ?? BLOB.none) !== BLOB.none &&
      // Large ones are read in several threads, as a whole build does.
      (stats[at] ?? 0) <= LARGE;
    const now = isKnown ? lookAt(`${root}/${paths.at(path)}`) : undefined;
    if (now === undefined) return undefined;
    if (now === 'nothing') {
      const list = gone.get(job);
      if (list === undefined) gone.set(job, [path]);
      else list.push(path);
    } else {
      const { size, mtimeMs, ino } = now;
      if (size !== stats[at] || mtimeMs !== stats[at + 1] || ino !== stats[at + 3] || !isWholeSecond(mtimeMs))
        return undefined;
      relinked.push(path);
    }
  }
  // Of a job that lacks some of its outputs, the others are put right as well.
  const isAll = [...gone].every(([of, list]) => list.length === (pathsOfJob[of + 1] ?? 0) - (pathsOfJob[of] ?? 0));
  return isAll ? { gone, relinked } : undefined;
}

/** Undefined: a file where a folder was, no permission. */
const lookAt = (path: string): Stats | 'nothing' | undefined =>
  unless(['ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG'], () => lstatSync(path, { throwIfNoEntry: false }) ?? 'nothing');
