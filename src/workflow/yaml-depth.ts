// How deep a YAML text is nested, by the library's tokens and without recursion.

/** A token as far as it matters here: a document has a value, a list or map has items with keys and values. */
type Token = {
  readonly type: string;
  readonly offset?: number;
  readonly value?: unknown;
  readonly items?: readonly { readonly key?: unknown; readonly value?: unknown }[];
};

/** The offset of a list or map that stands in more than `most` others, or undefined where none does. */
export function tooDeepAt(documents: readonly unknown[], most: number): number | undefined {
  let level = documents;
  let depth = 0;
  while (level.length > 0) {
    const below: unknown[] = [];
    let deepest: Token | undefined;
    for (const token of level as readonly (Token | null | undefined)[]) {
      if (token === null || token === undefined) continue;
      if (token.type === 'document') below.push(token.value);
      if (token.items === undefined) continue;
      deepest ??= token;
      for (const item of token.items) below.push(item.key, item.value);
    }
    if (deepest !== undefined && ++depth > most) return deepest.offset ?? 0;
    level = below;
  }
  return undefined;
}
