// How deep a YAML text is nested, by the library's tokens and without recursion.

/** A token as far as it matters here: a document has a value, a list or map has items with keys and values. */
type Token = {
  readonly type: string;
  readonly value?: unknown;
  readonly items?: readonly { readonly key?: unknown; readonly value?: unknown }[];
};

/** How many lists and maps stand in one another at the deepest place of some documents. */
export function nesting(documents: readonly unknown[]): number {
  let level = documents;
  let depth = 0;
  while (level.length > 0) {
    const below: unknown[] = [];
    let collections = false;
    for (const token of level as readonly (Token | null | undefined)[]) {
      if (token === null || token === undefined) continue;
      if (token.type === 'document') below.push(token.value);
      if (token.items === undefined) continue;
      collections = true;
      for (const item of token.items) below.push(item.key, item.value);
    }
    if (collections) depth++;
    level = below;
  }
  return depth;
}
