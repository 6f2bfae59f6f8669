// The environment in which the tests start the program: the caller's, without what would change its behaviour.

const DROPPED =
  /^(LHB_.*|CI|NO_COLOR|FORCE_COLOR|CLICOLOR.*|COLORTERM|NODE_EXTRA_CA_CERTS|NODE_OPTIONS|CUDA_VISIBLE_DEVICES|XDG_.*|GIT_.*|TMPDIR|BASH_ENV|ENV)$/;

/**
 * A copy of the environment without settings of lhb, CI, colours, GPUs and the user's own folders.
 * `changes` are put on top; undefined removes a variable.
 */
export function cleanEnv(changes: Readonly<Record<string, string | undefined>> = {}): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => !DROPPED.test(name));
  const all = [...kept, ...Object.entries(changes)];
  const env = new Map<string, string>();
  for (const [name, value] of all) {
    if (value === undefined) env.delete(name);
    else env.set(name, value);
  }
  return Object.fromEntries(env);
}
