// lhb cache keygen, trust, revoke: who signs, and whose results are taken.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { error, type Diagnostic } from '../../base/diagnostic.ts';
import { generateKey, readPublicKey, type PublicKey } from '../../cache/signature.ts';
import { REVOKED_FILE } from '../../cache/trust.ts';
import { writeAtomic } from '../../fs/atomic-write.ts';
import { configFolder } from '../../base/user-folders.ts';
import { keyFile, TRUST_FOLDER } from '../cache-settings.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { fail } from '../query.ts';
import type { Screen } from '../screen.ts';
import { loadWorkspace } from '../workspace.ts';
import type { CacheRequest } from './cache.ts';

/** Makes a key: the private one for this user alone, the public one to be given to the team. */
export async function keygen({ words }: CacheRequest, screen: Screen): Promise<ExitCode> {
  const file = process.env['LHB_CACHE_KEY']?.includes('-----BEGIN')
    ? join(configFolder(process.env), 'key')
    : keyFile(process.env);
  if (existsSync(file)) {
    const hint = `its public half is ${file}.pub; to start anew move both away`;
    return fail(screen, [error('cache/failed', `there is a key already: ${file}`, { hint })]);
  }
  const name = (words[0]?.text ?? `${userInfo().username}@${hostname()}`).replaceAll(/\s+/g, '-');
  const { pem, line } = generateKey(name);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, pem, { mode: 0o600, flag: 'wx' });
  writeAtomic(`${file}.pub`, `${line}\n`);
  const key = readPublicKey(line);
  const id = key.ok ? key.value.id : '';
  if (screen.json) screen.document({ id, name, file, public: line });
  else screen.text(`${line}\n`);
  screen.note(`key ${id} in ${file}; give ${file}.pub to your team: \`lhb cache trust FILE\``);
  return EXIT.ok;
}

/**
 * The folder of keys that a command changes, the workflow's or with `--user` the user's, and the files and folders of keys
 * that the workflow names.
 */
function folderOf({
  common,
  user,
}: CacheRequest): { folder: string; named: readonly string[] } | { errors: readonly Diagnostic[] } {
  if (user) return { folder: join(configFolder(process.env), 'trust'), named: [] };
  const loaded = loadWorkspace(common);
  if (!loaded.ok) return { errors: loaded.error };
  const { root, caches } = loaded.value.workflow;
  const named = caches.flatMap(({ trust: keys }) => (keys === undefined || keys === 'any' ? [] : keys));
  return { folder: join(root, TRUST_FOLDER), named };
}

/** Takes results that these keys signed. */
export async function trust(request: CacheRequest, screen: Screen): Promise<ExitCode> {
  const place = folderOf(request);
  if ('errors' in place) return fail(screen, place.errors);
  const [word] = request.words;
  if (word === undefined) return listKeys(place.folder, screen);
  const errors: Diagnostic[] = [];
  const keys: PublicKey[] = [];
  for (const { text, at } of request.words) {
    const file = resolve(request.common.directory?.text ?? '.', text);
    const line = text.startsWith('lhb-ed25519 ') ? text : existsSync(file) ? readFileSync(file, 'utf8') : undefined;
    if (line === undefined) {
      errors.push(error('file/not-found', `there is no file '${text}'`, { at }));
      continue;
    }
    const key = readPublicKey(line);
    if (!key.ok) errors.push(error('cache/failed', `${text}: ${key.error}`, { at }));
    else {
      keys.push(key.value);
      const name = text.startsWith('lhb-ed25519 ') ? key.value.name : basename(file, '.pub');
      mkdirSync(place.folder, { recursive: true });
      writeAtomic(join(place.folder, `${safeName(name === 'key' ? key.value.name : name)}.pub`), `${line.trim()}\n`);
    }
  }
  if (errors.length > 0) return fail(screen, errors);
  if (screen.json) screen.document({ trusted: keys.map(({ id, name }) => ({ id, name })), folder: place.folder });
  for (const { id, name } of keys)
    screen.note(`results signed by ${name} (${id}) are taken; the key is in ${place.folder}`);
  return EXIT.ok;
}

const safeName = (name: string): string => name.replaceAll(/[^A-Za-z0-9_.@-]/g, '_').replace(/^\.+/, '_');

type Known = { readonly folder: string; readonly file: string; readonly key: PublicKey };

/** The keys in a folder, or in one file. */
function keysIn(place: string): Known[] {
  const stats = statSync(place, { throwIfNoEntry: false });
  if (stats === undefined) return [];
  const folder = stats.isDirectory() ? place : dirname(place);
  const names = stats.isDirectory() ? readdirSync(place).sort() : [basename(place)];
  return names
    .filter((name) => name.endsWith('.pub'))
    .flatMap((file) => {
      const key = readPublicKey(readFileSync(join(folder, file), 'utf8'));
      return key.ok ? [{ folder, file, key: key.value }] : [];
    });
}

function listKeys(folder: string, screen: Screen): ExitCode {
  const keys = keysIn(folder);
  if (screen.json) screen.document({ keys: keys.map(({ file, key }) => ({ id: key.id, name: key.name, file })) });
  else
    screen.table(
      [{ title: 'key' }, { title: 'name' }, { title: 'file' }],
      keys.map(({ file, key }) => [key.id, key.name, file]),
    );
  return EXIT.ok;
}

/** Takes no results that these keys signed, wherever they are. */
export async function revoke(request: CacheRequest, screen: Screen): Promise<ExitCode> {
  const place = folderOf(request);
  if ('errors' in place) return fail(screen, place.errors);
  const known = [...keysIn(place.folder), ...place.named.flatMap(keysIn)];
  const ids: string[] = [];
  const errors: Diagnostic[] = [];
  for (const { text, at } of request.words) {
    const found = known.find(({ file, key }) => [key.id, key.name, file, basename(file, '.pub')].includes(text));
    if (found === undefined && !/^[0-9a-f]{16}$/.test(text)) {
      const names = known.map(({ key }) => `${key.name} (${key.id})`).join(', ');
      const hint = names === '' ? 'the id of a key has 16 hex digits' : `the keys are ${names}`;
      errors.push(error('cache/failed', `no key is called '${text}'`, { at, hint }));
      continue;
    }
    ids.push(found?.key.id ?? text);
    // A key that the workflow names stays: the list of the revoked goes before it.
    if (found?.folder === place.folder) rmSync(join(place.folder, found.file));
  }
  if (request.words.length === 0)
    errors.push(error('cli/usage', 'lhb cache revoke needs the id or the name of a key', { at: request.verb.at }));
  if (errors.length > 0) return fail(screen, errors);
  const file = join(place.folder, REVOKED_FILE);
  const before = existsSync(file)
    ? readFileSync(file, 'utf8')
    : '# Keys whose results are not taken any more, one a line.\n';
  mkdirSync(place.folder, { recursive: true });
  writeAtomic(
    file,
    before +
      ids
        .filter((id) => !before.includes(id))
        .map((id) => `${id}\n`)
        .join(''),
  );
  if (screen.json) screen.document({ revoked: ids });
  screen.note(`results signed by ${ids.join(', ')} are taken no more; the list is ${file}`);
  return EXIT.ok;
}
