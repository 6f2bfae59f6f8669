// What a profile says: options of `lhb build`, and how jobs are submitted to a scheduler, asked for and cancelled.
import type { SourceFile, SourceRange } from '../../base/diagnostic.ts';
import type { CommandTemplate } from './template.ts';

/** What a scheduler's state means. `ended`: over, and how is for the exit marker to tell. */
export type ClusterState =
  'pending' | 'running' | 'ended' | 'failed' | 'timeout' | 'oom' | 'node_fail' | 'cancelled' | 'lost';

export const CLUSTER_STATES: readonly ClusterState[] = [
  'pending',
  'running',
  'ended',
  'failed',
  'timeout',
  'oom',
  'node_fail',
  'cancelled',
  'lost',
];

export type StatusTemplates = {
  readonly command: CommandTemplate;
  /** Global; groups id, state, and index, reason, key where there are such. Undefined: one word for one job. */
  readonly row: RegExp | undefined;
  readonly intervalS: number;
  readonly states: ReadonlyMap<string, ClusterState>;
  /** Reasons for which a job waits for ever, and what they mean. */
  readonly stuck: ReadonlyMap<string, string>;
  /** Reasons for which a job waits for a person, and what they mean. */
  readonly held: ReadonlyMap<string, string>;
};

export type ArrayTemplates = {
  readonly option: CommandTemplate | undefined;
  readonly suffix: CommandTemplate | undefined;
  readonly first: 0 | 1;
  readonly max: number;
  readonly index: string;
  /** What stands for a task's number in the path of the scheduler's log. */
  readonly inPaths: string | undefined;
  readonly taskId: CommandTemplate;
};

/** How a job ended, by patterns in a text. */
export type EndPatterns = ReadonlyMap<'oom' | 'timeout' | 'node_fail' | 'cancelled', RegExp>;

export type DetailTemplates = {
  readonly command: CommandTemplate;
  readonly exit: RegExp | undefined;
  readonly ends: EndPatterns;
};

export type ClusterTemplates = {
  readonly submit: CommandTemplate;
  /** Words for the submit command, by the resource that a job must ask for to have them. */
  readonly options: ReadonlyMap<string, CommandTemplate>;
  /** Lines at the head of the job script. */
  readonly directives: readonly CommandTemplate[];
  /** Its first group is the id. */
  readonly jobId: RegExp;
  readonly array: ArrayTemplates | undefined;
  readonly status: StatusTemplates | undefined;
  readonly details: DetailTemplates | undefined;
  readonly log: EndPatterns;
  readonly cancel: CommandTemplate | undefined;
  readonly down: RegExp | undefined;
  /** As the node's shell reads it. */
  readonly scratch: string | undefined;
  /** Whether what a job prints goes to the scheduler's own log as well, as Snakemake's users expect it. */
  readonly printsToScheduler: boolean;
};

/** An option of the command line that a profile gives, with its words; none for one that takes none. */
export type ProfileOption = {
  readonly long: string;
  readonly words: readonly { readonly text: string; readonly at: SourceRange }[];
  readonly at: SourceRange;
};

export type Profile = {
  /** As it was asked for. */
  readonly name: string;
  /** The file that was read, absolute. */
  readonly file: string;
  /** One of Snakemake's, which may be made for other workflows: what it says of rules that are not there is passed over. */
  readonly isSnakemake: boolean;
  readonly source: SourceFile;
  readonly options: readonly ProfileOption[];
  readonly cluster: ClusterTemplates | undefined;
  readonly latencyWaitS: number | undefined;
  /** Submit calls a second. */
  readonly maxJobsPerSecond: number | undefined;
  /** Jobs that are submitted and not over, at the most. */
  readonly maxSubmitted: number | undefined;
  /** How long jobs may take that are packed together by their recorded times (seconds); undefined: none are. */
  readonly packS: number | undefined;
  /** Options of Snakemake's that mean nothing here. */
  readonly ignored: readonly string[];
};
