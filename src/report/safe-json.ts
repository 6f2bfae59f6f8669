// JSON that is safe to look at: JSON.stringify escapes only the first 32 characters, and a terminal obeys others too.

// DEL and C1 controls, what reorders or hides text, line and paragraph separators.
const UNSAFE = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** As JSON.stringify, such characters written as `\uXXXX`: the same value to every reader. */
export const safeJson = (value: unknown, indent?: number): string =>
  JSON.stringify(value, undefined, indent).replaceAll(
    UNSAFE,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
