// Results that gc never takes: a file each, `pins/ACTIONKEY.json`.
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ActionKey, JobId } from '../base/brand.ts';
import { writeAtomic } from '../fs/atomic-write.ts';
import { readSmallJson } from '../fs/bounded-read.ts';
import { unless } from '../fs/errno.ts';
import type { StoreLayout } from './layout.ts';

export type Pin = {
  readonly actionKey: ActionKey;
  readonly jobId: JobId;
  readonly rule: string;
  readonly label: string;
  /** Seconds since the epoch. */
  readonly pinnedAt: number;
};

const FORMAT = 1;

const fileOf = (layout: StoreLayout, key: ActionKey): string => join(layout.pins, `${key}.json`);

/** Throws system errors. */
export function putPin(layout: StoreLayout, pin: Pin): void {
  mkdirSync(layout.pins, { recursive: true });
  writeAtomic(fileOf(layout, pin.actionKey), `${JSON.stringify({ format: FORMAT, ...pin })}\n`);
}

export function removePin(layout: StoreLayout, key: ActionKey): void {
  rmSync(fileOf(layout, key), { force: true });
}

/** Every pin, in the order of time; the paths of files that cannot be read as one. */
export function readPins(layout: StoreLayout): { pins: Pin[]; unreadable: string[] } {
  const pins: Pin[] = [];
  const unreadable: string[] = [];
  for (const name of (unless(['ENOENT'], () => readdirSync(layout.pins)) ?? []).sort()) {
    if (name.startsWith('.lhb-')) continue;
    const pin = parsePin(name, readSmallJson(join(layout.pins, name)));
    if (pin) pins.push(pin);
    else unreadable.push(join(layout.pins, name));
  }
  return { pins: pins.sort((a, b) => a.pinnedAt - b.pinnedAt), unreadable };
}

function parsePin(name: string, fields: Readonly<Record<string, unknown>> | undefined): Pin | undefined {
  if (fields?.['format'] !== FORMAT) return undefined;
  const { actionKey, jobId, rule, label, pinnedAt } = fields;
  if (typeof actionKey !== 'string' || !/^[0-9a-f]{64}$/.test(actionKey) || name !== `${actionKey}.json`)
    return undefined;
  if (typeof jobId !== 'string' || typeof rule !== 'string' || typeof label !== 'string') return undefined;
  if (typeof pinnedAt !== 'number') return undefined;
  return { actionKey: actionKey as ActionKey, jobId: jobId as JobId, rule, label, pinnedAt };
}
