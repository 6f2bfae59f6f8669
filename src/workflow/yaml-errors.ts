// What the YAML library finds wrong, in our words and at the place where a person would look.
import { error, lineColumn, type Diagnostic, type SourceFile } from '../base/diagnostic.ts';

/** An error of the library: `pos` are offsets in the text. */
export type YamlError = { readonly code: string; readonly message: string; readonly pos: readonly [number, number] };

/** Where a bracket or a quote that covers an offset begins, as far as known. */
export type FindOpening = (offset: number) => number | undefined;

/**
 * Syntax errors as diagnostics, in the order of the text: one a line, since a second one there nearly always follows
 * from the first, and none of those that only say that the structure was lost before.
 */
export function syntaxErrors(file: SourceFile, errors: readonly YamlError[], findOpening: FindOpening): Diagnostic[] {
  const found: Diagnostic[] = [];
  const lines = new Set<number>();
  // `a: 1` over an indented `b: 2` is two errors at one place; the one of the second line says more.
  const overLines = new Set(errors.filter((e) => e.code === 'MULTILINE_IMPLICIT_KEY').map((e) => e.pos[0]));
  const inOrder = errors
    .filter((e) => e.code !== 'BLOCK_AS_IMPLICIT_KEY' || !overLines.has(e.pos[0]))
    .map((e) => ({ e, at: place(file, e, findOpening) }))
    .toSorted((a, b) => a.at[0] - b.at[0]);
  for (const { e, at } of inOrder) {
    const { line } = lineColumn(file, at[0]);
    const followsOn = found.length > 0 && /in YAML (stream|document)/.test(e.message);
    if (lines.has(line) || followsOn) continue;
    lines.add(line);
    const [message, hint] = explain(file, e);
    const end = Math.min(Math.max(at[1], at[0] + 1), endOfLine(file, at[0]));
    found.push(error('yaml/syntax', message, { at: { file, start: at[0], end: Math.max(end, at[0]) }, hint }));
  }
  return found;
}

const endOfLine = (file: SourceFile, offset: number): number => {
  const newline = file.text.indexOf('\n', offset);
  return newline === -1 ? file.text.length : newline;
};

const unclosed = (e: YamlError): boolean => /closing .?quote/.test(e.message) || /end with a [\]}]/.test(e.message);

function place(file: SourceFile, e: YamlError, findOpening: FindOpening): readonly [number, number] {
  const [start, end] = e.pos;
  const bare = bareExpression(file, start);
  if (bare !== undefined) return [start - 1, start - 1 + bare.length];
  if (unclosed(e)) {
    const opening = findOpening(start);
    if (opening !== undefined) return [opening, opening + 1];
  }
  if (e.code === 'MULTILINE_IMPLICIT_KEY' && deeper(file, start, end)) {
    const line = file.text.lastIndexOf('\n', end - 1) + 1;
    const key = line + (/^\s*/.exec(file.text.slice(line, end))?.[0].length ?? 0);
    return [key, end];
  }
  if (e.code === 'BAD_INDENT') {
    const blanks = /^ */.exec(file.text.slice(start, endOfLine(file, start)))?.[0].length ?? 0;
    return [start + blanks, Math.max(end, start + blanks + 1)];
  }
  // The end of the text: the last character that can be shown.
  if (start >= file.text.length) {
    const last = file.text.trimEnd().length;
    return [Math.max(0, last - 1), last];
  }
  return [start, end];
}

/** Is the second line of a "key over two lines" indented otherwise than the text before it began? */
function deeper(file: SourceFile, start: number, end: number): boolean {
  const lineStart = file.text.lastIndexOf('\n', end - 1) + 1;
  if (lineStart <= start) return false;
  const indent = /^ */.exec(file.text.slice(lineStart))?.[0].length ?? 0;
  return indent !== start - (file.text.lastIndexOf('\n', start - 1) + 1);
}

function explain(file: SourceFile, e: YamlError): readonly [message: string, hint?: string] {
  const [start, end] = e.pos;
  const shown = file.text.slice(start, endOfLine(file, start)).trim().slice(0, 40);
  const bare = bareExpression(file, start);
  if (bare !== undefined) {
    return ['an expression inside {…} or […] must stand in quotes', `write "${bare}"`];
  }
  switch (e.code) {
    case 'TAB_AS_INDENT':
      return ['a tab stands where the line is indented, expected spaces', 'YAML is indented with spaces only'];
    case 'BLOCK_AS_IMPLICIT_KEY':
      return e.message.startsWith('A block sequence')
        ? ["a list cannot begin behind 'key:' on the same line, expected it on the next line"]
        : [
            "a second 'key:' stands on one line, expected one value",
            "put text that holds ': ' in quotes, or the inner map on a line of its own",
          ];
    case 'MULTILINE_IMPLICIT_KEY':
      return deeper(file, start, end)
        ? [
            'this line is indented deeper than the key above, whose value stands there already',
            'indent it as the keys beside it',
          ]
        : ["expected ':' after the key", 'a key stands on one line and ends with a colon'];
    case 'KEY_OVER_1024_CHARS':
      return ["a key has more than 1024 characters, expected ':' before that"];
    case 'BAD_DQ_ESCAPE':
      return [
        `${e.message.replace('Invalid escape sequence ', "unknown escape '")}' in double quotes`,
        "write \\\\ for a backslash, or use single quotes: '…'",
      ];
    case 'BAD_SCALAR_START':
      return [
        `text cannot begin with '${file.text[start] ?? ''}', which has a meaning of its own in YAML`,
        `put the text in quotes: '${shown}'`,
      ];
    case 'MULTIPLE_ANCHORS':
      return ['two anchors (&…) stand before one value, expected one'];
    case 'MULTIPLE_TAGS':
      return ['two tags (!…) stand before one value, expected one'];
    case 'BAD_ALIAS':
      return [e.message.includes('empty') ? "expected a name after '&' or '*'" : "an anchor's name ends in ':'"];
    case 'ALIAS_PROPS':
      return ['an alias (*…) cannot have a tag or an anchor of its own'];
    case 'BAD_DIRECTIVE':
      return [`unknown directive '${shown}'`, 'a line that begins with % is a directive; quote the text'];
    case 'RESOURCE_EXHAUSTION':
      return ['lists and maps are nested too deeply'];
    case 'BAD_INDENT':
      return indentation(e.message);
    case 'MISSING_CHAR':
      return missing(e.message, shown);
    case 'BLOCK_IN_FLOW':
      return ['a list or map written over lines cannot stand inside […] or {…}', 'write it with […] or {…} too'];
    case 'BAD_PROP_ORDER':
      return ['an anchor or tag stands before its - or ?, expected behind it'];
    case 'UNEXPECTED_TOKEN':
      return unexpected(
        e.message,
        shown,
        /^\s*$/.test(file.text.slice(file.text.lastIndexOf('\n', start - 1) + 1, start)),
      );
    default:
      return [`not valid YAML at '${shown}'`];
  }
}

/** The `${{ … }}` whose first brace YAML takes for a map of its own, since it stands in {…} or […]. */
function bareExpression(file: SourceFile, start: number): string | undefined {
  if (file.text[start - 1] !== '$' || !file.text.startsWith('{{', start)) return undefined;
  return /^\$\{\{.*?\}\}/.exec(file.text.slice(start - 1, endOfLine(file, start)))?.[0] ?? '${{ … }}';
}

function indentation(message: string): readonly [string, string?] {
  const bracket = /end with a ([\]}])/.exec(message)?.[1];
  if (bracket === ']') return ["this list is not closed, expected ']'", 'its lines must be indented, the last too'];
  if (bracket === '}') return ["this map is not closed, expected '}'", 'its lines must be indented, the last too'];
  if (message.includes('mapping items')) {
    return ['this line is indented otherwise than the keys beside it', 'keys of one map begin in one column'];
  }
  if (message.includes('sequence items')) {
    return ['this line is indented otherwise than the items beside it', 'items of one list begin in one column'];
  }
  if (message.includes('Block scalar') || message.includes('block scalar')) {
    return ['the lines of this text are indented less than its first line', 'indent all lines of the text alike'];
  }
  return ['wrong indentation'];
}

function missing(message: string, shown: string): readonly [string, string?] {
  if (message.includes('"quote')) return ['this text is not closed, expected "'];
  if (message.includes("'quote")) return ["this text is not closed, expected '", "a ' inside '…' is written twice: ''"];
  if (message.includes('followed by map values'))
    return [`expected ':' after '${shown}'`, 'a map is written key: value'];
  if (message.includes('without - indicator')) return ["expected '- ' before an item of the list"];
  if (message.includes('Missing , or :')) return ["expected ',' or ':' here"];
  if (message.includes('Missing ,')) return ["expected ',' between the items"];
  if (message.includes('Missing space after :')) return ["expected a blank after ':'"];
  if (message.includes('Comments must')) return ["expected a blank before the '#' of a comment"];
  if (message.includes('Tags and anchors')) return ['expected a blank after a tag (!…) or an anchor (&…)'];
  if (message.includes('directives-end')) return ["expected '---' after the lines that begin with %"];
  const end = /end with a ([\]}])/.exec(message)?.[1];
  if (end !== undefined) return [`this ${end === ']' ? 'list' : 'map'} is not closed, expected '${end}'`];
  return [`something is missing before '${shown}'`];
}

function unexpected(message: string, shown: string, beginsLine: boolean): readonly [string, string?] {
  if (message.includes('Block scalar header')) {
    return ["expected the text on the next line after '|' or '>'", 'only a digit, + or - may follow | and >'];
  }
  if (message.includes('block-seq-ind on same line')) {
    return ["a list cannot begin behind 'key:' on the same line, expected it on the next line"];
  }
  if (message.includes('Unexpected , in')) return ["a ',' without an item before it"];
  if (message.includes('empty item')) return ['an empty item, expected a value'];
  if (message.includes('flow-seq-end') || message.includes('flow-map-end')) {
    return [`'${shown[0] ?? ''}' closes nothing here`, 'put text that holds brackets in quotes'];
  }
  if (message.includes('at node end') && beginsLine) {
    return ['this line continues nothing that stands above', "a missing '- ' or ':', or the wrong indentation?"];
  }
  if (message.includes('at node end')) {
    return [`'${shown}' stands behind the end of a value`, 'a quote in the text? put the whole text in quotes'];
  }
  return [`unexpected '${shown}'`];
}

/** The error for a `%YAML` directive that asks for another version than 1.2. */
export function otherVersion(file: SourceFile): Diagnostic {
  const directive = /^%YAML[^\r\n]*/m.exec(file.text);
  const [start, text] = [directive?.index ?? 0, directive?.[0] ?? '%YAML'];
  const message = `'${text}' asks for another YAML, expected YAML 1.2`;
  return error('yaml/version', message, { at: { file, start, end: start + text.length }, hint: 'remove the line' });
}

/** The error for a second document, of which something stands at `offset`. */
export function severalDocuments(file: SourceFile, offset: number): Diagnostic {
  const dashes = /^(?:---|\.\.\.)/gm;
  let start = 0;
  for (const found of file.text.slice(0, offset + 3).matchAll(dashes)) start = found.index;
  const message = 'a second document begins here, expected one document in a file';
  const hint = 'remove the line, or put what follows into a file of its own';
  return error('yaml/documents', message, { at: { file, start, end: start + 3 }, hint });
}
