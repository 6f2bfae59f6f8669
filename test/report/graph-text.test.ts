import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { graphToDot, graphToJson, graphToMermaid, type TextGraph } from '../../src/report/graph-text.ts';

const GRAPH: TextGraph = {
  nodes: [
    { id: 'tgt_1', rule: 'train', label: 'n=1' },
    { id: 'run_1', rule: 'sample', label: '' },
  ],
  edges: [['tgt_1', 'run_1']],
};

const NASTY = '"a"\\N <b>x</b> &lt; `y` #1;\n]; z --> q';
const NASTY_GRAPH: TextGraph = { nodes: [{ id: NASTY, rule: 'r', label: NASTY }], edges: [[NASTY, NASTY]] };

test('dot: a box a job, coloured by rule, and an edge', () => {
  const lines = graphToDot(GRAPH).split('\n');
  assert.is(lines[0], 'digraph lhb {');
  assert.equal(lines.slice(4), [
    '  "tgt_1" [label="train\\nn=1", fillcolor="0.000 0.20 0.97"];',
    '  "run_1" [label="sample", fillcolor="0.500 0.20 0.97"];',
    '  "tgt_1" -> "run_1";',
    '}',
    '',
  ]);
});

test('dot: quotes, escapes, entities and newlines are text', () => {
  const node = graphToDot(NASTY_GRAPH).split('\n')[4] ?? '';
  const label = /label="((?:[^"\\]|\\.)*)", fillcolor="[\d. ]+"\];$/.exec(node)?.[1] ?? '';
  assert.is(label, 'r\\n\\"a\\"\\\\N <b>x</b> &amp;lt; `y` #1;\\n]; z --> q');
});

test('mermaid: nothing in a name is markup', () => {
  assert.equal(graphToMermaid(GRAPH).split('\n'), [
    'flowchart TD',
    '  n0["train<br/>n=1"]:::r0',
    '  n1["sample"]:::r1',
    '  n0 --> n1',
    '  classDef r0 fill:#dbeafe,stroke:#555,color:#111',
    '  classDef r1 fill:#dcfce7,stroke:#555,color:#111',
    '',
  ]);
  const node = graphToMermaid(NASTY_GRAPH).split('\n')[1] ?? '';
  const text = /^ {2}n0\["(.*)"\]:::r0$/.exec(node)?.[1]?.replaceAll(/<br\/>|#\d+;/g, '') ?? '"';
  assert.not.match(text, /["<>`#&;[\]]/);
  assert.match(node, '#34;a#34;');
});

test('json: nodes and edges, names as they are', () => {
  assert.equal(JSON.parse(graphToJson(GRAPH)), {
    nodes: [...GRAPH.nodes],
    edges: [{ from: 'tgt_1', to: 'run_1' }],
  });
  assert.is((JSON.parse(graphToJson(NASTY_GRAPH)) as TextGraph).nodes[0]?.label, NASTY);
});

test('a large graph takes no time to speak of', () => {
  const nodes = Array.from({ length: 50_000 }, (_, i) => ({ id: `j${i}`, rule: 'r', label: `n=${i}` }));
  const edges = nodes.slice(1).map((n, i) => [`j${i}`, n.id] as const);
  for (const print of [graphToDot, graphToMermaid, graphToJson]) assert.match(print({ nodes, edges }), '49999');
});

test.run();
