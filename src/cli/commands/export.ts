// lhb export and import: results as a file, for those with no network in common. The file is a tar of a folder in the layout
// of a `dir:` cache, so that `tar -x` makes a cache of it.
import { existsSync, lstatSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { error, type Diagnostic } from '../../base/diagnostic.ts';
import { formatCount } from '../../report/format.ts';
import { anyNotRevoked, signingKey } from '../cache-settings.ts';
import { bringInFrom } from '../bring-in.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import type { CommonOptions, Word } from '../invocation.ts';
import { fail, planOf, withWorkspace } from '../query.ts';
import type { Screen } from '../screen.ts';
import { NO_TRUST, readingOnly, resultsToShare, runProgram, stage, stagedTier, withStaging } from '../staging.ts';
import { underLock } from '../under-lock.ts';
import { version } from '../version.ts';

export const exportResults = (common: CommonOptions, words: readonly Word[], screen: Screen): Promise<ExitCode> =>
  withWorkspace(common, screen, false, async (workspace) => {
    const target = words.at(-1);
    if (target === undefined || !target.text.endsWith('.tar')) {
      const hint = 'lhb export [SELECTOR…] FILE.tar';
      return fail(screen, [error('cli/usage', 'the last word must be the file, NAME.tar', { at: target?.at, hint })]);
    }
    const planned = planOf(workspace, words.slice(0, -1));
    if (!planned.ok) return fail(screen, planned.error);
    const { plan, jobs } = planned.value;
    const traces = resultsToShare(workspace, plan, jobs);
    if (traces.length === 0) {
      const hint = '`lhb summary` says where they stand; what was touched, or has `cache: false`, is never shared';
      return fail(screen, [error('cache/failed', 'there is no result to export of these jobs', { hint })]);
    }
    const key = signingKey(process.env);
    if (!key.ok) return fail(screen, key.error);
    const file = resolve(common.directory?.text ?? '.', target.text);
    return withStaging(workspace, async (root) => {
      const tier = stagedTier(root, 'file', NO_TRUST, (text) => screen.note(`warning: ${text}`));
      const count = await stage(tier, traces, workspace, { lhb: version(), key: key.value });
      const partial = `${file}.part`;
      const folders = readdirSync(root).filter((name) => name === 'ac' || name === 'cas');
      const problem = await runProgram('tar', ['-cf', partial, '-C', root, ...folders]);
      if (problem) {
        rmSync(partial, { force: true });
        return fail(screen, [problem]);
      }
      renameSync(partial, file);
      if (screen.json) screen.document({ file, results: count });
      const left = jobs.length - count;
      const rest =
        left > 0 ? `; ${formatCount(left, 'job')} without a result of this work tree that may be shared` : '';
      screen.note(`exported ${formatCount(count, 'result')} to ${target.text}${rest}`);
      return EXIT.ok;
    });
  });

export const importResults = (common: CommonOptions, words: readonly Word[], screen: Screen): Promise<ExitCode> =>
  underLock(common, screen, async (workspace) => {
    let taken = 0;
    let there = 0;
    for (const { text, at } of words) {
      const file = resolve(common.directory?.text ?? '.', text);
      if (!existsSync(file)) return fail(screen, [error('file/not-found', `there is no file '${text}'`, { at })]);
      const problem = await withStaging(workspace, async (root): Promise<Diagnostic | undefined> => {
        const failed = await runProgram('tar', ['-xf', file, '--no-same-owner', '--no-same-permissions', '-C', root]);
        if (failed) return failed;
        const odd = firstOdd(root, '');
        if (odd !== undefined) return error('cache/failed', `${text} is no file of results: it holds ${odd}`, { at });
        there += countRecords(root);
        const warn = (words_: string): void => screen.note(`warning: ${words_}`);
        const tier = stagedTier(root, text, anyNotRevoked(workspace.workflow.root, process.env), warn);
        const counts = await bringInFrom(workspace, new Set(workspace.graph.jobs), readingOnly(tier, workspace), warn);
        taken += counts.caches.reduce((sum, { jobs }) => sum + jobs, 0);
        return undefined;
      });
      if (problem) return fail(screen, [problem]);
    }
    if (screen.json) screen.document({ imported: taken, results: there });
    const rest =
      there > taken ? `; ${there - taken} are there already, or of jobs that this workflow does not have` : '';
    screen.note(
      `imported ${formatCount(taken, 'result')} of ${there}${rest}${taken > 0 ? '; `lhb build` brings them out' : ''}`,
    );
    return EXIT.ok;
  });

/** Anything but plain files and folders with the names of a cache. */
function firstOdd(root: string, path: string): string | undefined {
  for (const name of readdirSync(join(root, path))) {
    const below = path === '' ? name : `${path}/${name}`;
    const stats = lstatSync(join(root, below));
    const depth = below.split('/').length;
    const fits =
      depth === 1 ? /^(ac|cas)$/.test(name) : depth === 2 ? /^[0-9a-f]{2}$/.test(name) : /^[0-9a-f]{64}$/.test(name);
    if (!fits || (depth < 3 ? !stats.isDirectory() : !stats.isFile())) return below;
    const odd = depth < 3 ? firstOdd(root, below) : undefined;
    if (odd !== undefined) return odd;
  }
  return undefined;
}

const countRecords = (root: string): number =>
  existsSync(join(root, 'ac'))
    ? readdirSync(join(root, 'ac')).reduce((sum, name) => sum + readdirSync(join(root, 'ac', name)).length, 0)
    : 0;
