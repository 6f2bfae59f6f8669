// A row of `lhb summary --detailed`, apart from what else is told of jobs, as summary-cells.ts.
import type { Told } from '../plan/told.ts';
import type { Attempt, Origin, TraceCore } from '../store/trace.ts';
import { formatTime } from './format.ts';
import { SUMMARY_COLUMNS } from './summary-cells.ts';
import type { Column } from './table.ts';

export const DETAILED_COLUMNS: readonly Column[] = [
  ...SUMMARY_COLUMNS,
  { title: 'label' },
  { title: 'outputs' },
  { title: 'inputs' },
  { title: 'action_key' },
  { title: 'command' },
  { title: 'config_diff' },
  { title: 'resources' },
  { title: 'used' },
  { title: 'attempts', align: 'right' },
  { title: 'host' },
  { title: 'executor' },
  { title: 'executor_job' },
  { title: 'log' },
  { title: 'origin' },
];

export type Detailed = {
  /** The cells of a row that is not detailed. */
  readonly summary: readonly string[];
  readonly job: Told;
  readonly key: string | undefined;
  readonly result: TraceCore | undefined;
  readonly attempt: Attempt | undefined;
  readonly configDiff: string;
};

export function detailedCells({ summary, job, key, result, attempt, configDiff }: Detailed): string[] {
  const asked = result?.resources ?? attempt?.resources ?? {};
  return [
    ...summary,
    job.label || '-',
    job.outputs.map(({ path, tree }) => path + (tree ? '/' : '')).join(' ') || '-',
    job.inputs.join(' ') || '-',
    key ?? '-',
    job.command.trimEnd() || '-',
    configDiff || '-',
    Object.entries(asked)
      .map(([name, value]) => `${name}=${value}`)
      .join(' ') || '-',
    result ? usageText(result) : '-',
    String(attempt?.attempt ?? result?.attempts ?? 0),
    result?.host ?? attempt?.host ?? '-',
    result?.executor ?? '-',
    result?.executorJob ?? '-',
    job.log,
    result ? originText(result) : '-',
  ];
}

/**
 * The cells of a fresh job's row that follow those of one that is not detailed, as one text; undefined where it is not for
 * keeping: a time in it is that of a time zone, or a cell cannot be told from the next.
 */
export function packDetail(job: Told, result: TraceCore & { readonly actionKey: string }): string | undefined {
  if (result.source !== undefined) return undefined;
  const cells = detailedCells({ summary: [], job, key: result.actionKey, result, attempt: undefined, configDiff: '' });
  return cells.some((cell) => cell.includes(BETWEEN)) ? undefined : cells.join(BETWEEN);
}

const BETWEEN = '\0';

/** The same of a result that was built here, and came back from the store since. */
export function restoredDetail(text: string): string {
  const last = text.lastIndexOf(BETWEEN) + 1;
  const origin: Origin = 'built';
  return text.slice(last) === origin ? `${text.slice(0, last)}${'restored' satisfies Origin}` : text;
}

export const unpackDetail = (text: string): string[] => text.split(BETWEEN);

/** `built`, or `restored from lab, signed by 12ab…, built by alice on node7, came 2026-11-25 12:00`. */
export function originText({ origin, source, host }: TraceCore): string {
  if (source === undefined) return origin;
  const signed = source.keyId === undefined ? 'not signed' : `signed by ${source.keyId}`;
  return `${origin} from ${source.cache}, ${signed}, built by ${source.user} on ${host}, came ${formatTime(source.at)}`;
}

const usageText = ({ usage }: TraceCore): string => {
  const parts = [`wall=${usage.wallS.toFixed(2)}s`];
  if (usage.cpuS !== undefined) parts.push(`cpu=${usage.cpuS.toFixed(2)}s`);
  if (usage.maxRssMb !== undefined) parts.push(`mem=${usage.maxRssMb.toFixed(0)}MB`);
  return parts.join(' ');
};
