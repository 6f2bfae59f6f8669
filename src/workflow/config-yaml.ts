// The config file that a job is handed: block-style YAML that readers of YAML 1.1 (PyYAML) and of 1.2 take for one and
// the same value. Only what both read alike stands unquoted: words; decimal ints; floats with a point and, where they
// have one, a signed exponent; true, false, null, .nan, .inf. All other text is quoted. Equal values give equal bytes.
import { floatText, isList, isMap, type Key, type Value } from '../base/value.ts';

/** A text that neither version can take for anything but text, once WORDS are set aside. */
const PLAIN = /^[A-Za-z_/][\w./@%+=~^,()$;-]*(?:[ :][\w./@%+=~^,()$;-]+)*$/;
/** Words with a meaning in YAML 1.1, 1.2, or a reader known to go beyond both. */
const WORDS = new Set(['y', 'n', 'yes', 'no', 'on', 'off', 'true', 'false', 'null', 'nan', 'inf', 'none']);
/** Characters that both versions print and neither breaks a line at. */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u;
/** Both versions want the colon of a key within 1024 characters, unless the key is marked with '?'. */
const LONG_KEY = 1000;

/** The text of a config file: one document that ends with a newline. Maps keep their order. */
export function configText(value: Value): string {
  const lines: string[] = [];
  if (isMap(value) && value.size > 0) writeMap(value, '', '', lines);
  else if (isList(value) && value.length > 0) writeList(value, '', '', lines);
  else lines.push(scalarText(value));
  return `${lines.join('\n')}\n`;
}

/** `first` leads the first line, `indent` all others: so a map can begin behind the dash of a list's item. */
function writeMap(map: ReadonlyMap<Key, Value>, first: string, indent: string, lines: string[]): void {
  let lead = first;
  for (const [key, value] of map) {
    const name = scalarText(key);
    if (name.length > LONG_KEY) {
      lines.push(`${lead}? ${name}`);
      writeField(value, `${indent}:`, indent, lines);
    } else {
      writeField(value, `${lead}${name}:`, indent, lines);
    }
    lead = indent;
  }
}

function writeField(value: Value, head: string, indent: string, lines: string[]): void {
  const inner = `${indent}  `;
  if (isMap(value) && value.size > 0) {
    lines.push(head);
    writeMap(value, inner, inner, lines);
  } else if (isList(value) && value.length > 0) {
    lines.push(head);
    writeList(value, inner, inner, lines);
  } else lines.push(`${head} ${scalarText(value)}`);
}

function writeList(list: readonly Value[], first: string, indent: string, lines: string[]): void {
  let lead = first;
  for (const value of list) {
    if (isMap(value) && value.size > 0) writeMap(value, `${lead}- `, `${indent}  `, lines);
    else if (isList(value) && value.length > 0) writeList(value, `${lead}- `, `${indent}  `, lines);
    else lines.push(`${lead}- ${scalarText(value)}`);
    lead = indent;
  }
}

function scalarText(value: Value): string {
  if (typeof value === 'string') return stringText(value);
  if (typeof value === 'number') return yamlFloat(value);
  if (isList(value)) return '[]';
  return isMap(value) ? '{}' : String(value);
}

function yamlFloat(value: number): string {
  if (Number.isNaN(value)) return '.nan';
  if (!Number.isFinite(value)) return value > 0 ? '.inf' : '-.inf';
  const text = floatText(value);
  const exponent = text.indexOf('e');
  // YAML 1.1 takes `1e-06` for text: it wants a point before the exponent.
  return exponent === -1 || text.includes('.') ? text : `${text.slice(0, exponent)}.0${text.slice(exponent)}`;
}

function stringText(text: string): string {
  if (PLAIN.test(text)) return WORDS.has(text.toLowerCase()) ? `'${text}'` : text;
  if (PRINTABLE.test(text)) return `'${text.replaceAll("'", "''")}'`;
  let quoted = '"';
  for (const char of text) quoted += escaped(char);
  return `${quoted}"`;
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '\\"'],
  ['\\', '\\\\'],
  ['\n', '\\n'],
  ['\t', '\\t'],
  ['\r', '\\r'],
  ['\0', '\\0'],
]);

function escaped(char: string): string {
  const short = ESCAPES.get(char);
  if (short !== undefined) return short;
  if (PRINTABLE.test(char)) return char;
  const code = (char.codePointAt(0) ?? 0).toString(16).toUpperCase();
  if (code.length <= 2) return `\\x${code.padStart(2, '0')}`;
  return code.length <= 4 ? `\\u${code.padStart(4, '0')}` : `\\U${code.padStart(8, '0')}`;
}
