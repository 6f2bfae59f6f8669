// What is found wrong while a workflow is checked.
import type { Diagnostic } from '../base/diagnostic.ts';
import type { Result } from '../base/result.ts';

/** Collects diagnostics, of one code at one place the first only: a mistake in `defaults` is met again in every rule. */
export class Issues {
  private readonly found: Diagnostic[] = [];
  private readonly places = new Set<string>();

  get any(): boolean {
    return this.found.length > 0;
  }

  add(...diagnostics: readonly Diagnostic[]): void {
    for (const diagnostic of diagnostics) {
      const { at, code, message } = diagnostic;
      const place = at ? `${code} ${at.file.name} ${at.start} ${at.end}` : `${code} ${message}`;
      if (this.places.has(place)) continue;
      this.places.add(place);
      this.found.push(diagnostic);
    }
  }

  /** The value of a result, or undefined after its errors were added. */
  take<T>(result: Result<T>): T | undefined {
    if (result.ok) return result.value;
    this.add(...result.error);
    return undefined;
  }

  all(): Diagnostic[] {
    return [...this.found];
  }
}
