// lhb cache gc NAME: cleans up a folder that is shared. Servers have rules of their own for that.
import { error, type Diagnostic } from '../../base/diagnostic.ts';
import { collectDirectory } from '../../cache/dir-gc.ts';
import { DirectoryCache, failure } from '../../cache/directory.ts';
import { formatBytes, formatCount } from '../../report/format.ts';
import { openConfigured } from '../caches-of.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import type { Word } from '../invocation.ts';
import { fail } from '../query.ts';
import type { Screen } from '../screen.ts';
import type { CacheRequest } from './cache.ts';

export async function gc(request: CacheRequest, screen: Screen): Promise<ExitCode> {
  const { words, verb, common, yes } = request;
  const problems: Diagnostic[] = [];
  const maxSize = readSize(request.maxSize, problems);
  const maxAgeMs = readAge(request.maxAge, problems);
  if (words[0] === undefined)
    problems.push(error('cli/usage', 'lhb cache gc needs the name of a cache', { at: verb.at }));
  if (problems.length > 0) return fail(screen, problems);
  const opened = openConfigured(common, words[0], () => {});
  if (!opened.ok) return fail(screen, opened.error);
  for (const { cache, name } of opened.value.tiers) {
    if (!(cache instanceof DirectoryCache)) {
      const hint = 'set a lifecycle rule there: records under ac/ must go sooner than blobs under cas/';
      return fail(screen, [error('cache/failed', `${name} is a server, which cleans up by its own rules`, { hint })]);
    }
    let report: Awaited<ReturnType<typeof collectDirectory>>;
    try {
      report = await collectDirectory(cache, { maxSize, maxAgeMs, remove: yes });
    } catch (problem) {
      return fail(screen, [error('cache/failed', `cache ${name}: ${failure(problem, cache.root).message}`)]);
    }
    if (typeof report === 'string') return fail(screen, [error('cache/failed', `cache ${name}: ${report}`)]);
    const { records, blobs, bytes } = report;
    if (screen.json) screen.document({ cache: name, removed: yes, ...report });
    const dropped = `${formatCount(records.dropped, 'record')} and ${formatCount(blobs.dropped, 'blob')}, ${formatBytes(bytes.dropped)}`;
    screen.note(
      `${name}: ${yes ? 'dropped' : 'would drop'} ${dropped}; ${formatCount(records.kept, 'record')}, ${formatBytes(bytes.kept)} stay${yes ? '' : ' (--yes does it)'}`,
    );
  }
  return EXIT.ok;
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };

function readSize(word: Word | undefined, problems: Diagnostic[]): number | undefined {
  if (word === undefined) return undefined;
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$/i.exec(word.text) ?? [];
  if (number !== undefined) return Number(number) * (UNITS[unit?.toLowerCase() ?? ''] ?? 1);
  problems.push(error('cli/bad-value', `--max-size takes a size as 200G, not '${word.text}'`, { at: word.at }));
  return undefined;
}

function readAge(word: Word | undefined, problems: Diagnostic[]): number | undefined {
  if (word === undefined) return undefined;
  const [, number, unit] = /^(\d+)\s*([dwh]?)$/.exec(word.text) ?? [];
  const hours = { h: 1, d: 24, w: 168, '': 24 }[unit ?? ''] ?? 24;
  if (number !== undefined) return Number(number) * hours * 3600 * 1000;
  problems.push(error('cli/bad-value', `--max-age takes days as 30d, not '${word.text}'`, { at: word.at }));
  return undefined;
}
