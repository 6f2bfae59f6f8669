import type { CacheVerb } from './cache.ts';
export const doctor: CacheVerb = async () => 2;
