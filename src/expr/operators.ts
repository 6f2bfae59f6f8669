// CEL's operators with ints and doubles mixed. What is not here (timestamps, durations, bytes) is left to the library.
import { equal } from './equality.ts';
import { ExprError, typeError } from './errors.ts';
import { isPlainMap, kindOf } from './kind.ts';
import { RecordObject } from './types.ts';

/** The answer of an operator that leaves its operands to the library. */
export const NOT_MINE = Symbol('not mine');

/** @throws ExprError where the int has more than 64 bits. */
export function int64(value: bigint): bigint {
  if (BigInt.asIntN(64, value) === value) return value;
  throw new ExprError(
    'expr/arithmetic',
    `the int ${value} does not fit into 64 bits`,
    'write it as a float, such as 1.0e20',
  );
}

function ints(op: string, a: bigint, b: bigint): bigint {
  int64(a);
  int64(b);
  switch (op) {
    case '+':
      return int64(a + b);
    case '-':
      return int64(a - b);
    case '*':
      return int64(a * b);
    default:
      if (b === 0n) throw new ExprError('expr/arithmetic', `division of ${a} by zero`);
      return op === '/' ? int64(a / b) : a % b;
  }
}

function doubles(op: string, a: number, b: number): number {
  switch (op) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    default:
      return a % b;
  }
}

const isNumber = (value: unknown): value is number | bigint => typeof value === 'number' || typeof value === 'bigint';

const asDouble = (value: number | bigint): number => (typeof value === 'bigint' ? Number(int64(value)) : value);

function arithmetic(op: string, a: unknown, b: unknown): unknown {
  if (typeof a === 'bigint' && typeof b === 'bigint') return ints(op, a, b);
  if (isNumber(a) && isNumber(b)) return doubles(op, asDouble(a), asDouble(b));
  if (op === '+') {
    if (typeof a === 'string' && typeof b === 'string') return a + b;
    const [left, right] = [listOf(a), listOf(b)];
    if (left && right) return left.concat(right);
  }
  return NOT_MINE;
}

function compare(op: string, a: unknown, b: unknown): boolean | typeof NOT_MINE {
  const comparable =
    (isNumber(a) && isNumber(b)) || (typeof a === typeof b && (typeof a === 'string' || typeof a === 'boolean'));
  if (!comparable) return NOT_MINE;
  const [x, y] = [a as number, b as number];
  switch (op) {
    case '<':
      return x < y;
    case '<=':
      return x <= y;
    case '>':
      return x > y;
    default:
      return x >= y;
  }
}

/** A list, or what is also one; undefined for anything else. */
export function listOf(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value;
  return value instanceof RecordObject ? value.asList() : undefined;
}

/** `value in collection`: an item of a list, a key of a map, a field of a job. */
function within(value: unknown, collection: unknown): boolean | typeof NOT_MINE {
  if (Array.isArray(collection)) {
    for (const item of collection) if (equal(value, item)) return true;
    return false;
  }
  if (collection instanceof Map) return collection.has(mapKey(value));
  if (collection instanceof RecordObject) return typeof value === 'string' && collection.has(value);
  return NOT_MINE;
}

/** The key under which a map holds a value: whole doubles are ints there. */
export const mapKey = (key: unknown): unknown =>
  typeof key === 'number' && Number.isSafeInteger(key) ? BigInt(key) : key;

/** One binary operator. @returns NOT_MINE for operands that the library shall judge. @throws ExprError */
export function binary(op: string, a: unknown, b: unknown): unknown {
  switch (op) {
    case '==':
      return equal(a, b);
    case '!=':
      return !equal(a, b);
    case 'in':
      return within(a, b);
    case '<':
    case '<=':
    case '>':
    case '>=':
      return compare(op, a, b);
    default:
      return arithmetic(op, a, b);
  }
}

/** `-x` of a number. @throws ExprError on overflow. */
export function negate(value: unknown): unknown {
  if (typeof value === 'number') return -value;
  return typeof value === 'bigint' ? int64(-value) : NOT_MINE;
}

/** The error for operands that nobody takes. */
export function operandError(op: string, a: unknown, b: unknown, source: string): ExprError {
  const message = `'${op}' does not take ${kindOf(a)} and ${kindOf(b)}, as in '${source}'`;
  if (op === '+' && (typeof a === 'string' || typeof b === 'string'))
    return typeError(message, 'turn the other value into text with text(x)');
  if (op === 'in' && typeof a === 'string' && typeof b === 'string')
    return typeError(message, `ask with 'text'.contains('part')`);
  return typeError(message);
}

/**
 * The value of a field, a key or an index, or undefined where there is none.
 * @param holder what `value` is called in the expression
 * @throws ExprError for values that have no fields
 */
export function lookUp(value: unknown, key: unknown, holder: () => string): unknown {
  if (value instanceof Map) return value.get(mapKey(key));
  if (value instanceof RecordObject)
    return typeof key === 'string' ? value.get(key) : value.asList()?.[Number(mapKey(key))];
  const field = typeof key === 'string' ? `'${key}'` : 'such as this';
  if (Array.isArray(value)) {
    const index = mapKey(key);
    if (typeof index === 'bigint') return value[Number(index)] as unknown;
    const hint = typeof key === 'string' ? `write ${holder()}[0].${key}, or ${holder()}.map(x, x.${key})` : undefined;
    throw typeError(`'${holder()}' is a list, which has indexes and no field ${field}`, hint);
  }
  if (typeof value === 'object' && value !== null && isPlainMap(value))
    return typeof key === 'string' && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
  throw typeError(`'${holder()}' is ${kindOf(value)}, which has no field ${field}`);
}

/** The names that a value has, for hints. */
export function namesIn(value: unknown): string[] {
  if (value instanceof Map) return [...(value as Map<unknown, unknown>).keys()].map(String);
  if (value instanceof RecordObject) return [...value.names()];
  return [];
}
