// Where a user's own settings are (XDG Base Directory Specification). An empty variable counts as unset, as does a relative
// XDG_CONFIG_HOME.
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/** The user's home, absolute. */
export const homeFolder = (env: Environment): string => env['HOME'] || homedir();

/** The folder of all programs' settings. */
export function xdgConfig(env: Environment): string {
  const folder = env['XDG_CONFIG_HOME'] ?? '';
  return isAbsolute(folder) ? folder : join(homeFolder(env), '.config');
}

/** The folder of lhb's settings: config.yaml, keys, profiles. */
export const configFolder = (env: Environment): string => join(xdgConfig(env), 'lhb');
