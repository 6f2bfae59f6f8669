// Writes the snapshot of a build when the index is closed and nobody else builds.
import { rmSync } from 'node:fs';
import { writeAtomic } from '../fs/atomic-write.ts';
import type { Taken } from '../plan/snapshot-take.ts';
import { writeSnapshot } from '../plan/snapshot.ts';
import { workLayout, type StoreLayout } from '../store/layout.ts';
import type { CommonOptions } from './invocation.ts';
import { snapshotWords } from './quick-build.ts';

/**
 * To be called with the lock held.
 * @param workflow its file and its folder, absolute
 */
export function keepSnapshot(
  { snapshot, details }: Taken,
  common: CommonOptions,
  workflow: { readonly file: string; readonly root: string },
  layout: StoreLayout,
): void {
  const work = workLayout(workflow.root);
  const words = snapshotWords(common, workflow.file, work, layout);
  try {
    // First: a snapshot names the details that it speaks of.
    if (details) writeAtomic(work.details, details.bytes);
    writeSnapshot(work.snapshot, { ...snapshot, evidence: { ...snapshot.evidence, words } });
  } catch (problem) {
    // A full disk costs the next build time, and nothing else.
    if (!(problem instanceof Error && 'code' in problem)) throw problem;
    rmSync(work.snapshot, { recursive: true, force: true });
  }
}
