// A record as all see it who share a folder: of whatever namespace, whoever signed it. What counts for one project alone is
// in tier.ts.
import { err, type Result } from '../base/result.ts';
import { decodeRecord, RECORD_VERSION, type SharedRecord } from './record.ts';
import type { RecordKey } from './shared-cache.ts';
import { openSealed } from './signature.ts';

/** The record; 'newer': of a format that this lhb does not know, and is not to judge; else what is wrong with it for all. */
export function anyonesRecord(bytes: Uint8Array, key: RecordKey): Result<SharedRecord, string> | 'newer' {
  const sealed = openSealed(bytes);
  if (sealed === undefined) return err('damaged');
  const { v, ns } = headOf(sealed.line);
  if (typeof v === 'number' && v > RECORD_VERSION) return 'newer';
  return decodeRecord(sealed.line, key, typeof ns === 'string' ? ns : '');
}

function headOf(line: string): { readonly v?: unknown; readonly ns?: unknown } {
  try {
    const parsed: unknown = JSON.parse(line);
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}
