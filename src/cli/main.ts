// Parse, dispatch, print, exit code. A broken invariant ends here, as a bug of lhb.
import { DiagnosticError } from '../base/diagnostic.ts';
import { unreachable } from '../base/invariant.ts';
import { ok, type Result } from '../base/result.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Invocation } from './invocation.ts';
import { earlyOptions, parseArgv } from './options.ts';
import { Screen } from './screen.ts';

/** Runs one command line; never rejects. */
export async function main(argv: readonly string[]): Promise<ExitCode> {
  process.stdout.on('error', ignoreClosedPipe);
  process.stderr.on('error', ignoreClosedPipe);
  const parsed = await parseWithProfile(argv);
  if (!parsed.ok) {
    new Screen(earlyOptions(argv, process.env)).diagnostics(parsed.error);
    return EXIT.usage;
  }
  const screen = new Screen(parsed.value.common);
  try {
    return await run(parsed.value, screen);
  } catch (problem) {
    if (problem instanceof DiagnosticError) {
      screen.diagnostics(problem.diagnostics);
      return EXIT.usage;
    }
    const stack = problem instanceof Error ? (problem.stack ?? problem.message) : String(problem);
    process.stderr.write(
      `lhb: this is a bug of lhb, not of your workflow. Please report it with these lines:\n${stack}\n`,
    );
    return EXIT.bug;
  }
}

/** The command line, with the options of the profile that it names before its own. */
async function parseWithProfile(argv: readonly string[]): Promise<Result<Invocation>> {
  const parsed = parseArgv(argv, process.env);
  if (!parsed.ok || !('build' in parsed.value)) return parsed;
  const { build, common } = parsed.value;
  if (build.profileName === undefined) return parsed;
  const { profileOptions } = await import('./profile-options.ts');
  const read = profileOptions(build.profileName, common, common.directory?.text ?? '.');
  if (!read.ok) return read;
  const { profile, options } = read.value;
  const whole = parseArgv(argv, process.env, options);
  if (!whole.ok || !('build' in whole.value)) return whole;
  return ok({ ...whole.value, build: { ...whole.value.build, profile } });
}

/** Each command loads only what it needs. */
async function run(invocation: Invocation, screen: Screen): Promise<ExitCode> {
  switch (invocation.command) {
    case 'help': {
      const { helpText } = await import('./help.ts');
      const text = helpText(invocation.topic);
      if (screen.json) screen.document({ help: text });
      else screen.text(text);
      return EXIT.ok;
    }
    case 'version': {
      const { version } = await import('./version.ts');
      if (screen.json) screen.document({ version: version() });
      else screen.text(`${version()}\n`);
      return EXIT.ok;
    }
    case 'build':
    case 'forcerun': {
      const { build } = await import('./commands/build.ts');
      const { common, build: options, selectors } = invocation;
      return invocation.command === 'build'
        ? build({ common, build: options, selectors, forcerun: options.forcerun, only: false }, screen)
        : build({ common, build: options, selectors: [], forcerun: selectors, only: invocation.only }, screen);
    }
    case 'summary': {
      const { summary } = await import('./commands/summary.ts');
      return summary(invocation.common, invocation.selectors, invocation.detailed, screen);
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
      return restore(invocation.common, invocation.selectors, screen);
    }
    case 'verify': {
      const { verify } = await import('./commands/verify.ts');
      return verify(invocation.common, screen);
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
function ignoreClosedPipe(problem: NodeJS.ErrnoException): void {
  if (problem.code !== 'EPIPE') throw problem;
  process.exitCode = EXIT.ok;
}
