// A small file system of its own for a test: a tmpfs, which only root can mount.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Rig } from '../support/rig.ts';

export const PAGE = 4096;

/** Is this root, and is root allowed to (in a container it may not be)? Tried out. */
export function mayMount(): boolean {
  if (process.getuid?.() !== 0) return false;
  const dir = mkdtempSync(join(tmpdir(), 'lhb-mount-'));
  try {
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', dir]).status !== 0) return false;
    return spawnSync('umount', [dir]).status === 0;
  } finally {
    rmdirSync(dir);
  }
}

export class SmallDisk {
  readonly dir: string;
  readonly #filler: string;

  /** Mounts it in the rig's folder; it goes when the test ends. `options` as in `mount -o`, `size=…` among them. */
  constructor(rig: Rig, options: string) {
    this.dir = join(rig.base, 'disk');
    this.#filler = join(this.dir, 'filler');
    mkdirSync(this.dir);
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', this.dir]);
    rig.atEnd(() => execFileSync('umount', ['--lazy', this.dir]));
  }

  /** Takes all space but `free` pages. */
  fill(free: number): void {
    const { bavail } = statfsSync(this.dir);
    writeFileSync(this.#filler, Buffer.alloc(Math.max(0, bavail - free) * PAGE));
  }

  /** Takes all inodes but `free`. */
  fillInodes(free: number): void {
    mkdirSync(this.#filler);
    const { ffree } = statfsSync(this.dir);
    for (let n = 0; n < ffree - free; n++) writeFileSync(join(this.#filler, String(n)), '');
  }

  /** Gives all of it back. */
  empty(): void {
    rmSync(this.#filler, { recursive: true, force: true });
  }

  remount(mode: 'ro' | 'rw'): void {
    execFileSync('mount', ['-o', `remount,${mode}`, this.dir]);
  }
}
