// lhb cache VERB: the commands on shared caches. What each does is in a file of its own.
import { error } from '../../base/diagnostic.ts';
import { didYouMean } from '../../base/nearest.ts';
import { visible } from '../argv.ts';
import type { ExitCode } from '../exit-code.ts';
import type { CacheCommandOptions, Word } from '../invocation.ts';
import { fail } from '../query.ts';
import type { Screen } from '../screen.ts';

export type CacheRequest = { readonly verb: Word; readonly words: readonly Word[] } & CacheCommandOptions;

export type CacheVerb = (request: CacheRequest, screen: Screen) => Promise<ExitCode>;

const VERBS: Readonly<Record<string, () => Promise<CacheVerb>>> = {
  init: async () => (await import('./cache-init.ts')).init,
  keygen: async () => (await import('./cache-keys.ts')).keygen,
  trust: async () => (await import('./cache-keys.ts')).trust,
  revoke: async () => (await import('./cache-keys.ts')).revoke,
  status: async () => (await import('./cache-look.ts')).status,
  ls: async () => (await import('./cache-look.ts')).list,
  stats: async () => (await import('./cache-look.ts')).stats,
  doctor: async () => (await import('./cache-doctor.ts')).doctor,
  push: async () => (await import('./cache-transfer.ts')).push,
  pull: async () => (await import('./cache-transfer.ts')).pull,
  verify: async () => (await import('./cache-verify.ts')).verify,
  repair: async () => (await import('./cache-verify.ts')).repair,
  gc: async () => (await import('./cache-gc.ts')).gc,
};

export async function cache(request: CacheRequest, screen: Screen): Promise<ExitCode> {
  const { verb } = request;
  const load = Object.hasOwn(VERBS, verb.text) ? VERBS[verb.text] : undefined;
  if (load === undefined) {
    const names = Object.keys(VERBS);
    const hint = didYouMean(verb.text, names) ?? `it has ${names.join(', ')}`;
    return fail(screen, [
      error('cli/usage', `lhb cache has no command '${visible(verb.text)}'`, { at: verb.at, hint }),
    ]);
  }
  return (await load())(request, screen);
}
