// Jobs that wait for a slot: by priority, then longest path first, then in the workflow's order.
//
// What does not fit is passed over, so that small jobs use what a big one leaves free. Jobs that ask for the same stand in
// one row, of which only the first need be tried: a long queue is asked often.
import type { Job } from '../graph/job.ts';

export type Queued = {
  readonly job: Job;
  readonly attempt: number;
  readonly priority: number;
  /** Expected seconds from this job's start to the end of the longest chain below it. */
  readonly path: number;
  /** What it asks for: of two with the same, either both fit or none. */
  readonly asks: string;
};

/** The best is last, so that taking it out is cheap. */
type Row = { readonly items: Queued[]; sorted: boolean };

/** With more kinds of requests than this, further ones share a row, of which so many jobs are tried. */
const MOST_ROWS = 128;

export class RunQueue {
  readonly #rows = new Map<string, Row>();
  readonly #others: Row = { items: [], sorted: true };
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(item: Queued): void {
    let row = this.#rows.get(item.asks);
    if (row === undefined && this.#rows.size < MOST_ROWS)
      this.#rows.set(item.asks, (row = { items: [], sorted: true }));
    row ??= this.#others;
    insert(row, item);
    this.#size++;
  }

  /** Takes out the first that `fits`. */
  take(fits: (item: Queued) => boolean): Queued | undefined {
    const heads: { readonly item: Queued; readonly row: Row; readonly index: number }[] = [];
    for (const row of this.#rows.values()) heads.push(...ends(row, 1));
    heads.push(...ends(this.#others, MOST_ROWS));
    heads.sort((a, b) => compare(b.item, a.item));
    for (const { item, row, index } of heads) {
      if (!fits(item)) continue;
      row.items.splice(index, 1);
      if (row.items.length === 0) this.#rows.delete(item.asks);
      this.#size--;
      return item;
    }
    return undefined;
  }

  /** Takes all out, in no order. */
  drain(): Queued[] {
    const items = [...this.#rows.values(), this.#others].flatMap((row) => row.items.splice(0));
    this.#rows.clear();
    this.#size = 0;
    return items;
  }
}

/** One after the other goes to its place; many at once are sorted when they are asked for. */
function insert(row: Row, item: Queued): void {
  const { items } = row;
  if (!row.sorted || items.length < 16) {
    items.push(item);
    row.sorted = false;
    return;
  }
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const there = items[middle];
    if (there !== undefined && compare(there, item) < 0) low = middle + 1;
    else high = middle;
  }
  items.splice(low, 0, item);
}

function ends(row: Row, count: number): { item: Queued; row: Row; index: number }[] {
  if (!row.sorted) row.items.sort(compare);
  row.sorted = true;
  const first = Math.max(0, row.items.length - count);
  return row.items.slice(first).map((item, i) => ({ item, row, index: first + i }));
}

/** Positive where `a` goes before `b`. */
const compare = (a: Queued, b: Queued): number =>
  a.priority - b.priority || a.path - b.path || b.job.index - a.job.index;
