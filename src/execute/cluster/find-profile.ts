// Where the profile of a name lies (spec, section 7): a path as it is; a name in ./profiles, in the user's own folder, among
// the built-in ones, in Snakemake's folder.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { error, type SourceRange } from '../../base/diagnostic.ts';
import { didYouMean } from '../../base/nearest.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { unless } from '../../fs/errno.ts';
import { packageFile } from '../../fs/package-file.ts';
import { configFolder, homeFolder, xdgConfig } from '../../base/user-folders.ts';

const BUILT_IN = packageFile('store-schema/profiles');
const FILES = ['config.yaml', 'config.v8+.yaml', 'config.yml'];

type Environment = Readonly<Record<string, string | undefined>>;

/** The names of the built-in profiles. */
export const builtInNames = (): string[] => readdirSync(BUILT_IN).map((name) => basename(name, '.yaml'));

/** The file of a built-in profile. */
export const builtInFile = (name: string): string => join(BUILT_IN, `${name}.yaml`);

/** Folders in which profiles lie by name, those that are looked into first first. */
export function profileFolders(
  root: string,
  env: Environment,
): { own: readonly string[]; snakemake: readonly string[] } {
  const mine = configFolder(env);
  const own = [join(root, 'profiles'), join(mine, 'profiles'), mine];
  return { own, snakemake: [join(xdgConfig(env), 'snakemake'), '/etc/xdg/snakemake'] };
}

/** Every profile that can be asked for by name, with its file. */
export function listProfiles(root: string, env: Environment): Map<string, string> {
  const { own, snakemake } = profileFolders(root, env);
  const found = new Map<string, string>();
  const add = (name: string, file: string | undefined): void => {
    if (file !== undefined && !found.has(name)) found.set(name, file);
  };
  const addFolder = (folder: string): void => {
    if (!existsSync(folder)) return;
    for (const name of readdirSync(folder).sort()) add(name.replace(/\.ya?ml$/, ''), inFolder(folder, name));
  };
  for (const folder of own) addFolder(folder);
  for (const name of builtInNames()) add(name, builtInFile(name));
  for (const folder of snakemake) addFolder(folder);
  return found;
}

/** A profile's file in a folder: NAME/config.yaml, or NAME.yaml. */
function inFolder(folder: string, name: string): string | undefined {
  const path = join(folder, name);
  for (const file of FILES.map((each) => join(path, each))) if (isFile(file)) return file;
  // config.yaml of the user's own folder holds settings, no profile.
  if (/^config\.ya?ml$/.test(name)) return undefined;
  for (const file of [path, `${path}.yaml`, `${path}.yml`]) if (/\.ya?ml$/.test(file) && isFile(file)) return file;
  return undefined;
}

const isFile = (path: string): boolean =>
  unless(['ENOENT', 'ENOTDIR', 'EACCES'], () => statSync(path))?.isFile() === true;

/**
 * The file of a profile.
 * @param asked a name, or the path of a folder or of its config.yaml, from `from`; `~/` is the home folder
 * @param root the workflow's folder
 * @returns errors (profile/not-found) with the nearest name
 */
export function findProfile(
  asked: string,
  at: SourceRange | undefined,
  places: { readonly root: string; readonly from: string; readonly env: Environment },
): Result<string> {
  const { root, from, env } = places;
  const home = homeFolder(env);
  const path = asked.startsWith('~/') ? join(home, asked.slice(2)) : asked;
  if (isAbsolute(path) || path.includes('/') || /\.ya?ml$/.test(path)) {
    for (const base of [from, root]) {
      const full = resolve(base, path);
      const file = isFile(full) ? full : inFolder(dirname(full), basename(full));
      if (file !== undefined) return ok(file);
    }
    const what = existsSync(resolve(from, path)) ? `${asked} has no config.yaml` : `there is no profile ${asked}`;
    return err([error('profile/not-found', what, { at, hint: 'name a folder that holds config.yaml, or that file' })]);
  }
  const known = listProfiles(root, env);
  const file = known.get(asked);
  if (file !== undefined) return ok(file);
  const hint = didYouMean(asked, known.keys()) ?? `there are ${[...known.keys()].join(', ')}`;
  return err([error('profile/not-found', `there is no profile '${asked}'`, { at, hint })]);
}
