// lhb cache push and pull: results to and from caches without a build, and over ssh by rsync.
import { existsSync } from 'node:fs';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { error } from '../../base/diagnostic.ts';
import { nearest } from '../../base/nearest.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { blobsOf } from '../../cache/record.ts';
import { Uploads } from '../../cache/uploads.ts';
import { isDecodable } from '../../cache/url.ts';
import { withUpstream } from '../../graph/graph.ts';
import { formatBytes, formatCount } from '../../report/format.ts';
import { describeCaches } from '../../report/wording.ts';
import { workLayout } from '../../store/layout.ts';
import type { Trace } from '../../store/trace.ts';
import { bringInFrom, hitsFor } from '../bring-in.ts';
import { askable, chooseCaches, OFFLINE, signingKey, trustFor } from '../cache-settings.ts';
import { openTiers } from '../open-caches.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import type { Word } from '../invocation.ts';
import { fail, planOf, withWorkspace } from '../query.ts';
import type { Screen } from '../screen.ts';
import { catchSignals } from '../signals.ts';
import { NO_TRUST, readingOnly, resultsToShare, runProgram, stage, stagedTier, withStaging } from '../staging.ts';
import { underLock } from '../under-lock.ts';
import { version } from '../version.ts';
import type { Workspace } from '../workspace.ts';
import type { CacheRequest } from './cache.ts';
import { SharedCaches } from '../../cache/tiers.ts';

type Target =
  { readonly kind: 'caches'; readonly name: Word | undefined } | { readonly kind: 'ssh'; readonly remote: string };

/** The first word may name a cache or a place over ssh; the others are selectors. */
function targetOf(
  workspace: Workspace,
  { words, caches }: CacheRequest,
): Result<{ target: Target; selectors: readonly Word[] }> {
  const [first, ...rest] = words;
  if (first?.text.startsWith('ssh://')) {
    if (caches.offline) return err([error('cache/failed', `'${first.text}' is ${OFFLINE}`, { at: first.at })]);
    const url = URL.canParse(first.text) ? new URL(first.text) : undefined;
    const isWhole = url !== undefined && isDecodable(url.username + url.pathname);
    if (!isWhole || url.hostname === '' || url.pathname.length < 2 || url.hostname.startsWith('-')) {
      return err([error('cli/bad-value', `'${first.text}' is no ssh://HOST/PATH`, { at: first.at })]);
    }
    const user = url.username === '' ? '' : `${decodeURIComponent(url.username)}@`;
    return ok({
      target: { kind: 'ssh', remote: `${user}${url.hostname}:${decodeURIComponent(url.pathname)}` },
      selectors: rest,
    });
  }
  const all = chooseCaches(workspace.workflow, undefined, { ...process.env, LHB_CACHE: undefined });
  const isCache =
    first !== undefined &&
    (first.text.startsWith('dir:') || (all.ok && all.value.some((spec) => first.text.split(':')[0] === spec.name)));
  const near =
    first && all.ok && !isCache
      ? nearest(
          first.text,
          all.value.map(({ name }) => name),
        )
      : undefined;
  if (near !== undefined && first !== undefined && !workspace.select([first]).ok) {
    const message = `'${first.text}' is neither a cache nor a job`;
    return err([error('select/nothing', message, { at: first.at, hint: `did you mean the cache '${near}'?` })]);
  }
  return ok({ target: { kind: 'caches', name: isCache ? first : caches.choice }, selectors: isCache ? rest : words });
}

function tracesOf(workspace: Workspace, selectors: readonly Word[]): Result<Trace[]> {
  const planned = planOf(workspace, selectors);
  if (!planned.ok) return planned;
  const { plan, jobs } = planned.value;
  return ok(resultsToShare(workspace, plan, jobs));
}

export const push = (request: CacheRequest, screen: Screen): Promise<ExitCode> =>
  withWorkspace(request.common, screen, false, async (workspace) => {
    const found = targetOf(workspace, request);
    if (!found.ok) return fail(screen, found.error);
    const traces = tracesOf(workspace, found.value.selectors);
    if (!traces.ok) return fail(screen, traces.error);
    if (request.dryRun) {
      if (screen.json) screen.document({ would_push: traces.value.length });
      screen.note(`would push ${formatCount(traces.value.length, 'result')}, as far as they are not there`);
      return EXIT.ok;
    }
    const { target } = found.value;
    return target.kind === 'ssh'
      ? pushOverSsh(workspace, target.remote, traces.value, screen)
      : pushToCaches(workspace, target.name, traces.value, request, screen);
  });

async function pushToCaches(
  workspace: Workspace,
  name: Word | undefined,
  traces: readonly Trace[],
  request: CacheRequest,
  screen: Screen,
): Promise<ExitCode> {
  const warn = (text: string): void => screen.note(`warning: ${text}`);
  const specs = chooseCaches(workspace.workflow, name, process.env);
  if (!specs.ok) return fail(screen, specs.error);
  // Who names a cache to push to wants it written.
  const written =
    name === undefined
      ? specs.value.filter(({ mode }) => mode === 'rw')
      : specs.value.map((spec) => ({ ...spec, mode: 'rw' as const }));
  if (written.length === 0) {
    const hint = 'name one, or set its mode to rw';
    return fail(screen, [error('cache/config', 'there is no cache to push to', { hint })]);
  }
  const { root } = workspace.workflow;
  const opened = openTiers(askable(written, request.caches, warn), root, warn);
  if (!opened.ok) return fail(screen, opened.error);
  const { tiers, maker } = opened.value;
  const uploads = new Uploads({
    tiers,
    maker,
    blobs: workspace.blobs,
    traceOf: (key) => workspace.index.getTrace(key),
    outbox: workLayout(root).outbox,
    mode: 'wait',
    isReached: () => true,
    others: true,
    refresh: request.caches.refresh,
    warn,
  });
  for (const trace of traces) uploads.add(trace.actionKey);
  uploads.resume();
  const signals = catchSignals();
  try {
    await uploads.finish(signals.signal, () => {});
  } finally {
    signals.close();
    for (const { cache } of tiers) cache.close();
  }
  for (const problem of uploads.problems()) warn(problem);
  const counts = tiers.map((tier) => ({
    name: tier.name,
    uploaded: tier.counts.uploaded,
    bytes: tier.counts.sentBytes,
  }));
  if (screen.json) screen.document({ caches: counts, waiting: uploads.waiting });
  for (const { name: cache, uploaded, bytes } of counts) {
    screen.note(`${cache}: ${uploaded} uploaded (${formatBytes(bytes)}), the others of ${traces.length} were there`);
  }
  if (uploads.waiting > 0)
    screen.note(`${formatCount(uploads.waiting, 'result')} could not be sent, and wait for the next time`);
  return signals.exitCode() ?? (uploads.waiting > 0 ? EXIT.jobFailed : EXIT.ok);
}

/** LHB_SSH is the command that rsync connects with, as `ssh -F FILE`. */
const rsyncShell = (): string[] => ['-e', process.env['LHB_SSH'] || 'ssh'];
const RSYNC = ['-a', '--ignore-existing', '--no-owner', '--no-group', '--chmod=D2775,F444'];

/** Blobs first, and records when all of them are there. */
async function pushOverSsh(
  workspace: Workspace,
  remote: string,
  traces: readonly Trace[],
  screen: Screen,
): Promise<ExitCode> {
  const key = signingKey(process.env);
  if (!key.ok) return fail(screen, key.error);
  return withStaging(workspace, async (root) => {
    const tier = stagedTier(root, 'ssh', NO_TRUST, (text) => screen.note(`warning: ${text}`));
    const count = await stage(tier, traces, workspace, { lhb: version(), key: key.value });
    for (const folder of ['cas', 'ac']) mkdirSync(join(root, folder), { recursive: true });
    const problem =
      (await runProgram('rsync', [
        ...RSYNC,
        ...rsyncShell(),
        '--exclude',
        '/ac',
        '--exclude',
        '/tmp',
        `${root}/`,
        `${remote}/`,
      ])) ?? (await runProgram('rsync', [...RSYNC, ...rsyncShell(), `${root}/ac/`, `${remote}/ac/`]));
    if (problem) return fail(screen, [problem]);
    if (screen.json) screen.document({ remote, results: count });
    screen.note(`pushed ${formatCount(count, 'result')} to ${remote}`);
    return EXIT.ok;
  });
}

export const pull = (request: CacheRequest, screen: Screen): Promise<ExitCode> =>
  underLock(request.common, screen, async (workspace) => {
    const found = targetOf(workspace, request);
    if (!found.ok) return fail(screen, found.error);
    const { target, selectors } = found.value;
    const selected = selectors.length === 0 ? ok(new Set(workspace.graph.jobs)) : workspace.select(selectors);
    if (!selected.ok) return fail(screen, selected.error);
    const jobs = withUpstream(selected.value);
    const warn = (text: string): void => screen.note(`warning: ${text}`);
    if (target.kind === 'ssh') return pullOverSsh(workspace, target.remote, jobs, request, screen);
    const specs = chooseCaches(workspace.workflow, target.name, process.env);
    if (!specs.ok) return fail(screen, specs.error);
    const opened = openTiers(askable(specs.value, request.caches, warn), workspace.workflow.root, warn);
    if (!opened.ok) return fail(screen, opened.error);
    const caches = new SharedCaches({
      tiers: opened.value.tiers,
      blobs: workspace.blobs,
      uploads: undefined,
      refresh: false,
      patient: true,
    });
    return bringOrSay(workspace, jobs, caches, request, screen);
  });

async function bringOrSay(
  workspace: Workspace,
  jobs: Parameters<typeof bringInFrom>[1],
  caches: SharedCaches,
  request: CacheRequest,
  screen: Screen,
): Promise<ExitCode> {
  if (request.dryRun) {
    const hits = await hitsFor(workspace, jobs, caches);
    caches.close();
    if (screen.json) screen.document({ would_pull: hits.length });
    screen.note(`would pull ${formatCount(hits.length, 'result')}`);
    return EXIT.ok;
  }
  const counts = await bringInFrom(workspace, jobs, caches, (text) => screen.note(`warning: ${text}`));
  const pulled = counts.caches.reduce((sum, c) => sum + c.jobs, 0);
  if (screen.json) screen.document({ pulled, caches: counts.caches });
  screen.note(`pulled ${formatCount(pulled, 'result')}${pulled > 0 ? '; `lhb build` brings them out' : ''}`);
  const line = describeCaches(counts);
  if (line !== undefined) screen.note(line);
  return EXIT.ok;
}

/** All records, and then the blobs of those that are wanted. */
async function pullOverSsh(
  workspace: Workspace,
  remote: string,
  jobs: Parameters<typeof bringInFrom>[1],
  request: CacheRequest,
  screen: Screen,
): Promise<ExitCode> {
  const warn = (text: string): void => screen.note(`warning: ${text}`);
  const key = signingKey(process.env);
  if (!key.ok) return fail(screen, key.error);
  const spec = { name: 'ssh', kind: 'dir', url: '', mode: 'r', trust: undefined, ns: '' } as const;
  const trust = trustFor(spec, workspace.workflow.root, key.value, process.env);
  if (!trust.ok) return fail(screen, trust.error);
  return withStaging(workspace, async (root) => {
    const records = await runProgram('rsync', [
      '-a',
      '--no-owner',
      '--no-group',
      ...rsyncShell(),
      `${remote}/ac/`,
      `${root}/ac/`,
    ]);
    if (records) return fail(screen, [records]);
    const look = stagedTier(root, 'ssh', trust.value, warn);
    const hits = await hitsFor(workspace, jobs, readingOnly(look, workspace));
    const names = new Set(hits.flatMap(({ record }) => blobsOf(record).map(({ b3 }) => `${b3.slice(0, 2)}/${b3}`)));
    if (names.size > 0 && !request.dryRun) {
      const args = [
        '-a',
        '--no-owner',
        '--no-group',
        '--ignore-missing-args',
        ...rsyncShell(),
        '--files-from=-',
        `${remote}/cas/`,
        `${root}/cas/`,
      ];
      const blobs = await runProgram('rsync', args, [...names].map((name) => `${name}\n`).join(''));
      if (blobs && !existsSync(join(root, 'cas'))) return fail(screen, [blobs]);
    }
    return bringOrSay(
      workspace,
      jobs,
      readingOnly(stagedTier(root, 'ssh', trust.value, warn), workspace),
      request,
      screen,
    );
  });
}
