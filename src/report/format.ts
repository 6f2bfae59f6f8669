// How numbers, times and foreign text are shown. Pure functions; wording.ts makes sentences of them.
import { shownChar } from './char-width.ts';

const pad2 = (n: number): string => String(n).padStart(2, '0');

/** A duration in seconds: `1.2 s`, `3 m 04 s`, `5 h 12 m`, `2 d 03 h`. Unknown or negative time is `0.0 s`. */
export function formatDuration(seconds: number): string {
  const s = Math.max(0, Number.isFinite(seconds) ? seconds : 0);
  const tenths = Math.round(s * 10);
  return tenths < 600 ? `${(tenths / 10).toFixed(1)} s` : formatElapsed(s);
}

/** Like formatDuration but in whole seconds below a minute, so that a running clock does not flicker: `12 s`. */
export function formatElapsed(seconds: number): string {
  const s = Math.round(Math.max(0, Number.isFinite(seconds) ? seconds : 0));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m ${pad2(s % 60)} s`;
  const minutes = Math.round(s / 60);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${pad2(minutes % 60)} m`;
  const hours = Math.round(s / 3600);
  return `${Math.floor(hours / 24)} d ${pad2(hours % 24)} h`;
}

/** Bytes in powers of 1000: `999 B`, `1.3 MB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  // What would be shown as 1000.0 kB is 1.0 MB.
  while (unit < units.length - 1 && value >= (unit === 0 ? 1000 : 999.95)) {
    value /= 1000;
    unit++;
  }
  return unit === 0 ? `${value} B` : `${value.toFixed(1)} ${units[unit]}`;
}

/** Seconds since the epoch as `2026-11-22 18:54`, in the local time zone. */
export function formatTime(epochS: number): string {
  const d = new Date(epochS * 1000);
  const date = `${d.getFullYear()}-${pad2(d.getMonth() + 1)}-${pad2(d.getDate())}`;
  return `${date} ${pad2(d.getHours())}:${pad2(d.getMinutes())}`;
}

/** `1 job`, `3 jobs`. Digits alone, so that a line that scripts may read has no commas. */
export function formatCount(n: number, singular: string, plural = `${singular}s`): string {
  return `${n} ${n === 1 ? singular : plural}`;
}

/** A whole number with a comma every three digits from 10,000 on, in every locale. */
export function formatNumber(n: number): string {
  return n < 10_000 ? String(n) : String(n).replaceAll(/\B(?=(\d{3})+$)/g, ',');
}

const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
/** What nearly every text is, told faster. */
const PRINTABLE = /^[ -~]*$/;
const UNSAFE_ALL = new RegExp(UNSAFE.source, 'gu');
const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\t': '\\t', '\r': '\\r' };

/**
 * Text from names, configs and commands for one line of a terminal: what would move the cursor, colour, reorder or hide
 * other text is written out, as `\x1b`.
 */
export function safeText(text: string): string {
  if (PRINTABLE.test(text)) return text;
  return UNSAFE.test(text) ? text.replaceAll(UNSAFE_ALL, (c) => NAMED[c] ?? shownChar(c)) : text;
}

/** Text of several lines, each made safe; line ends and tabs stay what they are. */
export function safeLines(text: string): string {
  return text
    .split(/\r?\n/)
    .map((line) => line.split('\t').map(safeText).join('\t'))
    .join('\n');
}

/**
 * A line of a job's log: as a terminal would leave it (of a progress bar its last state), without colours, tabs as
 * blanks, all else made visible.
 */
export function safeLogLine(line: string): string {
  const last =
    line
      .replace(/[\r\n]+$/, '')
      .split('\r')
      .at(-1) ?? '';
  // SGR sequences (ECMA-48, 8.3.117) only colour text, and most tools write them.
  // oxlint-disable-next-line no-control-regex
  return safeText(last.replaceAll(/\u001b\[[\d;:]*m/g, '').replaceAll('\t', '    '));
}
