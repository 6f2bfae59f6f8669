import type { CommonOptions, Word } from '../invocation.ts';
import type { Screen } from '../screen.ts';
import type { ExitCode } from '../exit-code.ts';
export const exportResults = async (_c: CommonOptions, _w: readonly Word[], _s: Screen): Promise<ExitCode> => 2;
export const importResults = async (_c: CommonOptions, _w: readonly Word[], _s: Screen): Promise<ExitCode> => 2;
