// Opens the shared caches for a command.
import { mkdirSync } from 'node:fs';
import { err, ok, type Result } from '../base/result.ts';
import { openCache } from '../cache/open-cache.ts';
import type { CacheSpec } from '../cache/shared-cache.ts';
import { Tier } from '../cache/tier.ts';
import { SharedCaches } from '../cache/tiers.ts';
import { Uploads } from '../cache/uploads.ts';
import { workLayout } from '../store/layout.ts';
import { isOffline, signingKey, trustFor } from './cache-settings.ts';
import type { CacheOptions } from './invocation.ts';
import { version } from './version.ts';
import type { Workspace } from './workspace.ts';

/** Caches with whom they trust, in their order. */
export function openTiers(
  specs: readonly CacheSpec[],
  root: string,
  warn: (text: string) => void,
): Result<{ readonly tiers: Tier[]; readonly maker: { readonly lhb: string; readonly key: KeyOrNone } }> {
  const key = signingKey(process.env);
  if (!key.ok) return key;
  const tiers: Tier[] = [];
  for (const spec of specs) {
    const trust = trustFor(spec, root, key.value, process.env);
    if (!trust.ok) return trust;
    tiers.push(new Tier(openCache(spec, process.env), trust.value, warn));
  }
  return ok({ tiers, maker: { lhb: version(), key: key.value } });
}

type KeyOrNone = (ReturnType<typeof signingKey> & { ok: true })['value'];

/**
 * The caches of a build. Nothing is asked of them yet.
 * @param write results are brought in and sent; false: they are only looked for
 */
export function openCaches(
  workspace: Workspace,
  specs: readonly CacheSpec[],
  options: CacheOptions,
  write: boolean,
  warn: (text: string) => void,
  patient = false,
): Result<SharedCaches> {
  const { root } = workspace.workflow;
  const opened = openTiers(specs, root, warn);
  if (!opened.ok) return err(opened.error);
  const { tiers, maker } = opened.value;
  if (write) mkdirSync(workspace.layout.tmp, { recursive: true });
  const reached = tiers.filter((tier) => !isOffline(tier.cache.spec, options));
  const uploads =
    write &&
    new Uploads({
      tiers,
      maker,
      blobs: workspace.blobs,
      traceOf: (key) => workspace.index.getTrace(key),
      outbox: workLayout(root).outbox,
      mode: options.upload,
      isReached: (tier) => reached.includes(tier),
      refresh: options.refresh,
      warn,
    });
  if (uploads) uploads.resume();
  return ok(
    new SharedCaches({
      tiers: reached,
      blobs: workspace.blobs,
      uploads: uploads || undefined,
      refresh: options.refresh,
      patient,
    }),
  );
}
