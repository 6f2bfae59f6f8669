// lhb cache status, ls, stats: which caches there are, and what they have.
import { readdirSync } from 'node:fs';
import { error, type Diagnostic } from '../../base/diagnostic.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { failure } from '../../cache/dir-failure.ts';
import { recordKey, type SharedRecord } from '../../cache/record.ts';
import { COMMAND_LIMITS, inParallel, type RecordKey } from '../../cache/shared-cache.ts';
import type { Tier } from '../../cache/tier.ts';
import type { ActionKey } from '../../base/brand.ts';
import { notesFolder } from '../../cache/uploads.ts';
import { unless } from '../../fs/errno.ts';
import { formatBytes, formatCount, formatDuration, formatTime, safeText } from '../../report/format.ts';
import { workLayout } from '../../store/layout.ts';
import { isOffline, OFFLINE } from '../cache-settings.ts';
import { openConfigured } from '../caches-of.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { fail } from '../query.ts';
import type { Screen } from '../screen.ts';
import type { CacheRequest } from './cache.ts';

const READ_AT_ONCE = 32;

/** One line a cache: where, how it is used, whether it answers. */
export async function status({ common, words, caches }: CacheRequest, screen: Screen): Promise<ExitCode> {
  const opened = openConfigured(common, words[0] ?? caches.choice, () => {});
  if (!opened.ok) return fail(screen, opened.error);
  const { tiers, root, maker } = opened.value;
  const rows = await Promise.all(
    tiers.map(async (tier) => {
      const { spec } = tier.cache;
      // Nobody has this key: the answer is that there is no such record.
      const answer = (): Promise<string> =>
        tier.cache.getRecord(recordKey('', '' as ActionKey), { limits: COMMAND_LIMITS }).then(
          () => 'ok',
          (problem: unknown) => failure(problem, spec.url).message,
        );
      const state = isOffline(spec, caches) ? OFFLINE : await answer();
      const outbox = notesFolder(workLayout(root).outbox, spec);
      const waiting = (unless(['ENOENT', 'ENOTDIR'], () => readdirSync(outbox)) ?? []).length;
      tier.cache.close();
      return {
        name: spec.name,
        url: spec.url,
        mode: spec.mode,
        trust: tier.trust.required ? formatCount(tier.trust.keys.length, 'key') : spec.trust === 'any' ? 'any' : 'off',
        state,
        waiting,
      };
    }),
  );
  if (screen.json) screen.document({ caches: rows, key: maker.key?.id ?? null });
  else {
    const columns = ['name', 'url', 'mode', 'trust', 'state', 'to upload'].map((title) => ({ title }));
    screen.table(
      columns,
      rows.map((r) => [r.name, r.url, r.mode, r.trust, r.state, String(r.waiting)]),
    );
  }
  return EXIT.ok;
}

type Found = {
  readonly key: string;
  readonly record: SharedRecord | undefined;
  readonly why: string;
  readonly signedBy: string;
};

/** All that a cache has; a diagnostic where it cannot tell. */
async function recordsOf(tier: Tier): Promise<Result<Found[]>> {
  const { cache } = tier;
  if (cache.listRecords === undefined) return err([noList(tier.name)]);
  const keys: RecordKey[] = [];
  try {
    for await (const { key } of cache.listRecords({ limits: COMMAND_LIMITS })) keys.push(key);
  } catch (problem) {
    return err([error('cache/failed', `cache ${tier.name}: ${failure(problem, cache.spec.url).message}`)]);
  }
  const found = await inParallel(keys, READ_AT_ONCE, async (key): Promise<Found> => {
    const opened = (await tier.read(key))?.value ?? 'cannot be read';
    if (typeof opened === 'string') return { key, record: undefined, why: opened, signedBy: '' };
    return { key, record: opened.record, why: '', signedBy: opened.keyId ?? '-' };
  });
  cache.close();
  return ok(found);
}

/** What the caches that a word names have. Of all, those that cannot tell are left out, and that is said. */
async function recordsOfAll(
  { common, words, caches }: CacheRequest,
  screen: Screen,
): Promise<Result<{ readonly tier: Tier; readonly found: readonly Found[] }[]>> {
  const opened = openConfigured(common, words[0] ?? caches.choice, (text) => screen.note(`warning: ${text}`));
  if (!opened.ok) return opened;
  const { tiers } = opened.value;
  const all: { tier: Tier; found: Found[] }[] = [];
  const problems: Diagnostic[] = [];
  for (const tier of tiers) {
    const found = isOffline(tier.cache.spec, caches)
      ? err([error('cache/failed', `cache ${tier.name}: ${OFFLINE}`)])
      : await recordsOf(tier);
    if (found.ok) all.push({ tier, found: found.value });
    else problems.push(...found.error);
  }
  if (problems.length === tiers.length) return err(problems);
  if (problems.length > 0) screen.diagnostics(problems.map((problem) => ({ ...problem, severity: 'warning' })));
  return ok(all);
}

const sizeOf = (record: SharedRecord): number => record.files.reduce((sum, { blob }) => sum + blob.size, 0);

const noList = (name: string): ReturnType<typeof error> =>
  error('cache/failed', `${name} is an HTTP cache, which cannot list what it has`, {
    hint: `\`lhb plan\` says what it has for this workflow, \`lhb cache verify ${name}\` checks that; folders and buckets can be listed`,
  });

/** One line a result. */
export async function list(request: CacheRequest, screen: Screen): Promise<ExitCode> {
  const all = await recordsOfAll(request, screen);
  if (!all.ok) return fail(screen, all.error);
  const rows: {
    cache: string;
    rule: string;
    id: string;
    built: string;
    duration_s: number;
    size: number;
    host: string;
    user: string;
    key: string;
    state: string;
    record: string;
  }[] = [];
  for (const { tier, found } of all.value) {
    for (const { key, record, why, signedBy } of found) {
      rows.push({
        cache: tier.name,
        rule: record?.rule ?? '-',
        id: record?.jobId ?? '-',
        built: record ? formatTime(record.finishedAt) : '-',
        duration_s: record?.wallS ?? 0,
        size: record ? sizeOf(record) : 0,
        host: record?.producer.host ?? '-',
        user: record?.producer.user ?? '-',
        key: signedBy || '-',
        state: why || 'ok',
        record: key,
      });
    }
  }
  if (screen.json) screen.document({ records: rows });
  else {
    const columns = ['cache', 'rule', 'id', 'built', 'duration', 'size', 'host', 'user', 'key', 'state', 'record'].map(
      (title) => ({ title }),
    );
    screen.table(
      columns,
      rows.map((r) =>
        [
          r.cache,
          r.rule,
          r.id,
          r.built,
          formatDuration(r.duration_s),
          formatBytes(r.size),
          r.host,
          r.user,
          r.key,
          r.state,
          r.record,
        ].map(safeText),
      ),
    );
  }
  return EXIT.ok;
}

/** What a cache holds, by rule. */
export async function stats(request: CacheRequest, screen: Screen): Promise<ExitCode> {
  const all = await recordsOfAll(request, screen);
  if (!all.ok) return fail(screen, all.error);
  const rows: { cache: string; rule: string; results: number; size: number; computed_s: number }[] = [];
  for (const { tier, found } of all.value) {
    const byRule = new Map<string, { results: number; size: number; computed_s: number }>();
    for (const { record, why } of found) {
      const name = record?.rule ?? `(${why})`;
      const sum = byRule.get(name) ?? { results: 0, size: 0, computed_s: 0 };
      byRule.set(name, {
        results: sum.results + 1,
        size: sum.size + (record ? sizeOf(record) : 0),
        computed_s: sum.computed_s + (record?.wallS ?? 0),
      });
    }
    for (const [rule, sum] of byRule) rows.push({ cache: tier.name, rule, ...sum });
  }
  if (screen.json) screen.document({ rules: rows });
  else {
    const columns = ['cache', 'rule', 'results', 'size', 'computed in'].map((title) => ({ title }));
    screen.table(
      columns,
      rows.map((r) => [
        r.cache,
        safeText(r.rule),
        String(r.results),
        formatBytes(r.size),
        formatDuration(r.computed_s),
      ]),
    );
  }
  return EXIT.ok;
}
