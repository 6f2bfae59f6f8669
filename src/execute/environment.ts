// The environment of a job (spec, "Job environment"), but for TMPDIR and CUDA_VISIBLE_DEVICES, which the executor adds.
//
// It has two parts: what it inherits, which is one object for all jobs of a rule and looked at once for all of them, and its
// own, a few variables.

export type Environment = Readonly<Record<string, string>>;

export type JobEnvironment = {
  /** The same object for all jobs of a rule. */
  readonly inherited: Environment;
  /** These win. */
  readonly env: Environment;
};

/** A variable's value; every object has a `__proto__` that is none. */
export const valueIn = (env: Environment, name: string): string | undefined =>
  Object.hasOwn(env, name) ? env[name] : undefined;

/** Both parts as one. */
export const wholeEnvironment = ({ inherited, env }: JobEnvironment): Environment => ({ ...inherited, ...env });

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
 * The environment of lhb itself (`outer`), narrowed by `keepEnv` (names, or globs with `*` and `?`; undefined keeps all), then the
 * LHB_* variables of this job, then the rule's `env`; later wins. LHB_* of an outer lhb, and the credentials of caches
 * that have such names, are left out; so is `_`, which names the program that was started last and nothing else.
 */
export function jobEnvironment(from: {
  /** As it stands when it is first seen. */
  readonly outer: Outer;
  readonly keepEnv: readonly string[] | undefined;
  readonly ruleEnv: Environment;
  readonly lhbVars: Environment;
}): JobEnvironment {
  return { inherited: keptOf(from.outer, from.keepEnv), env: { ...from.lhbVars, ...from.ruleEnv } };
}

type Outer = Readonly<Record<string, string | undefined>>;

const known = new WeakMap<Outer, Map<readonly string[] | undefined, Environment>>();

function keptOf(outer: Outer, keepEnv: readonly string[] | undefined): Environment {
  const byRule = known.get(outer) ?? new Map<readonly string[] | undefined, Environment>();
  known.set(outer, byRule);
  const found = byRule.get(keepEnv) ?? keep(outer, keepEnv);
  byRule.set(keepEnv, found);
  return found;
}

function keep(outer: Outer, keepEnv: readonly string[] | undefined): Environment {
  const kept = keepEnv && [...ALWAYS_KEPT, ...keepEnv].map(globToRegExp);
  const isKept = (entry: [string, string | undefined]): entry is [string, string] => {
    const [name, value] = entry;
    if (value === undefined || name === '_' || name.startsWith('LHB_')) return false;
    return kept === undefined || kept.some((pattern) => pattern.test(name));
  };
  return Object.fromEntries(Object.entries(outer).filter(isKept));
}

const differences = new WeakMap<Environment, { readonly from: Environment; readonly names: readonly string[] }>();

/** Names of variables that only one of two environments has, or that have other values in it. */
export function differing(env: Environment, from: Environment): readonly string[] {
  const found = differences.get(env);
  if (found?.from === from) return found.names;
  const all = new Set([...Object.keys(env), ...Object.keys(from)]);
  const names = [...all].filter((name) => valueIn(env, name) !== valueIn(from, name));
  differences.set(env, { from, names });
  return names;
}
