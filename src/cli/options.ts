// argv and environment -> Invocation. The only file that parses a command line, and the only one that imports cac.
//
// cac (mri below it) turns what looks like a number into one, knows no option of several words, lets an optional value
// swallow the next word, and says nothing of places. So argv.ts splits the words first, and cac is handed long names and
// `wN`, the number of a word: it has names, aliases and repeated options to sort out and cannot touch a value.
import { cac } from 'cac';
import { error, type Diagnostic } from '../base/diagnostic.ts';
import { err, ok, type Result } from '../base/result.ts';
import { splitArgv, typed, type Given, type SplitArgv } from './argv.ts';
import type { ColorChoice, CommonOptions, Invocation, Verbosity } from './invocation.ts';
import { readCommon, readInvocation } from './options-commands.ts';
import { OptionReader } from './options-reader.ts';
import { GLOBAL_OPTIONS, commandOptions, type CommandSpec, type OptionSpec } from './options-table.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * What the command line (without `node` and the program) and the environment (NO_COLOR, FORCE_COLOR, TERM) ask for, or
 * all that is wrong with it. `-h` anywhere wins over mistakes elsewhere.
 * @param before options that stand before those of the command line: a profile's
 */
export function parseArgv(
  argv: readonly string[],
  env: Environment,
  before: readonly Given[] = [],
): Result<Invocation> {
  const typedOnes = splitArgv(argv);
  const own = typedOnes.command ? [...commandOptions(typedOnes.command), ...GLOBAL_OPTIONS] : [];
  const split = { ...typedOnes, options: [...before.filter((g) => own.includes(g.option)), ...typedOnes.options] };
  const wants = (long: string): boolean => split.options.some((g) => g.option.long === long);
  const early = { ...earlyOptions(argv, env), verbosity: verbosity(split.options) };
  const bare: CommonOptions = { directory: undefined, file: undefined, config: [], configfiles: [], ...early };
  if (wants('help') && !split.errors.some((e) => e.code === 'cli/unknown-command' || e.code === 'cli/not-yet')) {
    return ok({ command: 'help', topic: split.command?.name, common: bare });
  }
  if (wants('version') && !split.command && split.errors.length === 0) return ok({ command: 'version', common: bare });
  if (!split.command) {
    if (argv.length === 0) return ok({ command: 'help', topic: undefined, common: bare });
    return err(split.errors.length > 0 ? [...split.errors] : [noCommand(argv, split)]);
  }

  const command = split.command;
  const reader = new OptionReader(split, (tokens) => parseByCac(command, tokens));
  const common = { ...readCommon(reader), ...early };
  const invocation = readInvocation(reader, command, common);
  if (reader.errors.length === 0) return ok(invocation());
  return err(reader.errors.toSorted((a, b) => (a.at?.start ?? 0) - (b.at?.start ?? 0)));
}

/** What a failing command line still tells about how its errors are to be printed. */
export function earlyOptions(argv: readonly string[], env: Environment): { json: boolean; color: ColorChoice } {
  const end = argv.indexOf('--');
  const words = end === -1 ? argv : argv.slice(0, end);
  return { json: words.includes('--json'), color: words.includes('--no-color') ? 'never' : colorByEnvironment(env) };
}

/** no-color.org: any text in NO_COLOR but none at all; FORCE_COLOR as Node itself reads it. */
function colorByEnvironment(env: Environment): ColorChoice {
  if (env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '') return 'never';
  const force = env['FORCE_COLOR'];
  if (force !== undefined) return force === '0' || force === 'false' ? 'never' : 'always';
  return env['TERM'] === 'dumb' ? 'never' : 'auto';
}

function verbosity(options: readonly Given[]): Verbosity {
  const last = options.findLast((g) => g.option.long === 'quiet' || g.option.long === 'verbose');
  if (!last) return 'normal';
  return last.option.long === 'quiet' ? 'quiet' : 'verbose';
}

function noCommand(argv: readonly string[], split: SplitArgv): Diagnostic {
  const hint = `did you mean 'lhb build ${argv.map(typed).join(' ')}'?`;
  return error('cli/usage', 'no command is given', { at: split.line, hint });
}

/** What cac makes of long names and references: by camel-case name, one value or a list of them. */
function parseByCac(command: CommandSpec, tokens: readonly string[]): Readonly<Record<string, unknown>> {
  const program = cac('lhb');
  const declare = (options: readonly OptionSpec[], add: (raw: string, help: string) => unknown): void => {
    for (const o of options) add(`--${o.long}${brackets(o)}`, o.help ?? '');
  };
  declare(GLOBAL_OPTIONS, (raw, help) => program.option(raw, help));
  const declared = program.command(command.name, command.help);
  declare(commandOptions(command), (raw, help) => declared.option(raw, help));
  return program.parse(['node', 'lhb', command.name, ...tokens], { run: false }).options;
}

function brackets(option: OptionSpec): string {
  if (option.value === 'none') return '';
  return option.value === 'count' ? ' [value]' : ' <value>';
}
