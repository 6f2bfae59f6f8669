// Where the schemas of workflow files and profiles lie, and what is compiled from them.
export const SCHEMA = 'store-schema/workflow.schema.json';
export const PROFILE_SCHEMA = 'store-schema/profile.schema.json';
export const VALIDATORS = 'dist/schema-validators.cjs';
