// One line of text that tells whether it is whole: CRC-32 of the rest as eight hex digits, a blank, JSON. Results on record
// have this form in the index and in the trace logs, so that damage shows wherever it is. A digest of BLAKE3 would cost
// more than the rest of a commit, and nobody is kept from forging a line by either.
import { crc32 } from 'node:zlib';

/** The check sum at the beginning. */
export const SEAL = 8;

/** @param json one line */
export const seal = (json: string): string => `${crc32(json).toString(16).padStart(SEAL, '0')} ${json}`;

/** The JSON of a sealed line as UTF-8, a view of `line`; undefined where a byte of it is another. */
export function unsealBytes(line: Buffer): Buffer | undefined {
  if (line.length <= SEAL + 1 || line[SEAL] !== 0x20) return undefined;
  const rest = line.subarray(SEAL + 1);
  return crc32(rest) === sumIn(line) ? rest : undefined;
}

/** The check sum that a line begins with; NaN where that is none. Worked out here: a text of it would take longer. */
function sumIn(line: Buffer): number {
  let sum = 0;
  for (let i = 0; i < SEAL; i++) {
    const char = line[i] ?? 0;
    if (char >= 0x30 && char <= 0x39) sum = sum * 16 + (char - 0x30);
    else if (char >= 0x61 && char <= 0x66) sum = sum * 16 + (char - 0x57);
    else return Number.NaN;
  }
  return sum;
}

/** As unsealBytes, the text. */
export const unseal = (line: Buffer): string | undefined => unsealBytes(line)?.toString();
