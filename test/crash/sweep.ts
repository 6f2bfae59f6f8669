// The sweep that is killed over and over: two stages and a gather, with trees, temp outputs, quick and slow jobs, and a
// config that changes between rounds. What each job must make is worked out here, without the program.
//
// A job writes the first half of each output at once and the rest at its end. Before and after it appends a line to
// jobs.log beside the workflow's folder, by one write each: `start|end PID HELPER TIME ACTION`. An action stands for an
// action key: it names all that the job's result follows from.
import type { Random } from '../support/random.ts';
import type { Rig } from '../support/rig.ts';

const RULES = ['a', 't', 'm'] as const;
type FirstStage = (typeof RULES)[number];
const WIDTH: Readonly<Record<FirstStage, number>> = { a: 8, t: 4, m: 4 };
const BELOW: Readonly<Record<FirstStage, string>> = { a: 'b', t: 'd', m: 'c' };
type Salted = FirstStage | 'b';

export type Expected = {
  readonly action: string;
  /** From the workflow's folder. */
  readonly dir: string;
  readonly upstream: readonly Expected[];
  /** Path from the workflow's folder → text. */
  readonly files: Readonly<Record<string, string>>;
  /** Those of `files` that may be gone once nobody needs them. */
  readonly temp: readonly string[];
};

const JOB = String.raw`set -eu
rule=$1 label=$2 ms=$3 dir=$4
shift 4
read=
for file in "$@"; do
  IFS= read -r -d '' all < "$file" || :
  text=${'$'}{all%%$'\n'*}
  [ "$all" = "$text"$'\nhalf\nwhole\n' ] || { printf 'torn %s\n' "$file" >> ../jobs.log; exit 1; }
  read="$read,$text"
done
action="$rule $label $SALT ($read)"
text="$rule $label ${'$'}{SALT%%.*} ($read)"
if [ -e ../fail ] && mv ../fail ../fail.done 2> /dev/null; then exit 1; fi
printf 'start %s %s %s %s\n' "$BASHPID" "$PPID" "$EPOCHREALTIME" "$action" >> ../jobs.log
case $rule in
  t) mkdir -p "$dir/t/sub"; files="$dir/t/one $dir/t/sub/two" ;;
  m) files="$dir/o.txt $dir/x.txt" ;;
  *) files=$dir/o.txt ;;
esac
for file in $files; do printf '%s\nhalf\n' "$text" > "$file"; done
[ "$ms" = 0 ] || sleep "$ms"
for file in $files; do printf 'whole\n' >> "$file"; done
printf 'end %s %s %s %s\n' "$BASHPID" "$PPID" "$EPOCHREALTIME" "$action" >> ../jobs.log
if [ -e ../last-act ] && mv ../last-act ../last-act.done 2> /dev/null; then
  printf 'last-act %s %s %s %s\n' "$BASHPID" "$PPID" "$EPOCHREALTIME" "$action" >> ../jobs.log
  kill -s KILL "$PPID"
fi
`;

const WORKFLOW = `config: config.yaml
rules:
${RULES.map(
  (rule) => `  ${rule}:
    for: { p: "\${{ config.${rule} }}" }
    dir: "out/${rule}\${{ p.n }}"
    outputs: ${{ a: '{ o: o.txt }', t: '{ t: t/ }', m: '{ o: o.txt, x: { path: x.txt, temp: true } }' }[rule]}
    env: { SALT: "\${{ config.salt.${rule} }}" }
    run: >-
      bash job.sh ${rule} \${{ p.n }}=\${{ p.v }} \${{ p.n % 3 == 0 ? fixed(0.05 * double(1 + p.n % 6), 2) : '0' }} \${{ job.dir }}
  ${BELOW[rule]}:
    for: { up: "\${{ ${rule} }}" }
    dir: "out/${BELOW[rule]}\${{ up.p.n }}"
    outputs: { o: o.txt }
    env: { SALT: "${rule === 'a' ? '${{ config.salt.b }}' : '0.0'}" }
    run: >-
      bash job.sh ${BELOW[rule]} \${{ up.p.n }} \${{ up.p.n % 4 == 0 ? '0.1' : '0' }} \${{ job.dir }} ${{ a: '${{ up.outputs.o }}', t: '${{ up.outputs.t }}/one ${{ up.outputs.t }}/sub/two', m: '${{ up.outputs.x }}' }[rule]}
`,
).join('')}  g:
    inputs: { all: "\${{ flatten([b.map(j, j.outputs.o), c.map(j, j.outputs.o), d.map(j, j.outputs.o)]) }}" }
    dir: out/g
    outputs: { o: o.txt }
    env: { SALT: "0.0" }
    run: bash job.sh g all 0 \${{ job.dir }} \${{ inputs.all }}
`;

/** A config for the sweep, random edits of it, and what it must make. */
export class Sweep {
  values: Record<FirstStage, number[]> = {
    a: Array.from({ length: WIDTH.a }, () => 0),
    t: Array.from({ length: WIDTH.t }, () => 0),
    m: Array.from({ length: WIDTH.m }, () => 0),
  };
  salt: Record<Salted, string> = { a: '0.0', t: '0.0', m: '0.0', b: '0.0' };
  link: 'auto' | 'copy' = 'auto';
  readonly #earlier: Pick<Sweep, 'values' | 'salt'>[] = [];

  write(rig: Rig): void {
    // Once: bash reads a script as it goes, and jobs of a build that was killed may still be at it.
    if (!rig.exists('job.sh')) rig.write('job.sh', JOB);
    rig.write('lhb.yaml', `lhb: 1\nlink: ${this.link}\n${WORKFLOW}`);
    const lists = RULES.map((rule) => [rule, this.values[rule].map((v, n) => ({ n, v }))]);
    rig.write('config.yaml', `${JSON.stringify({ ...Object.fromEntries(lists), salt: this.salt })}\n`);
  }

  /** Changes the config a little, or goes back to one that was. Gives what was done. */
  edit(random: Random): string {
    const { values, salt } = this;
    this.#earlier.push(structuredClone({ values, salt }));
    if (random.chance(0.1)) this.link = this.link === 'auto' ? 'copy' : 'auto';
    if (random.chance(0.2)) {
      ({ values: this.values, salt: this.salt } = structuredClone(random.pick(this.#earlier.slice(-6))));
      return 'back to an earlier config';
    }
    if (random.chance(0.25)) {
      const name = random.pick<Salted>(['a', 't', 'm', 'b']);
      // What stands behind the point changes the action and not the bytes: early cutoff.
      this.salt[name] = `${random.below(2)}.${random.below(3)}`;
      return `salt of ${name} ${this.salt[name]}`;
    }
    const changes = Array.from({ length: 3 + random.below(6) }, () => {
      const rule = random.pick(RULES);
      const n = random.below(WIDTH[rule]);
      this.values[rule][n] = random.below(1000);
      return `${rule}${n}=${this.values[rule][n]}`;
    });
    return changes.join(' ');
  }

  /** All jobs, those that others need first. */
  expected(): readonly Expected[] {
    const first = RULES.flatMap((rule) =>
      this.values[rule].map((v, n) => job(rule, `${rule}${n}`, `${n}=${v}`, this.salt[rule], [], [])),
    );
    const second = first.map((up) => {
      const [, rule, n] = /^out\/(.)(\d+)$/.exec(up.dir) ?? [];
      const below = BELOW[rule as FirstStage];
      const read = { a: ['o.txt'], t: ['t/one', 't/sub/two'], m: ['x.txt'] }[rule as FirstStage];
      const salt = below === 'b' ? this.salt.b : '0.0';
      return job(below, `${below}${n}`, `${n}`, salt, [up], read);
    });
    const order = ['b', 'c', 'd'].flatMap((rule) => second.filter(({ dir }) => dir.startsWith(`out/${rule}`)));
    return [...first, ...second, job('g', 'g', 'all', '0.0', order, ['o.txt'])];
  }
}

function job(
  rule: string,
  folder: string,
  label: string,
  salt: string,
  upstream: readonly Expected[],
  read: readonly string[],
): Expected {
  const dir = `out/${folder}`;
  const texts = upstream.flatMap((up) => read.map((path) => textOf(up.files[`${up.dir}/${path}`] ?? '')));
  const inputs = texts.map((text) => `,${text}`).join('');
  const whole = wholeFile(`${rule} ${label} ${salt.split('.')[0]} (${inputs})`);
  const names = { t: ['t/one', 't/sub/two'], m: ['o.txt', 'x.txt'] }[rule] ?? ['o.txt'];
  return {
    action: `${rule} ${label} ${salt} (${inputs})`,
    dir,
    upstream,
    files: Object.fromEntries(names.map((name) => [`${dir}/${name}`, whole])),
    temp: rule === 'm' ? [`${dir}/x.txt`] : [],
  };
}

const wholeFile = (text: string): string => `${text}\nhalf\nwhole\n`;

const textOf = (file: string): string => file.slice(0, file.indexOf('\n'));

/** Has this file all that its job wrote to it? */
export const isWhole = (file: string): boolean => file === wholeFile(textOf(file));
