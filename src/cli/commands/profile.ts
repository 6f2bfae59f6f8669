// lhb profile list, show, init, import: the profiles that builds can name, and copies of them to be changed.
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { error } from '../../base/diagnostic.ts';
import { didYouMean } from '../../base/nearest.ts';
import { ok } from '../../base/result.ts';
import { builtInFile, builtInNames, findProfile, listProfiles } from '../../execute/cluster/find-profile.ts';
import { readProfile } from '../../execute/cluster/read-profile.ts';
import { visible } from '../argv.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { findWorkflow } from '../find-workflow.ts';
import type { CommonOptions, Word } from '../invocation.ts';
import { fail } from '../query.ts';
import type { Screen } from '../screen.ts';
import { writeOut } from '../write-out.ts';

type Request = { readonly verb: Word; readonly words: readonly Word[]; readonly common: CommonOptions };

const VERBS = ['list', 'show', 'init', 'import'];

export function profile({ verb, words, common }: Request, screen: Screen): ExitCode {
  const from = resolve(common.directory?.text ?? '.');
  // Without a workflow a profile is looked for, and put, where one stands.
  const workflow = findWorkflow(common);
  const root = workflow.ok ? dirname(workflow.value) : from;
  const [asked, second] = words;
  if (verb.text === 'list' && asked === undefined) return list(root, screen);
  if (!VERBS.includes(verb.text)) {
    const hint = didYouMean(verb.text, VERBS) ?? `it has ${VERBS.join(', ')}`;
    const message = `lhb profile has no command '${visible(verb.text)}'`;
    return fail(screen, [error('cli/usage', message, { at: verb.at, hint })]);
  }
  const extra = verb.text === 'list' ? asked : (words[2] ?? (verb.text === 'show' ? second : undefined));
  if (extra !== undefined || asked === undefined) {
    const takes = { list: 'no arguments', show: 'NAME|PATH', init: 'NAME [AS]', import: 'PATH [AS]' }[verb.text];
    return fail(screen, [error('cli/usage', `lhb profile ${verb.text} takes ${takes}`, { at: extra?.at ?? verb.at })]);
  }
  const isBuiltIn = verb.text === 'init' && builtInNames().includes(asked.text);
  const found = isBuiltIn
    ? ok(builtInFile(asked.text))
    : findProfile(asked.text, asked.at, { root, from, env: process.env });
  if (!found.ok) return fail(screen, found.error);
  return verb.text === 'show' ? show(found.value, screen) : copy(found.value, second ?? asked, root, screen);
}

function list(root: string, screen: Screen): ExitCode {
  const builtIn = new Set(builtInNames().map((name) => builtInFile(name)));
  const rows = [...listProfiles(root, process.env)].map(([name, file]) => {
    const read = readProfile(name, file);
    const where = builtIn.has(file) ? 'built in' : file;
    return { name, scheduler: read.ok && read.value.cluster !== undefined, where, ok: read.ok };
  });
  if (screen.json)
    screen.document({ profiles: rows.map(({ name, where, ok: isRead }) => ({ name, where, ok: isRead })) });
  else {
    const text = (row: (typeof rows)[number]): string =>
      !row.ok ? 'cannot be read' : row.scheduler ? 'cluster' : 'options';
    screen.table(
      [{ title: 'profile' }, { title: 'kind' }, { title: 'where' }],
      rows.map((row) => [row.name, text(row), row.where]),
    );
  }
  return EXIT.ok;
}

function show(file: string, screen: Screen): ExitCode {
  const text = readFileSync(file, 'utf8');
  if (screen.json) screen.document({ file, text });
  else writeOut(text);
  return EXIT.ok;
}

/** Puts a copy to profiles/NAME/config.yaml; with Snakemake's, the scripts that lie beside it come along. */
function copy(file: string, as: Word, root: string, screen: Screen): ExitCode {
  const isFolder = /^config\.(?:v8\+\.)?ya?ml$/.test(basename(file));
  const shown = /^config\.(?:v8\+\.)?ya?ml$/.test(basename(as.text)) ? basename(dirname(as.text)) : basename(as.text);
  const name = shown.replace(/\.ya?ml$/, '');
  const folder = join(root, 'profiles', name);
  const target = join(folder, isFolder ? basename(file) : 'config.yaml');
  const told = relative(process.cwd(), target) || target;
  if (existsSync(folder) || existsSync(`${folder}.yaml`)) {
    const message = `there is a profile ${name} in ${relative(process.cwd(), dirname(folder)) || '.'} already`;
    return fail(screen, [error('cli/usage', message, { at: as.at, hint: 'give another name after it' })]);
  }
  mkdirSync(folder, { recursive: true });
  if (isFolder) cpSync(dirname(file), folder, { recursive: true });
  else
    writeFileSync(
      target,
      readFileSync(file, 'utf8').replace('$schema=../', '$schema=../../node_modules/lhb/store-schema/'),
    );
  const read = readProfile(name, target);
  if (!read.ok) screen.diagnostics(read.error);
  if (screen.json) screen.document({ file: target });
  screen.note(`${told} is written: lhb build --profile ${name}`);
  return EXIT.ok;
}
