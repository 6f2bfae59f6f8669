// 'text'.format([...]): CEL's verbs (%s %d %f %e %x %X %o %b %%) with printf's flags, width and precision.
import { functionError, typeError } from './errors.ts';
import { floatText } from '../base/value.ts';
import { kindOf } from './kind.ts';
import { fixedText } from './functions-text.ts';
import { scalarText } from './text.ts';

const VERB = /%([-+ 0#]*)(\d*)(?:\.(\d*))?([a-zA-Z%])?/g;

/** @throws ExprError where the verbs and the values do not fit. */
export function format(pattern: unknown, values: readonly unknown[]): string {
  if (typeof pattern !== 'string')
    throw typeError(`format() takes a text with verbs such as %d, not ${kindOf(pattern)}`);
  let next = 0;
  const text = pattern.replace(
    VERB,
    (all, flags: string, width: string, precision: string | undefined, verb?: string) => {
      if (verb === '%') return '%';
      if (verb === undefined)
        throw functionError(`format() has '${all}' without a verb`, 'write %% for a percent sign');
      if (next >= values.length) throw functionError(`format() has more verbs than the ${values.length} values given`);
      const digits = precision === undefined ? undefined : Number(precision);
      if (Number(width) > 1000 || (digits ?? 0) > 100) throw functionError(`format() with '${all}' is too wide`);
      return pad(formatOne(verb, values[next++], digits, flags), flags, Number(width), verb);
    },
  );
  if (next < values.length) throw functionError(`format() is given ${values.length} values and uses ${next}`);
  return text;
}

function pad(text: string, flags: string, width: number, verb: string): string {
  if (text.length >= width) return text;
  if (flags.includes('-')) return text.padEnd(width);
  if (!flags.includes('0') || verb === 's' || !/\d/.test(text)) return text.padStart(width);
  const sign = /^[-+ ]/.exec(text)?.[0] ?? '';
  return sign + text.slice(sign.length).padStart(width - sign.length, '0');
}

const signed = (text: string, flags: string): string =>
  text.startsWith('-') ? text : flags.includes('+') ? `+${text}` : flags.includes(' ') ? ` ${text}` : text;

function formatOne(verb: string, value: unknown, precision: number | undefined, flags: string): string {
  switch (verb) {
    case 's':
      return precision === undefined ? display(value) : display(value).slice(0, precision);
    case 'd':
    case 'i':
      return signed(`${whole(verb, value)}`, flags);
    case 'x':
    case 'X': {
      if (typeof value === 'string') return cased(verb, Buffer.from(value).toString('hex'));
      return signed(cased(verb, whole(verb, value).toString(16)), flags);
    }
    case 'o':
      return signed(whole(verb, value).toString(8), flags);
    case 'b':
      return typeof value === 'boolean' ? (value ? '1' : '0') : signed(whole(verb, value).toString(2), flags);
    case 'f':
    case 'F':
      return signed(fixedText(numeric(verb, value), precision ?? 6), flags);
    case 'e':
    case 'E':
      return signed(cased(verb, exponent(Number(numeric(verb, value)), precision ?? 6)), flags);
    case 'g':
    case 'G':
      return signed(cased(verb, general(Number(numeric(verb, value)), precision ?? 6)), flags);
    default:
      throw functionError(`format() has no verb '%${verb}'`, 'verbs are %s %d %f %e %g %x %X %o %b');
  }
}

const cased = (verb: string, text: string): string => (verb === verb.toUpperCase() ? text.toUpperCase() : text);

/** Two digits of exponent at least, as C, Go and Python write it. */
function exponent(value: number, digits: number): string {
  if (!Number.isFinite(value)) return floatText(value);
  return value.toExponential(digits).replace(/e([+-])(\d)$/, 'e$10$2');
}

/** C's %g: the shorter of %e and %f, without zeros at the end. */
function general(value: number, precision: number): string {
  if (!Number.isFinite(value)) return floatText(value);
  const digits = Math.max(1, precision);
  const power = Number(/e([+-]\d+)$/.exec(value.toExponential(digits - 1))?.[1] ?? 0);
  const trimmed = (text: string): string => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);
  if (power >= -4 && power < digits) return trimmed(value.toFixed(digits - 1 - power));
  const [mantissa = '', rest = ''] = exponent(value, digits - 1).split('e');
  return `${trimmed(mantissa)}e${rest}`;
}

function numeric(verb: string, value: unknown): number | bigint {
  if (typeof value === 'number' || typeof value === 'bigint') return value;
  throw typeError(`format() with %${verb} takes a number, not ${kindOf(value)}`);
}

function whole(verb: string, value: unknown): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value);
  const found = typeof value === 'number' ? floatText(value) : kindOf(value);
  throw typeError(`format() with %${verb} takes an int, not ${found}`, 'turn it into one with int(x), or use %f');
}

/** A value as %s shows it: as text(x), null and lists and maps as CEL shows them. */
function display(value: unknown): string {
  const text = scalarText(value);
  if (text !== undefined) return text;
  if (value === null) return 'null';
  if (Array.isArray(value)) return `[${(value as unknown[]).map(display).join(', ')}]`;
  if (value instanceof Map)
    return `{${[...(value as Map<unknown, unknown>)].map(([k, v]) => `${String(k)}: ${display(v)}`).join(', ')}}`;
  throw typeError(`format() with %s does not take ${kindOf(value)}`);
}
