import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readFileSync } from 'node:fs';
import { load } from './support.ts';

type Schema = { readonly [key: string]: unknown };

const schema = JSON.parse(readFileSync('store-schema/workflow.schema.json', 'utf8')) as Schema;
const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Every schema of a field, by its path. */
function fields(node: Schema, path: string, found: Map<string, Schema>): void {
  for (const part of ['properties', 'definitions']) {
    if (!isSchema(node[part])) continue;
    for (const [name, inner] of Object.entries(node[part])) {
      if (!isSchema(inner)) continue;
      found.set(`${path}/${name}`, inner);
      fields(inner, `${path}/${name}`, found);
    }
  }
}

test('every field has a description', () => {
  const found = new Map<string, Schema>();
  fields(schema, '', found);
  assert.ok(found.size > 60);
  const without = [...found].filter(([, inner]) => inner['description'] === undefined && inner['$ref'] === undefined);
  assert.equal(
    without.map(([path]) => path),
    [],
  );
});

test('defaults may hold whatever a rule may', () => {
  const { definitions } = schema as { definitions: Record<string, { properties: object }> };
  assert.equal(
    Object.keys(definitions['defaults']?.properties ?? {}),
    Object.keys(definitions['rule']?.properties ?? {}),
  );
});

test('no field offers two branches for one type, which would make two errors of one mistake', () => {
  assert.not.match(JSON.stringify(schema), /"anyOf"/);
  assert.is(JSON.stringify(schema).match(/"oneOf"/g)?.length, 1);
});

test('odd keys are told, not stumbled over', () => {
  const result = load('lhb: 1\n__proto__: 1\nconstructor: 2\nrules: {a: {run: x, toString: 3}}');
  assert.is(result.ok, false);
  assert.equal(result.ok ? [] : result.error.map((d) => d.message), [
    "the workflow has no field '__proto__'",
    "the workflow has no field 'constructor'",
    "rule 'a' has no field 'toString'",
  ]);
});

test.run();
