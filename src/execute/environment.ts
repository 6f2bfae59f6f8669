// The environment of a job (spec, "Job environment"), but for TMPDIR and CUDA_VISIBLE_DEVICES, which the executor adds.

export type Environment = Readonly<Record<string, string>>;

/** What stays of the inherited environment whatever `keep_env` says. */
const ALWAYS_KEPT = ['PATH', 'HOME', 'USER', 'LANG'];

const globToRegExp = (glob: string): RegExp =>
  new RegExp(
    `^${glob
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
    's',
  );

/**
 * The inherited environment, narrowed by `keepEnv` (names, or globs with `*` and `?`; undefined keeps all), then the
 * LHB_* variables of this job, then the rule's `env`; later wins. LHB_* of an outer lhb, and the credentials of caches
 * that have such names, are left out; so is `_`, which names the program that was started last and nothing else.
 */
export function jobEnvironment(from: {
  readonly inherited: Readonly<Record<string, string | undefined>>;
  readonly keepEnv: readonly string[] | undefined;
  readonly ruleEnv: Environment;
  readonly lhbVars: Environment;
}): Record<string, string> {
  const kept = from.keepEnv && [...ALWAYS_KEPT, ...from.keepEnv].map(globToRegExp);
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(from.inherited)) {
    if (value === undefined || name === '_' || name.startsWith('LHB_')) continue;
    if (kept === undefined || kept.some((pattern) => pattern.test(name))) env[name] = value;
  }
  return Object.assign(env, from.lhbVars, from.ruleEnv);
}
