// Everything that a job finds when it starts: its folders, files, command and environment.
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { ActionKey } from '../base/brand.ts';
import { step } from '../base/step.ts';
import { jobEnvironment, type JobEnvironment } from '../execute/environment.ts';
import type { Command, Launch, Pack } from '../execute/executor.ts';
import { defaultShell } from '../execute/shell.ts';
import { unless } from '../fs/errno.ts';
import { evaluateText } from '../expr/template.ts';
import { makeFolder } from '../fs/make-folder.ts';
import { below } from '../fs/rel-path.ts';
import { jobCommand, type JobCommand } from '../graph/command.ts';
import type { WorkspaceHost } from '../graph/host.ts';
import type { Job } from '../graph/job.ts';
import { jobFileText, plainConfig } from '../graph/plain.ts';
import type { Scopes } from '../graph/scope.ts';
import type { Records } from '../plan/records.ts';
import { JOB_FILE, jobDir, STORE_DIR } from '../store/layout.ts';
import { configText } from '../workflow/config-yaml.ts';
import { plainResources, type Allotment, type Allotments } from './allotment.ts';
import type { JobFolders } from './job-folders.ts';

export type PrepareParts = {
  readonly root: string;
  readonly records: Records;
  readonly scopes: Scopes;
  readonly host: WorkspaceHost;
  readonly allotments: Allotments;
  readonly folders: JobFolders;
  /** A copy of lhb's own environment: to read `process.env` itself costs a job 0.1 ms. */
  readonly inherited: Readonly<Record<string, string | undefined>>;
};

/**
 * Makes the folders of all declared outputs, removes outputs of an earlier run, keeps its log, writes job.json and, where it
 * is wanted, config.yaml.
 * @param pack as Launch.pack; @param place a folder of the attempt's own in which the job makes its outputs, from the workflow's folder; undefined: where they are declared
 * @throws DiagnosticError and system errors
 */
export function prepareLaunch(
  parts: PrepareParts,
  job: Job,
  actionKey: ActionKey,
  attempt: number,
  allotment: Allotment,
  place: string | undefined,
  pack: Pack | undefined,
): Launch {
  const { root, scopes, allotments } = parts;
  const command = job.inPlace(place, () => jobCommand(job, scopes, attempt, allotment.resources));
  const folder = below(root, jobDir(job.id));
  const log = below(root, job.log);
  makeFolders(parts, job, place);
  parts.folders.begin(folder);
  makeFolder(dirname(log), join(root, STORE_DIR));
  keepEarlierLog(log);
  writeJobFiles(parts, job, attempt, allotment, command, folder, place);
  step('launch:prepared');
  return {
    jobId: job.id,
    rule: job.rule.name,
    label: job.label,
    place,
    attempt,
    actionKey,
    resources: plainResources(allotment),
    command: executable(command),
    cwd: root,
    log,
    logName: job.log,
    jobDir: folder,
    timeoutS: allotments.timeoutS(job, attempt, allotment.resources),
    scratch: scratch(parts, job, attempt, allotment),
    gpus: allotment.gpus,
    pack,
    ...environment(parts, job, place ?? job.dir, attempt, allotment, command),
  };
}

function makeFolders({ root, records }: PrepareParts, job: Job, place: string | undefined): void {
  records.removeOutputs(job);
  step('outputs:removed');
  for (const output of job.outputs) {
    const path = below(root, place === undefined ? job.pathOf(output) : join(place, output.inDir));
    makeFolder(output.tree ? path : dirname(path));
  }
  if (job.outputs.length === 0 && job.rule.dir) makeFolder(join(root, place ?? job.dir));
}

function writeJobFiles(
  { root, host }: PrepareParts,
  job: Job,
  attempt: number,
  allotment: Allotment,
  command: JobCommand,
  folder: string,
  place: string | undefined,
): void {
  const jobFile = job.inPlace(place, () => jobFileText(job, attempt, allotment.resources));
  writeOwn(`${folder}/${JOB_FILE}`, jobFile);
  const text = command.run?.kind === 'argv' ? command.run.argv.join(' ') : (command.run?.text ?? '');
  const named = `${text} ${(command.shell ?? []).join(' ')} ${Object.values(command.env).join(' ')}`;
  const namesConfig = named.includes(job.configFile) || named.includes('LHB_CONFIG');
  const config = job.rule.config || namesConfig ? configText(plainConfig(job)) : undefined;
  if (config !== undefined) writeOwn(join(root, job.configFile), config);
  host.writeLists(named + (config ?? ''));
}

/** Writes a file; one that is there is overwritten, but never through a link, and never one that has another name too. */
function writeOwn(path: string, text: string): void {
  // Not emptied first: a file that is cut to nothing and written again costs ext4 ten times as much.
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW;
  const fd = unless(['ELOOP', 'EACCES', 'EISDIR'], () => openSync(path, flags));
  if (fd !== undefined) {
    try {
      const { nlink, size } = fstatSync(fd);
      if (nlink === 1) {
        writeFileSync(fd, text);
        const bytes = Buffer.byteLength(text);
        if (size > bytes) ftruncateSync(fd, bytes);
        return;
      }
    } finally {
      closeSync(fd);
    }
  }
  rmSync(path, { recursive: true, force: true });
  writeFileSync(path, text);
}

/** Moves an earlier attempt's log to the next free `.1`, `.2`, … */
function keepEarlierLog(log: string): void {
  // A link that leads nowhere would be written through.
  if (!lstatSync(log, { throwIfNoEntry: false })) return;
  let free = 1;
  while (existsSync(`${log}.${free}`)) free++;
  renameSync(log, `${log}.${free}`);
}

function environment(
  { root, inherited }: PrepareParts,
  job: Job,
  dir: string,
  attempt: number,
  allotment: Allotment,
  command: JobCommand,
): JobEnvironment {
  return jobEnvironment({
    outer: inherited,
    keepEnv: job.rule.keepEnv,
    ruleEnv: command.env,
    lhbVars: {
      LHB_JOB_ID: job.id,
      LHB_JOB: job.jobFile,
      LHB_RULE: job.rule.name,
      LHB_DIR: dir,
      LHB_CONFIG: job.configFile,
      LHB_ATTEMPT: String(attempt),
      LHB_CPUS: String(allotment.cpus),
      LHB_ROOT: root,
    },
  });
}

/** The folder, absolute, in which the job's own scratch folder is made; a local disk may lie anywhere. */
function scratch({ root, scopes }: PrepareParts, job: Job, attempt: number, allotment: Allotment): string {
  if (job.rule.scratch === undefined) return below(root, '.lhb/tmp');
  return resolve(root, evaluateText(job.rule.scratch, scopes.ofCommand(job, attempt, allotment.resources)));
}

/** A rule without a command makes nothing: it is run as `true`. */
function executable({ run, shell }: JobCommand): Command {
  if (run === undefined) return { kind: 'argv', wrapper: [], argv: ['true'] };
  if (run.kind === 'script') return { kind: 'script', shell: shell ?? defaultShell(), text: run.text };
  return { kind: 'argv', wrapper: shell ?? [], argv: run.argv };
}
