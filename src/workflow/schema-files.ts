// Where the schema of workflow files lies, and what is compiled from it.
export const SCHEMA = 'store-schema/workflow.schema.json';
export const VALIDATORS = 'dist/schema-validators.cjs';
