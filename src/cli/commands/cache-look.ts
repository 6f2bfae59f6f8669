import type { CacheVerb } from './cache.ts';
export const status: CacheVerb = async () => 2;
export const list: CacheVerb = async () => 2;
export const stats: CacheVerb = async () => 2;
