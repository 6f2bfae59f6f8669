// Values as text: what `${{ x }}` puts into a path, an environment variable or a command.
import { floatText, toJsonText, type Key, type Value } from '../base/value.ts';
import { ExprError } from './errors.ts';
import { kindOf } from './kind.ts';
import { Raw, RecordObject, Verbatim } from './types.ts';

/** What a value that is not text is, with what to write instead. */
export function notText(value: unknown, code: 'expr/not-text' | 'command/not-a-word'): ExprError {
  const need = code === 'expr/not-text' ? 'text' : 'a word';
  const hint =
    value instanceof RecordObject
      ? 'take a field of it, such as .dir or .outputs.NAME'
      : value instanceof Map
        ? 'take a field of it, or write it with json(x)'
        : value === null
          ? `choose a text for null, such as x == null ? 'none' : text(x)`
          : undefined;
  return new ExprError(code, `${kindOf(value)} stands where ${need} is needed`, hint);
}

/** Text of a value that is no list, or undefined where it has none (null, maps, jobs, lists). */
export function scalarText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return floatText(value);
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (value instanceof Date) return value.toISOString();
  return value instanceof Raw || value instanceof Verbatim ? value.text : undefined;
}

/** Text as in `${{ x }}`: ints in digits, floats with their point, a list (nested ones too) joined by blanks. @throws ExprError */
export function textOf(value: unknown): string {
  const text = scalarText(value);
  if (text !== undefined) return text;
  if (Array.isArray(value)) return (value as unknown[]).map(textOf).join(' ');
  throw notText(value, 'expr/not-text');
}

const RECORD_FIELDS = ['id', 'dir', 'config', 'outputs'];

/** A value with jobs as maps of id, dir, config and outputs, as config files write them. @throws ExprError for raw() texts. */
export function plainValue(value: unknown): Value {
  if (typeof value !== 'object' || value === null) return value as Value;
  if (Array.isArray(value)) return (value as unknown[]).map(plainValue);
  if (value instanceof Map)
    return new Map([...(value as Map<Key, unknown>)].map(([key, item]) => [key, plainValue(item)] as const));
  if (value instanceof RecordObject)
    return new Map(RECORD_FIELDS.filter((f) => value.has(f)).map((f) => [f, plainValue(value.get(f))] as const));
  if (value instanceof Date) return value.toISOString();
  throw new ExprError('expr/type', `${kindOf(value)} cannot be written as data`);
}

/** JSON text: maps in their order, ints with all digits, floats with a point. @throws ExprError */
export const jsonText = (value: unknown): string => toJsonText(plainValue(value));
