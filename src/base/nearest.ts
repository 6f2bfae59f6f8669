// "Did you mean": the nearest known name.
import { distance } from 'fastest-levenshtein';

/** The known name nearest to `name`, or undefined where none is near enough to be meant. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  const lower = name.toLowerCase();
  const letters = sortedLetters(lower);
  let best: string | undefined;
  let least = Infinity;
  for (const candidate of known) {
    const other = candidate.toLowerCase();
    const apart = distance(lower, other);
    if (apart > least) continue;
    // Letters that changed places are the likelier slip: `outptus` is as far from `output` as from `outputs`.
    const rank = apart > 0 && sortedLetters(other) === letters ? apart - 0.5 : apart;
    if (rank < least) [best, least] = [candidate, rank];
  }
  if (best === undefined) return undefined;
  const longer = Math.max(name.length, best.length);
  // Two letters swapped are a distance of 2.
  const limit = Math.max(longer < 4 ? 1 : 2, Math.floor(longer / 3));
  // Nothing in common, as of two names of one letter, is not near.
  return least <= limit && least < longer ? best : undefined;
}

const sortedLetters = (text: string): string => Array.from(text).sort().join('');

/** `did you mean 'x'?`, or undefined. */
export function didYouMean(name: string, known: Iterable<string>): string | undefined {
  const best = nearest(name, known);
  return best === undefined ? undefined : `did you mean '${best}'?`;
}
