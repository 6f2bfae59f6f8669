// Credentials come from the environment and from the user's own files, never from the workflow, and go nowhere but into the
// header of a request.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { unless } from '../fs/errno.ts';
import { homeFolder } from '../base/user-folders.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** `lab-2` as it stands in names of variables: `LAB_2`. */
export const variableName = (cache: string): string => cache.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_');

/**
 * The Authorization header for a server: LHB_CACHE_TOKEN_NAME, LHB_CACHE_AUTH_NAME (user:password), or the entry of its host
 * in ~/.netrc (NETRC names another file). Undefined: none.
 */
export function httpAuthorization(cache: string, url: URL, env: Environment): string | undefined {
  const token = env[`LHB_CACHE_TOKEN_${variableName(cache)}`];
  if (token) return `Bearer ${token}`;
  const pair = env[`LHB_CACHE_AUTH_${variableName(cache)}`] ?? netrcPair(url.hostname, env);
  return pair ? `Basic ${Buffer.from(pair).toString('base64')}` : undefined;
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

/** AWS_ACCESS_KEY_ID and its like, else the profile (AWS_PROFILE, `default`) of ~/.aws, its `credential_process` too. */
export function awsCredentials(env: Environment): AwsCredentials | undefined {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token } = env;
  if (id && secret) return { accessKeyId: id, secretAccessKey: secret, sessionToken: token || undefined };
  const profile = awsProfile(env);
  const own = { id: profile['aws_access_key_id'], secret: profile['aws_secret_access_key'] };
  if (own.id && own.secret) {
    return { accessKeyId: own.id, secretAccessKey: own.secret, sessionToken: profile['aws_session_token'] };
  }
  const command = profile['credential_process'];
  return command === undefined ? undefined : fromProcess(command, env);
}

/** The region that the environment or the profile names. */
export const awsRegion = (env: Environment): string | undefined =>
  env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? awsProfile(env)['region'];

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

function fromProcess(command: string, env: Environment): AwsCredentials | undefined {
  const ran = spawnSync(command, { shell: true, encoding: 'utf8', env: { ...env }, timeout: 30_000 });
  try {
    const fields = JSON.parse(ran.stdout) as Readonly<Record<string, unknown>>;
    const { AccessKeyId: id, SecretAccessKey: secret, SessionToken: token } = fields;
    if (typeof id !== 'string' || typeof secret !== 'string') return undefined;
    return { accessKeyId: id, secretAccessKey: secret, sessionToken: typeof token === 'string' ? token : undefined };
  } catch {
    return undefined;
  }
}
