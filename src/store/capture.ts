// After a job: its declared outputs go into the store, and become its manifest.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { below } from '../fs/rel-path.ts';
import type { Digest } from '../base/brand.ts';
import { concurrently } from '../base/concurrently.ts';
import { err, ok, type Result } from '../base/result.ts';
import { hashBytes } from '../hash/digest.ts';
import { UnstableFileError, type BlobStore } from './blob-store.ts';
import type { FileDigests } from './file-digests.ts';
import { withoutFields } from './ignore-fields.ts';
import { keyDigestOf, type Declared, type Entry, type Manifest, type Output } from './manifest.ts';
import { walkOutput, type Found } from './output-walk.ts';
import { systemText } from './write-failed.ts';

export type OutputProblem =
  /** Paths from the workflow's folder. */
  | { readonly kind: 'missing'; readonly paths: readonly string[] }
  /** One sentence: something is declared as a file and is a folder, a link leads out, … */
  | { readonly kind: 'invalid'; readonly message: string }
  /** The system refused: disk full, not allowed. */
  | { readonly kind: 'failed'; readonly message: string };

export type Captured = {
  readonly manifest: Manifest;
  /** Sentences about files whose ignored fields could not be left out. */
  readonly warnings: readonly string[];
};

/** Big files are read in other threads meanwhile. */
const FILES_AT_ONCE = 8;

/** Files larger than this are never read as JSON. */
const MAX_JSON = 256 * 1024 * 1024;

/**
 * Takes all declared outputs of a job into the store.
 * @param root the workflow's folder, absolute; @param dir the job's folder, from root
 * @param digests learns the digests, so that the next look at the outputs needs no bytes
 */
export async function captureOutputs(
  root: string,
  dir: string,
  declared: readonly Declared[],
  blobs: BlobStore,
  digests?: FileDigests,
): Promise<Result<Captured, OutputProblem>> {
  const warnings: string[] = [];
  try {
    const walked = declared.map((output) => ({ output, walk: walkOutput(root, dir, output) }));
    const missing = walked.filter(({ walk }) => walk.kind === 'missing').map(({ output }) => shownPath(dir, output));
    if (missing.length > 0) return err({ kind: 'missing', paths: missing });
    const manifest: Output[] = [];
    for (const { output, walk } of walked) {
      if (walk.kind === 'invalid') return err({ kind: 'invalid', message: `output ${output.name}: ${walk.message}` });
      const found = walk.kind === 'found' ? walk.found : [];
      const entries = await concurrently(found, FILES_AT_ONCE, (each) =>
        each.type === 'file' ? captureFile(each) : each,
      );
      manifest.push({
        name: output.name,
        path: output.path,
        tree: output.tree,
        entries,
        keyDigest: keyDigestOf(output.tree, entries),
      });

      async function captureFile(found: Extract<Found, { type: 'file' }>): Promise<Entry> {
        const stored = await blobs.put(found.absolute, found.followed, found.stats);
        const path = below(below(dir, output.path), found.path);
        digests?.record(path, stored.signature, stored.digest, stored.settled, stored.sharedOn);
        const keyDigest = ignoring(output, found.path)
          ? digestWithout(output.ignore, found.absolute, stored.digest, stored.size)
          : stored.digest;
        if (keyDigest === undefined) {
          warnings.push(`${path} is no JSON: its fields in \`ignore\` cannot be left out, and all its bytes count`);
        }
        return {
          type: 'file',
          path: found.path,
          size: stored.size,
          digest: stored.digest,
          exec: stored.exec,
          ...(keyDigest !== undefined && keyDigest !== stored.digest && { keyDigest }),
        };
      }
    }
    return ok({ manifest, warnings });
  } catch (error) {
    if (error instanceof UnstableFileError) return err({ kind: 'invalid', message: error.message });
    if (error instanceof Error && 'code' in error) return err({ kind: 'failed', message: systemText(error) });
    throw error;
  }
}

const shownPath = (dir: string, output: Declared): string => join(dir, output.path) + (output.tree ? '/' : '');

const ignoring = (output: Declared, path: string): boolean =>
  output.ignore.length > 0 && (!output.tree || path.endsWith('.json'));

/** Undefined where the file is no JSON. */
function digestWithout(pointers: readonly string[], path: string, digest: Digest, size: number): Digest | undefined {
  if (size > MAX_JSON) return undefined;
  const bytes = readFileSync(path);
  // Should something have written to it since it was stored, its whole digest says so.
  if (hashBytes(bytes) !== digest) return digest;
  const rest = withoutFields(bytes, pointers);
  return rest && hashBytes(rest);
}
