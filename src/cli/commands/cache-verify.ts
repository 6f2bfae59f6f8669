// lhb cache verify and repair: is all in a cache what it says? A folder is looked through whole; of a server what it has for
// the results of this work tree, for it cannot list what it has.
import { lstatSync, rmSync, statSync, unlinkSync } from 'node:fs';
import { error, type Diagnostic } from '../../base/diagnostic.ts';
import { ok, type Result } from '../../base/result.ts';
import { anyonesRecord } from '../../cache/any-record.ts';
import { badEntry, NO_FILE, UNREADABLE } from '../../cache/dir-files.ts';
import { DirectoryCache } from '../../cache/directory.ts';
import { failure } from '../../cache/dir-failure.ts';
import { LIMITS } from '../../cache/guard.ts';
import { blobsOf, OTHER_NAMESPACE, type SharedRecord } from '../../cache/record.ts';
import { packParcel, publish } from '../../cache/publish.ts';
import type { Tier } from '../../cache/tier.ts';
import { errno, unless } from '../../fs/errno.ts';
import { hashFileAsync } from '../../hash/hash-file.ts';
import { declared } from '../../plan/records.ts';
import { formatCount } from '../../report/format.ts';
import { sameForKeys } from '../../store/manifest.ts';
import { isShared } from '../../schedule/shared-results.ts';
import type { Trace } from '../../store/trace.ts';
import { isOurs } from '../../cache/uploads.ts';
import { isOffline, OFFLINE } from '../cache-settings.ts';
import { openConfigured } from '../caches-of.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { fail, planOf, withWorkspace } from '../query.ts';
import type { Screen } from '../screen.ts';
import type { Workspace } from '../workspace.ts';
import { build } from './build.ts';
import type { CacheRequest } from './cache.ts';
import { CacheError, COMMAND_LIMITS, type BlobRef, type RecordKey } from '../../cache/shared-cache.ts';

type Finding = {
  readonly kind: 'record' | 'blob';
  readonly what: string;
  readonly state: string;
  fixed: string;
  /** What of a folder may go for it: paths of what is damaged for everybody. */
  readonly removes: readonly string[];
};

type Verified = { readonly records: number; readonly blobs: number; readonly findings: Finding[] };

const OTHER_BYTES = 'its bytes are others';

/** Everything in a folder, of all who share it: records by their seal and signature, blobs by their bytes. */
async function verifyFolder(tier: Tier, cache: DirectoryCache): Promise<Verified> {
  const findings: Finding[] = [];
  const named = new Map<string, RecordKey[]>();
  let records = 0;
  for await (const { key } of cache.listRecords()) {
    const found = await readAnyones(cache, key);
    if (found === undefined) continue;
    records++;
    const { bytes, record, damaged } = found;
    for (const blob of record ? blobsOf(record) : []) named.set(blob.b3, [...(named.get(blob.b3) ?? []), key]);
    const opened = bytes && damaged === undefined ? tier.open(key, bytes) : undefined;
    const state = damaged ?? (bytes ? opened : UNREADABLE);
    if (typeof state !== 'string' || state === OTHER_NAMESPACE) continue;
    tier.badRecords.add(key);
    const removes = damaged === undefined ? [] : [cache.recordPath(key)];
    findings.push({ kind: 'record', what: key, state, fixed: '', removes });
  }
  const pathsNaming = (b3: string): string[] => (named.get(b3) ?? []).map((key) => cache.recordPath(key));
  let blobs = 0;
  const seen = new Set<string>();
  for await (const { name, path } of cache.listBlobs()) {
    blobs++;
    seen.add(name);
    const state = await blobState(name, path);
    if (state === undefined) continue;
    tier.badBlobs.add(name);
    for (const key of named.get(name) ?? []) tier.badRecords.add(key);
    const removes = state === UNREADABLE ? [] : [...pathsNaming(name), path];
    findings.push({ kind: 'blob', what: name, state, fixed: '', removes });
  }
  for (const [b3, keys] of named) {
    if (seen.has(b3)) continue;
    for (const key of keys) tier.badRecords.add(key);
    const state = `gone, and named by ${formatCount(keys.length, 'record')}`;
    findings.push({ kind: 'blob', what: b3, state, fixed: '', removes: pathsNaming(b3) });
  }
  return { records, blobs, findings };
}

type Anyones = {
  /** Undefined: this user may not read it, or it is no file. */
  readonly bytes: Uint8Array | undefined;
  readonly record: SharedRecord | undefined;
  /** What is wrong with it for everybody. */
  readonly damaged: string | undefined;
};

/** A record of a folder; undefined where it has gone meanwhile. */
async function readAnyones(cache: DirectoryCache, key: RecordKey): Promise<Anyones | undefined> {
  try {
    const bytes = await cache.getRecord(key, { limits: LIMITS });
    if (bytes === undefined) return undefined;
    const found = anyonesRecord(bytes, key);
    if (found === 'newer') return { bytes, record: undefined, damaged: undefined };
    return found.ok
      ? { bytes, record: found.value, damaged: undefined }
      : { bytes, record: undefined, damaged: found.error };
  } catch (problem) {
    if (!(problem instanceof CacheError) || problem.kind !== 'bytes') throw problem;
    const { message } = problem;
    return { bytes: undefined, record: undefined, damaged: message === UNREADABLE ? undefined : message };
  }
}

/** What is wrong with a blob; undefined where nothing is, or it has gone meanwhile. */
async function blobState(name: string, path: string): Promise<string | undefined> {
  try {
    if (!statSync(path).isFile()) return NO_FILE;
    return (await hashFileAsync(path)).digest === name ? undefined : OTHER_BYTES;
  } catch (problem) {
    const why = await badEntry(problem, path);
    if (why === undefined && errno(problem) !== 'ENOENT') throw problem;
    return why;
  }
}

/** What is wrong with a blob of a server; undefined: nothing. */
async function wrongWith(blob: BlobRef, { cache }: Tier, workspace: Workspace): Promise<string | undefined> {
  const file = workspace.blobs.temporaryInWork();
  try {
    if (!(await cache.fetchBlob(blob, file, { limits: COMMAND_LIMITS }))) return 'gone';
    return (await hashFileAsync(file)).digest === blob.b3 ? undefined : OTHER_BYTES;
  } catch (problem) {
    if (problem instanceof CacheError && problem.kind === 'bytes') return OTHER_BYTES;
    throw problem;
  } finally {
    rmSync(file, { force: true });
  }
}

/** What a server has for results of this work tree. Throws a CacheError where it fails. */
async function verifyServer(tier: Tier, workspace: Workspace, traces: readonly Trace[]): Promise<Verified> {
  const findings: Finding[] = [];
  let records = 0;
  let blobs = 0;
  for (const trace of traces) {
    const key = tier.keyFor(trace.actionKey);
    const bytes = await tier.cache.getRecord(key, { limits: COMMAND_LIMITS });
    if (bytes === undefined) continue;
    records++;
    const opened = tier.open(key, bytes);
    if (typeof opened === 'string') {
      tier.badRecords.add(key);
      findings.push({ kind: 'record', what: key, state: opened, fixed: '', removes: [] });
      continue;
    }
    for (const blob of blobsOf(opened.record)) {
      blobs++;
      const state = await wrongWith(blob, tier, workspace);
      if (state === undefined) continue;
      if (state === OTHER_BYTES) tier.badBlobs.add(blob.b3);
      tier.badRecords.add(key);
      findings.push({ kind: 'blob', what: blob.sha || blob.b3, state, fixed: '', removes: [] });
    }
  }
  return { records, blobs, findings };
}

export async function verify(request: CacheRequest, screen: Screen): Promise<ExitCode> {
  return request.rebuild === undefined ? look(request, screen, false) : rebuildAndCompare(request, screen);
}

export const repair = (request: CacheRequest, screen: Screen): Promise<ExitCode> =>
  look(request, screen, !request.dryRun);

function look(request: CacheRequest, screen: Screen, mend: boolean): Promise<ExitCode> {
  return withWorkspace(request.common, screen, false, async (workspace) => {
    const opened = openConfigured(request.common, request.words[0] ?? request.caches.choice, (text) =>
      screen.note(`warning: ${text}`),
    );
    if (!opened.ok) return fail(screen, opened.error);
    const traces = ownTraces(workspace);
    if (!traces.ok) return fail(screen, traces.error);
    const rows: string[][] = [];
    let left = 0;
    const json: unknown[] = [];
    const problems: Diagnostic[] = [];
    for (const tier of opened.value.tiers) {
      if (isOffline(tier.cache.spec, request.caches)) {
        screen.note(`cache ${tier.name}: ${OFFLINE}`);
        continue;
      }
      let verified: Verified;
      try {
        verified =
          tier.cache instanceof DirectoryCache
            ? await verifyFolder(tier, tier.cache)
            : await verifyServer(tier, workspace, traces.value);
        if (mend && tier.isWritten) await mendAll(tier, workspace, traces.value, verified.findings, opened.value.maker);
      } catch (problem) {
        // The others are looked at all the same.
        problems.push(error('cache/failed', `cache ${tier.name}: ${failure(problem, tier.cache.spec.url).message}`));
        continue;
      } finally {
        tier.cache.close();
      }
      left += verified.findings.filter(({ fixed }) => fixed === '').length;
      rows.push(...verified.findings.map((f) => [tier.name, f.kind, f.what, f.state, f.fixed || '-']));
      const findings = verified.findings.map(({ kind, what, state, fixed }) => ({ kind, what, state, fixed }));
      json.push({ cache: tier.name, ...verified, findings });
      if (mend && !tier.isWritten && findings.length > 0) {
        const some = verified.findings.filter(({ removes }) => removes.length > 0).length;
        screen.note(
          `${tier.name}: its mode is r, so nothing is changed there; with mode rw ${formatCount(some, 'bad entry', 'bad entries')} would be removed, or replaced by what was made here: \`lhb cache repair ${tier.name}:rw\``,
        );
      }
      screen.note(
        `${tier.name}: ${formatCount(verified.records, 'record')} and ${formatCount(verified.blobs, 'blob')} checked: ${verified.findings.length === 0 ? 'all is well' : `${verified.findings.length} bad`}`,
      );
    }
    if (screen.json) screen.document({ caches: json });
    else if (rows.length > 0)
      screen.table(
        ['cache', 'kind', 'what', 'state', 'repaired'].map((title) => ({ title })),
        rows,
      );
    const isMended = mend && opened.value.tiers.some((tier) => tier.isWritten);
    if (left > 0 && mend === isMended)
      screen.note(
        mend
          ? 'some were not repaired: what others may take is left to them'
          : 'such results are never taken; `lhb cache repair` removes or replaces them',
      );
    if (problems.length > 0) return fail(screen, problems);
    return left > 0 ? EXIT.jobFailed : EXIT.ok;
  });
}

function ownTraces(workspace: Workspace): Result<Trace[]> {
  const planned = planOf(workspace, []);
  if (!planned.ok) return planned;
  return ok(
    [...planned.value.plan.steps.values()].flatMap(({ job, judgement: { trace } }) => {
      const whole = trace && isShared(job) ? workspace.records.trace(trace.actionKey) : undefined;
      return whole ? [whole] : [];
    }),
  );
}

/** What was made here is put there again; of the rest goes what is damaged for everybody, where that can be done. */
async function mendAll(
  tier: Tier,
  workspace: Workspace,
  traces: readonly Trace[],
  findings: Finding[],
  maker: Parameters<typeof publish>[2],
): Promise<void> {
  for (const trace of traces) {
    const key = tier.keyFor(trace.actionKey);
    if (!tier.badRecords.has(key) || !isOurs(trace)) continue;
    const parcel = await packParcel(trace, workspace.blobs);
    if (parcel === undefined) continue;
    const published = await publish(parcel, tier, maker, true, {}).catch((problem: unknown) => {
      // Another's entry, which only he may replace.
      if (problem instanceof CacheError && problem.kind === 'bytes') return undefined;
      throw problem;
    });
    if (published?.kind !== 'stored') continue;
    const names = new Set([key as string, ...parcel.files.flatMap(({ blob }) => [blob.b3 as string, blob.sha])]);
    for (const finding of findings) if (names.has(finding.what)) finding.fixed = 'replaced';
  }
  for (const finding of findings) {
    if (finding.fixed !== '' || finding.removes.length === 0) continue;
    // Who may not remove what another put there leaves it.
    const isGone = unless(['EACCES', 'EPERM'], () => {
      for (const path of finding.removes) removeEntry(path);
      return true;
    });
    if (isGone) finding.fixed = 'removed';
  }
}

/** Not by rmSync alone: where a file may not be removed it says that it is no folder. */
function removeEntry(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) rmSync(path, { recursive: true });
  else unless(['ENOENT'], () => unlinkSync(path));
}

/** Runs a job again, without caches, and compares what it makes with what the cache has. */
async function rebuildAndCompare(request: CacheRequest, screen: Screen): Promise<ExitCode> {
  const { common, rebuild, caches } = request;
  if (rebuild === undefined) return EXIT.usage;
  const off = { ...caches, choice: { text: 'off', at: rebuild.at } };
  const options = { ...NO_OPTIONS, caches: off };
  const code = await build({ common, build: options, selectors: [], forcerun: [rebuild], only: true }, screen);
  if (code !== EXIT.ok) return code;
  return withWorkspace(common, screen, false, async (workspace) => {
    const opened = openConfigured(common, request.words[0] ?? caches.choice, (text) => screen.note(`warning: ${text}`));
    const selected = workspace.select([rebuild]);
    const planned = planOf(workspace, [rebuild]);
    for (const result of [opened, selected, planned]) if (!result.ok) return fail(screen, result.error);
    if (!opened.ok || !selected.ok || !planned.ok) return EXIT.usage;
    let differing = 0;
    for (const tier of opened.value.tiers) {
      for (const job of selected.value) {
        const trace = planned.value.plan.steps.get(job)?.judgement.trace;
        const hit = trace && (await tier.look({ actionKey: trace.actionKey, declared: declared(job) }));
        if (trace === undefined || hit === undefined) continue;
        const same = sameForKeys(trace.manifest, hit.record.manifest);
        if (!same) differing++;
        screen.note(
          `${tier.name}: ${job.rule.name} ${job.id} ${same ? 'has the same bytes' : 'has other bytes than the run just now made'}`,
        );
      }
      tier.cache.close();
    }
    return differing > 0 ? EXIT.jobFailed : EXIT.ok;
  });
}

const NO_OPTIONS: Omit<Parameters<typeof build>[0]['build'], 'caches'> = {
  jobs: undefined,
  dryRun: false,
  reason: false,
  dag: false,
  keepGoing: false,
  forceAll: false,
  forcerun: [],
  rerunIncomplete: false,
  until: [],
  omitFrom: [],
  resources: [],
  defaultResources: [],
  setResources: [],
  noTemp: false,
  retries: undefined,
  profileName: undefined,
  profile: undefined,
  executor: undefined,
  detach: false,
  wait: false,
  check: false,
  watch: false,
};
