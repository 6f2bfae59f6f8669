// What the kernel lets a program be started with.
import { readFileSync } from 'node:fs';
import { valueIn, wholeEnvironment, type Environment, type JobEnvironment } from './environment.ts';

// Linux: one string of an argument list or environment has at most 32 pages (MAX_ARG_STRLEN), with its NUL; all of them
// and their pointers a quarter of the stack's limit, 6 MiB at most, 128 KiB at least (execve(2)).
const MAX_STRING = 131072;
let maxTotal: number | undefined;

function totalLimit(): number {
  if (maxTotal !== undefined) return maxTotal;
  maxTotal = 2 * 1024 * 1024;
  try {
    const soft = /^Max stack size\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    const quarter = soft === undefined || soft === 'unlimited' ? Infinity : Number(soft) / 4;
    maxTotal = Math.max(131072, Math.min(quarter, 6 * 1024 * 1024));
  } catch {
    // not Linux: the usual value
  }
  return maxTotal;
}

/** Bytes of a string with its NUL; counts them only where it may matter. */
const bytes = (text: string): number => (text.length * 3 < 1024 ? text.length : Buffer.byteLength(text)) + 1;

/** May a variable be handed to a program at all? */
export const fits = (name: string, value: string): boolean =>
  bytes(name) + bytes(value) <= MAX_STRING && !value.includes('\0');

/** `bytes`: of its strings and the pointers to them; `problem`: why nothing can be started with it. */
type Weight = { readonly bytes: number; readonly problem: string | undefined };

/** Of what the jobs of a rule inherit. */
const weights = new WeakMap<Environment, Weight>();

function weightOf(env: Environment): Weight {
  const found = weights.get(env) ?? weigh(env);
  weights.set(env, found);
  return found;
}

const entryBytes = (name: string, value: string): number => bytes(name) + bytes(value) + 8;

function weigh(env: Environment): Weight {
  let total = 0;
  for (const name in env) {
    const value = env[name] ?? '';
    const size = entryBytes(name, value);
    if (size - 8 > MAX_STRING) {
      const problem = `the variable ${name} has ${size - 8} bytes, and one may have ${MAX_STRING}; hand it over in a file`;
      return { bytes: total, problem };
    }
    if (name === '' || name.includes('=') || name.includes('\0') || value.includes('\0'))
      return { bytes: total, problem: `the environment has a name or value that cannot be: '${name}'` };
    total += size;
  }
  return { bytes: total, problem: undefined };
}

/** Why the kernel would refuse to start this, in the user's words; undefined if it would not. */
export function refusal(words: readonly string[], environment: JobEnvironment): string | undefined {
  if (words.length === 0 || words[0] === '') return 'the command is empty';
  let total = 4096; // the program's own path, the auxiliary vector
  for (const word of words) {
    const size = bytes(word);
    if (size > MAX_STRING)
      return `an argument has ${size} bytes, and one may have ${MAX_STRING}; hand it over in a file`;
    if (word.includes('\0')) return 'an argument contains a NUL byte';
    total += size + 8;
  }
  const weighed = weighBoth(environment);
  if (weighed.problem !== undefined) return weighed.problem;
  total += weighed.bytes;
  if (total <= totalLimit()) return undefined;
  return `arguments and environment have ${total} bytes together, and may have ${totalLimit()}; hand lists over in a file (listfile)`;
}

function weighBoth({ inherited, env }: JobEnvironment): Weight {
  const all = weightOf(inherited);
  // What cannot be may be one that the job has in another way.
  if (all.problem !== undefined) return weigh(wholeEnvironment({ inherited, env }));
  const own = weigh(env);
  let total = all.bytes + own.bytes;
  for (const name in env) {
    const value = valueIn(inherited, name);
    if (value !== undefined) total -= entryBytes(name, value);
  }
  return { bytes: total, problem: own.problem };
}
