// The functions that expressions have beside CEL's own, and how they are called.
import { fromJson } from '../base/value.ts';
import { typeError } from './errors.ts';
import { entries, extreme, flatten, range, sort, sum, unique, zip, asList } from './functions-list.ts';
import { asText, basename, dirname, fixed, int, join, pow, replace, stem, string, uint } from './functions-text.ts';
import { format } from './format.ts';
import { kindOf } from './kind.ts';
import { NOT_MINE } from './operators.ts';
import { only } from './only.ts';
import { jsonText, textOf } from './text.ts';
import { Raw, type ExprHost } from './types.ts';

type Handler = (...args: unknown[]) => unknown;

type Definition = {
  readonly name: string;
  readonly description: string;
  /** How many arguments it takes, the receiver included: from, to. */
  readonly count: readonly [number, number];
  /** `function`: f(x); `method`: x.f(); `both`. */
  readonly style: 'function' | 'method' | 'both';
  readonly call: (host: ExprHost) => Handler;
};

const define = (
  name: string,
  style: Definition['style'],
  count: Definition['count'],
  handler: Handler,
  description: string,
): Definition => ({ name, style, count, description, call: () => handler });

/** A function of one argument that asks the host. */
const asks = (name: string, call: Definition['call'], description: string): Definition => ({
  name,
  style: 'function',
  count: [1, 1],
  description,
  call,
});

const formatted: Handler = (pattern, ...values) => {
  const [first] = values;
  return format(pattern, values.length === 1 && Array.isArray(first) ? (first as unknown[]) : values);
};

/** The size of a file, or of all files of a list, in MB. */
const fileMb =
  (host: ExprHost): Handler =>
  (path) =>
    Array.isArray(path)
      ? (path as unknown[])
          .flat(Infinity)
          .reduce((total: number, item) => total + host.fileMb(asText('file_mb', item)), 0)
      : host.fileMb(asText('file_mb', path));

const raw: Handler = (value) => new Raw(textOf(value));

const DEFINITIONS: readonly Definition[] = [
  define(
    'range',
    'function',
    [1, 3],
    (a, b, step) => (b === undefined ? range(0n, a) : range(a, b, step)),
    'range(a, b[, step]): the numbers from a up to, but without, b; range(n) starts at 0',
  ),
  define(
    'flatten',
    'both',
    [1, 2],
    flatten,
    'flatten(list[, depth]): the items of the lists in a list, one level deep or depth levels',
  ),
  define('zip', 'both', [2, 8], zip, 'zip(a, b, …): lists of one length side by side, a list of lists'),
  define('entries', 'both', [1, 1], entries, 'entries(map): a list of {key, value}, in the order of the map'),
  define('unique', 'both', [1, 1], unique, 'unique(list): without items that equal an earlier one'),
  define('replace', 'both', [3, 3], replace, 'replace(text, from, to): every occurrence replaced'),
  define('sort', 'both', [1, 1], sort, 'sort(list): numbers, texts or lists in ascending order'),
  define('min', 'both', [1, 16], (...values) => extreme('min', values), 'min(list) or min(a, b, …): the smallest'),
  define('max', 'both', [1, 16], (...values) => extreme('max', values), 'max(list) or max(a, b, …): the largest'),
  define('sum', 'both', [1, 1], sum, 'sum(list): the sum of numbers, 0 for none'),
  define('pow', 'function', [2, 2], pow, 'pow(x, n): x to the power of n; ints give an int'),
  define('fixed', 'both', [2, 2], fixed, 'fixed(x, n): text of a number with n digits after the point'),
  define('format', 'both', [2, 9], formatted, `format(text, list): printf's verbs, as in '%03d_%.2f'.format([7, 0.5])`),
  define('text', 'both', [1, 1], textOf, 'text(x): the text that ${{ x }} gives'),
  define('json', 'function', [1, 1], jsonText, 'json(x): JSON text'),
  define('basename', 'both', [1, 1], basename, 'basename(path): its last part'),
  define('dirname', 'both', [1, 1], dirname, 'dirname(path): the path without its last part'),
  define('stem', 'both', [1, 1], stem, 'stem(path): its last part without the last extension'),
  define('raw', 'function', [1, 1], raw, 'raw(x): text that goes into a command unquoted'),
  asks(
    'glob',
    (host) => (pattern) => host.glob(asText('glob', pattern)),
    'glob(pattern): the leaf files that match, sorted',
  ),
  asks(
    'load',
    (host) => (path) => host.load(asText('load', path)),
    'load(path): the value of a JSON, YAML, CSV or TSV file',
  ),
  asks(
    'listfile',
    (host) => (list) => host.listfile((asList('listfile', list) as unknown[]).flat(Infinity).map(lineOf)),
    'listfile(list): the path of a file with one item a line',
  ),
  asks('file_mb', fileMb, 'file_mb(path): the size of a file, or of all files of a list, in MB'),
  define('only', 'method', [2, 2], only, `jobs.only({'name': value}): the jobs with these values, by an index`),
];

function lineOf(item: unknown): string {
  const line = textOf(item);
  if (line.includes('\n'))
    throw typeError(`listfile() writes one item a line, and ${kindOf(item)} here has a line break`);
  return line;
}

/** Functions beside CEL's own, with a line on each, for documentation. */
export const FUNCTION_NAMES: ReadonlyMap<string, string> = new Map(
  DEFINITIONS.map(({ name, description }) => [name, description]),
);

/** CEL's bytes.json(), which the library has for Node's Buffers only. */
const bytesJson: Handler = (value) =>
  value instanceof Uint8Array ? fromJson(JSON.parse(Buffer.from(value).toString('utf8'))) : NOT_MINE;

/** Stand-ins for functions of the library, by kind of call, name and number of arguments; see adapt.ts. */
export const REPLACED: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ['call string/1', string],
  ['call int/1', int],
  ['call uint/1', uint],
  ['rcall json/0', bytesJson],
  ['rcall join/0', join],
  ['rcall join/1', join],
]);

/** The functions as the library takes them: a signature for each number of arguments and style of call. */
export function functionsFor(host: ExprHost): { signature: string; handler: Handler }[] {
  const signatures: { signature: string; handler: Handler }[] = [];
  for (const { name, style, count, call } of DEFINITIONS) {
    const handler = call(host);
    for (let size = count[0]; size <= count[1]; size++) {
      const types = (n: number): string => Array.from({ length: n }, () => 'dyn').join(', ');
      if (style !== 'method') signatures.push({ signature: `${name}(${types(size)}): dyn`, handler });
      if (style !== 'function') signatures.push({ signature: `dyn.${name}(${types(size - 1)}): dyn`, handler });
    }
  }
  return signatures;
}
