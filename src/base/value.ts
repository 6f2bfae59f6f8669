// The data model of configs and expressions: YAML 1.2 core and CEL agree on it.
// Ints are bigint (any size), floats are number, maps are Map: so `1` and `1.0` stay apart, digits and the order of
// keys are kept, and no key is special.

export type Scalar = null | boolean | bigint | number | string;
export type Key = string | bigint;
export type ValueMap = ReadonlyMap<Key, Value>;
export type Value = Scalar | readonly Value[] | ValueMap;

export const isMap = (value: unknown): value is ReadonlyMap<Key, Value> => value instanceof Map;

export const isList = (value: unknown): value is readonly Value[] => Array.isArray(value);

/** A plain JSON value as a Value: integral numbers become ints. */
export function fromJson(json: unknown): Value {
  if (typeof json === 'number') return Number.isSafeInteger(json) ? BigInt(json) : json;
  if (Array.isArray(json)) return json.map(fromJson);
  if (json !== null && typeof json === 'object') return new Map(Object.entries(json).map(([k, v]) => [k, fromJson(v)]));
  return json as Scalar;
}

/** JSON text of a value. Ints keep every digit, floats their point; not-a-number and infinities become strings. */
export function toJsonText(value: Value, indent = 0, depth = 0): string {
  if (typeof value === 'string') return quoted(value);
  if (isList(value)) {
    if (value.length === 0) return '[]';
    const nl = lineStart(indent, depth + 1);
    let items = '';
    for (const item of value) items += `${items === '' ? '' : ','}${nl}${toJsonText(item, indent, depth + 1)}`;
    return `[${items}${lineStart(indent, depth)}]`;
  }
  if (isMap(value)) {
    if (value.size === 0) return '{}';
    const nl = lineStart(indent, depth + 1);
    const colon = indent > 0 ? ': ' : ':';
    let entries = '';
    for (const [key, item] of value) {
      const before = entries === '' ? nl : `,${nl}`;
      entries += `${before}${quoted(String(key))}${colon}${toJsonText(item, indent, depth + 1)}`;
    }
    return `{${entries}${lineStart(indent, depth)}}`;
  }
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return Number.isFinite(value) ? floatText(value) : JSON.stringify(floatText(value));
  return JSON.stringify(value);
}

/** What JSON writes as it stands. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
/** As JSON.stringify, of a text; most are plain, and their quotes are all that it takes. */
export const quoted = (text: string): string => (PLAIN.test(text) ? `"${text}"` : JSON.stringify(text));

const lineStarts: string[] = [];
const lineStart = (indent: number, depth: number): string =>
  indent === 0 ? '' : (lineStarts[indent * depth] ??= `\n${' '.repeat(indent * depth)}`);

/**
 * A float as text in commands, labels and configs: always with a point (`1.0`, `1e-06`), as Python prints it, so that
 * readers of YAML 1.1 and 1.2 both take it for a float once it has one in the mantissa (the config writer's concern).
 */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (Object.is(value, -0)) return '-0.0';
  const [, sign, digits, exponent] = /^(-?)([\d.]+?)e([+-]\d+)$/.exec(value.toExponential()) ?? [];
  if (digits === undefined || exponent === undefined) return String(value);
  const power = Number(exponent);
  if (power < -4 || power >= 16) {
    const two = String(Math.abs(power)).padStart(2, '0');
    return `${sign}${digits}e${power < 0 ? '-' : '+'}${two}`;
  }
  const plain = String(value);
  return plain.includes('.') ? plain : `${plain}.0`;
}
