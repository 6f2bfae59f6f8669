// Where a user's own settings are (XDG Base Directory Specification). An empty variable counts as unset.
import { homedir } from 'node:os';
import { join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/** The user's home, absolute. */
export const homeFolder = (env: Environment): string => env['HOME'] || homedir();

/** The folder of all programs' settings. */
export const xdgConfig = (env: Environment): string => env['XDG_CONFIG_HOME'] || join(homeFolder(env), '.config');

/** The folder of lhb's settings: config.yaml, keys, profiles. */
export const configFolder = (env: Environment): string => join(xdgConfig(env), 'lhb');
