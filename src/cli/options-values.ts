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
