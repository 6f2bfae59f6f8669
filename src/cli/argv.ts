// Splits the raw words of a command line into command, options with their words, and positional words, by the table of
// options. It knows where each word stands, so that errors can point at it; what a word means is for options.ts.
import { error, type Diagnostic, type SourceFile, type SourceRange } from '../base/diagnostic.ts';
import { didYouMean, nearest } from '../base/nearest.ts';
import type { Word } from './invocation.ts';
import { LATER_COMMANDS, OTHER_COMMAND_NAMES, OTHER_OPTION_NAMES } from './options-elsewhere.ts';
import {
  COMMANDS,
  GLOBAL_OPTIONS,
  commandOptions,
  findCommand,
  type CommandSpec,
  type OptionSpec,
} from './options-table.ts';

/** One option as given; an option with several words (`-R X Y`) is given once a word. `at` is the option's own word. */
export type Given = { readonly option: OptionSpec; readonly value: Word | undefined; readonly at: SourceRange };

export type SplitArgv = {
  readonly command: CommandSpec | undefined;
  readonly options: readonly Given[];
  readonly positionals: readonly Word[];
  readonly errors: readonly Diagnostic[];
  /** The whole line, for errors that are about no word. */
  readonly line: SourceRange;
};

const PLAIN_WORD = /^[\w@%+=:,./-]+$/;

/** A word inside a message: control characters made visible, no quotes added. */
export function visible(word: string): string {
  return word.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => JSON.stringify(c).slice(1, -1));
}

/** A word as a person would type it in a shell: quoted where it needs it. */
export function typed(word: string): string {
  if (PLAIN_WORD.test(word)) return word;
  const shown = visible(word);
  // As most would type `where:name=='x'`.
  if (shown.includes("'") && !/["$`\\!]/.test(shown)) return `"${shown}"`;
  return `'${shown.replaceAll("'", `'\\''`)}'`;
}

/** The command line as a source text that diagnostics can point into, and its words with their places. */
export function commandLine(argv: readonly string[]): { readonly words: readonly Word[]; readonly line: SourceRange } {
  const shown = ['lhb', ...argv.map(typed)];
  const file: SourceFile = { name: 'command line', text: shown.join(' ') };
  let start = 'lhb '.length;
  const words = argv.map((text, i) => {
    const end = start + (shown[i + 1]?.length ?? 0);
    const at = { file, start, end };
    start = end + 1;
    return { text, at };
  });
  return { words, line: { file, start: 0, end: file.text.length } };
}

const isOption = (word: string): boolean => word.length > 1 && word.startsWith('-');

/** `name=value` with a name that can be one: `runs/n=5` is a selector. */
const ASSIGNMENT = /^[\w.:-]+=/;

/**
 * Splits a command line (without `node` and the program). Never throws; what is wrong is in `errors`, each at its word.
 * An unknown command, or one of a later version, ends the reading: its options cannot be known.
 */
export function splitArgv(argv: readonly string[]): SplitArgv {
  const { words, line } = commandLine(argv);
  const options: Given[] = [];
  const positionals: Word[] = [];
  const errors: Diagnostic[] = [];
  let command: CommandSpec | undefined;
  let i = 0;
  /** The option just read, where it takes a number and has none. */
  let behind: string | undefined;

  const find = (match: (o: OptionSpec) => boolean): OptionSpec | undefined => {
    const own = command ? commandOptions(command) : COMMANDS.flatMap(commandOptions);
    // `-f` is a global option, but of `logs` another one: what stands behind the command is the command's first.
    return (command ? [...own, ...GLOBAL_OPTIONS] : [...GLOBAL_OPTIONS, ...own]).find(match);
  };

  const take = (option: OptionSpec, shown: string, at: SourceRange, inline: Word | undefined): void => {
    if (inline !== undefined) {
      if (option.value !== 'none') options.push({ option, value: inline, at });
      else errors.push(error('cli/bad-value', `option '${shown}' takes no value`, { at }));
      return;
    }
    const taken: Word[] = [];
    for (let word = words[i]; word !== undefined && !isOption(word.text); word = words[i]) {
      if (option.value === 'none') break;
      if (option.value === 'count' && !/^\d+$/.test(word.text)) break;
      // The first word has to be an assignment, so its name may be anything; those behind it may be selectors.
      if (option.value === 'assignments' && !(taken.length === 0 ? /^.+=/ : ASSIGNMENT).test(word.text)) break;
      if (option.value === 'assignments' && word.text.startsWith('where:')) break;
      taken.push(word);
      i++;
      if (option.value === 'word' || option.value === 'count') break;
    }
    if (taken.length > 0) options.push(...taken.map((value) => ({ option, value, at })));
    else if (option.value === 'none' || option.value === 'count') {
      options.push({ option, value: undefined, at });
      if (option.value === 'count') behind = shown;
    } else errors.push(missingValue(option, shown, at, words[i]));
  };

  const readLong = (word: Word): void => {
    const equals = word.text.indexOf('=');
    const name = equals === -1 ? word.text : word.text.slice(0, equals);
    const option = find((o) => `--${o.long}` === name || (o.aliases?.some((a) => `--${a}` === name) ?? false));
    const inline = equals === -1 ? undefined : { text: word.text.slice(equals + 1), at: word.at };
    if (option) take(option, name, word.at, inline);
    else errors.push(unknownOption(name, word.at, command));
  };

  /** `-nr`, `-j4`, `-nj4`, `-C=dir`: one option a letter, until one that takes a value takes the rest. */
  const readShort = (word: Word, before: string | undefined): void => {
    let count: string | undefined;
    for (let k = 1; k < word.text.length; k++) {
      const letter = word.text.charAt(k);
      const rest = word.text.slice(k + 1);
      const option = find((o) => o.short === letter);
      if (!option) {
        if (count !== undefined) {
          const given = visible(letter + rest);
          errors.push(
            error('cli/bad-value', `option '${count}' needs a whole number, not '${given}'`, { at: word.at }),
          );
          return;
        }
        const unknown = unknownOption(k === 1 && rest.length > 1 ? word.text : `-${letter}`, word.at, command);
        const isNumber = before !== undefined && /^-\d/.test(word.text);
        errors.push(isNumber ? { ...unknown, hint: `${before} takes a whole number, from 1` } : unknown);
        return;
      }
      count = option.value === 'count' ? `-${letter}` : undefined;
      const takesRest =
        rest !== '' &&
        (rest.startsWith('=') || (option.value === 'count' ? /^\d/.test(rest) : option.value !== 'none'));
      if (takesRest) {
        take(option, `-${letter}`, word.at, { text: rest.replace(/^=/, ''), at: word.at });
        return;
      }
      // Only the last letter can take the words that follow.
      if (rest === '') take(option, `-${letter}`, word.at, undefined);
      else options.push({ option, value: undefined, at: word.at });
    }
  };

  while (i < words.length) {
    const word = words[i++];
    if (word === undefined) break;
    const before = behind;
    behind = undefined;
    if (word.text === '--') {
      positionals.push(...words.slice(i));
      break;
    }
    if (word.text.startsWith('--')) readLong(word);
    else if (isOption(word.text)) readShort(word, before);
    else if (command) positionals.push(before === undefined ? word : { ...word, behind: before });
    else {
      command = findCommand(word.text);
      if (!command) return { command, options, positionals, errors: [noSuchCommand(word)], line };
    }
  }
  return { command, options: options.filter((given) => belongs(given, command, errors)), positionals, errors, line };
}

/** Options before the command were looked up among all commands' options; now it is known whose they had to be. */
function belongs(given: Given, command: CommandSpec | undefined, errors: Diagnostic[]): boolean {
  if (!command || GLOBAL_OPTIONS.includes(given.option)) return true;
  const own = commandOptions(command).find((o) => o.long === given.option.long);
  if (!own) errors.push(unknownOption(`--${given.option.long}`, given.at, command));
  return own !== undefined;
}

function missingValue(option: OptionSpec, shown: string, at: SourceRange, next: Word | undefined): Diagnostic {
  const needs = {
    none: 'nothing',
    word: `a value, ${option.meta ?? 'VALUE'}`,
    count: 'a number',
    assignments: option.long === 'set-resources' ? 'RULE:NAME=VALUE' : 'NAME=VALUE',
    selectors: 'at least one selector',
  }[option.value];
  if (option.value === 'assignments' && next !== undefined && !isOption(next.text)) {
    return error('cli/bad-value', `option '${shown}' needs ${needs}, not '${visible(next.text)}'`, { at: next.at });
  }
  const isValue =
    option.value === 'word' &&
    option.meta !== 'N' &&
    shown.startsWith('--') &&
    next !== undefined &&
    next.text !== '--';
  const hint = isValue ? `a value that begins with '-' is written ${shown}=${typed(next.text)}` : undefined;
  return error('cli/bad-value', `option '${shown}' needs ${needs}`, { at, hint });
}

function unknownOption(name: string, at: SourceRange, command: CommandSpec | undefined): Diagnostic {
  const who = command ? `lhb ${command.name}` : 'lhb';
  return error('cli/unknown-option', `${who} has no option '${visible(name)}'`, {
    at,
    hint: optionHint(name, command),
  });
}

function optionHint(name: string, command: CommandSpec | undefined): string | undefined {
  const other = OTHER_OPTION_NAMES.get(name);
  if (other !== undefined) return other;
  const names = (list: readonly OptionSpec[]): string[] => list.filter((o) => o.help).map((o) => `--${o.long}`);
  const own = names([...(command ? commandOptions(command) : []), ...GLOBAL_OPTIONS]);
  const long = name.startsWith('--') ? name : `-${name}`;
  const best = name.length > 2 ? nearest(long, own) : undefined;
  if (best !== undefined) return `did you mean '${best}'?`;
  const isIt = (o: OptionSpec): boolean => `--${o.long}` === name || (o.short !== undefined && `-${o.short}` === name);
  const owners = COMMANDS.filter((c) => commandOptions(c).some(isIt)).map((c) => `lhb ${c.name}`);
  if (owners.length > 0) return `it is an option of ${owners.join(', ')}`;
  return command ? `see lhb ${command.name} --help` : 'see lhb --help';
}

function noSuchCommand(word: Word): Diagnostic {
  const name = word.text;
  const { at } = word;
  if (LATER_COMMANDS.includes(name)) return error('cli/not-yet', `lhb ${name} is not in this version yet`, { at });
  const known = COMMANDS.map((c) => c.name);
  const other = OTHER_COMMAND_NAMES.get(name);
  const hint =
    (other !== undefined ? `did you mean '${other}'?` : didYouMean(name, known)) ??
    (/[/*_:.]/.test(name) ? `to build a job: lhb build ${typed(name)}` : `commands: ${known.join(', ')}`);
  return error('cli/unknown-command', `there is no command '${visible(name)}'`, { at, hint });
}
