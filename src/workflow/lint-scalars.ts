// Warnings for values of a source that readers of YAML 1.1 take for something else than lhb does.
import { configText } from './config-yaml.ts';
import { warning, type Diagnostic, type SourceRange } from '../base/diagnostic.ts';
import { yaml11Reading, yaml12Reading } from './core-scalar.ts';
import type { Node } from './node.ts';

/**
 * A warning for every unquoted scalar, key or value, that YAML 1.1 reads otherwise than YAML 1.2: `yes`, `1_000`, `012`,
 * `0o17`, `12:30`, `2020-01-01`, `1e-6` …; in the order of the file, each place once.
 */
export function lintScalars(root: Node): Diagnostic[] {
  const found: Diagnostic[] = [];
  const seen = new Set<Node>();
  const visit = (node: Node): void => {
    if (seen.has(node)) return;
    seen.add(node);
    if (node.kind === 'scalar') {
      if (node.style === 'plain') lintPlain(node.at, found);
    } else if (node.kind === 'list') node.items.forEach(visit);
    else {
      for (const entry of node.entries) {
        if (entry.keyStyle === 'plain') lintPlain(entry.keyAt, found);
        visit(entry.value);
      }
    }
  };
  visit(root);
  const places = new Set<number>();
  return found
    .filter(({ at }) => at !== undefined && !places.has(at.start) && places.add(at.start))
    .toSorted((a, b) => (a.at?.start ?? 0) - (b.at?.start ?? 0));
}

function lintPlain(at: SourceRange, found: Diagnostic[]): void {
  const text = at.file.text.slice(at.start, at.end);
  const [old, now] = [yaml11Reading(text), yaml12Reading(text)];
  if (old === now) return;
  const message = `'${text}' is ${now} here (YAML 1.2), and ${old} to readers of YAML 1.1 such as PyYAML`;
  found.push(warning('yaml/1.1', message, { at, hint: hintFor(text, now) }));
}

function hintFor(text: string, now: string): string {
  if (now === 'the text') {
    const meansBool = /^(?:yes|no|on|off)$/i.exec(text);
    if (meansBool) return `write '${text}' in quotes for the text, or ${/^(?:yes|on)$/i.test(text) ? 'true' : 'false'}`;
    return /^[\d_]+$/.test(text)
      ? `write ${text.replaceAll('_', '')} for a number, or quote the text`
      : 'put it in quotes';
  }
  if (now === 'a float') return `write it with a point and a signed exponent: ${configText(Number(text)).trim()}`;
  const digits = /^the int (-?\d+)$/.exec(now)?.[1];
  return digits === undefined ? 'put it in quotes' : `write ${digits} for the number, or quote the text`;
}
