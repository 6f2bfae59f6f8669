// A job as text for a POSIX shell. Two forms of one thing:
// - `slotText`: what a local helper shell reads from its stdin: the differences to the helper's own environment, no
//   process but the command's own, the status on fd 3.
// - `jobScript`: a file that does all by itself (`sh job.sh`): for a scheduler's node, and to run a failed job by hand.
import type { Launch } from './executor.ts';
import { differing, valueIn, type Environment, type JobEnvironment } from './environment.ts';
import { EXIT_MARKER, markerLines } from './exit-marker.ts';
import { defaultShell, isProgram, isShellWord, plainWords, quoteWord, shIsDash } from './shell.ts';
import { fits } from './start-limits.ts';
import { SHUT, type TurnLines } from './turns.ts';

/** The command's text, in the job's folder, for `shell` to run: an argument ends at 128 kB, a file does not. */
export const COMMAND_FILE = 'command';

// Not for `export`: no identifier, or a name that one shell or another sets, checks or refuses to change (bash as `sh`).
const SPECIAL =
  /^(IFS|OPTIND|OPTARG|LINENO|PPID|E?UID|GROUPS|SHELLOPTS|BASHOPTS|POSIXLY_CORRECT|RANDOM|SECONDS|BASH_.*|DIRSTACK|FUNCNAME|HISTCMD|PIPESTATUS)$/;
const isPlainName = (name: string): boolean => /^[A-Za-z_]\w*$/.test(name) && !SPECIAL.test(name);

/** The part of an environment that a helper shell can be started with and hand on unchanged. */
export function helperEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const isPlain = (entry: [string, string | undefined]): entry is [string, string] => {
    const [name, value] = entry;
    // No job has `_`: each would have to unset it.
    if (value === undefined || name === '_' || name.startsWith('LHB_')) return false;
    return isPlainName(name) && fits(name, value);
  };
  return Object.fromEntries(Object.entries(env).filter(isPlain));
}

// bash reads BASH_ENV and exported functions before the command: these could give any word another meaning.
const hasHooks = (env: Environment): boolean =>
  Object.keys(env).some((name) => name === 'BASH_ENV' || name.startsWith('BASH_FUNC_'));

const hooks = new WeakMap<Environment, boolean>();

/** Asked for each job of a rule. */
function inheritsHooks(inherited: Environment): boolean {
  const found = hooks.get(inherited) ?? hasHooks(inherited);
  hooks.set(inherited, found);
  return found;
}

/** The words that are executed; `file` is the command file of a script, undefined where none is needed. */
export function commandWords({
  command,
  inherited,
  env,
  jobDir,
  cwd,
}: JobEnvironment & Pick<Launch, 'command' | 'jobDir' | 'cwd'>): { words: string[]; file: string | undefined } {
  if (command.kind === 'argv') return { words: [...command.wrapper, ...command.argv], file: undefined };
  const isDefault = command.shell === defaultShell() || command.shell.join('\0') === defaultShell().join('\0');
  if (isDefault && !inheritsHooks(inherited) && !hasHooks(env)) {
    const words = plainWords(command.text);
    const path = env['PATH'] ?? inherited['PATH'];
    if (words?.[0] !== undefined && isProgram(words[0], path, cwd)) return { words, file: undefined };
  }
  const file = `${jobDir}/${COMMAND_FILE}`;
  return { words: [...command.shell, file], file };
}

/** The helper's own variable: one that it has, by `helperEnvironment`, from nobody else, and so hands on to no job. */
const STATUS = 'LHB_STATUS';

/** Words for `exec`. A first word with `=` would be taken for a variable by `env`. */
function execLine(words: readonly string[], env: readonly string[]): string {
  const quoted = words.map(quoteWord).join(' ');
  if (env.length === 0) return `exec ${quoted}`;
  const command = words[0]?.includes('=') === true ? `sh -c 'exec "$0" "$@"' ${quoted}` : quoted;
  return `exec env ${env.map(quoteWord).join(' ')} ${command}`;
}

/**
 * What a helper reads to run one job. A subshell becomes the command (exec), or it is a simple command, with stdin from
 * /dev/null, stdout and stderr to the log, and nothing else open. Then comes the exit marker; then, on fd 3: two lines of `times`, and `e STATUS`.
 * A job that goes by turns begins when it has one, and the first on fd 3 is `b`, or `x` where it was called off.
 * All in braces: a text that is cut off, because lhb is killed while it writes, runs nothing.
 */
export function slotText(from: {
  readonly words: readonly string[];
  readonly inherited: Environment;
  readonly env: Environment;
  /** What the helper was started with. */
  readonly helperEnv: Environment;
  readonly helperCwd: string;
  readonly cwd: string;
  readonly log: string;
  readonly jobDir: string;
  readonly token: string;
  readonly startedAt: number;
  /** Undefined: it goes by none. */
  readonly turn: TurnLines | undefined;
  /** Whether the helper has opened the turns. */
  readonly hasTurns: boolean;
}): string {
  const { inherited, env, helperEnv } = from;
  const set: string[] = [];
  const odd: string[] = [];
  const unset: string[] = [];
  const give = (name: string, value: string): void => {
    if (helperEnv[name] === value) return;
    if (isPlainName(name)) set.push(`${name}=${quoteWord(value)}`);
    else odd.push(`${name}=${value}`);
  };
  for (const name of differing(inherited, helperEnv)) {
    const value = valueIn(inherited, name);
    if (Object.hasOwn(env, name)) continue;
    if (value === undefined) unset.push(name);
    else give(name, value);
  }
  for (const name in env) give(name, env[name] ?? '');
  const valueOf = (name: string): string | undefined => env[name] ?? inherited[name];
  // bash tells what it starts so by a variable more, `_`.
  const isSimple =
    shIsDash() &&
    from.cwd === from.helperCwd &&
    odd.length + unset.length === 0 &&
    (valueOf('PATH') === helperEnv['PATH'] || from.words[0]?.includes('/') === true) &&
    !isShellWord(from.words[0] ?? '');
  const steps: string[] = [];
  if (from.cwd !== from.helperCwd) {
    steps.push(`cd ${quoteWord(from.cwd)} || exit 125`);
    // cd exports both
    set.push(`PWD=${quoteWord(from.cwd)}`);
    const before = valueOf('OLDPWD');
    if (before === undefined) unset.push('OLDPWD');
    else set.push(`OLDPWD=${quoteWord(before)}`);
  }
  if (unset.length > 0) steps.push(`unset ${unset.join(' ')}`);
  if (set.length > 0) steps.push(`export ${set.join(' ')}`);
  steps.push(execLine(from.words, odd));
  const marker = quoteWord(`${from.jobDir}/${EXIT_MARKER}`);
  const { turn } = from;
  // What it found on PATH before may be in another folder now.
  const command = isSimple ? `hash -r\n${[...set, ...from.words.map(quoteWord)].join(' ')}` : `(${steps.join('\n')}\n)`;
  return `{ ${turn?.take ?? ''}${command} </dev/null >>${quoteWord(from.log)} 2>&1 3>&-${from.hasTurns ? SHUT : ''}
${STATUS}=$?
{ ${markerLines(from.token, `$${STATUS}`, String(from.startedAt))}; } >>${marker}
${turn?.give(`$${STATUS}`) ?? ''}times >&3
echo "e $${STATUS}" >&3
${turn?.end ?? ''}}
`;
}

/**
 * The job as a script of its own. It makes and removes TMPDIR, sets exactly the environment given, writes to the log,
 * leaves the exit marker and ends with the command's exit code. The command file must be there where words name it.
 */
export function jobScript(
  launch: Launch,
  token: string,
  words: readonly string[],
  env: Environment,
  tmpdir: string,
): string {
  const marker = quoteWord(`${launch.jobDir}/${EXIT_MARKER}`);
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return `#!/bin/sh
# ${oneLine(launch.jobId)}, rule ${oneLine(launch.rule)}, attempt ${launch.attempt}, as lhb runs it
exec </dev/null >>${quoteWord(launch.log)} 2>&1
cd ${quoteWord(launch.cwd)} || exit 125
mkdir -p ${quoteWord(tmpdir)} || exit 125
start=$(date +%s)
(
${execLine(words, ['-i', ...variables])}
)
s=$?
rm -rf ${quoteWord(tmpdir)} 2>/dev/null || { chmod -R u+rwx ${quoteWord(tmpdir)}; rm -rf ${quoteWord(tmpdir)}; }
{ ${markerLines(token, '$s', '$start')}; } >${marker}.$$ && mv -f ${marker}.$$ ${marker}
exit $s
`;
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ');
