// Credentials come from the environment and from the user's own files, never from the workflow, and go nowhere but into the
// header of a request.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok, type Result } from '../base/result.ts';
import { unless } from '../fs/errno.ts';
import { homeFolder } from '../base/user-folders.ts';
import { isRegion } from './url.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** `lab-2` as it stands in names of variables: `LAB_2`. */
export const variableName = (cache: string): string => cache.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_');

/** `value` where a header may hold it: `name` says where it was found, and stands in the error instead of it. */
function fitForHeader<T extends string | undefined>(value: T, name: string): Result<T, string> {
  if (value === undefined || /^[ -~]*$/.test(value)) return ok(value);
  return err(`${name} has a line break or another character that cannot be sent: set it anew`);
}

/**
 * The Authorization header for a server: LHB_CACHE_TOKEN_NAME, LHB_CACHE_AUTH_NAME (user:password), or the entry of its host
 * in ~/.netrc (NETRC names another file). Undefined: none. An error names what cannot be sent.
 */
export function httpAuthorization(cache: string, url: URL, env: Environment): Result<string | undefined, string> {
  const variable = `LHB_CACHE_TOKEN_${variableName(cache)}`;
  const token = env[variable];
  if (token) return fitForHeader(`Bearer ${token}`, variable);
  const pair = env[`LHB_CACHE_AUTH_${variableName(cache)}`] ?? netrcPair(url.hostname, env);
  return ok(pair ? `Basic ${Buffer.from(pair).toString('base64')}` : undefined);
}

const textOf = (path: string): string =>
  unless(['ENOENT', 'ENOTDIR', 'EACCES', 'EISDIR'], () => readFileSync(path, 'utf8')) ?? '';

function netrcPair(host: string, env: Environment): string | undefined {
  const words = textOf(env['NETRC'] ?? join(homeFolder(env), '.netrc')).match(/\S+/g) ?? [];
  let inHost = false;
  let login: string | undefined;
  let password: string | undefined;
  for (let i = 0; i < words.length; i++) {
    if (words[i] === 'machine' || words[i] === 'default') {
      if (inHost) break;
      inHost = words[i] === 'default' || words[++i] === host;
    } else if (inHost && words[i] === 'login') login = words[++i];
    else if (inHost && words[i] === 'password') password = words[++i];
  }
  return login !== undefined && password !== undefined ? `${login}:${password}` : undefined;
}

export type AwsCredentials = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
};

/**
 * AWS_ACCESS_KEY_ID and its like, else the profile (AWS_PROFILE, `default`) of ~/.aws, its `credential_process` too.
 * Undefined: none. An error names what cannot be sent.
 */
export function awsCredentials(env: Environment): Result<AwsCredentials | undefined, string> {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token } = env;
  const inVariables = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'] as const;
  if (id && secret) return awsTriple([id, secret, token || undefined], inVariables);
  const profile = awsProfile(env);
  const inProfile = ['aws_access_key_id', 'aws_secret_access_key', 'aws_session_token'] as const;
  const [ownId, ownSecret, ownToken] = inProfile.map((name) => profile[name]);
  if (ownId && ownSecret)
    return awsTriple(
      [ownId, ownSecret, ownToken],
      inProfile.map((name) => `${name} of ~/.aws`),
    );
  const command = profile['credential_process'];
  return command === undefined ? ok(undefined) : fromProcess(command, env);
}

/** @param names where the id, the secret and the token were found */
function awsTriple(
  [accessKeyId, secretAccessKey, sessionToken]: readonly [string, string, string | undefined],
  names: readonly string[],
): Result<AwsCredentials, string> {
  // A secret is not sent, but signs nothing that a server knows either.
  for (const [i, value] of [accessKeyId, secretAccessKey, sessionToken].entries()) {
    const fit = fitForHeader(value, names[i] ?? '');
    if (!fit.ok) return fit;
  }
  return ok({ accessKeyId, secretAccessKey, sessionToken });
}

/** The region that the environment or the profile names; an error where it is none. */
export function awsRegion(env: Environment): Result<string | undefined, string> {
  const region = env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || awsProfile(env)['region'];
  if (region === undefined || isRegion(region)) return ok(region);
  return err(`'${region.trim()}', of AWS_REGION or ~/.aws/config, is no region: expected one such as us-east-1`);
}

function awsProfile(env: Environment): Readonly<Record<string, string>> {
  const name = env['AWS_PROFILE'] ?? 'default';
  const folder = join(homeFolder(env), '.aws');
  const config = iniSections(textOf(env['AWS_CONFIG_FILE'] ?? join(folder, 'config')));
  const credentials = iniSections(textOf(env['AWS_SHARED_CREDENTIALS_FILE'] ?? join(folder, 'credentials')));
  return { ...config.get(name === 'default' ? name : `profile ${name}`), ...credentials.get(name) };
}

function iniSections(text: string): Map<string, Record<string, string>> {
  const sections = new Map<string, Record<string, string>>();
  let section: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const [, title] = /^\s*\[\s*(.*?)\s*\]/.exec(line) ?? [];
    const [, name, value] = /^\s*([^#;=\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (title !== undefined) sections.set(title, (section = { ...sections.get(title) }));
    else if (name !== undefined && value !== undefined) section[name] = value;
  }
  return sections;
}

function fromProcess(command: string, env: Environment): Result<AwsCredentials | undefined, string> {
  const ran = spawnSync(command, { shell: true, encoding: 'utf8', env: { ...env }, timeout: 30_000 });
  try {
    const fields = JSON.parse(ran.stdout) as Readonly<Record<string, unknown>>;
    const { AccessKeyId: id, SecretAccessKey: secret, SessionToken: token } = fields;
    if (typeof id !== 'string' || typeof secret !== 'string') return ok(undefined);
    const names = ['AccessKeyId', 'SecretAccessKey', 'SessionToken'].map((name) => `${name} of the credential_process`);
    return awsTriple([id, secret, typeof token === 'string' ? token : undefined], names);
  } catch {
    return ok(undefined);
  }
}
