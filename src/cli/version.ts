// The version of lhb, from its package.json.
import { readFileSync } from 'node:fs';
import { packageFile } from '../fs/package-file.ts';

export function version(): string {
  const parsed: unknown = JSON.parse(readFileSync(packageFile('package.json'), 'utf8'));
  return typeof parsed === 'object' && parsed !== null && 'version' in parsed ? String(parsed.version) : 'unknown';
}
