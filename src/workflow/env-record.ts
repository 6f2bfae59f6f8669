// `env` as expressions see it: the environment of lhb, with a sentence where a variable is not set.
import { DiagnosticError, error } from '../base/diagnostic.ts';
import { didYouMean } from '../base/nearest.ts';
import { RecordObject } from '../expr/types.ts';

/** The environment for expressions; keeps which names were asked for, set or not, since the outcome rests on them. */
export class EnvRecord extends RecordObject {
  private readonly variables: Readonly<Record<string, string | undefined>>;
  private readonly used = new Set<string>();

  constructor(variables: Readonly<Record<string, string | undefined>>) {
    super();
    this.variables = variables;
  }

  override has(name: string): boolean {
    this.used.add(name);
    return this.lookUp(name) !== undefined;
  }

  /** @throws DiagnosticError (without a place) where the variable is not set. */
  override get(name: string): string {
    this.used.add(name);
    const value = this.lookUp(name);
    if (value !== undefined) return value;
    const hint = didYouMean(name, this.names()) ?? `set it, or ask first: has(env.${name}) ? env.${name} : 'default'`;
    const message = `the environment variable '${name}' is not set`;
    throw new DiagnosticError([error('workflow/unknown-env', message, { hint })]);
  }

  override names(): readonly string[] {
    return Object.keys(this.variables);
  }

  /** What was asked for, and its value (undefined: not set); sorted by name. */
  asked(): readonly (readonly [name: string, value: string | undefined])[] {
    return [...this.used].sort().map((name) => [name, this.lookUp(name)] as const);
  }

  private lookUp(name: string): string | undefined {
    return Object.hasOwn(this.variables, name) ? this.variables[name] : undefined;
  }
}
