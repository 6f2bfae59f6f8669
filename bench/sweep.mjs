// One size of the graph, all tools in turns: what a day with a sweep is made of.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { changeLeaf, jobsOf, SAMPLERS, targetsFor, writeConfigs, writeOutputs } from './graph.mjs';
import { median, progress, putAside, run } from './measure.mjs';

/** The rows in order, and which row of ninja each is held against. */
const ROWS = [
  ['first -n, from nothing', 'no-op'],
  ['clean build', 'clean build'],
  ['no-op', 'no-op'],
  ['-n', 'no-op'],
  ['-n, without a snapshot', 'no-op'],
  ['summary', 'no-op'],
  ['summary --detailed', 'no-op'],
  ['one leaf changed', 'one leaf changed'],
  ['one sampler added', 'one sampler added'],
  ['restore of everything', 'clean build'],
];

/**
 * @param root an empty folder
 * @returns `{ jobs, rows }`; a row: what, `seconds` and `peakMb` by tool (medians), `ratio` of lhb to ninja
 */
export async function sweep(root, wanted, tools) {
  const graph = { targets: targetsFor(wanted), samplers: [...SAMPLERS] };
  const jobs = jobsOf(graph.targets, graph.samplers);
  const light = jobs <= 1000 ? 5 : 3;
  const heavy = jobs <= 10_000 ? 3 : 1;
  const found = new Map(ROWS.map(([what]) => [what, new Map()]));
  const folderOf = (tool) => join(root, tool.name);
  const builds = (tool) => jobs <= (tool.mostJobs ?? Infinity);

  /** Each tool in turn, so often; `before` is not timed. */
  async function measure(what, rounds, commandOf, { before = () => {}, toFile = false } = {}) {
    for (let round = 0; round < rounds; round++) {
      for (const tool of tools) {
        const command = commandOf(tool);
        if (command === undefined) continue;
        before(tool, round);
        const stdout = toFile ? join(root, 'output.txt') : undefined;
        const result = await run(command, { cwd: folderOf(tool), stdout });
        progress(
          `${jobs} jobs, ${what}, ${tool.name}: ${result.seconds.toFixed(3)} s, ${Math.round(result.peakMb)} MB`,
        );
        const row = found.get(what);
        row.set(tool.name, [...(row.get(tool.name) ?? []), result]);
      }
    }
  }
  const forget = (tool) => {
    for (const name of ['runs', ...tool.state]) putAside(join(folderOf(tool), name));
  };

  for (const tool of tools) {
    mkdirSync(folderOf(tool));
    writeConfigs(folderOf(tool), graph);
    tool.write(folderOf(tool), graph);
  }
  const only = (name, command) => (tool) => (tool.name === name ? tool[command] : undefined);
  await measure('first -n, from nothing', light, only('lhb', 'plan'), { before: forget });
  await measure('clean build', heavy, (tool) => (builds(tool) ? tool.build : undefined), { before: forget });
  for (const tool of tools) if (!builds(tool)) writeOutputs(folderOf(tool), graph);
  await measure('no-op', light, (tool) => tool.build);
  await measure('-n', light, (tool) => tool.plan);
  await measure('-n, without a snapshot', light, (tool) => tool.planAnew);
  await measure('summary', light, (tool) => tool.summary);
  await measure('summary --detailed', light, (tool) => tool.detailed, { toFile: true });
  await measure('one leaf changed', light, (tool) => (builds(tool) ? tool.build : undefined), {
    before: (tool, round) => changeLeaf(folderOf(tool), round % graph.targets, `changed ${round}`),
  });
  await measure('one sampler added', heavy, (tool) => (builds(tool) ? tool.build : undefined), {
    before: (tool, round) => {
      const added = Array.from({ length: round + 1 }, (_unused, i) => `added${i}`);
      tool.write(folderOf(tool), { ...graph, samplers: [...graph.samplers, ...added] });
    },
  });
  await measure('restore of everything', heavy, only('lhb', 'build'), {
    before: (tool) => rmSync(join(folderOf(tool), 'runs'), { recursive: true }),
  });

  const of = (what, tool, field) => {
    const results = found.get(what)?.get(tool);
    return results && median(results.map((result) => result[field]));
  };
  const rows = ROWS.map(([what, against]) => ({
    what,
    against,
    seconds: Object.fromEntries(tools.map(({ name }) => [name, of(what, name, 'seconds')])),
    peakMb: Object.fromEntries(tools.map(({ name }) => [name, of(what, name, 'peakMb')])),
    ratio: of(what, 'lhb', 'seconds') / of(against, 'ninja', 'seconds'),
  }));
  return { jobs, rows };
}
