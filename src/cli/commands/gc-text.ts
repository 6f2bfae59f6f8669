// What `lhb gc` prints: what goes (or would), what it frees, and what stays and why.
import { formatBytes, formatCount, formatTime } from '../../report/format.ts';
import type { Column } from '../../report/table.ts';
import { type Collection, type GoneRecord, type KeptBy } from '../../store/collect.ts';
import { STRAY_KINDS, type StrayFile } from '../../store/stray-files.ts';
import type { GcOptions } from '../invocation.ts';
import type { Screen } from '../screen.ts';

const COLUMNS: readonly Column[] = [
  { title: 'id' },
  { title: 'rule' },
  { title: 'last used' },
  { title: 'size', align: 'right' },
  { title: 'label' },
];

/** How many of the results that go are shown on a terminal, and in JSON. */
const LARGEST = 10;

const KEPT: Readonly<Record<KeptBy, (options: GcOptions) => string>> = {
  workflow: () => 'by the workflow',
  work_tree: () => 'by outputs in the work tree',
  builds: ({ keepBuilds }) => `by the last ${formatCount(keepBuilds, 'build')}`,
  pins: () => 'by pins',
  other_trees: () => 'by other work trees',
  age: () => 'as they are not that old',
  size: () => 'as there is room',
};

const STRAYS: Readonly<Record<StrayFile['kind'], (n: number) => string>> = {
  temporary: (n) => formatCount(n, 'temporary file'),
  damaged: (n) => formatCount(n, 'damaged file'),
  logs: (n) => formatCount(n, 'log'),
  job_folders: (n) => formatCount(n, 'job folder'),
  lists: (n) => formatCount(n, 'list'),
};

/** @param dry it is only said what would go */
export function printCollection(
  screen: Screen,
  collection: Collection,
  strays: readonly StrayFile[],
  options: GcOptions,
  dry: boolean,
): void {
  const gone = collection.records.gone.toSorted((a, b) => b.bytes - a.bytes);
  const sizes = sizesOf(collection, strays);
  if (screen.json) {
    screen.document(toJson(collection, gone, sizes, strays, dry));
    return;
  }
  const shown = process.stdout.isTTY ? gone.slice(0, LARGEST) : gone;
  if (shown.length > 0) screen.table(COLUMNS, shown.map(row));
  if (shown.length < gone.length) screen.note(`… and ${formatCount(gone.length - shown.length, 'smaller result')}`);
  for (const { rule, records, bytes } of byRule(gone)) {
    screen.note(`${rule}: ${formatCount(records, 'result')}, ${formatBytes(bytes)}`);
  }
  const { records, blobs } = collection;
  if (gone.length === 0 && blobs.gone.length === 0 && strays.length === 0) {
    screen.note(`nothing to remove${records.total === 0 ? ': no result is on record' : ''}`);
  } else {
    const what = `${gone.length} of ${formatCount(records.total, 'result')} and ${blobs.gone.length} of ${formatCount(blobs.total, 'blob')}`;
    screen.note(
      `${dry ? 'would remove' : 'removed'} ${what}: ${formatBytes(sizes.gone)} of ${formatBytes(blobs.bytes)}`,
    );
    if (sizes.orphaned > 0) screen.note(`${formatBytes(sizes.orphaned)} of that no result on record refers to`);
    if (sizes.gone > sizes.freed) {
      const shared = formatBytes(sizes.gone - sizes.freed);
      screen.note(
        `the disk gets ${formatBytes(sizes.freed)}; ${shared} have another name still, as outputs that share them`,
      );
    }
    const others = STRAY_KINDS.flatMap((kind) => {
      const count = strays.filter((stray) => stray.kind === kind).length;
      return count > 0 ? [STRAYS[kind](count)] : [];
    });
    if (others.length > 0) screen.note(`${dry ? 'and' : 'also'} ${others.join(', ')}, ${formatBytes(sizes.strays)}`);
  }
  const kept = [...records.kept].map(([by, count]) => `${count} ${KEPT[by](options)}`);
  if (kept.length > 0) screen.note(`${dry ? 'would keep' : 'kept'} ${records.total - gone.length}: ${kept.join(', ')}`);
  if (records.kept.has('work_tree'))
    screen.note('outputs of jobs that are no longer in the workflow: `lhb clean` removes them');
  if (options.maxBytes !== undefined && sizes.left > options.maxBytes) {
    screen.note(`what has to stay has ${formatBytes(sizes.left)}, more than ${formatBytes(options.maxBytes)}`);
  }
  if (dry && sizes.any + strays.length > 0) screen.note('`lhb gc --yes` removes it');
}

const row = ({ jobId, rule, label, usedAt, bytes }: GoneRecord): string[] => [
  jobId,
  rule,
  formatTime(usedAt),
  formatBytes(bytes),
  label || '-',
];

type Sizes = { gone: number; freed: number; orphaned: number; left: number; strays: number; any: number };

function sizesOf({ records, blobs }: Collection, strays: readonly StrayFile[]): Sizes {
  const sum = (items: readonly { readonly size: number }[]): number =>
    items.reduce((total, { size }) => total + size, 0);
  const gone = sum(blobs.gone);
  return {
    gone,
    freed: sum(blobs.gone.filter(({ last }) => last)),
    orphaned: sum(blobs.gone.filter(({ orphan }) => orphan)),
    left: blobs.bytes - gone,
    strays: strays.reduce((total, { bytes }) => total + bytes, 0),
    any: records.gone.length + blobs.gone.length,
  };
}

function byRule(gone: readonly GoneRecord[]): { rule: string; records: number; bytes: number }[] {
  const rules = new Map<string, { rule: string; records: number; bytes: number }>();
  for (const { rule, bytes } of gone) {
    const known = rules.get(rule) ?? { rule, records: 0, bytes: 0 };
    rules.set(rule, { rule, records: known.records + 1, bytes: known.bytes + bytes });
  }
  return [...rules.values()].sort((a, b) => b.bytes - a.bytes);
}

function toJson(
  { records, blobs }: Collection,
  gone: readonly GoneRecord[],
  sizes: Sizes,
  strays: readonly StrayFile[],
  dry: boolean,
): Record<string, unknown> {
  const files = (kind: StrayFile['kind']): Record<string, number> => {
    const some = strays.filter((stray) => stray.kind === kind);
    return { count: some.length, bytes: some.reduce((sum, { bytes }) => sum + bytes, 0) };
  };
  return {
    dry_run: dry,
    records: { total: records.total, removed: gone.length },
    blobs: {
      total: blobs.total,
      removed: blobs.gone.length,
      orphaned: blobs.gone.filter(({ orphan }) => orphan).length,
    },
    bytes: { total: blobs.bytes, removed: sizes.gone, freed: sizes.freed },
    kept: Object.fromEntries(Object.keys(KEPT).map((by) => [by, records.kept.get(by as KeptBy) ?? 0])),
    rules: byRule(gone),
    largest: gone.slice(0, LARGEST).map(({ jobId, rule, label, actionKey, bytes, usedAt }) => ({
      id: jobId,
      rule,
      label,
      action_key: actionKey,
      bytes,
      used_at: new Date(usedAt * 1000).toISOString(),
    })),
    files: Object.fromEntries(STRAY_KINDS.map((kind) => [kind, files(kind)])),
  };
}
