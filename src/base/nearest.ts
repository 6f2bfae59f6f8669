// "Did you mean": the nearest known name.
import { closest, distance } from 'fastest-levenshtein';

/** The known name nearest to `name`, or undefined where none is near enough to be meant. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  const candidates = [...known];
  if (candidates.length === 0) return undefined;
  const best = closest(name, candidates);
  const longer = Math.max(name.length, best.length);
  // Two letters swapped are a distance of 2.
  const limit = Math.max(longer < 4 ? 1 : 2, Math.floor(longer / 3));
  const apart = distance(name.toLowerCase(), best.toLowerCase());
  // Nothing in common, as of two names of one letter, is not near.
  return apart <= limit && apart < longer ? best : undefined;
}

/** `did you mean 'x'?`, or undefined. */
export function didYouMean(name: string, known: Iterable<string>): string | undefined {
  const best = nearest(name, known);
  return best === undefined ? undefined : `did you mean '${best}'?`;
}
