// The caches that a command on them is about: by name, as `dir:/path`, or all that are configured.
import { resolve } from 'node:path';
import { error } from '../base/diagnostic.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { Maker } from '../cache/publish.ts';
import type { CacheSpec } from '../cache/shared-cache.ts';
import type { Tier } from '../cache/tier.ts';
import { chooseCaches } from './cache-settings.ts';
import type { CommonOptions, Word } from './invocation.ts';
import { openTiers } from './open-caches.ts';
import { loadWorkspace } from './workspace.ts';

export type Configured = {
  /** The workflow's folder; without a workflow the folder that one stands in. */
  readonly root: string;
  readonly specs: readonly CacheSpec[];
};

/** The caches that a word names, or all. Without a workflow those of the user's own file. */
export function configuredCaches(common: CommonOptions, name: Word | undefined): Result<Configured> {
  const loaded = loadWorkspace(common);
  if (!loaded.ok && !loaded.error.every((d) => d.code === 'cli/no-workflow')) return loaded;
  const root = loaded.ok ? loaded.value.workflow.root : resolve(common.directory?.text ?? '.');
  const workflow = loaded.ok ? loaded.value.workflow : { root, caches: [] };
  const specs = chooseCaches(workflow, name, process.env);
  if (!specs.ok) return specs;
  if (specs.value.length === 0) {
    const hint = 'name some in `caches:` of lhb.yaml or of ~/.config/lhb/config.yaml, or one as dir:/path';
    return err([error('cache/config', 'there are no shared caches', { hint })]);
  }
  return ok({ root, specs: specs.value });
}

/** As `configuredCaches`, opened. */
export function openConfigured(
  common: CommonOptions,
  name: Word | undefined,
  warn: (text: string) => void,
): Result<
  Configured & {
    readonly tiers: readonly Tier[];
    readonly maker: Maker;
  }
> {
  const configured = configuredCaches(common, name);
  if (!configured.ok) return configured;
  const opened = openTiers(configured.value.specs, configured.value.root, warn);
  return opened.ok ? ok({ ...configured.value, ...opened.value }) : opened;
}
