// Part of `npm run build`: compiles store-schema/workflow.schema.json to plain JavaScript, so that no command waits for it.
// The only file that imports ajv.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import standalone from 'ajv/dist/standalone/index.js';
import { packageFile } from '../fs/package-file.ts';
import { SCHEMA, VALIDATORS } from './schema-files.ts';

export type { ErrorObject, ValidateFunction } from 'ajv';

const text = readFileSync(packageFile(SCHEMA), 'utf8');
const schema = JSON.parse(text) as { readonly $id: string };
const ajv = new Ajv({
  allErrors: true,
  verbose: true,
  strict: false,
  logger: false,
  inlineRefs: false,
  code: { source: true, esm: false },
});
ajv.addSchema(schema);
const code = standalone.default(ajv, {
  workflow: schema.$id,
  include: `${schema.$id}#/definitions/includeFile`,
  user: `${schema.$id}#/definitions/userFile`,
});
const digest = createHash('sha256').update(text).digest('hex');
writeFileSync(packageFile(VALIDATORS), `${code}\nexports.schemaDigest = () => '${digest}';\n`);
