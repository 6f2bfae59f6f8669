// Where the index lies. LMDB is not safe on a network file system ("Do not use LMDB databases on remote filesystems, even
// between processes on the same host": lmdb.h), so for a store on one the index goes to a local disk.
import { join } from 'node:path';
import { error } from '../base/diagnostic.ts';
import { err, ok, type Result } from '../base/result.ts';
import { realpathSync } from 'node:fs';
import { fileSystemOf, type FileSystem } from '../fs/mounts.ts';
import { hashText } from '../hash/digest.ts';
import { homeFolder } from '../base/user-folders.ts';

export type IndexPlace = {
  readonly dir: string;
  /** The network file system that the store lies on, if the index was moved off it. */
  readonly movedOff: FileSystem | undefined;
};

/**
 * The folder for the index of a store: `index/` in it, or on a local disk, by the store's path, where the store's file system
 * is a network one. LHB_INDEX_DIR names the local folder; default: $XDG_CACHE_HOME/lhb/index, ~/.cache/lhb/index. An error where
 * that is on the network as well.
 * @param store the store's folder, absolute; @param mountTable as for fileSystemOf
 */
export function placeIndex(
  store: string,
  env: Readonly<Record<string, string | undefined>>,
  mountTable?: string,
): Result<IndexPlace> {
  const at = fileSystemOf(store, mountTable);
  if (!at.network) return ok({ dir: join(store, 'index'), movedOff: undefined });
  const named = env['LHB_INDEX_DIR'];
  const base = named || join(env['XDG_CACHE_HOME'] || join(homeFolder(env), '.cache'), 'lhb', 'index');
  const local = fileSystemOf(base, mountTable);
  if (local.network) {
    return err([
      error(
        'store/network',
        `the store ${store} lies on a network file system (${at.type}), where its index is not safe, and so does ${base}`,
        { hint: 'name a folder on a local disk in the environment variable LHB_INDEX_DIR' },
      ),
    ]);
  }
  return ok({ dir: join(base, hashText(realPath(store)).slice(0, 24)), movedOff: at });
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
