// A job whose output is 1 GiB: the time from the job's end until it is on record, against b3sum on the same file.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { median, progress, run } from './measure.mjs';
import { LHB, versionOf } from './tools.mjs';

const ROUNDS = 5;
const MB = 1024 * 1024;

const B3SUM = [
  { what: 'b3sum --no-mmap --num-threads 1', options: ['--no-mmap', '--num-threads', '1'] },
  { what: 'b3sum, memory map, one thread', options: ['--num-threads', '1'] },
  { what: 'b3sum, memory map and threads', options: [] },
];

/** @param root an empty folder. @returns rows: what, seconds, ratio to the first b3sum (none without b3sum) */
export async function bigOutput(root) {
  const big = join(root, 'big.bin');
  await writeFile(big, pieces());
  const modes = ['auto', 'copy'];
  for (const link of modes) {
    mkdirSync(join(root, link));
    // The last thing that the job does is to write when that was.
    const job = `lhb: 1\nlink: ${link}\nrules:\n  big:\n    outputs: { big: big.bin }\n    run: cp ../big.bin \${{ outputs.big }} && date +%s.%N > ended\n`;
    writeFileSync(join(root, link, 'lhb.yaml'), job);
  }
  const times = new Map();
  const note = (what, seconds) => {
    progress(`1 GiB, ${what}: ${seconds.toFixed(3)} s`);
    times.set(what, [...(times.get(what) ?? []), seconds]);
  };
  for (let round = 0; round < ROUNDS; round++) {
    for (const link of modes) note(`lhb, link: ${link}`, await untilTrace(join(root, link)));
    if (versionOf(['b3sum', '--version']) === undefined) continue;
    for (const { what, options } of B3SUM) note(what, (await run(['b3sum', ...options, big], { cwd: root })).seconds);
  }
  const base = times.get(B3SUM[0].what);
  return [...times].map(([what, values]) => ({
    what,
    seconds: median(values),
    ratio: base === undefined ? undefined : median(values) / median(base),
  }));
}

/** From the job's last word to the event that says that it is on record. */
async function untilTrace(cwd) {
  for (const name of ['runs', '.lhb']) rmSync(join(cwd, name), { recursive: true, force: true });
  let recorded = Number.NaN;
  const onLine = (line) => {
    if (line.includes('"job-finished"')) recorded = Date.now() / 1000;
  };
  await run([...LHB, 'build', '--json'], { cwd, onLine });
  return recorded - Number(readFileSync(join(cwd, 'ended'), 'utf8'));
}

/** 1 GiB that does not repeat within a piece of the hash. */
function* pieces() {
  const piece = Buffer.alloc(MB);
  for (let i = 0; i < MB; i += 4) piece.writeUInt32LE((i * 2654435761) >>> 0, i);
  for (let i = 0; i < 1024; i++) {
    piece.writeUInt32LE(i, 0);
    yield piece;
  }
}
