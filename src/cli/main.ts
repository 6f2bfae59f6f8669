// Parse, dispatch, print, exit code. A broken invariant ends here, as a bug of lhb.
import { DiagnosticError, error, type Diagnostic } from '../base/diagnostic.ts';
import { unreachable } from '../base/invariant.ts';
import { ok, type Result } from '../base/result.ts';
import { EXIT, exitOf, type ExitCode } from './exit-code.ts';
import type { Invocation } from './invocation.ts';
import { earlyOptions, parseArgv } from './options.ts';
import { Screen } from './screen.ts';
import { safeLines } from '../report/format.ts';
import { isLimit, systemText } from '../store/write-failed.ts';
import { writeOut } from './write-out.ts';

/** Runs one command line; never rejects. */
export async function main(argv: readonly string[]): Promise<ExitCode> {
  const parsed = parseArgv(argv, process.env);
  if (!parsed.ok) {
    quietPipes();
    new Screen(earlyOptions(argv, process.env)).diagnostics(parsed.error);
    return EXIT.usage;
  }
  const { command, common } = parsed.value;
  if (command !== 'help' && command !== 'version') quietPipes();
  const screen = new Screen(common);
  try {
    const whole = await withProfile(argv, parsed.value);
    if (whole.ok) return await run(whole.value, screen);
    screen.diagnostics(whole.error);
    return EXIT.usage;
  } catch (problem) {
    if (problem instanceof DiagnosticError) {
      screen.diagnostics(problem.diagnostics);
      return exitOf(problem.diagnostics);
    }
    const limit = systemLimit(problem);
    if (limit !== undefined) {
      screen.diagnostics([limit]);
      return EXIT.jobFailed;
    }
    const { readableStack } = await import('./stack.ts');
    process.stderr.write(
      `lhb: this is a bug of lhb, not of your workflow. Please report it with these lines:\n${safeLines(readableStack(problem))}\n`,
    );
    return EXIT.bug;
  }
}

/** The command line with the options of the profile that it names before its own. */
async function withProfile(argv: readonly string[], invocation: Invocation): Promise<Result<Invocation>> {
  if (!('build' in invocation) || invocation.build.profileName === undefined) return ok(invocation);
  const { common } = invocation;
  const { profileOptions } = await import('./profile-options.ts');
  const read = profileOptions(invocation.build.profileName, common, common.directory?.text ?? '.');
  if (!read.ok) return read;
  const { profile, options } = read.value;
  const whole = parseArgv(argv, process.env, options);
  if (!whole.ok || !('build' in whole.value)) return whole;
  return ok({ ...whole.value, build: { ...whole.value.build, profile } });
}

/** A disk that is full and the like, wherever it was met. */
function systemLimit(problem: unknown): Diagnostic | undefined {
  if (!(problem instanceof Error) || !isLimit(problem)) return undefined;
  return error('store/write-failed', systemText(problem));
}

/** Each command loads only what it needs. */
async function run(invocation: Invocation, screen: Screen): Promise<ExitCode> {
  switch (invocation.command) {
    case 'help': {
      const { helpText } = await import('./help.ts');
      const text = helpText(invocation.topic);
      writeOut(screen.json ? `${JSON.stringify({ help: text })}\n` : text);
      return EXIT.ok;
    }
    case 'version': {
      const { version } = await import('./version.ts');
      writeOut(screen.json ? `${JSON.stringify({ version: version() })}\n` : `${version()}\n`);
      return EXIT.ok;
    }
    case 'build':
    case 'forcerun': {
      const { quickBuild, incompleteOf } = await import('./quick-build.ts');
      const { common, build: options, selectors } = invocation;
      const request =
        invocation.command === 'build'
          ? { common, build: options, selectors, forcerun: options.forcerun, only: false }
          : { common, build: options, selectors: [], forcerun: selectors, only: invocation.only };
      const quick = quickBuild(request, screen);
      if (typeof quick === 'number') return quick;
      const incomplete = quick && incompleteOf(quick, request);
      if (incomplete !== undefined) {
        const { quickRestore } = await import('./quick-restore.ts');
        const code = await quickRestore(request, screen, incomplete);
        if (code !== undefined) return code;
      }
      const { build } = await import('./commands/build.ts');
      return build(request, screen, quick);
    }
    case 'summary': {
      const { quickSummary } = await import('./quick-summary.ts');
      const quick = await quickSummary(invocation, screen);
      if (typeof quick === 'number') return quick;
      const { summary } = await import('./commands/summary.ts');
      return summary(invocation.common, invocation.selectors, invocation.detailed, screen, quick);
    }
    case 'why': {
      const { why } = await import('./commands/why.ts');
      return why(invocation.common, invocation.selector, screen);
    }
    case 'show': {
      const { show } = await import('./commands/show.ts');
      return show(invocation.common, invocation.selector, screen);
    }
    case 'ls': {
      const { ls } = await import('./commands/show.ts');
      return ls(invocation.common, invocation.selectors, screen);
    }
    case 'logs': {
      const { logs } = await import('./commands/logs.ts');
      return logs(invocation.common, invocation.selector, invocation, screen);
    }
    case 'graph': {
      const { graph } = await import('./commands/graph.ts');
      return graph(invocation.common, invocation.selectors, invocation, screen);
    }
    case 'touch': {
      const { touch } = await import('./commands/touch.ts');
      return touch(invocation.common, invocation.selectors, screen);
    }
    case 'restore': {
      const { restore } = await import('./commands/restore.ts');
      return restore(invocation, screen);
    }
    case 'cache': {
      const { cache } = await import('./commands/cache.ts');
      return cache(invocation, screen);
    }
    case 'export':
    case 'import': {
      const commands = await import('./commands/export.ts');
      return invocation.command === 'export'
        ? commands.exportResults(invocation.common, invocation.words, screen)
        : commands.importResults(invocation.common, invocation.words, screen);
    }
    case 'verify': {
      const { verify } = await import('./commands/verify.ts');
      return verify(invocation.common, screen);
    }
    case 'gc': {
      const { gc } = await import('./commands/gc.ts');
      return gc(invocation.common, invocation.gc, screen);
    }
    case 'clean': {
      const { clean } = await import('./commands/clean.ts');
      return clean(invocation.common, invocation.selectors, invocation.clean, screen);
    }
    case 'cancel': {
      const { cancel } = await import('./commands/cancel.ts');
      return cancel(invocation.common, invocation.selectors, screen);
    }
    case 'profile': {
      const { profile } = await import('./commands/profile.ts');
      return profile(invocation, screen);
    }
    case 'jobs': {
      const { jobs } = await import('./commands/jobs.ts');
      return jobs(invocation.common, screen);
    }
    case 'lint': {
      const { lint } = await import('./commands/lint.ts');
      return lint(invocation.common, screen);
    }
    default:
      return unreachable(invocation);
  }
}

/** `lhb summary | head` ends quietly. */
function quietPipes(): void {
  process.stdout.on('error', ignoreClosedPipe);
  process.stderr.on('error', ignoreClosedPipe);
}

function ignoreClosedPipe(problem: NodeJS.ErrnoException): void {
  if (problem.code !== 'EPIPE') throw problem;
  process.exitCode = EXIT.ok;
}
