// Strings that are not interchangeable, though all are strings.

declare const brand: unique symbol;
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

export type RuleName = string;
/** 64 hex digits: BLAKE3 of what a job computes. Known before anything runs. */
export type JobHash = Brand<string, 'JobHash'>;
/** `PREFIX_` and the first 12 hex digits of the job hash. */
export type JobId = Brand<string, 'JobId'>;
/** 64 hex digits: BLAKE3 of all that decides whether a result still holds. */
export type ActionKey = Brand<string, 'ActionKey'>;
/** 64 hex digits: BLAKE3 of some bytes. */
export type Digest = Brand<string, 'Digest'>;
/** A path from the workflow's folder, with `/`, normalised: no `.`, no `..`, no trailing slash; `.` is the folder itself. */
export type RelPath = Brand<string, 'RelPath'>;
