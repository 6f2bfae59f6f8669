// The forms that values of options take: `name=value`, `rule:name=value`, whole numbers. What is in a value (YAML, an
// expression, a size) is for those who use it.
import { error, type Diagnostic } from '../base/diagnostic.ts';
import { err, ok, type Result } from '../base/result.ts';
import { visible } from './argv.ts';
import type { Assignment, RuleAssignment, Word } from './invocation.ts';

/** `name=value`; the value may be empty or hold further `=`. */
export function readAssignment(option: string, word: Word): Result<Assignment, Diagnostic> {
  const equals = word.text.indexOf('=');
  if (equals > 0) {
    return ok({ name: word.text.slice(0, equals), value: word.text.slice(equals + 1), at: word.at });
  }
  return err(error('cli/bad-value', `${option} needs NAME=VALUE, not '${visible(word.text)}'`, { at: word.at }));
}

/** `rule:name=value`, as in `--set-resources train:mem_mb=8000`. */
export function readRuleAssignment(word: Word): Result<RuleAssignment, Diagnostic> {
  const [, rule, name, value] = /^([^:=]+):([^:=]+)=([^]*)$/.exec(word.text) ?? [];
  if (rule !== undefined && name !== undefined && value !== undefined) return ok({ rule, name, value, at: word.at });
  const message = `--set-resources needs RULE:NAME=VALUE, not '${visible(word.text)}'`;
  return err(error('cli/bad-value', message, { at: word.at }));
}

const MOST = 1_000_000;

/** A whole number from `min` to a million. */
export function readNumber(option: string, word: Word, min: number): Result<number, Diagnostic> {
  const value = /^\d+$/.test(word.text) ? Number(word.text) : NaN;
  if (value >= min && value <= MOST) return ok(value);
  const range = value > MOST ? `at most ${MOST}` : `from ${min}`;
  const message = `${option} needs a whole number, ${range}, not '${visible(word.text)}'`;
  return err(error('cli/bad-value', message, { at: word.at }));
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 7 * 86_400, y: 365 * 86_400 };

/** A length of time in seconds: `90s`, `30m`, `12h`, `30d`, `2w`, `1y`. */
export function readAge(option: string, word: Word): Result<number, Diagnostic> {
  const [, number, unit] = /^(\d+(?:\.\d+)?) *([smhdwy])$/.exec(word.text) ?? [];
  if (number !== undefined && unit !== undefined) return ok(Number(number) * (SECONDS[unit] ?? 1));
  const message = `${option} needs a length of time such as 30d, 12h or 2w, not '${visible(word.text)}'`;
  return err(error('cli/bad-value', message, { at: word.at }));
}

const UNITS = ['', 'k', 'm', 'g', 't', 'p'];

/** A size in bytes: `50GB`, `500M`, `1.5TB`, `20GiB`; a number alone is bytes. */
export function readSize(option: string, word: Word): Result<number, Diagnostic> {
  const [, number, unit = '', binary] = /^(\d+(?:\.\d+)?) *([kmgtp]?)(i?)b?$/i.exec(word.text) ?? [];
  if (number !== undefined && !(binary && unit === ''))
    return ok(Math.floor(Number(number) * (binary ? 1024 : 1000) ** UNITS.indexOf(unit.toLowerCase())));
  const message = `${option} needs a size such as 50GB or 500MB, not '${visible(word.text)}'`;
  return err(error('cli/bad-value', message, { at: word.at }));
}
