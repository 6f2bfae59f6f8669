// Fields of a record that comes from outside, checked one by one: what is not of the form throws Malformed.

export class Malformed extends Error {}

export type Fields = Readonly<Record<string, unknown>>;

export function map(item: unknown): Fields {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) throw new Malformed();
  return item as Fields;
}

export function list(item: unknown): readonly unknown[] {
  if (!Array.isArray(item)) throw new Malformed();
  return item;
}

export function text(item: unknown): string {
  if (typeof item !== 'string') throw new Malformed();
  return item;
}

export function number(item: unknown): number {
  if (typeof item !== 'number') throw new Malformed();
  return item;
}
