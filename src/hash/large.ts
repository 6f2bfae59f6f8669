/** Bytes; files of more are read in other threads meanwhile. */
export const LARGE = 1024 * 1024;
