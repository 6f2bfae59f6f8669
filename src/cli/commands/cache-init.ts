// lhb cache init dir:/path: a folder that a team shares.
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { error } from '../../base/diagnostic.ts';
import { DIR_FILE, DIR_FORMAT } from '../../cache/directory.ts';
import { dirRoot, kindOf } from '../../cache/url.ts';
import { writeAtomic } from '../../fs/atomic-write.ts';
import { errno } from '../../fs/errno.ts';
import { configuredCaches } from '../caches-of.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { fail } from '../query.ts';
import type { Screen } from '../screen.ts';
import type { CacheRequest } from './cache.ts';

/** Group members may write, files belong to the group of the folder. */
const SHARED = 0o2775;
const PARTS = ['ac', 'cas', 'tmp', 'used', 'gc'];

export async function init({ words, verb, group, common }: CacheRequest, screen: Screen): Promise<ExitCode> {
  const [word] = words;
  if (word === undefined)
    return fail(screen, [
      error('cli/usage', 'lhb cache init needs a folder: dir:/path, or the name of a cache', {
        at: verb.at,
        hint: 'lhb cache init dir:/proj/lab/lhb-cache --group lab',
      }),
    ]);
  let url = word.text;
  if (!url.startsWith('dir:')) {
    const configured = configuredCaches(common, word);
    if (!configured.ok) return fail(screen, configured.error);
    url = configured.value.specs[0]?.url ?? '';
  }
  const kind = kindOf(url);
  if (!kind.ok || kind.value !== 'dir') {
    const hint = 'a server needs none: it takes what is put there';
    return fail(screen, [
      error('cache/config', `'${url}' is no folder, dir:/path${kind.ok ? '' : `: ${kind.error}`}`, {
        at: word.at,
        hint,
      }),
    ]);
  }
  const root = dirRoot(url);
  try {
    const gid = group === undefined ? undefined : groupId(group.text);
    if (group !== undefined && gid === undefined)
      return fail(screen, [error('cache/failed', `there is no group '${group.text}'`, { at: group.at })]);
    const isNew = !existsSync(root);
    mkdirSync(root, { recursive: true });
    const folders = PARTS.map((name) => join(root, name));
    for (const folder of folders) mkdirSync(folder, { recursive: true });
    // Whoever wants the sticky bit keeps it. A folder that was there, perhaps for one user alone, is opened to no others.
    const old = statSync(root).mode & 0o3777;
    const mode = gid === undefined && !isNew ? old : SHARED | (old & 0o1000);
    for (const folder of [root, ...folders]) {
      if (gid !== undefined) chownSync(folder, -1 >>> 0, gid);
      chmodSync(folder, mode);
    }
    for (const folder of folders.flatMap(ownFoldersIn)) {
      if (gid !== undefined) chownSync(folder, -1 >>> 0, gid);
      chmodSync(folder, mode);
    }
    const file = join(root, DIR_FILE);
    if (!existsSync(file))
      writeAtomic(file, `${JSON.stringify({ format: DIR_FORMAT, created: new Date().toISOString() })}\n`, {
        mode: 0o444,
      });
  } catch (problem) {
    const code = errno(problem);
    if (code === undefined) throw problem;
    const hint =
      code === 'EPERM' ? 'only its owner may give a folder to a group, and only to one of his own groups' : undefined;
    const message = problem instanceof Error ? problem.message : String(problem);
    return fail(screen, [error('cache/failed', `the cache ${root} cannot be made: ${message}`, { hint })]);
  }
  if (screen.json) screen.document({ root });
  screen.note(`${root} is ready. In lhb.yaml: caches: [{ name: lab, url: "dir:${root}", mode: rw }]`);
  return EXIT.ok;
}

/** The folders in a folder that this user may set right. */
function ownFoldersIn(folder: string): string[] {
  const uid = process.getuid?.() ?? 0;
  return readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((path) => {
      const stats = lstatSync(path);
      return stats.isDirectory() && (uid === 0 || stats.uid === uid);
    });
}

/** The id of a group by name or number, from /etc/group; groups of a directory service are given by number. */
function groupId(name: string): number | undefined {
  if (/^\d+$/.test(name)) return Number(name);
  const line = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`${name}:`));
  return line === undefined ? undefined : Number(line.split(':')[2]);
}
