// The files of a submission: the jobs' scripts and, of an array, the list of them and the script that picks one.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandWords } from '../job-script.ts';
import type { Desk } from './desk.ts';
import { arrayScript, nodeScript } from './node-script.ts';
import { directiveLines, type Frame } from './submission.ts';
import type { Task } from './task.ts';

/** Writes them; what is submitted is `frame.script`. */
export function writeScripts(tasks: readonly Task[], frame: Frame, { templates, options, base }: Files): void {
  const { array, scratch, printsToScheduler } = templates;
  const scripts = tasks.map((task) => {
    const { launch } = task;
    if (launch === undefined) return '';
    const { words, file } = commandWords(launch.command, launch.env, launch);
    if (file !== undefined && launch.command.kind === 'script') writeFileSync(file, launch.command.text);
    const path = join(task.jobDir, 'job.sh');
    const directives = frame.tasks ? [] : directiveLines(launch, frame, templates);
    const marker = join(options.ended, task.token);
    const text = nodeScript({ launch, words, token: task.token, directives, scratch, marker, printsToScheduler });
    rmSync(path, { force: true });
    writeFileSync(path, text, { mode: 0o700 });
    return path;
  });
  const [first] = tasks;
  if (!frame.tasks || array === undefined || first?.launch === undefined) return;
  const list = `${base}.list`;
  writeFileSync(list, `${scripts.join('\n')}\n`);
  const directives = directiveLines(first.launch, frame, templates);
  writeFileSync(frame.script, arrayScript(list, array.index, array.first, directives), { mode: 0o700 });
}

type Files = Pick<Desk, 'templates' | 'options'> & { readonly base: string };
