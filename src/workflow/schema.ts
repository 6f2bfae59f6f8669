// Checks the shape of workflow files against store-schema/workflow.schema.json, the schema that editors use. The schema
// never offers two branches for one type, so each mistake is one error of ajv's, which becomes one sentence here. Names, expressions and what refers to what are for check.ts.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Code } from '../base/codes.ts';
import { error, type Diagnostic, type SourceRange } from '../base/diagnostic.ts';
import { invariant } from '../base/invariant.ts';
import { didYouMean, nearest } from '../base/nearest.ts';
import { packageFile } from '../fs/package-file.ts';
import type { ErrorObject, ValidateFunction } from './compile-schema.ts';
import { entryOf, kindName, type Node } from './node.ts';
import { PROFILE_SCHEMA, SCHEMA, VALIDATORS } from './schema-files.ts';

/** Which kind of file is checked: lhb.yaml itself, one that it includes, a user's own settings, or a profile. */
export type FileKind = 'workflow' | 'include' | 'user' | 'profile';

type Validators = Readonly<Record<FileKind, ValidateFunction>> & { readonly schemaDigest: () => string };

let validators: Validators | undefined;

// Compiling the schema takes some 150 ms, so `npm run build` does it once (compile-schema.ts).
function validatorOf(kind: FileKind): ValidateFunction {
  if (validators === undefined) {
    const compiled = createRequire(import.meta.url)(packageFile(VALIDATORS)) as Validators;
    const schemas = [SCHEMA, PROFILE_SCHEMA].map((file) => readFileSync(packageFile(file), 'utf8'));
    const digest = createHash('sha256').update(schemas.join('')).digest('hex');
    invariant(compiled.schemaDigest() === digest, 'the schema changed since it was compiled: npm run build');
    validators = compiled;
  }
  return validators[kind];
}

/** All mistakes in the shape of a file, one diagnostic each; none if its shape is right. */
export function checkShape(root: Node, kind: FileKind): Diagnostic[] {
  const validate = validatorOf(kind);
  validate(toPlain(root));
  const errors = validate.errors ?? [];
  const unknown = errors.filter((e) => e.keyword === 'additionalProperties');
  return errors.flatMap((e) => {
    const here = unknown.filter((other) => other.instancePath === e.instancePath).map((other) => other.params);
    // A layer with an unknown field and without `file` or `set` is one mistake, and so is `nam` for a missing `name`.
    if (e.schemaPath.includes('/oneOf/') || (e.keyword === 'oneOf' && here.length > 0)) return [];
    if (e.keyword === 'required' && nearest(missingOf(e), here.map(unknownOf)) !== undefined) return [];
    return describe(e, root) ?? [];
  });
}

const missingOf = (e: ErrorObject): string => String((e.params as { missingProperty?: unknown }).missingProperty);
const unknownOf = (params: object): string => String((params as { additionalProperty?: unknown }).additionalProperty);

/** The fields that a rule may have. */
export function ruleFields(): ReadonlySet<string> {
  if (knownRuleFields === undefined) {
    const schema = JSON.parse(readFileSync(packageFile(SCHEMA), 'utf8')) as SchemaFile;
    knownRuleFields = new Set(Object.keys(schema.definitions.rule.properties));
  }
  return knownRuleFields;
}

type SchemaFile = {
  readonly definitions: { readonly rule: { readonly properties: Readonly<Record<string, unknown>> } };
};

let knownRuleFields: ReadonlySet<string> | undefined;

/** A node as JSON.parse would give it, which is what ajv takes. */
function toPlain(node: Node): unknown {
  if (node.kind === 'scalar') return typeof node.value === 'bigint' ? Number(node.value) : node.value;
  if (node.kind === 'list') return node.items.map(toPlain);
  const plain = Object.create(null) as Record<string, unknown>;
  for (const { key, value } of node.entries) plain[String(key)] = toPlain(value);
  return plain;
}

type Place = {
  readonly node: Node;
  /** The key before the node, or where a list's item stands. */
  readonly keyAt: SourceRange;
  readonly segments: readonly string[];
};

function find(root: Node, instancePath: string): Place {
  const segments = instancePath
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
  let node = root;
  let keyAt = root.at;
  for (const segment of segments) {
    if (node.kind === 'list') {
      node = node.items[Number(segment)] ?? node;
      keyAt = node.at;
    } else if (node.kind === 'map') {
      const entry = node.entries.find((e) => String(e.key) === segment);
      if (entry === undefined) break;
      node = entry.value;
      keyAt = entry.keyAt;
    }
  }
  return { node, keyAt, segments };
}

/** `rule 'train'`, `` `group` of rule 'train'``, `` `caches[0]` ``, `the workflow`. */
function ownerName(segments: readonly string[]): string {
  const [first, rule, ...rest] = segments;
  if (first === undefined) return 'the workflow';
  if (first === 'rules' && rule !== undefined) {
    return rest.length === 0 ? `rule '${rule}'` : `\`${fieldName(rest)}\` of rule '${rule}'`;
  }
  return `\`${fieldName(segments)}\``;
}

const fieldName = (segments: readonly string[]): string =>
  segments.map((s, i) => (/^\d+$/.test(s) && i > 0 ? `[${s}]` : i > 0 ? `.${s}` : s)).join('');

const TYPE_NAMES: Readonly<Record<string, string | readonly string[]>> = {
  string: 'text',
  object: 'a map',
  array: 'a list',
  integer: 'a whole number',
  number: 'a number',
  boolean: ['true', 'false'],
};

const oneOfWords = (words: readonly string[]): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;

function expectedType(e: ErrorObject): string {
  const { title, type } = e.parentSchema as { title?: string; type?: string | string[] };
  return title ?? oneOfWords([type ?? []].flat().flatMap((name) => TYPE_NAMES[name] ?? name));
}

/** What is wrong with one field's value: "rule 'a': `x` must be …, found …". */
function wrong(e: ErrorObject, code: Code, root: Node, expected: string, hint?: string): Diagnostic {
  const { node, keyAt, segments } = find(root, e.instancePath);
  const empty =
    node.kind === 'scalar' ? node.value === null || node.value === '' : node.kind === 'list' && node.items.length === 0;
  const found = node.kind === 'scalar' ? scalarWords(node) : kindName(node);
  const message = empty
    ? `${ownerName(segments)} is empty, expected ${expected}`
    : `${ownerName(segments)} must be ${expected}, found ${found}`;
  return error(code, message, { at: empty ? keyAt : firstLine(node), hint });
}

function scalarWords(node: Node): string {
  if (node.kind !== 'scalar') return kindName(node);
  const { value } = node;
  if (typeof value !== 'string') return String(value);
  return value.length <= 40 && !value.includes('\n') ? `the text '${value}'` : 'text';
}

const firstLine = (node: Node): SourceRange => {
  const newline = node.at.file.text.indexOf('\n', node.at.start);
  return newline === -1 ? node.at : { ...node.at, end: Math.max(node.at.start, Math.min(node.at.end, newline)) };
};

function describe(e: ErrorObject, root: Node): Diagnostic | undefined {
  const params = e.params as Readonly<Record<string, unknown>>;
  const schema = e.parentSchema as Readonly<Record<string, unknown>>;
  switch (e.keyword) {
    case 'type':
      return wrong(e, 'workflow/type', root, expectedType(e), typeHint(e, root));
    case 'additionalProperties':
      return unknownField(e, root, String(params['additionalProperty']), Object.keys(schema['properties'] as object));
    case 'required': {
      // A workflow without `lhb` is told by check.ts.
      const missing = String(params['missingProperty']);
      if (missing === 'lhb') return undefined;
      const { keyAt, segments, node } = find(root, e.instancePath);
      const at = segments.length === 0 ? { ...node.at, end: node.at.start } : keyAt;
      return error('workflow/missing-field', `${ownerName(segments)} lacks the field '${missing}'`, { at });
    }
    case 'enum': {
      const allowed = (params['allowedValues'] as unknown[]).map(String);
      const value = find(root, e.instancePath).node;
      const words = allowed.filter((word) => word.length > 2);
      const hint = value.kind === 'scalar' ? didYouMean(String(value.value), words) : undefined;
      return wrong(e, 'workflow/value', root, oneOfWords(allowed), hint);
    }
    case 'oneOf': {
      const { node, segments } = find(root, e.instancePath);
      if (node.kind !== 'map') return undefined;
      const both = entryOf(node, 'file') && entryOf(node, 'set');
      const message = `${ownerName(segments)} must have either \`file\` or \`set\`, found ${both ? 'both' : 'neither'}`;
      return error('workflow/value', message, { at: firstLine(node), hint: both ? 'make it two layers' : undefined });
    }
    case 'minLength':
    case 'minItems':
      return wrong(e, 'workflow/value', root, expectedType(e));
    case 'minimum':
    case 'exclusiveMinimum':
      return wrong(
        e,
        'workflow/value',
        root,
        (schema['title'] as string | undefined) ?? `at least ${String(params['limit'])}`,
      );
    case 'pattern':
      // Names are checked, with better words, by check.ts.
      return e.propertyName === undefined ? wrong(e, 'workflow/value', root, expectedType(e)) : undefined;
    case 'const': // the format version: check.ts
    case 'not': // reserved names: check.ts
    case 'propertyNames':
      return undefined;
    default:
      return wrong(e, 'workflow/value', root, expectedType(e));
  }
}

/** Fields of other tools, and what they are called here. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  cmd: 'the command is `run`',
  command: 'the command is `run`',
  script: 'the command is `run`',
  input: 'the files that a rule reads are `inputs`',
  deps: 'the files that a rule reads are `inputs`, its code is `code`',
  output: 'the files that a rule makes are `outputs`; `output` is a field of the workflow',
  outs: 'the files that a rule makes are `outputs`',
  params: 'parameters are `config`',
  threads: 'write resources: { cpus: … }',
  foreach: 'what a rule iterates over is `for`',
  matrix: 'what a rule iterates over is `for`',
  wildcards: 'what a rule iterates over is `for`',
  conda: 'write shell: [conda, run, -n, ENV, bash, -euo, pipefail]',
  container: 'write shell: [apptainer, exec, IMAGE, sh, -eu]',
  if: 'the condition is `where`',
  when: 'the condition is `where`',
};

/** The same for fields of the workflow itself. */
const ELSEWHERE_AT_TOP: Readonly<Record<string, string>> = {
  lbh: "did you mean 'lhb'?",
  version: 'the format version is `lhb`',
  configfile: 'config files are named in `config`',
  includes: 'further files of rules are named in `include`',
  cache: 'shared caches are `caches`',
  jobs: 'write `rules`',
};

function unknownField(e: ErrorObject, root: Node, field: string, known: readonly string[]): Diagnostic {
  const { node, segments } = find(root, e.instancePath);
  const at = entryOf(node, field)?.keyAt ?? node.at;
  const included = known.includes('rules') ? 'an included file' : 'the file of settings';
  const owner = segments.length === 0 && !known.includes('lhb') ? included : ownerName(segments);
  const elsewhere = known.includes('run') ? ELSEWHERE : known.includes('lhb') ? ELSEWHERE_AT_TOP : {};
  const hint =
    (Object.hasOwn(elsewhere, field) ? elsewhere[field] : undefined) ??
    didYouMean(field, known) ??
    (segments.length === 0 && known.includes('rules') && !known.includes('lhb')
      ? 'it may hold `rules` alone'
      : undefined) ??
    (known.length <= 8 ? `known fields: ${known.join(', ')}` : undefined);
  return error('workflow/unknown-field', `${owner} has no field '${field}'`, { at, hint });
}

function typeHint(e: ErrorObject, root: Node): string | undefined {
  const { node, segments } = find(root, e.instancePath);
  const field = segments.at(-1);
  if (field === 'rules' && segments.length === 1 && node.kind === 'list')
    return 'write each rule below its name: rules: { train: { run: … } }';
  if (segments[0] !== 'rules' && segments[0] !== 'defaults') return undefined;
  const depth = segments[0] === 'rules' ? 3 : 2;
  if (segments.length !== depth) return undefined;
  if (field === 'shell' && node.kind === 'scalar')
    return 'the command is `run`; `shell` is the program that runs it: [bash, -eu]';
  if (field === 'inputs' && node.kind !== 'map') return 'give each input a name: inputs: { data: … }';
  if (field === 'outputs' && node.kind === 'scalar') return 'give the output a name: outputs: { result: … }';
  if (field === 'for' && node.kind !== 'map') return 'give what is iterated over a name: for: { item: … }';
  return undefined;
}
