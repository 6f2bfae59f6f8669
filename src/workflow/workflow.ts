// The checked workflow: what read.ts and check.ts make of lhb.yaml. Nothing in it is expanded yet.
import type { RuleName } from '../base/brand.ts';
import type { Diagnostic, SourceFile, SourceRange } from '../base/diagnostic.ts';
import type { ValueMap } from '../base/value.ts';
import type { Expression, Template } from '../expr/types.ts';
import type { CacheEntry } from './check-caches.ts';

export type Workflow = {
  readonly file: SourceFile;
  /** The workflow's folder, absolute: every path is relative to it. */
  readonly root: string;
  /** The workflow's config: files and inline maps merged in order, then `--configfile`, then `--config`. */
  readonly config: ValueMap;
  /** Root of the outputs, relative to `root`. */
  readonly output: string;
  /** Where index and blobs lie, absolute. */
  readonly store: string;
  /** How outputs and blobs share bytes. */
  readonly link: 'auto' | 'reflink' | 'hardlink' | 'copy';
  /** `caches:` in order; the user's own file, the environment and options go on top. */
  readonly caches: readonly CacheEntry[];
  /** Names of the rules that `lhb build` builds. */
  readonly default: readonly { readonly name: RuleName; readonly at: SourceRange }[] | undefined;
  /** In the order of the file. */
  readonly rules: ReadonlyMap<RuleName, Rule>;
  /** Every file that was read to get here (workflow, includes, configs), relative to root, in order. */
  readonly filesRead: readonly string[];
  readonly warnings: readonly Diagnostic[];
};

export type Rule = {
  readonly name: RuleName;
  /** The rule's name in the file. */
  readonly at: SourceRange;
  readonly prefix: string;
  readonly for: readonly Axis[];
  readonly where: Expression | undefined;
  /** Undefined: the config is the `for` bindings. */
  readonly config: readonly Layer[] | undefined;
  /** Dotted paths in the config that do not count. */
  readonly unkeyed: readonly string[];
  readonly inputs: readonly InputSpec[];
  readonly dir: Template | undefined;
  readonly outputs: readonly OutputSpec[];
  /** `outputs:` was a list: names are '0', '1', … and expressions see a list. */
  readonly outputsAreList: boolean;
  readonly code: readonly Template[];
  readonly env: readonly NamedTemplate[];
  readonly keepEnv: readonly string[] | undefined;
  readonly resources: readonly NamedTemplate[];
  /** Undefined: what `--retries` says, else 0. */
  readonly retries: Template | undefined;
  readonly retryOn: readonly RetryReason[];
  /** A number of seconds, or text such as `6h`, `01:30:00`. */
  readonly timeout: Template | undefined;
  readonly priority: Template | undefined;
  readonly temp: boolean;
  readonly cache: boolean;
  readonly group: { readonly name: string; readonly size: number } | undefined;
  readonly localrule: boolean;
  readonly scratch: Template | undefined;
  readonly log: Template | undefined;
  readonly shell: readonly Template[] | undefined;
  readonly run: RunSpec | undefined;
};

export type RetryReason = 'oom' | 'timeout' | 'node_fail' | 'exit';

export type NamedTemplate = { readonly name: string; readonly value: Template; readonly at: SourceRange };

/** One name of `for`; the value is a list template, or an expression that must give a list. */
export type Axis = NamedTemplate;

export type Layer = {
  readonly kind: 'file' | 'set';
  /** The path of the file, or the map that is set. */
  readonly value: Template;
  /** Dotted path below which the layer is put; [] for the top. */
  readonly under: readonly string[];
  /** False: may only set paths that earlier layers have. */
  readonly extend: boolean;
  readonly at: SourceRange;
  /** Where the paths of a `set` map stand that is written out, by dotted path (`under` included): for messages. */
  readonly places?: ReadonlyMap<string, SourceRange>;
};

/** `keyed: false`: must exist and is built first, but counts in no key. */
export type InputSpec = NamedTemplate & { readonly keyed: boolean };

export type OutputSpec = {
  readonly name: string;
  /** Text, or a list of texts; a text that ends in `/` is a tree. */
  readonly path: Template;
  /** JSON pointers of fields that downstream keys do not see. */
  readonly ignore: readonly string[];
  readonly temp: boolean;
  readonly at: SourceRange;
};

export type RunSpec =
  | { readonly kind: 'script'; readonly text: Template; readonly at: SourceRange }
  | { readonly kind: 'argv'; readonly items: readonly Template[]; readonly at: SourceRange };
