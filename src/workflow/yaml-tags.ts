// What tags and styles of YAML scalars mean here. Only the core tags are known.
import type { Scalar } from '../base/value.ts';
import type { ScalarStyle } from './node.ts';

const CORE_TAGS = new Set(['str', 'int', 'float', 'bool', 'null', 'seq', 'map'].map((t) => `tag:yaml.org,2002:${t}`));

/** Is it one of the tags of YAML 1.2 core? */
export const isCoreTag = (tag: string): boolean => CORE_TAGS.has(tag);

/** The style of a scalar from the library's name for it. */
export function styleOf(type: string | undefined): ScalarStyle {
  if (type === 'QUOTE_SINGLE') return 'single';
  if (type === 'QUOTE_DOUBLE') return 'double';
  return type === 'BLOCK_LITERAL' || type === 'BLOCK_FOLDED' ? 'block' : 'plain';
}

/** The value of a scalar with an explicit tag, or undefined where they do not fit or the tag is unknown. */
export function taggedScalar(
  tag: string,
  value: Scalar,
  source: string | undefined,
): { readonly value: Scalar } | undefined {
  switch (tag) {
    case 'tag:yaml.org,2002:str':
    case '!':
      return typeof value === 'string' ? { value } : { value: source ?? '' };
    case 'tag:yaml.org,2002:int':
      if (typeof value === 'bigint') return { value };
      return typeof value === 'string' && /^[-+]?[0-9]+$/.test(value)
        ? { value: BigInt(value.replace('+', '')) }
        : undefined;
    case 'tag:yaml.org,2002:float':
      if (typeof value === 'number') return { value };
      return typeof value === 'string' && /^[-+]?[0-9]+$/.test(value) ? { value: Number(value) } : undefined;
    case 'tag:yaml.org,2002:bool':
      return typeof value === 'boolean' ? { value } : undefined;
    case 'tag:yaml.org,2002:null':
      return value === null || value === '' ? { value: null } : undefined;
    default:
      return undefined;
  }
}
