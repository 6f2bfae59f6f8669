// The machine's GPUs, and which job has which.
import { readdirSync } from 'node:fs';
import { invariant } from '../base/invariant.ts';
import { runProgram } from './program.ts';
import { findOnPath } from './shell.ts';

const SMI_LIMIT_MS = 5000;

/**
 * The GPUs that jobs may use, as CUDA_VISIBLE_DEVICES names them (indices or UUIDs). An outer CUDA_VISIBLE_DEVICES is
 * respected and read as CUDA reads it: a list that ends before the first entry that is no device (`-1`, `NoDevFiles`,
 * nothing). Without it: those that the NVIDIA driver lists, else `nvidia-smi -L` (5 s at most), else none.
 */
export async function visibleGpus(env: Readonly<Record<string, string | undefined>> = process.env): Promise<string[]> {
  const outer = env['CUDA_VISIBLE_DEVICES'];
  if (outer !== undefined) {
    const entries = outer.split(',').map((entry) => entry.trim());
    const end = entries.findIndex((entry) => !/^(\d+|(GPU|MIG)-[\w/-]+)$/.test(entry));
    return [...new Set(end === -1 ? entries : entries.slice(0, end))];
  }
  return Array.from({ length: await countGpus(env['PATH']) }, (_, index) => String(index));
}

async function countGpus(path: string | undefined): Promise<number> {
  try {
    return readdirSync('/proc/driver/nvidia/gpus').length;
  } catch {
    // no driver, or one without this folder (WSL)
  }
  const smi = findOnPath('nvidia-smi', path);
  if (smi === undefined) return 0;
  const { failed, stdout } = await runProgram(smi, ['-L'], { limitMs: SMI_LIMIT_MS });
  return failed ? 0 : stdout.split('\n').filter((line) => /^GPU \d+:/.test(line)).length;
}

/** Hands GPUs out, the lowest first, each to one job at a time. */
export class GpuPool {
  readonly size: number;
  readonly #ids: readonly string[];
  readonly #taken = new Set<string>();

  constructor(ids: readonly string[]) {
    this.#ids = ids;
    this.size = ids.length;
  }

  /** `count` free ids, or undefined when there are not as many. */
  take(count: number): string[] | undefined {
    const free = this.#ids.filter((id) => !this.#taken.has(id)).slice(0, count);
    if (free.length < count) return undefined;
    for (const id of free) this.#taken.add(id);
    return free;
  }

  /** Takes those that are there and free: a job that runs already has them. */
  claim(ids: readonly string[]): string[] {
    const free = ids.filter((id) => this.#ids.includes(id) && !this.#taken.has(id));
    for (const id of free) this.#taken.add(id);
    return free;
  }

  give(ids: readonly string[]): void {
    for (const id of ids) invariant(this.#taken.delete(id), `GPU ${id} was given back without having been taken`);
  }
}
