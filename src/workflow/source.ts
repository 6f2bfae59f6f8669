// Reads the text of a source file, with every way in which that can fail as a sentence.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import * as path from 'node:path';
import { error, type SourceFile, type SourceRange } from '../base/diagnostic.ts';
import { didYouMean } from '../base/nearest.ts';
import { err, ok, type Result } from '../base/result.ts';
import { looks } from '../fs/looks.ts';
import { signatureOf } from '../fs/stat-signature.ts';

/** The size in bytes above which JSON, CSV and TSV files are refused before they are read. */
export const MAX_BYTES = 64 * 1024 * 1024;

/** The same for YAML: its reader needs 170 bytes of memory for a byte of source, and some seconds for a megabyte. */
export const MAX_YAML_BYTES = 8 * 1024 * 1024;

export type ReadOptions = {
  /** Where the file is named, for the place of an error; without it the error has no place. */
  readonly at?: SourceRange | undefined;
  /** In bytes; default MAX_BYTES. */
  readonly maxBytes?: number | undefined;
  /** How the file is called in messages; default the path itself. */
  readonly shown?: string | undefined;
};

/**
 * The text of a UTF-8 file, without a byte order mark; its SourceFile is named by the absolute path `file`. Errors: no
 * such file (hint: the nearest name in its folder), a folder or device, over the cap, not UTF-8.
 */
export function readSource(file: string, options: ReadOptions = {}): Result<SourceFile> {
  const { at, maxBytes = MAX_BYTES, shown = file } = options;
  try {
    const stat = statSync(file);
    if (!stat.isFile()) {
      const what = stat.isDirectory() ? 'a folder' : 'not a regular file';
      return err([error('file/not-a-file', `'${shown}' is ${what}, expected a file`, { at })]);
    }
    if (stat.size > maxBytes) {
      const hint =
        maxBytes < MAX_BYTES
          ? `JSON, CSV and TSV are read up to ${megabytes(MAX_BYTES)}`
          : 'keep large data out of configs: name the file as an input instead';
      const message = `'${shown}' has ${megabytes(stat.size)}, and the most that is read here is ${megabytes(maxBytes)}`;
      return err([error('file/too-large', message, { at, hint })]);
    }
    const readAt = Date.now();
    const bytes = readFileSync(file);
    looks.file(file, signatureOf(stat), readAt, bytes);
    return decode(file, shown, bytes, at);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      const hint = nearestFile(file, shown);
      return err([error('file/not-found', `there is no file '${shown}'`, { at, hint })]);
    }
    if (code === undefined) throw cause;
    return err([error('file/unreadable', `'${shown}' cannot be read (${code})`, { at })]);
  }
}

const megabytes = (bytes: number): string => `${(bytes / (1024 * 1024)).toFixed(0)} MiB`;

function decode(file: string, shown: string, bytes: Buffer, at: SourceRange | undefined): Result<SourceFile> {
  const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  try {
    if (!utf16) return ok({ name: file, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) });
  } catch {
    // Told below, as for UTF-16.
  }
  const hint = 'save it as UTF-8';
  if (utf16) return err([error('file/encoding', `'${shown}' is UTF-16 text, expected UTF-8`, { at, hint })]);
  // What cannot be read is replaced, one character a byte or more: the first of these is the place.
  const text = bytes.toString('utf8');
  const start = badCharacter(text, bytes);
  if (start === undefined) return err([error('file/encoding', `'${shown}' is not UTF-8 text`, { at, hint })]);
  const place = { file: { name: file, text }, start, end: start + 1 };
  return err([error('file/encoding', `'${shown}' is not UTF-8 text: this byte is no character`, { at: place, hint })]);
}

/** The offset of the first U+FFFD in the text that does not stand in the bytes. */
function badCharacter(text: string, bytes: Buffer): number | undefined {
  for (let at = text.indexOf('\uFFFD'); at !== -1; at = text.indexOf('\uFFFD', at + 1)) {
    const before = Buffer.byteLength(text.slice(0, at));
    if (bytes.toString('hex', before, before + 3) !== 'efbfbd') return at;
  }
  return undefined;
}

function nearestFile(file: string, shown: string): string | undefined {
  try {
    const names = readdirSync(path.dirname(file));
    const folder = path.posix.dirname(shown);
    const prefix = folder === '.' ? '' : folder.endsWith('/') ? folder : `${folder}/`;
    return didYouMean(
      shown,
      names.map((name) => prefix + name),
    );
  } catch {
    return undefined;
  }
}
