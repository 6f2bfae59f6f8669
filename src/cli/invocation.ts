// What a command line asks for: one union by command, every option typed. Made by options.ts alone.
import type { SourceRange } from '../base/diagnostic.ts';
import type { Profile } from '../execute/cluster/profile.ts';
import type { UploadMode } from '../cache/uploads.ts';

/** A word of the command line as it was typed, with its place, so that later errors can point at it. */
export type Word = {
  readonly text: string;
  readonly at: SourceRange;
  /** As of Selector. */
  readonly behind?: string;
};

/** `name=value`; the value is text (`--config`: YAML, resources: a number, text or an expression). */
export type Assignment = { readonly name: string; readonly value: string; readonly at: SourceRange };

/** `rule:name=value`. */
export type RuleAssignment = Assignment & { readonly rule: string };

export type ColorChoice = 'auto' | 'always' | 'never';

export type Verbosity = 'quiet' | 'normal' | 'verbose';

/** Options that every command takes. */
export type CommonOptions = {
  /** `-C`: where to start looking for lhb.yaml; undefined: the current folder. */
  readonly directory: Word | undefined;
  /** `-f`: the workflow file; undefined: lhb.yaml here or in a parent folder. */
  readonly file: Word | undefined;
  /** In the order given; later wins. `name` is a dotted path, `value` YAML. */
  readonly config: readonly Assignment[];
  /** Merged over the workflow's config in this order, before `config`. */
  readonly configfiles: readonly Word[];
  readonly json: boolean;
  readonly color: ColorChoice;
  readonly verbosity: Verbosity;
};

export type CacheOptions = {
  /** `--cache` or `--no-cache`: `name:r,name:rw,off`; undefined: LHB_CACHE, else all that are configured. */
  readonly choice: Word | undefined;
  /** Take no results, put new ones in the place of those that are there. */
  readonly refresh: boolean;
  /** Ask nothing over the network. */
  readonly offline: boolean;
  readonly upload: UploadMode;
};

export type BuildOptions = {
  readonly caches: CacheOptions;
  /** Jobs at once; undefined: as many as there are cores. */
  readonly jobs: number | undefined;
  /** Say what would be done, and do nothing. Also set by `plan` and by `--dag`. */
  readonly dryRun: boolean;
  /** Print each job's reasons; on in a dry run and with `-v`. */
  readonly reason: boolean;
  /** Print the graph as dot, and nothing else. */
  readonly dag: boolean;
  readonly keepGoing: boolean;
  readonly forceAll: boolean;
  /** `-R`: rerun these and what is downstream of them. */
  readonly forcerun: readonly Word[];
  readonly rerunIncomplete: boolean;
  readonly until: readonly Word[];
  readonly omitFrom: readonly Word[];
  readonly resources: readonly Assignment[];
  readonly defaultResources: readonly Assignment[];
  readonly setResources: readonly RuleAssignment[];
  readonly noTemp: boolean;
  /** For rules that say nothing themselves; undefined: 0. */
  readonly retries: number | undefined;
  /** What `--profile` names; read once the workflow's folder is known. */
  readonly profileName: Word | undefined;
  readonly profile: Profile | undefined;
  /** `local`: run the jobs here, whatever the profile says. */
  readonly executor: 'local' | 'cluster' | undefined;
  /** Hand over what is ready, and leave. */
  readonly detach: boolean;
  /** Wait for another build's lock. */
  readonly wait: boolean;
  /** Rerun and compare the bytes. */
  readonly check: boolean;
  /** Build again whenever a file that counts changes. */
  readonly watch: boolean;
};

export type GcOptions = {
  /** Remove it; without, say what would go. */
  readonly yes: boolean;
  /** Results that the last so many builds looked at stay. */
  readonly keepBuilds: number;
  /** Only results that were not used for so many seconds go. */
  readonly olderThanS: number | undefined;
  /** Go on only until the blobs have at most so many bytes. */
  readonly maxBytes: number | undefined;
  readonly pin: readonly Word[];
  readonly unpin: readonly Word[];
  /** List what is pinned. */
  readonly pins: boolean;
  /** A work tree that is gone for good. */
  readonly forgetTree: Word | undefined;
};

export type CleanOptions = {
  /** Remove it; without, say what would go. */
  readonly yes: boolean;
  /** Edited files as well. */
  readonly force: boolean;
};

/** Options of the commands on caches; which of them one takes is for itself to say. */
export type CacheCommandOptions = {
  readonly common: CommonOptions;
  readonly caches: CacheOptions;
  readonly group: Word | undefined;
  readonly maxSize: Word | undefined;
  readonly maxAge: Word | undefined;
  readonly rebuild: Word | undefined;
  readonly yes: boolean;
  readonly user: boolean;
  readonly dryRun: boolean;
};

export type GraphFormat = 'dot' | 'mermaid' | 'json';

type WithSelectors = { readonly common: CommonOptions; readonly selectors: readonly Word[] };
type WithSelector = { readonly common: CommonOptions; readonly selector: Word };

/** `plan` is a `build` with `dryRun`; `build --summary` and `--detailed-summary` are a `summary`. */
export type Invocation =
  | ({ readonly command: 'build'; readonly build: BuildOptions } & WithSelectors)
  /** At least one selector. */
  | ({ readonly command: 'forcerun'; readonly only: boolean; readonly build: BuildOptions } & WithSelectors)
  | ({ readonly command: 'summary'; readonly detailed: boolean } & WithSelectors)
  | ({ readonly command: 'why' | 'show' } & WithSelector)
  | ({ readonly command: 'logs'; readonly follow: boolean; readonly attempt: number | undefined } & WithSelector)
  | ({ readonly command: 'ls' } & WithSelectors)
  | ({ readonly command: 'graph'; readonly rules: boolean; readonly format: GraphFormat } & WithSelectors)
  /** At least one selector. */
  | ({ readonly command: 'touch' } & WithSelectors)
  | { readonly command: 'gc'; readonly gc: GcOptions; readonly common: CommonOptions }
  | ({ readonly command: 'clean'; readonly clean: CleanOptions } & WithSelectors)
  /** At least one selector. */
  | ({ readonly command: 'restore'; readonly caches: CacheOptions } & WithSelectors)
  /** `lhb cache VERB WORD…`. */
  | ({ readonly command: 'cache'; readonly verb: Word; readonly words: readonly Word[] } & CacheCommandOptions)
  /** At least one word: selectors, and the file last. */
  | { readonly command: 'export' | 'import'; readonly common: CommonOptions; readonly words: readonly Word[] }
  | ({ readonly command: 'cancel' } & WithSelectors)
  | {
      readonly command: 'profile';
      readonly verb: Word;
      readonly words: readonly Word[];
      readonly common: CommonOptions;
    }
  | { readonly command: 'verify' | 'jobs' | 'lint' | 'version'; readonly common: CommonOptions }
  /** `topic`: the name of a command, undefined for the overview. */
  | { readonly command: 'help'; readonly topic: string | undefined; readonly common: CommonOptions };
