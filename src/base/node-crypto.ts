// node:crypto where it is used: to load it takes 5 ms, which a build that finds nothing to do can spare.
import type * as crypto from 'node:crypto';

export const nodeCrypto = (): typeof crypto => process.getBuiltinModule('node:crypto');
