// A graph as text: dot for Graphviz, Mermaid, JSON. Names may hold anything; none of it is markup.
import { safeText } from './format.ts';
import { safeJson } from './safe-json.ts';

export type GraphNode = { readonly id: string; readonly rule: string; readonly label: string };

export type TextGraph = {
  readonly nodes: readonly GraphNode[];
  /** By id, from what is made first to what needs it. */
  readonly edges: readonly (readonly [from: string, to: string])[];
};

/** Each rule's place among the rules, for its colour. */
function ruleIndex(graph: TextGraph): ReadonlyMap<string, number> {
  const rules = new Map<string, number>();
  for (const { rule } of graph.nodes) if (!rules.has(rule)) rules.set(rule, rules.size);
  return rules;
}

/** A node's text: its rule, and its label below where that says more. */
function nodeLines({ rule, label }: GraphNode): string[] {
  return label === '' || label === rule ? [rule] : [rule, ...label.split(/\r?\n/)];
}

/** For `dot`: rounded boxes, one colour a rule. Ends in a newline. */
export function graphToDot(graph: TextGraph): string {
  const rules = ruleIndex(graph);
  const color = (rule: string): string => `${((rules.get(rule) ?? 0) / Math.max(1, rules.size)).toFixed(3)} 0.20 0.97`;
  return [
    'digraph lhb {',
    '  graph [rankdir=TB, bgcolor=white, nodesep=0.25];',
    '  node [shape=box, style="rounded,filled", color="#555555", fontname="Helvetica", fontsize=10, margin="0.15,0.08"];',
    '  edge [color="#777777", arrowsize=0.7];',
    ...graph.nodes.map((n) => `  ${dotId(n.id)} [label="${dotLabel(n)}", fillcolor="${color(n.rule)}"];`),
    ...graph.edges.map(([from, to]) => `  ${dotId(from)} -> ${dotId(to)};`),
    '}',
    '',
  ].join('\n');
}

/** A name in the dot language: in quotes, where only the quote itself is escaped (graphviz.org/doc/info/lang.html). */
const dotId = (id: string): string => `"${safeText(id).replaceAll('\\', '/').replaceAll('"', '\\"')}"`;

/** A label: beyond that, backslashes begin escapes such as `\N`, and `&lt;` would be read as HTML's. */
function dotLabel(node: GraphNode): string {
  const escape = (text: string): string =>
    safeText(text).replaceAll('&', '&amp;').replaceAll('\\', '\\\\').replaceAll('"', '\\"');
  return nodeLines(node).map(escape).join('\\n');
}

const MERMAID_FILLS = ['#dbeafe', '#dcfce7', '#fef3c7', '#fce7f3', '#ede9fe', '#cffafe', '#fee2e2', '#ecfccb'];

/** For a Markdown file: a Mermaid flowchart. Ends in a newline. */
export function graphToMermaid(graph: TextGraph): string {
  const rules = ruleIndex(graph);
  const used = MERMAID_FILLS.slice(0, rules.size);
  const names = new Map(graph.nodes.map(({ id }, i) => [id, `n${i}`]));
  return [
    'flowchart TD',
    ...graph.nodes.map((n) => {
      const text = nodeLines(n).map(mermaidText).join('<br/>');
      return `  ${names.get(n.id)}["${text}"]:::r${(rules.get(n.rule) ?? 0) % MERMAID_FILLS.length}`;
    }),
    ...graph.edges.map(([from, to]) => `  ${names.get(from)} --> ${names.get(to)}`),
    ...used.map((fill, i) => `  classDef r${i} fill:${fill},stroke:#555,color:#111`),
    '',
  ].join('\n');
}

/** Whatever Mermaid or Markdown could take for markup becomes an entity code (`#35;`). */
const mermaidText = (text: string): string =>
  safeText(text).replaceAll(/[^\p{L}\p{N} .,:=/()-]/gu, (c) => `#${c.codePointAt(0)};`);

/** One JSON document: `{"nodes": [{"id", "rule", "label"}], "edges": [{"from", "to"}]}`. Ends in a newline. */
export function graphToJson(graph: TextGraph): string {
  const nodes = graph.nodes.map(({ id, rule, label }) => ({ id, rule, label }));
  const edges = graph.edges.map(([from, to]) => ({ from, to }));
  return `${safeJson({ nodes, edges }, 2)}\n`;
}
