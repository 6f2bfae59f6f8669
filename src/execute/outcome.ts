// What a shell's exit status says.
import { constants } from 'node:os';
import type { Outcome } from './executor.ts';

const SIGNAL_NAMES = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** A program that exits with 128 + n by itself looks like one that died by signal n. */
export function outcomeOfStatus(status: number): Outcome {
  if (status === 0) return { kind: 'success' };
  const signal = SIGNAL_NAMES.get(status - 128);
  return signal === undefined ? { kind: 'exit-code', code: status } : { kind: 'signal', signal };
}
