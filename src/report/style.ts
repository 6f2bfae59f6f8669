// Colour. The only file that imports kleur. Whether there is colour is said once, by the caller.
import kleur from 'kleur';

export type Tone = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan' | 'blue';

export type Style = (tone: Tone | undefined, text: string) => string;

/** Paints text, or leaves it alone: kleur's own guess (from its view of stdout) does not count. */
export function makeStyle(color: boolean): Style {
  if (!color) return (_, text) => text;
  kleur.enabled = true;
  return (tone, text) => (tone === undefined || text === '' ? text : kleur[tone](text));
}
