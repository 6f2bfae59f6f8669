// At the end of a build that changed something: which results it looked at, for gc to keep them.
import type { JobId } from '../base/brand.ts';
import { unless } from '../fs/errno.ts';
import { noteBuild } from '../store/build-lists.ts';
import type { Workspace } from './workspace.ts';

/** A disk that is full takes no note; what the work tree holds is kept all the same. @returns the list; '' for none */
export function noteResults(
  { index, layout, tree }: Pick<Workspace, 'index' | 'layout' | 'tree'>,
  jobs: readonly JobId[],
  build: string,
): string {
  const keys = jobs.flatMap((id) => index.current(tree, id) ?? []);
  const list = unless(['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM', 'EIO', 'EMFILE', 'ENFILE'], () =>
    noteBuild(layout, tree, build, Math.floor(Date.now()) / 1000, keys),
  );
  return list ?? '';
}
