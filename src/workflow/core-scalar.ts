// Which plain texts are something else than text: in YAML 1.2 core, and in YAML 1.1 as PyYAML reads it.
import type { Scalar } from '../base/value.ts';

const INT_12 = /^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$/;
const FLOAT_12 = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const INFINITY_12 = /^[-+]?\.(?:inf|Inf|INF)$/;
const NAN_12 = /^\.(?:nan|NaN|NAN)$/;
const BOOL_12 = /^(?:true|True|TRUE|false|False|FALSE)$/;

/** A plain text by the core schema of YAML 1.2.2, section 10.3.2, without its nulls: an int, float, bool, else the text. */
export function readCoreScalar(text: string): Exclude<Scalar, null> {
  if (INT_12.test(text)) return text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text.replace('+', ''));
  if (FLOAT_12.test(text)) return Number(text);
  if (INFINITY_12.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  if (NAN_12.test(text)) return Number.NaN;
  if (BOOL_12.test(text)) return text.toLowerCase() === 'true';
  return text;
}

const BOOL_11 = /^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/;
const INT_11 =
  /^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$/;
const FLOAT_11 =
  /^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
const NULL_11 = /^(?:~|null|Null|NULL|)$/;
const TIME_11 =
  /^(?:\d{4}-\d\d-\d\d|\d{4}-\d\d?-\d\d?(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d\d?(?::\d\d)?))?)$/;

/**
 * What PyYAML takes a plain text for, by the resolver of its safe loader (yaml/resolver.py), in words; `the text` if it is
 * text. A number comes with its value where that is not what the digits seem to say.
 */
export function yaml11Reading(text: string): string {
  if (BOOL_11.test(text)) return /^(?:yes|true|on)$/i.test(text) ? 'true' : 'false';
  if (NULL_11.test(text)) return 'null';
  if (INT_11.test(text)) return `the int ${int11(text)}`;
  if (FLOAT_11.test(text)) return 'a float';
  if (TIME_11.test(text)) return 'a date';
  return text === '=' ? 'the default-value key' : 'the text';
}

function int11(text: string): bigint {
  const plain = text.replaceAll('_', '').replace(/^\+/, '');
  const sign = plain.startsWith('-') ? -1n : 1n;
  const digits = plain.replace('-', '');
  if (digits.includes(':')) return sign * digits.split(':').reduce((sum, part) => sum * 60n + BigInt(part), 0n);
  if (/^0[0-7]+$/.test(digits)) return sign * BigInt(`0o${digits.slice(1)}`);
  return sign * BigInt(digits === '' ? '0' : digits);
}

/** The same for a plain text by YAML 1.2 core. */
export function yaml12Reading(text: string): string {
  if (text === '' || /^(?:~|null|Null|NULL)$/.test(text)) return 'null';
  const value = readCoreScalar(text);
  if (typeof value === 'bigint') return `the int ${value}`;
  if (typeof value === 'number') return 'a float';
  return typeof value === 'boolean' ? String(value) : 'the text';
}
