// The options of one command line by name, with the errors found while they are read.
import { error, type Diagnostic, type SourceRange } from '../base/diagnostic.ts';
import { invariant } from '../base/invariant.ts';
import type { Result } from '../base/result.ts';
import type { Given, SplitArgv } from './argv.ts';
import type { Word } from './invocation.ts';
import { readNumber } from './options-values.ts';

const camel = (long: string): string => long.replaceAll(/-([a-z])/g, (_, c: string) => c.toUpperCase());

/** The options of one command line after cac, and the errors found in reading them. */
export class OptionReader {
  readonly errors: Diagnostic[];
  readonly positionals: readonly Word[];
  readonly line: SourceRange;
  private readonly words: readonly Word[];
  private readonly negatives: ReadonlySet<string>;
  private readonly values: Readonly<Record<string, unknown>>;

  /** `parse` is given long options with references to words, and answers by camel-case name. */
  constructor(split: SplitArgv, parse: (tokens: readonly string[]) => Readonly<Record<string, unknown>>) {
    this.errors = [...split.errors];
    this.line = split.line;
    const words: Word[] = [];
    const ref = (word: Word): string => `w${words.push(word) - 1}`;
    const given = split.options.filter((g) => !this.isLater(g));
    // To cac `--no-x` is `--x` with a value.
    const isNegative = ({ option }: Given): boolean => option.long.startsWith('no-');
    this.negatives = new Set(given.filter(isNegative).map(({ option }) => option.long));
    const tokens = given
      .filter((g) => !isNegative(g))
      .map((g) => `--${g.option.long}${g.value ? `=${ref(g.value)}` : ''}`);
    this.words = words;
    this.positionals = split.positionals;
    this.values = parse(tokens);
  }

  private isLater({ option, at }: Given): boolean {
    if (option.later) this.errors.push(error('cli/not-yet', `--${option.long} is not in this version yet`, { at }));
    return option.later ?? false;
  }

  /** Was the option given? */
  flag(long: string): boolean {
    return this.negatives.has(long) || this.values[camel(long)] !== undefined;
  }

  /** Every word given to an option, in order. */
  all(long: string): Word[] {
    const value = this.values[camel(long)];
    const refs: unknown[] = Array.isArray(value) ? value : [value];
    return refs.flatMap((ref) => {
      if (typeof ref !== 'string') return [];
      const word = this.words[Number(ref.slice(1))];
      invariant(word, `cac made a word up: ${ref}`);
      return [word];
    });
  }

  /** The last word given to an option. */
  last(long: string): Word | undefined {
    return this.all(long).at(-1);
  }

  /** A result's value; where it is an error, that is kept and the answer is undefined. */
  read<T>(result: Result<T, Diagnostic>): T | undefined {
    if (result.ok) return result.value;
    this.errors.push(result.error);
    return undefined;
  }

  /** Every word of an option, read; those that are wrong are left out and their errors kept. */
  readAll<T>(long: string, read: (word: Word) => Result<T, Diagnostic>): T[] {
    return this.all(long).flatMap((word) => this.read(read(word)) ?? []);
  }

  /** The last word of an option as a whole number from `min`. */
  number(long: string, min: number): number | undefined {
    const word = this.last(long);
    return word && this.read(readNumber(`--${long}`, word, min));
  }
}
