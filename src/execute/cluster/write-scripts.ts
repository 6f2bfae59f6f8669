// The files of a submission: the jobs' scripts and, of an array or a pack, the list of them and the script that runs those that are meant.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandWords } from '../job-script.ts';
import type { Desk } from './desk.ts';
import { arrayScript, nodeScript, packScript } from './node-script.ts';
import { directiveLines, packed, type Described, type Frame } from './submission.ts';
import type { Task } from './task.ts';

/** What is submitted: `frame.script`, as the job that templates see. */
export type Written = { readonly described: Described; readonly frame: Frame };

/**
 * Writes them.
 * @param packs the scheduler's jobs, each with its members
 * @throws system errors
 */
export function writeScripts(packs: readonly (readonly Task[])[], key: string, desk: Desk): Written {
  const { templates, options } = desk;
  const { array } = templates;
  const base = desk.base(key);
  const launches = packs.map((members) => members.flatMap(({ launch }) => launch ?? []));
  const [first] = launches.flat();
  if (first === undefined) throw new Error('invariant broken: nothing is to be submitted');
  const count = packs.length;
  const isArray = count > 1 && array !== undefined;
  const isPacked = packs.some((members) => members.length > 1);
  const described = isPacked ? packed(launches, first) : first;
  const frame: Frame = {
    key,
    script: isArray || isPacked ? `${base}.sh` : join(first.jobDir, 'job.sh'),
    schedulerLog: isArray && array.inPaths !== undefined ? `${base}.${array.inPaths}` : `${base}.out`,
    root: options.root,
    tasks: isArray ? { first: array.first, last: array.first + count - 1 } : undefined,
  };
  const directives = directiveLines(described, frame, templates);
  const isAlone = !isArray && !isPacked;
  const scripts = packs.map((members) => members.map((task) => writeScript(task, isAlone ? directives : [], desk)));
  if (isAlone) return { described, frame };
  const list = `${base}.list`;
  const number = isArray ? `$((\${${array.index}:?} - ${array.first} + 1))` : '1';
  const lines = scripts.flatMap((paths, i) => paths.map((path) => `${isPacked ? `${i + 1} ` : ''}${path}\n`));
  writeFileSync(list, lines.join(''));
  const script = isPacked ? packScript(list, number, directives) : arrayScript(list, number, directives);
  writeFileSync(frame.script, script, { mode: 0o700 });
  return { described, frame };
}

function writeScript(task: Task, directives: readonly string[], { templates, options }: Desk): string {
  const { launch } = task;
  if (launch === undefined) throw new Error(`invariant broken: ${task.jobId} was handed over before`);
  const { scratch, printsToScheduler } = templates;
  const { words, file } = commandWords(launch);
  if (file !== undefined && launch.command.kind === 'script') writeFileSync(file, launch.command.text);
  const path = join(task.jobDir, 'job.sh');
  const marker = join(options.ended, task.token);
  const text = nodeScript({ launch, words, token: task.token, directives, scratch, marker, printsToScheduler });
  rmSync(path, { force: true });
  writeFileSync(path, text, { mode: 0o700 });
  return path;
}
