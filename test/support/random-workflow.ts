// Random workflows for the property test: a model of rules, axes, edges and files, its lhb.yaml, and random edits of it.
// Every job runs step.sh, so that what it must make can be worked out without running it (simulator.ts).
import type { Random } from './random.ts';

/** How a rule reads another one: bound in `for`; its jobs whole; one output of each; or by a glob over paths. */
export type Link = { readonly how: 'bound' | 'whole' | 'map' | 'glob'; readonly from: number };

export type RuleModel = {
  readonly name: string;
  /** Names in `for`; the values stand in the config, as `NAME_AXIS`. */
  readonly axes: readonly string[];
  /** A value of the first axis that `where` leaves out. */
  without: string | number | undefined;
  readonly links: readonly Link[];
  readonly leaf: boolean;
  /** Whether the rule has config layers, with `k` and the unkeyed `noise`; otherwise its config is the bindings. */
  readonly layers: boolean;
  readonly shape: { readonly tree: boolean; readonly meta: boolean; readonly temp: boolean };
  salt: string;
  mode: string;
  cpus: number;
  /** Hexadecimal digits of the result: few of them, so that reruns often make the same bytes. */
  readonly width: number;
};

export type Model = {
  readonly rules: RuleModel[];
  readonly config: Record<string, string | number | (string | number)[]>;
  /** Leaf inputs and code. */
  readonly files: Record<string, string>;
};

const VALUES: readonly (string | number)[] = [1, 2, 3, 'a', 'b c', 0.5, "it's"];

/** The script of every job: arguments are folder, rule, label, salt, width, shape, then the files that it reads. */
export const STEP = `dir=$1 rule=$2 label=$3 salt=$4 width=$5 shape=$6
shift 6
echo "$rule $label" >> ran.log
if grep -q '^FAIL' "code/$rule.txt"; then exit 1; fi
digest=$({ printf '%s\\n' "$salt" "$MODE" "$label"; grep -v '^#' "code/$rule.txt"; cat -- "$@"; } | sha256sum | cut -c1-"$width")
printf '%s\\n' "$digest" > "$dir/o.txt"
case $shape in *t*) mkdir -p "$dir/t/sub"; printf '%s\\n' "$digest" | cut -c1 > "$dir/t/part"; printf '%s\\n' "$label" > "$dir/t/sub/label" ;; esac
case $shape in *m*) printf '{"at": %s, "v": "%s"}\\n' "$(date +%s%N)" "$digest" > "$dir/m.json" ;; esac
case $shape in *x*) printf 'x%s\\n' "$digest" > "$dir/x.txt" ;; esac
`;

/** A random workflow of 2 to 4 rules. */
export function randomModel(random: Random): Model {
  const model: Model = { rules: [], config: { noise: 0 }, files: {} };
  const count = 2 + random.below(3);
  for (let i = 0; i < count; i++) {
    const name = `r${i}`;
    const links = i === 0 ? [] : randomLinks(random, model.rules);
    const bound = links.some((link) => link.how === 'bound');
    const axes = bound ? random.some(['x'], 0) : random.some(['x', 'y'], 1);
    for (const axis of axes)
      model.config[`${name}_${axis}`] = [...random.some(VALUES.slice(0, axis === 'x' ? 5 : 3), 1)].slice(0, 3);
    model.config[`${name}_k`] = random.below(3);
    const leaf = random.chance(0.5);
    if (leaf) model.files[`in/${name}.txt`] = `leaf ${random.below(3)}\n`;
    model.files[`code/${name}.txt`] = `code ${random.below(3)}\n`;
    model.rules.push({
      name,
      axes,
      without: undefined,
      links,
      leaf,
      layers: random.chance(0.5),
      shape: { tree: random.chance(0.3), meta: random.chance(0.3), temp: random.chance(0.3) },
      salt: `salt ${random.below(2)}`,
      mode: `m${random.below(2)}`,
      cpus: 1,
      width: random.pick([1, 1, 2, 8]),
    });
  }
  return model;
}

function randomLinks(random: Random, before: readonly RuleModel[]): readonly Link[] {
  const links: Link[] = [];
  const named = new Set(before.flatMap((rule) => rule.links.map((link) => link.from)));
  const from = random.below(before.length);
  const free = before.map((_, i) => i).filter((i) => !named.has(i));
  // By a glob only from a rule that nothing else names: whether the edge counts in the id depends on that.
  if (free.length > 0 && random.chance(0.25)) return [{ how: 'glob', from: random.pick(free) }];
  const globbed = new Set(
    before.flatMap((rule) => rule.links.filter((link) => link.how === 'glob').map((link) => link.from)),
  );
  if (globbed.has(from)) return [];
  if (random.chance(0.5)) links.push({ how: 'bound', from });
  if (links.length === 0 || random.chance(0.3)) {
    const other = random.below(before.length);
    if (!globbed.has(other)) links.push({ how: random.pick(['whole', 'map']), from: other });
  }
  return links;
}

/** The letters that tell step.sh what to make. */
export function shapeLetters(rule: RuleModel): string {
  return `o${rule.shape.tree ? 't' : ''}${rule.shape.meta ? 'm' : ''}${rule.shape.temp ? 'x' : ''}`;
}

/** The output that `map` and `glob` links read: the temp one where there is one. */
export function readOutput(rule: RuleModel): { readonly name: string; readonly path: string } {
  return rule.shape.temp ? { name: 'x', path: 'x.txt' } : { name: 'o', path: 'o.txt' };
}

/** lhb.yaml of a model. */
export function workflowText(model: Model): string {
  const rules = model.rules.map((rule) => ruleText(rule, model.rules)).join('');
  return `lhb: 1\nconfig: config.yaml\nrules:\n${rules}`;
}

function ruleText(rule: RuleModel, rules: readonly RuleModel[]): string {
  const { name, axes, links } = rule;
  const at = (link: Link): RuleModel => {
    const from = rules[link.from];
    if (from === undefined) throw new Error(`no rule ${link.from}`);
    return from;
  };
  const bound = links.find((link) => link.how === 'bound');
  const bindings = [
    ...(bound === undefined ? [] : [`up: "\${{ ${at(bound).name} }}"`]),
    ...axes.map((axis) => `${axis}: "\${{ config.${name}_${axis} }}"`),
  ];
  const inputs = rule.leaf ? [`leaf: in/${name}.txt`] : [];
  const words = rule.leaf ? ['${{ inputs.leaf }}'] : [];
  if (bound !== undefined) words.push('${{ up.outputs.o }}');
  for (const link of links.filter((entry) => entry !== bound)) {
    const from = at(link);
    const output = readOutput(from);
    const map = `${from.name}.map(j, j.outputs.${output.name})`;
    inputs.push(
      link.how === 'glob'
        ? `g: "out/${from.name}_*/${output.path}"`
        : `g: "\${{ ${link.how === 'map' ? map : from.name} }}"`,
    );
    words.push(link.how === 'whole' ? `\${{ ${map} }}` : '${{ inputs.g }}');
  }
  const dirParts = [
    ...(bound === undefined ? [] : ['${{ basename(up.dir) }}']),
    ...axes.map((axis) => `\${{ ${axis} }}`),
  ];
  const label = [
    ...(bound === undefined ? [] : ['${{ basename(up.dir) }}']),
    ...axes.map((axis) => `\${{ ${axis} }}`),
    `\${{ config.${name}_k }}`,
  ].join('|');
  const outputs = [
    'o: o.txt',
    ...(rule.shape.tree ? ['t: t/'] : []),
    ...(rule.shape.meta ? ['m: { path: m.json, ignore: [/at] }'] : []),
    ...(rule.shape.temp ? ['x: { path: x.txt, temp: true }'] : []),
  ];
  const set = [
    `k: "\${{ config.${name}_k }}"`,
    'noise: "${{ config.noise }}"',
    ...axes.map((axis) => `${axis}: "\${{ ${axis} }}"`),
    ...(bound === undefined ? [] : ['up: "${{ up }}"']),
  ];
  const lines = [
    `${name}:`,
    ...(bindings.length === 0 ? [] : [`  for: { ${bindings.join(', ')} }`]),
    ...(rule.without === undefined ? [] : [`  where: text(${axes[0]}) != ${JSON.stringify(String(rule.without))}`]),
    ...(rule.layers ? [`  config: [{ set: { ${set.join(', ')} } }]`, '  unkeyed: [noise]'] : []),
    ...(inputs.length === 0 ? [] : [`  inputs: { ${inputs.join(', ')} }`]),
    `  dir: "out/${name}_${dirParts.join('_')}"`,
    `  outputs: { ${outputs.join(', ')} }`,
    `  code: [code/${name}.txt]`,
    `  env: { MODE: "${rule.mode}" }`,
    `  resources: { cpus: ${rule.cpus} }`,
    '  run: |',
    `    sh step.sh \${{ job.dir }} ${name} "${label}" '${rule.salt}' ${rule.width} ${shapeLetters(rule)} ${words.join(' ')}`,
  ];
  return lines.map((line) => `  ${line}\n`).join('');
}

/** Changes the model in one random way; gives what was done, in words. */
export function randomEdit(random: Random, model: Model): string {
  const rule = random.pick(model.rules);
  const list = random.pick(rule.axes.length > 0 ? rule.axes : ['']);
  const key = `${rule.name}_${list}`;
  const values = model.config[key];
  const edits: readonly (readonly [string, () => void])[] = [
    [`${rule.name}_k`, () => (model.config[`${rule.name}_k`] = random.below(4))],
    ['noise', () => (model.config['noise'] = random.below(9))],
    [`code of ${rule.name}`, () => (model.files[`code/${rule.name}.txt`] = `code ${random.below(4)}\n`)],
    [
      `comment in code of ${rule.name}`,
      () => (model.files[`code/${rule.name}.txt`] += `# comment ${random.below(3)}\n`),
    ],
    [`salt of ${rule.name}`, () => (rule.salt = `salt ${random.below(3)}`)],
    [`env of ${rule.name}`, () => (rule.mode = `m${random.below(3)}`)],
    [`cpus of ${rule.name}`, () => (rule.cpus = 1 + random.below(2))],
    [`leaf of ${rule.name}`, () => rule.leaf && (model.files[`in/${rule.name}.txt`] = `leaf ${random.below(4)}\n`)],
    [
      `an entry more for ${key}`,
      () => {
        const fresh = VALUES.filter((value) => Array.isArray(values) && !values.includes(value));
        if (Array.isArray(values) && fresh.length > 0 && values.length < 4)
          values.splice(random.below(values.length + 1), 0, random.pick(fresh));
      },
    ],
    [
      `an entry less for ${key}`,
      () => Array.isArray(values) && values.length > 1 && values.splice(random.below(values.length), 1),
    ],
    [`order of ${key}`, () => Array.isArray(values) && values.reverse()],
    [
      `where of ${rule.name}`,
      () => {
        const globbed = model.rules.some((other) =>
          other.links.some((link) => link.how === 'glob' && model.rules[link.from] === rule),
        );
        const first = model.config[`${rule.name}_${rule.axes[0]}`];
        if (!globbed && Array.isArray(first)) rule.without = random.chance(0.5) ? random.pick(first) : undefined;
      },
    ],
  ];
  const [what, edit] = random.pick(edits);
  edit();
  return what;
}
