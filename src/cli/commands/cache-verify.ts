import type { CacheVerb } from './cache.ts';
export const verify: CacheVerb = async () => 2;
export const repair: CacheVerb = async () => 2;
