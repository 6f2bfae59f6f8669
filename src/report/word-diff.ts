// The words in which two long texts (commands, mostly) differ, for a line that a person reads.

const CONTEXT = 1;
const LONGEST = 60;

/**
 * The part of two texts between their common first and last words, with one word of context on either side and `…`
 * where something was left out. Each is at most some sixty characters long.
 */
export function changedWords(old: string, now: string): readonly [old: string, now: string] {
  const a = words(old);
  const b = words(now);
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  // Only blanks differ: then they are what is to be seen.
  if (start === a.length && start === b.length) return focus(JSON.stringify(old), JSON.stringify(now));
  return focus(excerpt(a, start, end), excerpt(b, start, end));
}

/** One long word (a JSON text, say) may differ late: what both begin with is left out, but for some characters. */
function focus(a: string, b: string): readonly [string, string] {
  let same = 0;
  while (same < Math.min(a.length, b.length) && a[same] === b[same]) same++;
  const drop = Math.max(a.length, b.length) > LONGEST && same > 30 ? same - 20 : 0;
  const from = (text: string): string => cut(drop > 0 ? `…${text.slice(drop)}` : text);
  return [from(a), from(b)];
}

const words = (text: string): string[] => text.split(/\s+/).filter((w) => w !== '');

function excerpt(list: readonly string[], start: number, end: number): string {
  const from = Math.max(0, start - CONTEXT);
  const to = Math.min(list.length, list.length - end + CONTEXT);
  const middle = list.slice(from, to).join(' ');
  return [from > 0 ? '… ' : '', middle, to < list.length ? ' …' : ''].join('');
}

const cut = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);
