// Which shared caches a command uses: those of the workflow, then of the user's own file; LHB_CACHE and --cache choose among
// them. Also the user's keys.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { error, type Diagnostic, type SourceRange } from '../base/diagnostic.ts';
import { configFolder } from '../base/user-folders.ts';
import { didYouMean } from '../base/nearest.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { CacheSpec } from '../cache/shared-cache.ts';
import { readPublicKey, readSigningKey, type SigningKey } from '../cache/signature.ts';
import { readKeys, readRevoked, Trust } from '../cache/trust.ts';
import { kindOf } from '../cache/url.ts';
import { hashText } from '../hash/digest.ts';
import { readUserCaches, type CacheEntry } from '../workflow/check-caches.ts';
import type { SharedCaches } from '../cache/tiers.ts';
import type { Workspace } from './workspace.ts';
import type { Workflow } from '../workflow/workflow.ts';
import type { CacheOptions, Word } from './invocation.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where keys of people are that a workflow trusts, from its folder; and a user's own. */
export const TRUST_FOLDER = 'lhb-trust';
export const trustFolders = (root: string, env: Environment): string[] => [
  join(root, TRUST_FOLDER),
  join(configFolder(env), 'trust'),
];

type Choice = { readonly name: string; readonly mode: 'r' | 'rw' | undefined; readonly at: SourceRange | undefined };

/** The caches that are to be used, in order, whatever `offline` says. */
export function chooseCaches(
  workflow: Pick<Workflow, 'caches' | 'root'>,
  choice: Word | undefined,
  env: Environment,
): Result<CacheSpec[]> {
  const user = readUserCaches(join(configFolder(env), 'config.yaml'));
  if (!user.ok) return user;
  const entries = merge(workflow.caches, user.value);
  const fromEnv = env['LHB_CACHE'];
  const text = choice?.text ?? fromEnv;
  const problems: Diagnostic[] = [];
  const specsOf = (some: readonly CacheEntry[]): CacheSpec[] =>
    some.flatMap((entry) => specOf(entry, workflow, env, problems));
  if (text === undefined) {
    const all = specsOf(entries);
    return problems.length > 0 ? err(problems) : ok(all);
  }
  const at = choice?.at;
  const source = choice ? '--cache' : 'LHB_CACHE';
  const chosen = text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
  if (chosen.includes('off')) return ok([]);
  const specs: CacheSpec[] = [];
  for (const item of chosen) {
    const named = chosenFolder(item, specs.length, at) ?? chosenName(item, at);
    const [spec] = 'url' in named ? [named] : specsOf(entries.filter(({ name }) => name === named.name));
    if (spec === undefined) {
      const names = entries.map(({ name }) => name);
      const known = names.length > 0 ? `the caches are ${names.join(', ')}` : 'no caches are configured: see `caches:`';
      const broken = names.includes(named.name);
      if (!broken)
        problems.push(
          error('cache/config', `${source} names the cache '${named.name}', which does not exist`, {
            at,
            hint: didYouMean(named.name, names) ?? known,
          }),
        );
      continue;
    }
    specs.push({ ...spec, mode: named.mode ?? spec.mode });
  }
  return problems.length > 0 ? err(problems) : ok(specs);
}

function chosenName(item: string, at: SourceRange | undefined): Choice {
  const [, name = item, mode] = /^(.*?)(?::(rw|r))?$/.exec(item) ?? [];
  return { name, mode: mode as Choice['mode'], at };
}

/** `dir:/path` is a cache that stands nowhere else. */
function chosenFolder(
  item: string,
  index: number,
  at: SourceRange | undefined,
): (CacheSpec & { mode: 'r' | 'rw' }) | undefined {
  if (!item.startsWith('dir:')) return undefined;
  const { name: url, mode } = chosenName(item, at);
  if (!kindOf(url).ok) return undefined;
  return {
    name: index === 0 ? 'dir' : `dir${index + 1}`,
    kind: 'dir',
    url,
    mode: mode ?? 'r',
    trust: undefined,
    ns: '',
    // The next one that is named so may be another.
    outbox: `dir-${hashText(url).slice(0, 16)}`,
  };
}

/** A user's entry changes the workflow's of the same name; others come after. */
function merge(workflow: readonly CacheEntry[], user: readonly CacheEntry[]): CacheEntry[] {
  const merged = workflow.map((entry) => {
    const own = user.find(({ name }) => name === entry.name);
    if (own === undefined) return entry;
    return {
      name: entry.name,
      url: own.url ?? entry.url,
      mode: own.mode ?? entry.mode,
      trust: own.trust ?? entry.trust,
      ns: own.ns ?? entry.ns,
      at: own.at,
    };
  });
  return [...merged, ...user.filter(({ name }) => !workflow.some((entry) => entry.name === name))];
}

function specOf(
  entry: CacheEntry,
  workflow: Pick<Workflow, 'root'>,
  env: Environment,
  problems: Diagnostic[],
): CacheSpec[] {
  const { name, url, at } = entry;
  // A user's change to a cache that only other workflows have.
  if (url === undefined) return [];
  const kind = kindOf(url);
  if (!kind.ok) return [];
  const hasKeys = trustFolders(workflow.root, env).some((folder) => existsSync(folder));
  if (kind.value !== 'dir' && entry.trust === undefined && !hasKeys) {
    const hint =
      'trust: [alice.pub, …] names the keys whose results are taken; `trust: any`: all, for who may write there is known';
    problems.push(
      error('cache/config', `cache '${name}' lacks the field 'trust', which ${kind.value} caches must have`, {
        at,
        hint,
      }),
    );
    return [];
  }
  return [{ name, kind: kind.value, url, mode: entry.mode ?? 'r', trust: entry.trust, ns: entry.ns ?? '' }];
}

/** Whose records a cache's reader takes. The user's own key is trusted always. */
export function trustFor(spec: CacheSpec, root: string, own: SigningKey | undefined, env: Environment): Result<Trust> {
  const folders = trustFolders(root, env).filter((folder) => existsSync(folder));
  const named = Array.isArray(spec.trust) ? (spec.trust as readonly string[]) : [];
  const keys = readKeys([...named, ...folders]);
  if (!keys.ok) {
    const hint = 'it is the `key.pub` of a teammate, which `lhb cache keygen` made';
    return err(keys.error.map((why) => error('cache/config', `cache '${spec.name}', trust: ${why}`, { hint })));
  }
  const mine = own === undefined ? [] : [readPublicKey(own.line)].flatMap((key) => (key.ok ? [key.value] : []));
  const required = spec.trust === 'any' ? false : spec.trust !== undefined || spec.kind !== 'dir';
  return ok(new Trust(required, [...mine, ...keys.value], readRevoked(folders)));
}

/** Trust in all that bears no revoked key: for results that someone hands over. */
export const anyNotRevoked = (root: string, env: Environment): Trust =>
  new Trust(false, [], readRevoked(trustFolders(root, env)));

export const keyFile = (env: Environment): string => env['LHB_CACHE_KEY'] || join(configFolder(env), 'key');

/** The key that signs what this user uploads: LHB_CACHE_KEY (a file, or the PEM text itself), else ~/.config/lhb/key. */
export function signingKey(env: Environment): Result<SigningKey | undefined> {
  const given = env['LHB_CACHE_KEY'];
  const isText = given?.includes('-----BEGIN') === true;
  const file = keyFile(env);
  if (!isText && !existsSync(file)) {
    if (!given) return ok(undefined);
    return err([
      error('cache/config', `LHB_CACHE_KEY: there is no file ${file}`, { hint: '`lhb cache keygen` makes a key' }),
    ]);
  }
  if (!isText && process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0) {
    return err([error('cache/config', `others may read the private key ${file}`, { hint: `chmod 600 ${file}` })]);
  }
  const key = readSigningKey(isText ? (given ?? '') : readFileSync(file, 'utf8'));
  return key.ok
    ? ok(key.value)
    : err([error('cache/config', `the key ${isText ? 'in LHB_CACHE_KEY' : file}: ${key.error}`)]);
}

/** Are the caches of these options asked over the network? */
export const isOffline = (spec: CacheSpec, options: CacheOptions): boolean => options.offline && spec.kind !== 'dir';

/** What is said of a cache that is not asked for that. */
export const OFFLINE = 'not asked: --offline was given';

/** Those that may be asked; of each other `say` is told why not. */
export function askable(
  specs: readonly CacheSpec[],
  options: CacheOptions,
  say: (text: string) => void,
): readonly CacheSpec[] {
  for (const spec of specs) if (isOffline(spec, options)) say(`cache ${spec.name}: ${OFFLINE}`);
  return specs.filter((spec) => !isOffline(spec, options));
}

/** The caches of a command, opened; undefined where it has none, and then nothing is loaded for them. */
export async function cachesFor(
  workspace: Workspace,
  options: CacheOptions,
  write: boolean,
  warn: (text: string) => void,
  patient = false,
): Promise<Result<SharedCaches | undefined>> {
  const specs = chooseCaches(workspace.workflow, options.choice, process.env);
  if (!specs.ok) return specs;
  if (specs.value.length === 0) return ok(undefined);
  const { openCaches } = await import('./open-caches.ts');
  return openCaches(workspace, specs.value, options, write, warn, patient);
}
