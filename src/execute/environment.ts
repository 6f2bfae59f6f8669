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
  /** As it stands when it is first seen. */
  readonly inherited: Inherited;
  readonly keepEnv: readonly string[] | undefined;
  readonly ruleEnv: Environment;
  readonly lhbVars: Environment;
}): Record<string, string> {
  return { ...keptOf(from.inherited, from.keepEnv), ...from.lhbVars, ...from.ruleEnv };
}

type Inherited = Readonly<Record<string, string | undefined>>;

/** What a rule's jobs keep of an environment, by its `keepEnv`: worked out once, not for each job. */
const known = new WeakMap<Inherited, Map<readonly string[] | undefined, Environment>>();

function keptOf(inherited: Inherited, keepEnv: readonly string[] | undefined): Environment {
  const byRule = known.get(inherited) ?? new Map<readonly string[] | undefined, Environment>();
  known.set(inherited, byRule);
  const found = byRule.get(keepEnv) ?? keep(inherited, keepEnv);
  byRule.set(keepEnv, found);
  return found;
}

function keep(inherited: Inherited, keepEnv: readonly string[] | undefined): Environment {
  const kept = keepEnv && [...ALWAYS_KEPT, ...keepEnv].map(globToRegExp);
  const isKept = (entry: [string, string | undefined]): entry is [string, string] => {
    const [name, value] = entry;
    if (value === undefined || name === '_' || name.startsWith('LHB_')) return false;
    return kept === undefined || kept.some((pattern) => pattern.test(name));
  };
  // Property by property V8 makes a dictionary of it, which is copied in twice the time.
  return Object.fromEntries(Object.entries(inherited).filter(isKept));
}
