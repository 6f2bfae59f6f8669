// lhb cache doctor: what is wrong with the shared caches, and what to do.
import { examine } from '../../cache/doctor.ts';
import { finding } from '../../cache/finding.ts';
import { safeText } from '../../report/format.ts';
import { isOffline, OFFLINE, signingKey } from '../cache-settings.ts';
import { openConfigured } from '../caches-of.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { fail } from '../query.ts';
import type { Screen } from '../screen.ts';
import type { CacheRequest } from './cache.ts';

export async function doctor({ common, words, caches }: CacheRequest, screen: Screen): Promise<ExitCode> {
  const opened = openConfigured(common, words[0] ?? caches.choice, () => {});
  if (!opened.ok) return fail(screen, opened.error);
  const key = signingKey(process.env);
  if (!key.ok) return fail(screen, key.error);
  const all = [];
  for (const tier of opened.value.tiers) {
    const findings = isOffline(tier.cache.spec, caches)
      ? [finding('warning', 'server', OFFLINE)]
      : await examine(tier, key.value, process.env);
    all.push(...findings.map((finding) => ({ cache: tier.name, ...finding })));
    tier.cache.close();
  }
  if (screen.json) screen.document({ findings: all });
  else {
    const columns = [
      { title: 'cache' },
      { title: 'tried' },
      { title: 'found' },
      { title: 'detail' },
      { title: 'what to do' },
    ];
    screen.table(
      columns,
      all.map((f) => [f.cache, f.what, f.level, safeText(f.detail), f.advice || '-']),
    );
  }
  const errors = all.filter(({ level }) => level === 'error').length;
  screen.note(errors === 0 ? 'all is well' : `${errors} to be mended`);
  return errors === 0 ? EXIT.ok : EXIT.jobFailed;
}
