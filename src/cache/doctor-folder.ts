// What the doctor finds of a folder: is it there, who may write it, on what does it lie?
import { readdirSync, readFileSync, statSync, type Stats } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { unless } from '../fs/errno.ts';
import { fileSystemOf, isNetworkType } from '../fs/mounts.ts';
import { failure } from './dir-failure.ts';
import type { DirectoryCache } from './directory.ts';
import { finding, type Finding } from './finding.ts';

const LITTLE_SPACE = 1e9;

/** Is the folder there, can its group share it, has it space? */
export async function folderFindings({ root, spec }: DirectoryCache): Promise<Finding[]> {
  let stats: Stats | undefined;
  try {
    stats = statSync(root, { throwIfNoEntry: false });
  } catch (problem) {
    const advice = `every folder on the way to it must let this user in: \`namei -l ${root}\` shows their modes`;
    return [finding('error', 'folder', failure(problem, root).message, advice)];
  }
  if (stats === undefined) {
    return [
      finding(
        'error',
        'folder',
        `there is no folder ${root}`,
        'mount its file system, or make it: `lhb cache init ' + spec.url + '`',
      ),
    ];
  }
  if (!stats.isDirectory()) return [finding('error', 'folder', `${root} is no folder`, 'name another path')];
  const found: Finding[] = [];
  const uid = process.getuid?.() ?? 0;
  const groups = new Set([...(process.getgroups?.() ?? []), process.getegid?.() ?? -1]);
  const isOwner = stats.uid === uid;
  const mode = stats.mode;
  const shared = (mode & 0o020) !== 0;
  if (uid !== 0 && !isOwner && !groups.has(stats.gid)) {
    found.push(
      finding(
        'error',
        'group',
        `${root} belongs to the group ${stats.gid}, of which this user is none`,
        'ask for membership of the group, or `lhb cache init --group` with another',
      ),
    );
  }
  if (shared && (mode & 0o2000) === 0) {
    found.push(
      finding(
        'error',
        'setgid',
        `${root} is not setgid: what one adds belongs to his own group`,
        `its owner: chmod g+s ${root} (\`lhb cache init\` does it)`,
      ),
    );
  }
  found.push(...partFindings(root, stats, shared));
  const space = await statfs(root).catch(() => undefined);
  if (space) {
    const free = space.bavail * space.bsize;
    found.push(
      free < LITTLE_SPACE
        ? finding(
            'error',
            'space',
            `${(free / 1e6).toFixed(0)} MB are free there`,
            '`lhb cache gc --max-size` drops what is worth least',
          )
        : finding('ok', 'space', `${(free / 1e9).toFixed(0)} GB are free there`),
    );
  }
  const hardLinks = unless(['ENOENT', 'EACCES'], () => readFileSync('/proc/sys/fs/protected_hardlinks', 'utf8').trim());
  const { type } = fileSystemOf(root);
  const kind = `${type}${isNetworkType(type) ? ', a network file system' : ''}`;
  found.push(
    finding(
      'ok',
      'folder',
      `${root}, mode ${(mode & 0o7777).toString(8)}, on ${kind}${(mode & 0o1000) !== 0 ? ', sticky: only owners remove' : ''}${hardLinks === '1' ? ', protected_hardlinks' : ''}`,
    ),
  );
  return found;
}

/** What is wrong with the folders below: of each kind the first, and how many more there are. */
function partFindings(root: string, { gid }: Stats, shared: boolean): Finding[] {
  const parts = foldersBelow(root);
  const tell = (what: string, wrong: typeof parts, is: string, advice: string): Finding[] => {
    const [first] = wrong;
    if (first === undefined) return [];
    const more = wrong.length > 1 ? ` (and so it is with ${wrong.length - 1} more below ${root})` : '';
    return [finding('error', what, `${first.path} ${is}${more}`, advice)];
  };
  const others = parts.filter((part) => part.gid !== gid);
  const bare = shared ? parts.filter((part) => part.gid === gid && (part.mode & 0o2000) === 0) : [];
  const setgid = `its owner: find ${root} -type d -exec chmod g+s {} +`;
  return [
    ...tell('group', others, `belongs to another group than ${root} (${gid})`, `its owner: chgrp -R ${gid} ${root}`),
    ...tell('setgid', bare, 'is not setgid', setgid),
  ];
}

/** The folders that entries are put into; those that cannot be looked at are left out. */
function foldersBelow(root: string): { readonly path: string; readonly gid: number; readonly mode: number }[] {
  const names = (path: string): string[] => unless(UNSEEN, () => readdirSync(path)) ?? [];
  const folders = ['ac', 'cas'].flatMap((name) => [name, ...names(join(root, name)).map((sub) => join(name, sub))]);
  return [...folders, 'tmp'].flatMap((name) => {
    const path = join(root, name);
    const stats = unless(UNSEEN, () => statSync(path));
    return stats?.isDirectory() ? [{ path, gid: stats.gid, mode: stats.mode }] : [];
  });
}

const UNSEEN = ['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ESTALE'];
