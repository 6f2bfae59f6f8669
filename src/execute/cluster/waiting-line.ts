// Jobs that wait to be handed over: by kinds, of which one call takes many.
import type { Task } from './task.ts';
import type { Kind } from './submission.ts';

/** A pack that is not full goes out when no more jobs have come for so long, or so long after the first. */
const PACK_PATIENCE_MS = 1000;
const MOST_PACK_PATIENCE_MS = 5000;
/** Shares such as 1/49 do not add up to a whole. */
const ROUNDING = 1e-6;

type Row = { readonly most: number; readonly tasks: Set<Task>; firstMs: number; lastMs: number };

export class WaitingLine {
  readonly #rows = new Map<string, Row>();
  readonly #rowOf = new Map<Task, string>();

  get size(): number {
    return this.#rowOf.size;
  }

  get tasks(): Iterable<Task> {
    return this.#rowOf.keys();
  }

  add(task: Task, { key, most }: Kind, nowMs: number): void {
    const name = key ?? `alone ${task.token}`;
    const row = this.#rows.get(name) ?? { most, tasks: new Set(), firstMs: nowMs, lastMs: nowMs };
    row.tasks.add(task);
    row.lastMs = nowMs;
    this.#rows.set(name, row);
    this.#rowOf.set(task, name);
  }

  /** False where it is not here. */
  remove(task: Task): boolean {
    const name = this.#rowOf.get(task);
    if (name === undefined) return false;
    this.#rowOf.delete(task);
    const row = this.#rows.get(name);
    row?.tasks.delete(task);
    if (row?.tasks.size === 0) this.#rows.delete(name);
    return true;
  }

  /**
   * Takes out what one call can hand over: each of the scheduler's jobs with its members, of which there are several in a pack.
   * None where packs that wait are to be filled first.
   * @param room so many of the scheduler's jobs at the most
   */
  next(room: number, nowMs: number): (readonly [Task, ...Task[]])[] {
    for (const row of this.#rows.values()) {
      const isPatient = nowMs - row.lastMs < PACK_PATIENCE_MS && nowMs - row.firstMs < MOST_PACK_PATIENCE_MS;
      const packs = packsOf(row.tasks, Math.min(room, row.most), isPatient);
      if (packs.length === 0) continue;
      for (const task of packs.flat()) this.remove(task);
      row.firstMs = nowMs;
      return packs;
    }
    return [];
  }
}

/** The first packs of a row; a job that is packed with none is one by itself. */
function packsOf(tasks: Iterable<Task>, most: number, onlyFull: boolean): (readonly [Task, ...Task[]])[] {
  const packs: [Task, ...Task[]][] = [];
  let filled = 1;
  for (const task of tasks) {
    const share = task.launch?.pack?.share ?? 1;
    const last = packs.at(-1);
    if (last !== undefined && filled + share <= 1 + ROUNDING) {
      last.push(task);
      filled += share;
    } else {
      if (packs.length >= most) return packs;
      packs.push([task]);
      filled = share;
    }
  }
  if (onlyFull && filled < 1 - ROUNDING) packs.pop();
  return packs;
}
