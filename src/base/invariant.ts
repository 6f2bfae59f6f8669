// What cannot be, if lhb is right. These throw; cli/main.ts prints them as a bug of lhb.

export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`);
}

/** The last branch of an exhaustive switch. */
export function unreachable(value: never): never {
  throw new Error(`not handled: ${JSON.stringify(value)}`);
}
