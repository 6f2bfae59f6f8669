// Whose records are taken. Keys come from the files that `trust` names, and from two folders: the workflow's lhb-trust/ and
// the user's. A file `revoked` there lists ids of keys, one a line, whose records count no more, wherever they are.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok, type Result } from '../base/result.ts';
import { unless } from '../fs/errno.ts';
import { readPublicKey, type KeyId, type PublicKey, type Sealed } from './signature.ts';

export const REVOKED_FILE = 'revoked';

/** The verdict on a record; `keyId`: who signed it, as far as that was checked. */
export type Verdict =
  | { readonly kind: 'taken'; readonly keyId: KeyId | undefined; readonly name: string | undefined }
  /** A sentence that follows "N records are ignored: ". */
  | { readonly kind: 'refused'; readonly why: string };

export class Trust {
  /** False: a signature is no condition. */
  readonly required: boolean;
  readonly #keys: ReadonlyMap<KeyId, PublicKey>;
  readonly #revoked: ReadonlySet<KeyId>;

  constructor(required: boolean, keys: readonly PublicKey[], revoked: Iterable<KeyId>) {
    this.required = required;
    this.#keys = new Map(keys.map((key) => [key.id, key]));
    this.#revoked = new Set(revoked);
  }

  get keys(): readonly PublicKey[] {
    return [...this.#keys.values()].filter((key) => !this.#revoked.has(key.id));
  }

  judge(sealed: Sealed): Verdict {
    const { keyId } = sealed;
    if (keyId !== undefined && this.#revoked.has(keyId)) return refused(`signed by the key ${keyId}, which is revoked`);
    const key = keyId === undefined ? undefined : this.#keys.get(keyId);
    if (key !== undefined && !sealed.signedBy(key)) return refused('their signature is wrong');
    if (this.required && keyId === undefined) return refused('not signed');
    if (this.required && key === undefined) return refused(`signed by the key ${keyId}, which is not trusted here`);
    return { kind: 'taken', keyId, name: key?.name };
  }
}

const refused = (why: string): Verdict => ({ kind: 'refused', why });

/** The public keys in files and folders (`*.pub`), or sentences on what cannot be read. */
export function readKeys(paths: readonly string[]): Result<PublicKey[], string[]> {
  const keys: PublicKey[] = [];
  const problems: string[] = [];
  for (const path of paths) {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) {
      problems.push(`there is no file ${path}`);
      continue;
    }
    const files = stats.isDirectory()
      ? readdirSync(path)
          .filter((name) => name.endsWith('.pub'))
          .sort()
          .map((name) => join(path, name))
      : [path];
    for (const file of files) {
      const key = readPublicKey(readFileSync(file, 'utf8'));
      if (key.ok) keys.push(key.value);
      else problems.push(`${file}: ${key.error}`);
    }
  }
  return problems.length > 0 ? err(problems) : ok(keys);
}

/** The ids that folders of trust list as revoked. */
export const readRevoked = (folders: readonly string[]): KeyId[] =>
  folders.flatMap((folder) =>
    (unless(['ENOENT', 'ENOTDIR'], () => readFileSync(join(folder, REVOKED_FILE), 'utf8')) ?? '')
      .split('\n')
      .flatMap((line) => line.replace(/#.*/, '').trim() || []),
  );
