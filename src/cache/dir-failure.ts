// What system errors of a shared folder mean for its cache.
import { existsSync } from 'node:fs';
import { errno } from '../fs/errno.ts';
import { CacheError } from './shared-cache.ts';

/** What a system error means for a cache. */
export function failure(problem: unknown, root: string): CacheError {
  if (problem instanceof CacheError) return problem;
  const code = errno(problem);
  if (code === undefined) throw problem;
  switch (code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS': {
      const path = problem instanceof Error && 'path' in problem ? String(problem.path) : root;
      return new CacheError('denied', `this user may not write or read ${path} (${code})`);
    }
    case 'ENOSPC':
    case 'EDQUOT':
      return new CacheError('full', code === 'ENOSPC' ? 'its disk is full' : 'the quota of its disk is used up');
    case 'ENOENT':
      return existsSync(root)
        ? new CacheError('answer', `something in ${root} went away meanwhile`)
        : new CacheError(
            'down',
            `there is no folder ${root}: is its file system mounted? \`lhb cache init\` makes a new one`,
          );
    default:
      return new CacheError('down', `${root} cannot be used (${code})`);
  }
}
