// Part of `npm run build`: compiles the schemas of workflow files and profiles to plain JavaScript, so that no command waits for it.
// The only file that imports ajv.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import standalone from 'ajv/dist/standalone/index.js';
import { packageFile } from '../fs/package-file.ts';
import { PROFILE_SCHEMA, SCHEMA, VALIDATORS } from './schema-files.ts';

export type { ErrorObject, ValidateFunction } from 'ajv';

const texts = [SCHEMA, PROFILE_SCHEMA].map((file) => readFileSync(packageFile(file), 'utf8'));
const [workflow = '', profile = ''] = texts.map((text) => (JSON.parse(text) as { readonly $id: string }).$id);
const ajv = new Ajv({
  allErrors: true,
  verbose: true,
  strict: false,
  logger: false,
  inlineRefs: false,
  code: { source: true, esm: false },
});
for (const text of texts) ajv.addSchema(JSON.parse(text) as object);
const code = standalone.default(ajv, {
  workflow,
  include: `${workflow}#/definitions/includeFile`,
  user: `${workflow}#/definitions/userFile`,
  profile,
});
const digest = createHash('sha256').update(texts.join('')).digest('hex');
writeFileSync(packageFile(VALIDATORS), `${code}\nexports.schemaDigest = () => '${digest}';\n`);
